// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace wb::app {

enum class PageId { Home, Data, Train, Compare, Evaluate, Adapters, Kernels, Runs };

}  // namespace wb::app
