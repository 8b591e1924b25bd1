// SPDX-License-Identifier: Apache-2.0
#include "core/format/weight_hash.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace wb::core {

void WeightHash::begin(std::string_view name, DType dtype, std::span<const int64_t> shape) {
    if (name <= m_lastName) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("weight hash: tensor '{}' comes after '{}', names must ascend", name, m_lastName)};
    }
    m_lastName = name;
    std::string header(name);
    header += '\0';
    header += dtypeName(dtype);
    header += '\0';
    header += fmt::format("{}", fmt::join(shape, ","));
    header += '\0';
    m_hash.update(header);
}

}  // namespace wb::core
