// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/tape.h"

#include <cstdint>
#include <span>

namespace wb::core {

// Rows [begin, end) of a packed batch that adapter `adapter` (an index into each layer's deltas) is added to.
struct AdapterRows {
    int64_t begin = 0;
    int64_t end = 0;
    int32_t adapter = 0;
};

// Counter of random draws of one step: an op takes the next `count` draws and remembers only the offset.
struct RandomStream {
    uint64_t seed = 0;
    uint64_t next = 0;

    uint64_t take(int64_t count) {
        const uint64_t offset = next;
        next += static_cast<uint64_t>(count);
        return offset;
    }
};

// What a forward pass needs besides its inputs. Made per pass, borrowed by everything below.
struct Context {
    const kernels::Context& device;
    Tape* tape = nullptr;             // null: inference, nothing is recorded
    RandomStream* dropout = nullptr;  // null: no dropout
    std::span<const AdapterRows> adapterRows{};
};

}  // namespace wb::core
