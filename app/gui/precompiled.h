// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled once for all files of the workbench: headers that seldom change. Files still include what they use.
#pragma once

#include <QtWidgets>
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/run/events.h"
#include "core/run/protocol.h"
#include "core/run/recipe_fields.h"
#include "core/run/run_folder.h"
#include "kernels/base/error.h"
#include "training/data/audit.h"
