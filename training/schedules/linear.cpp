// SPDX-License-Identifier: Apache-2.0
#include "training/schedules/schedules.h"

namespace wb::training {

double linearFactor(double progress) {
    return 1.0 - progress;
}

}  // namespace wb::training
