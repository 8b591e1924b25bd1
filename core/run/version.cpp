// SPDX-License-Identifier: Apache-2.0
#include "core/run/version.h"

namespace wb::core {

std::string_view engineVersion() {
    return WHETBENCH_VERSION;
}

}  // namespace wb::core
