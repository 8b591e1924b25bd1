// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/run/sha256.h"
#include "kernels/base/dtype.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wb::core {

// The identity of a set of weights, whatever file or memory they lie in: SHA-256 over the tensors in ascending byte
// order of their names, each as
//   name, 0x00, element type ("BF16"), 0x00, extents in decimal joined by ",", 0x00, its bytes (row-major,
//   little-endian).
// Names are those of a Hugging Face folder. Not thread-safe.
class WeightHash {
public:
    // Starts the next tensor. Throws InvalidArgument if the names do not ascend.
    void begin(std::string_view name, DType dtype, std::span<const int64_t> shape);
    // Its bytes, in as many pieces as suits.
    void update(std::span<const std::byte> bytes) { m_hash.update(bytes); }
    // 64 lower-case hexadecimal digits.
    std::string finish() { return m_hash.finish(); }

private:
    Sha256 m_hash;
    std::string m_lastName;
};

}  // namespace wb::core
