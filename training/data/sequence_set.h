// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/text/tokenizer.h"

namespace wb::training {

// The label of a position that is not trained.
inline constexpr int32_t kIgnoredLabel = -100;

// What the encoder of an encoder-decoder reads for the sequences of a batch, in their order. Ts tokens; empty for a
// decoder-only model.
struct PackedSource {
    std::vector<int32_t> ids;        // [Ts]
    std::vector<int32_t> positions;  // [Ts]
    std::vector<int32_t> cuSeqlens;  // [S + 1]
};

// One forward pass: sequences laid end to end, without padding. T tokens, S sequences.
struct PackedBatch {
    std::vector<int32_t> ids;        // [T]
    std::vector<int32_t> labels;     // [T] the id that position t shall predict (already shifted), or kIgnoredLabel
    std::vector<int32_t> positions;  // [T] 0, 1, 2 ... from the start of each sequence
    std::vector<int32_t> cuSeqlens;  // [S + 1] 0, ..., T: attention never crosses these bounds
    std::vector<int32_t> exampleIndices;  // [S] the example of the SequenceSet each sequence came from
    int64_t labelTokens = 0;              // labels that are not kIgnoredLabel
    int32_t maxSeqlen = 0;                // the longest sequence
    PackedSource source;

    int64_t tokens() const { return static_cast<int64_t>(ids.size() + source.ids.size()); }  // of both sides
};

// Token ids of a whole training or validation set, ready to be packed. An example is what the batch size counts: a row
// of instruction data, or one window of running text (which holds one sequence per document it touches).
// Thread-safe once filled.
class SequenceSet {
public:
    // Adds one example of one sequence. `trained` has an entry per id; entry t says that id t is learnt from the ids
    // before it, so entry 0 never counts. `source` is an index of the caller's choice (the row of the data set).
    void addExample(std::span<const core::TokenId> ids, std::span<const uint8_t> trained, int32_t source);

    // Adds one example of an encoder-decoder: the encoder reads `source`, the decoder reads `target` but for its last
    // id and learns those of its ids that are trained. Both sides have ids; a set holds pairs or sequences, never both.
    void addPair(std::span<const core::TokenId> source, std::span<const core::TokenId> target,
                 std::span<const uint8_t> trained, int32_t row);

    // Adds windows of `windowLength` tokens over running text in which every token is learnt from those before it in
    // the same document. `documentStarts` are ascending offsets into ids, the first 0. Takes windows [first, last).
    // source(i) is the number of the window. Ids are copied.
    void addWindows(std::span<const core::TokenId> ids, std::span<const int64_t> documentStarts, int64_t windowLength,
                    int64_t first, int64_t last);

    size_t size() const { return m_examples.size(); }
    int64_t length(size_t example) const;        // tokens, of both sides of a pair
    int64_t sourceLength(size_t example) const;  // tokens of the encoder's side
    int64_t labelTokens(size_t example) const;   // trained tokens
    int32_t source(size_t example) const;
    std::vector<int64_t> lengths() const;
    int64_t totalTokens() const { return static_cast<int64_t>(m_ids.size() + m_sourceIds.size()); }
    int64_t totalLabelTokens() const { return m_totalLabelTokens; }
    int64_t longest() const;

    // Lays the examples end to end. Throws InvalidArgument on an index out of range.
    PackedBatch pack(std::span<const int32_t> examples) const;

private:
    struct Entry {
        int64_t begin;
        int64_t end;
        int64_t labelTokens;
        int32_t labelAfterEnd;  // label of the last id, which lies in the next window; or kIgnoredLabel
        int32_t source;
        int64_t sourceBegin = 0;  // of the encoder's ids
        int64_t sourceEnd = 0;

        int64_t length() const { return end - begin + sourceEnd - sourceBegin; }
    };
    static void packSource(PackedSource& packed, std::span<const int32_t> ids);

    std::vector<int32_t> m_ids;
    std::vector<int32_t> m_sourceIds;
    std::vector<uint8_t> m_flags;  // per id: whether the next id is its label, whether it starts a sequence
    std::vector<Entry> m_examples;
    int64_t m_totalLabelTokens = 0;
};

}  // namespace wb::training
