// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace wb::app {

struct Tokens;

// The application's style sheet for one palette: flat fields, buttons, tables and tabs over Fusion.
QString makeStyleSheet(const Tokens& theme);

}  // namespace wb::app
