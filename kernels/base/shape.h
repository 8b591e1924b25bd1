// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace wb {

// Extents of a dense row-major tensor, outermost first. Rank 0 means "absent", a scalar is [1].
class Shape {
public:
    static constexpr int kMaxRank = 4;

    Shape() = default;
    // Throws InvalidArgument on a negative extent, more than kMaxRank extents or an element count over 2^62.
    Shape(std::initializer_list<int64_t> extents);

    int rank() const { return m_rank; }
    int64_t operator[](int axis) const { return m_extents[static_cast<size_t>(axis)]; }
    // Product of the extents; 0 for an absent shape.
    int64_t count() const;
    // Product of all extents but the last: the rows of the matrix that kernels see.
    int64_t rows() const;
    // The last extent; 0 for an absent shape.
    int64_t columns() const { return m_rank == 0 ? 0 : m_extents[static_cast<size_t>(m_rank - 1)]; }
    // "[4, 8]".
    std::string text() const;

    bool operator==(const Shape&) const = default;

private:
    std::array<int64_t, kMaxRank> m_extents{};
    int m_rank = 0;
};

}  // namespace wb
