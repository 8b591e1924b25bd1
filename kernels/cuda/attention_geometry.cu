// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_geometry.h"

namespace wb::kernels::cuda {
namespace {

// Tiles of `rows` rows with their work, heaviest first; equal ones in the order of the batch.
template <class NumRows, class Work>
std::vector<AttentionTile> listTiles(std::span<const int32_t> cuSeqlensQ, std::span<const int32_t> cuSeqlensK, int rows,
                                     const NumRows& numRows, const Work& work) {
    struct Weighed {
        AttentionTile tile;
        int work;
    };
    std::vector<Weighed> weighed;
    for (size_t b = 0; b + 1 < cuSeqlensQ.size(); ++b) {
        const AttentionSequence sequence = attentionSequence(cuSeqlensQ, cuSeqlensK, b);
        const int count = numRows(sequence);
        for (int first = 0; first < count; first += rows) {
            weighed.push_back({{sequence, first}, work(sequence, first, std::min(first + rows, count) - 1).count()});
        }
    }
    std::stable_sort(weighed.begin(), weighed.end(),
                     [](const Weighed& a, const Weighed& b) { return a.work > b.work; });
    std::vector<AttentionTile> tiles;
    tiles.reserve(weighed.size());
    for (const Weighed& entry : weighed) tiles.push_back(entry.tile);
    return tiles;
}

}  // namespace

std::vector<AttentionTile> listQueryTiles(std::span<const int32_t> cuSeqlensQ, std::span<const int32_t> cuSeqlensK,
                                          const AttentionMask& mask, int rows) {
    return listTiles(
        cuSeqlensQ, cuSeqlensK, rows, [](const AttentionSequence& sequence) { return sequence.numQueries; },
        [&](const AttentionSequence& sequence, int first, int last) {
            return keysSeenBySome(mask, sequence, first, last);
        });
}

std::vector<AttentionTile> listKeyTiles(std::span<const int32_t> cuSeqlensQ, std::span<const int32_t> cuSeqlensK,
                                        const AttentionMask& mask, int rows) {
    return listTiles(
        cuSeqlensQ, cuSeqlensK, rows, [](const AttentionSequence& sequence) { return sequence.numKeys; },
        [&](const AttentionSequence& sequence, int first, int last) {
            return queriesSeeingSome(mask, sequence, first, last);
        });
}

}  // namespace wb::kernels::cuda
