// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/shape.h"

namespace wb::kernels {

// Borrowed dense row-major memory that an op reads. Default-constructed means "absent".
struct ConstView {
    const void* data = nullptr;  // null on the plan device, whatever the shape
    DType dtype = DType::F32;
    Shape shape;

    bool isPresent() const { return shape.rank() > 0; }
    size_t bytes() const { return arrayBytes(dtype, shape); }
    template <class T>
    const T* as() const {
        return static_cast<const T*>(data);
    }
};

// Borrowed dense row-major memory that an op writes.
struct View {
    void* data = nullptr;
    DType dtype = DType::F32;
    Shape shape;

    operator ConstView() const { return {data, dtype, shape}; }  // NOLINT: reading what may be written is always fine
    bool isPresent() const { return shape.rank() > 0; }
    size_t bytes() const { return arrayBytes(dtype, shape); }
    template <class T>
    T* as() const {
        return static_cast<T*>(data);
    }
};

}  // namespace wb::kernels
