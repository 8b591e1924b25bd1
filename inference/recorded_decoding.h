// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/packed_input.h"
#include "kernels/runtime/step_recording.h"

#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace wb::inference {

// What a pass of one new token for each of some rows reads on the host.
struct DecodeInputs {
    std::vector<int32_t> ids;
    std::vector<int32_t> positions;
    core::SequenceBounds bounds;
    core::CacheStep step;
    std::vector<core::AdapterRows> adapterRows;
    std::vector<core::MemoryRows> memories;
};

// Runs decoding passes, recorded where the device can: passes with the same rows, adapters, encoder memories and a
// block table of the same width (rounded up) differ only in the values of their arrays. The first pass of a kind runs
// as it is, the second is recorded, later ones start as a whole. The bits are the same. Engine thread only.
class RecordedDecoding {
public:
    // Logits [rows, V] of a pass, made with the given context.
    using Pass = std::function<core::Tensor(const kernels::Context&, const DecodeInputs&)>;

    RecordedDecoding(const kernels::Context& context, const core::KvCacheConfig& cache, Pass pass);

    // Valid until the next call.
    core::Tensor run(DecodeInputs inputs);
    void setEnabled(bool isEnabled) { m_isEnabled = isEnabled; }
    int64_t numRecordings() const { return m_numRecordings; }

private:
    // What must be equal for a recording to serve.
    struct Kind {
        size_t numRows = 0;
        int32_t maxBlocks = 0;
        std::vector<core::AdapterRows> adapterRows;
        std::vector<core::MemoryRows> memories;

        bool operator==(const Kind& other) const;
    };
    struct Recording {
        Kind kind;
        DecodeInputs inputs;  // at addresses that stay
        std::unique_ptr<kernels::RecordedStep> step;
        core::Tensor logits;  // in the memory of the step
    };

    static Kind kindOf(const DecodeInputs& inputs);
    void widen(core::CacheStep& step, size_t numRows) const;
    bool isKnown(const Kind& kind);
    Recording* find(const Kind& kind);
    Recording* record(const Kind& kind, DecodeInputs inputs);

    const kernels::Context& m_context;
    int32_t m_blockSize;
    int64_t m_numBlocks;
    Pass m_pass;
    std::deque<Kind> m_seen;                              // that ran once
    std::deque<std::unique_ptr<Recording>> m_recordings;  // latest first
    int64_t m_numRecordings = 0;
    bool m_isEnabled = true;
};

}  // namespace wb::inference
