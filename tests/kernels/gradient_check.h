// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>

namespace wb::kernels::testing {

inline constexpr double kGradientTolerance = 1e-6;

// Largest difference between `gradient` and the central differences of `objective` with respect to `values`, relative
// to the largest entry of the gradient (single entries may be zero by symmetry). Values are restored.
inline double worstGradientError(const std::function<double()>& objective, std::span<double> values,
                                 std::span<const double> gradient, double step = 1e-5) {
    double largest = 1e-12;
    double worst = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        const double kept = values[i];
        values[i] = kept + step;
        const double above = objective();
        values[i] = kept - step;
        const double below = objective();
        values[i] = kept;
        const double difference = (above - below) / (2 * step);
        largest = std::max({largest, std::abs(difference), std::abs(gradient[i])});
        const double error = std::abs(difference - gradient[i]);
        worst = std::isnan(error) ? error : std::max(worst, error);
        if (std::isnan(worst)) return worst;
    }
    return worst / largest;
}

}  // namespace wb::kernels::testing
