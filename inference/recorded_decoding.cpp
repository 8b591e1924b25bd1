// SPDX-License-Identifier: Apache-2.0
#include "inference/recorded_decoding.h"

#include <algorithm>
#include <array>
#include <utility>

namespace wb::inference {
namespace {

constexpr size_t kKept = 8;          // recordings, and kinds of passes remembered
constexpr int32_t kFirstWidth = 16;  // blocks of the narrowest table

kernels::HostArray arrayOf(const std::vector<int32_t>& values) {
    return {values.data(), values.size() * sizeof(int32_t)};
}

// The same number of values, so the memory stays where it is.
void assignInPlace(std::vector<int32_t>& target, const std::vector<int32_t>& source) {
    std::ranges::copy(source, target.begin());
}

bool isSame(const core::AdapterRows& a, const core::AdapterRows& b) {
    return a.begin == b.begin && a.end == b.end && a.adapter == b.adapter;
}
bool areSameMemories(const core::MemoryRows& a, const core::MemoryRows& b) {
    return a.begin == b.begin && a.end == b.end && a.memory == b.memory;
}

}  // namespace

bool RecordedDecoding::Kind::operator==(const Kind& other) const {
    return numRows == other.numRows && maxBlocks == other.maxBlocks &&
           std::ranges::equal(adapterRows, other.adapterRows, isSame) &&
           std::ranges::equal(memories, other.memories, areSameMemories);
}

RecordedDecoding::RecordedDecoding(const kernels::Context& context, const core::KvCacheConfig& cache, Pass pass)
    : m_context(context), m_blockSize(cache.blockSize), m_numBlocks(cache.numBlocks), m_pass(std::move(pass)) {
    m_isEnabled = context.device.type == DeviceType::Cuda;
}

RecordedDecoding::Kind RecordedDecoding::kindOf(const DecodeInputs& inputs) {
    return {inputs.ids.size(), inputs.step.maxBlocks, inputs.adapterRows, inputs.memories};
}

// Tables as wide as the next power of two, so that a sequence grows for a while within one kind of pass.
void RecordedDecoding::widen(core::CacheStep& step, size_t numRows) const {
    int32_t width = kFirstWidth;
    while (width < step.maxBlocks) width *= 2;
    std::vector<int32_t> tables(numRows * static_cast<size_t>(width), 0);
    const auto narrow = static_cast<std::ptrdiff_t>(step.maxBlocks);
    for (size_t row = 0; row < numRows; ++row) {
        const auto from = step.blockTables.begin() + static_cast<std::ptrdiff_t>(row) * narrow;
        std::copy(from, from + narrow, tables.begin() + static_cast<std::ptrdiff_t>(row) * width);
    }
    step.blockTables = std::move(tables);
    step.maxBlocks = width;
    step.maxKeyLength = width * m_blockSize;
}

bool RecordedDecoding::isKnown(const Kind& kind) {
    if (std::ranges::find(m_seen, kind) != m_seen.end()) return true;
    m_seen.push_front(kind);
    if (m_seen.size() > kKept) m_seen.pop_back();
    return false;
}

RecordedDecoding::Recording* RecordedDecoding::find(const Kind& kind) {
    const auto found =
        std::ranges::find(m_recordings, kind, [](const auto& recording) -> const Kind& { return recording->kind; });
    if (found == m_recordings.end()) return nullptr;
    std::rotate(m_recordings.begin(), found, found + 1);
    return m_recordings.front().get();
}

RecordedDecoding::Recording* RecordedDecoding::record(const Kind& kind, DecodeInputs inputs) {
    auto recording = std::make_unique<Recording>(kind, std::move(inputs));
    const DecodeInputs& kept = recording->inputs;
    const std::array<kernels::HostArray, 5> changing{arrayOf(kept.ids), arrayOf(kept.positions),
                                                     arrayOf(kept.step.slots), arrayOf(kept.step.keyLengths),
                                                     arrayOf(kept.step.blockTables)};
    recording->step = kernels::RecordedStep::make(m_context);
    const bool isRecorded =
        recording->step != nullptr && recording->step->record(changing, [&](const kernels::Context& context) {
            recording->logits = m_pass(context, kept);
        });
    if (!isRecorded) {
        m_isEnabled = false;  // what could not be recorded once will not be the next time
        return nullptr;
    }
    ++m_numRecordings;
    m_recordings.push_front(std::move(recording));
    if (m_recordings.size() > kKept) m_recordings.pop_back();
    return m_recordings.front().get();
}

core::Tensor RecordedDecoding::run(DecodeInputs inputs) {
    if (!m_isEnabled || (m_context.profiler != nullptr && m_context.profiler->isEnabled()))
        return m_pass(m_context, inputs);
    widen(inputs.step, inputs.ids.size());
    const Kind kind = kindOf(inputs);
    Recording* recording = find(kind);
    if (recording == nullptr && isKnown(kind)) recording = record(kind, inputs);
    if (recording == nullptr) return m_pass(m_context, inputs);
    DecodeInputs& kept = recording->inputs;
    assignInPlace(kept.ids, inputs.ids);
    assignInPlace(kept.positions, inputs.positions);
    assignInPlace(kept.step.slots, inputs.step.slots);
    assignInPlace(kept.step.keyLengths, inputs.step.keyLengths);
    assignInPlace(kept.step.blockTables, inputs.step.blockTables);
    recording->step->run();
    return recording->logits;
}

}  // namespace wb::inference
