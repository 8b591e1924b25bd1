// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace wb::core {

// A dense row-major array in device memory. Copies share storage; a default-constructed one is absent.
// Engine thread only. The allocator it came from must outlive it.
class Tensor {
public:
    Tensor() = default;

    // Uninitialised storage.
    static Tensor empty(const kernels::Context& context, DType dtype, const Shape& shape, kernels::MemoryOwner owner);
    static Tensor zeros(const kernels::Context& context, DType dtype, const Shape& shape, kernels::MemoryOwner owner);
    // I32 [values.size()] with the given contents.
    static Tensor fromInts(const kernels::Context& context, std::span<const int32_t> values,
                           kernels::MemoryOwner owner);

    bool isPresent() const { return m_shape.rank() > 0; }
    DType dtype() const { return m_dtype; }
    const Shape& shape() const { return m_shape; }
    int64_t count() const { return m_shape.count(); }
    size_t bytes() const { return arrayBytes(m_dtype, m_shape); }
    void* data() const;
    // True if no other tensor shares the storage: writing in place then disturbs nobody.
    bool ownsStorageAlone() const { return m_storage.use_count() == 1; }

    kernels::View view() const { return {data(), m_dtype, m_shape}; }

    // Same storage under another shape of equal count. Throws InvalidArgument.
    Tensor reshaped(const Shape& shape) const;
    // Rows [begin, end) of the outermost axis, same storage. In tiles, begin is a multiple of 16.
    Tensor rows(int64_t begin, int64_t end) const;

private:
    std::shared_ptr<kernels::Buffer> m_storage;
    size_t m_offset = 0;  // bytes
    DType m_dtype = DType::F32;
    Shape m_shape;
};

// Copies between host and device, in the order of its work: copyFromHost has read the source when it returns,
// copyToHost waits. On the plan device nothing is copied. `bytes` must equal tensor.bytes().
void copyFromHost(const kernels::Context& context, const void* source, size_t bytes, const Tensor& target);
void copyToHost(const kernels::Context& context, const Tensor& source, void* target, size_t bytes);

// The values of an F32/BF16/F16/F64 tensor, or of one in tiles, as floats; zeros on the plan device.
std::vector<float> toFloats(const kernels::Context& context, const Tensor& tensor);
// Fills an F32/BF16/F64 tensor from floats, or quantises them into tiles. Throws InvalidArgument on a count mismatch
// and for tiles if a value is not finite.
void assignFloats(const kernels::Context& context, const Tensor& tensor, std::span<const float> values);
// Fills with zeros; a tensor in tiles as well.
void fillZeros(const kernels::Context& context, const Tensor& tensor);
// The values of a weight in another type, both F32/BF16/F64, or the weight in tiles. Same shape.
void copyWeight(const kernels::Context& context, const Tensor& from, const Tensor& to);

}  // namespace wb::core
