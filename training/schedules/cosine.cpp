// SPDX-License-Identifier: Apache-2.0
#include "training/schedules/schedules.h"

#include <cmath>
#include <numbers>

namespace wb::training {

// Loshchilov & Hutter 2017 (arXiv:1608.03983), half a period.
double cosineFactor(double progress) {
    return 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace wb::training
