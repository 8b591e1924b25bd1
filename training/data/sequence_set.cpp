// SPDX-License-Identifier: Apache-2.0
#include "training/data/sequence_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.h"

namespace wb::training {
namespace {
constexpr uint8_t kNextIsLabel = 1;
constexpr uint8_t kStartsSequence = 2;
}  // namespace

void SequenceSet::addExample(std::span<const core::TokenId> ids, std::span<const uint8_t> trained, int32_t source) {
    WB_CHECK(ids.size() == trained.size(), "every id needs a flag");
    const auto begin = static_cast<int64_t>(m_ids.size());
    int64_t labels = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
        const bool nextIsLabel = i + 1 < ids.size() && trained[i + 1] != 0;
        labels += nextIsLabel ? 1 : 0;
        m_ids.push_back(ids[i]);
        m_flags.push_back(static_cast<uint8_t>((nextIsLabel ? kNextIsLabel : 0) | (i == 0 ? kStartsSequence : 0)));
    }
    m_examples.push_back({begin, static_cast<int64_t>(m_ids.size()), labels, kIgnoredLabel, source, 0, 0});
    m_totalLabelTokens += labels;
}

void SequenceSet::addPair(std::span<const core::TokenId> source, std::span<const core::TokenId> target,
                          std::span<const uint8_t> trained, int32_t row) {
    WB_CHECK(!source.empty() && target.size() > 1, "a pair has two sides");
    // The last id is learnt from the one before it and read by nobody.
    addExample(target.first(target.size() - 1), trained.first(target.size() - 1), row);
    Entry& entry = m_examples.back();
    if (trained.back() != 0) {
        entry.labelAfterEnd = target.back();
        m_flags.back() |= kNextIsLabel;
        ++entry.labelTokens;
        ++m_totalLabelTokens;
    }
    entry.sourceBegin = static_cast<int64_t>(m_sourceIds.size());
    m_sourceIds.insert(m_sourceIds.end(), source.begin(), source.end());
    entry.sourceEnd = static_cast<int64_t>(m_sourceIds.size());
}

void SequenceSet::addWindows(std::span<const core::TokenId> ids, std::span<const int64_t> documentStarts,
                             int64_t windowLength, int64_t first, int64_t last) {
    WB_CHECK(windowLength > 0 && first >= 0, "windows have a length and a number");
    const auto total = static_cast<int64_t>(ids.size());
    const int64_t from = std::min(total, first * windowLength);
    const int64_t to = std::min(total, last * windowLength);
    if (from >= to) return;
    m_ids.reserve(m_ids.size() + static_cast<size_t>(to - from));
    m_flags.reserve(m_flags.size() + static_cast<size_t>(to - from));
    auto nextStart = std::lower_bound(documentStarts.begin(), documentStarts.end(), from);
    for (int64_t begin = from; begin < to; begin += windowLength) {
        const int64_t end = std::min(to, begin + windowLength);
        Entry entry{static_cast<int64_t>(m_ids.size()), 0, 0, kIgnoredLabel,
                    static_cast<int32_t>(begin / windowLength)};
        for (int64_t t = begin; t < end; ++t) {
            const bool startsDocument = nextStart != documentStarts.end() && *nextStart == t;
            if (startsDocument) ++nextStart;
            const bool nextStartsDocument = nextStart != documentStarts.end() && *nextStart == t + 1;
            const bool hasLabel = t + 1 < total && !nextStartsDocument;
            entry.labelTokens += hasLabel ? 1 : 0;
            m_ids.push_back(ids[static_cast<size_t>(t)]);
            m_flags.push_back(static_cast<uint8_t>((hasLabel ? kNextIsLabel : 0) |
                                                   (startsDocument || t == begin ? kStartsSequence : 0)));
            if (hasLabel && t + 1 == end) entry.labelAfterEnd = ids[static_cast<size_t>(t + 1)];
        }
        entry.end = static_cast<int64_t>(m_ids.size());
        m_totalLabelTokens += entry.labelTokens;
        m_examples.push_back(entry);
    }
}

int64_t SequenceSet::length(size_t example) const {
    return m_examples.at(example).length();
}
int64_t SequenceSet::sourceLength(size_t example) const {
    return m_examples.at(example).sourceEnd - m_examples[example].sourceBegin;
}
int64_t SequenceSet::labelTokens(size_t example) const {
    return m_examples.at(example).labelTokens;
}
int32_t SequenceSet::source(size_t example) const {
    return m_examples.at(example).source;
}

std::vector<int64_t> SequenceSet::lengths() const {
    std::vector<int64_t> result(size());
    for (size_t i = 0; i < size(); ++i) result[i] = m_examples[i].length();
    return result;
}

int64_t SequenceSet::longest() const {
    int64_t result = 0;
    for (const Entry& entry : m_examples) result = std::max(result, entry.length());
    return result;
}

void SequenceSet::packSource(PackedSource& packed, std::span<const int32_t> ids) {
    if (packed.cuSeqlens.empty()) packed.cuSeqlens.push_back(0);
    packed.ids.insert(packed.ids.end(), ids.begin(), ids.end());
    for (size_t i = 0; i < ids.size(); ++i) packed.positions.push_back(static_cast<int32_t>(i));
    packed.cuSeqlens.push_back(static_cast<int32_t>(packed.ids.size()));
}

PackedBatch SequenceSet::pack(std::span<const int32_t> examples) const {
    PackedBatch batch;
    size_t tokens = 0;
    for (const int32_t index : examples) {
        if (index < 0 || static_cast<size_t>(index) >= size())
            throw Error{ErrorCode::InvalidArgument, fmt::format("example {} of a set of {}", index, size())};
        tokens += static_cast<size_t>(length(static_cast<size_t>(index)));
    }
    batch.ids.reserve(tokens);
    batch.labels.reserve(tokens);
    batch.positions.reserve(tokens);
    batch.cuSeqlens.push_back(0);
    const auto closeSequence = [&batch](int32_t index) {
        const auto end = static_cast<int32_t>(batch.ids.size());
        if (end == batch.cuSeqlens.back()) return;
        batch.maxSeqlen = std::max(batch.maxSeqlen, end - batch.cuSeqlens.back());
        batch.cuSeqlens.push_back(end);
        batch.exampleIndices.push_back(index);
    };
    for (const int32_t index : examples) {
        const Entry& entry = m_examples[static_cast<size_t>(index)];
        for (int64_t t = entry.begin; t < entry.end; ++t) {
            const uint8_t flags = m_flags[static_cast<size_t>(t)];
            if ((flags & kStartsSequence) != 0) closeSequence(index);
            batch.positions.push_back(static_cast<int32_t>(batch.ids.size()) - batch.cuSeqlens.back());
            batch.ids.push_back(m_ids[static_cast<size_t>(t)]);
            int32_t label = kIgnoredLabel;
            if ((flags & kNextIsLabel) != 0)
                label = t + 1 < entry.end ? m_ids[static_cast<size_t>(t + 1)] : entry.labelAfterEnd;
            batch.labels.push_back(label);
        }
        closeSequence(index);
        batch.labelTokens += entry.labelTokens;
        if (entry.sourceEnd > entry.sourceBegin) {
            packSource(batch.source, std::span(m_sourceIds)
                                         .subspan(static_cast<size_t>(entry.sourceBegin),
                                                  static_cast<size_t>(entry.sourceEnd - entry.sourceBegin)));
        }
    }
    return batch;
}

}  // namespace wb::training
