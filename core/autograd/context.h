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

// What becomes of outputs that cost little (norms, activations) and that backward reads.
enum class CheapValues { Kept, MadeAgain };

// What a forward pass needs besides its inputs. Made per pass, borrowed by everything below.
struct Context {
    const kernels::Context& device;
    Tape* tape = nullptr;             // null: inference, nothing is recorded
    RandomStream* dropout = nullptr;  // null: no dropout
    std::span<const AdapterRows> adapterRows{};
    CheapValues cheapValues = CheapValues::Kept;

    // The same pass for other rows.
    Context withRows(std::span<const AdapterRows> rows) const { return {device, tape, dropout, rows, cheapValues}; }
    // `make` as an output may carry it; null where outputs are kept or nothing is recorded.
    std::shared_ptr<Recomputed> recomputed(Recomputed::Make make) const {
        if (tape == nullptr || cheapValues == CheapValues::Kept) return nullptr;
        return std::make_shared<Recomputed>(std::move(make));
    }
};

}  // namespace wb::core
