// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace wb::kernels {

// Brings a few bytes from the device to the host while the device works on. One copy at a time; made by
// PluginInterface::makeHostRead for one stream, which must outlive it. Engine thread only.
class HostRead {
public:
    virtual ~HostRead() = default;
    // A copy behind everything given to the device so far; `bytes` within the capacity. What follows in the stream may
    // already overwrite the source.
    virtual void start(const void* source, size_t bytes) = 0;
    // The bytes of the last copy, valid until the next; waits for that copy alone.
    virtual const void* wait() = 0;
};

}  // namespace wb::kernels
