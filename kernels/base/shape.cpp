// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/shape.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>

namespace wb {

Shape::Shape(std::initializer_list<int64_t> extents) {
    if (extents.size() > kMaxRank) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("a shape of rank {} exceeds {}", extents.size(), kMaxRank)};
    }
    constexpr int64_t kMaxCount = int64_t{1} << 62;
    int64_t product = 1;
    for (const int64_t extent : extents) {
        if (extent < 0 || (extent > 0 && product > kMaxCount / extent)) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("shape [{}] is negative or too large", fmt::join(extents, ", "))};
        }
        product *= std::max<int64_t>(extent, 1);
        m_extents[static_cast<size_t>(m_rank++)] = extent;
    }
}

int64_t Shape::count() const {
    if (m_rank == 0) return 0;
    int64_t product = 1;
    for (int axis = 0; axis < m_rank; ++axis) product *= (*this)[axis];
    return product;
}

int64_t Shape::rows() const {
    if (m_rank == 0) return 0;
    int64_t product = 1;
    for (int axis = 0; axis + 1 < m_rank; ++axis) product *= (*this)[axis];
    return product;
}

std::string Shape::text() const {
    return fmt::format("[{}]", fmt::join(m_extents.begin(), m_extents.begin() + m_rank, ", "));
}

}  // namespace wb
