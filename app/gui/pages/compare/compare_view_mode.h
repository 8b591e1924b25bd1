// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace wb::app {

// How the answers are tinted: not at all, by what differs, by how sure the writer was, by who likes a token more.
enum class CompareView { Plain, Diff, Confidence, Difference };

}  // namespace wb::app
