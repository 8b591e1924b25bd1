// SPDX-License-Identifier: Apache-2.0
// Geometry of the tiled attention kernels: 64 query rows against 64 keys.
//
// The query heads that share a key/value head are packed: row r of a sequence is query r / group of head
// keyValueHead * group + r % group. Tiles lie transposed, [.., row]: the SIMD lanes are rows, so that maxima and sums
// over keys need no work across lanes, a row's result never depends on its neighbours, and keys and values are read as
// they lie in memory.
#pragma once

#include "kernels/cpu/attention_common.h"
#include "kernels/cpu/cpu_features.h"

#include <cstdint>
#include <vector>

namespace wb::kernels::cpu {

inline constexpr int64_t kTileRows = 64;  // 64 x 64 scores and 64 x D operands fit the 32 KiB L1 cache at D = 64
inline constexpr int64_t kTileKeys = 64;
inline constexpr int64_t kLaneStep = 16;  // columns of a tile are a multiple of the widest vector

inline int64_t roundUp(int64_t value, int64_t step) {
    return (value + step - 1) / step * step;
}
inline int64_t numTiles(int64_t rows, int64_t tileRows = kTileRows) {
    return (rows + tileRows - 1) / tileRows;
}

// Whether tiles of BF16 with this head dim are multiplied as they are.
inline bool multipliesPairs(int64_t headDim) {
    return headDim % 2 == 0 && cpuFeatures().hasFastBf16Dot;
}

// Up to `tileRows` packed rows of one sequence and key/value head.
struct QueryTile {
    AttentionSequence sequence;
    int64_t keyValueHead = 0;
    int64_t group = 1;
    int64_t firstRow = 0;
    int64_t numRows = 0;

    QueryTile(const AttentionSequence& s, int64_t keyValue, int64_t groupSize, int64_t index,
              int64_t tileRows = kTileRows)
        : sequence(s),
          keyValueHead(keyValue),
          group(groupSize),
          firstRow(index * tileRows),
          numRows(std::min(tileRows, s.numQueries * groupSize - firstRow)) {}

    int64_t columns() const { return roundUp(numRows, kLaneStep); }
    int64_t query(int64_t r) const { return (firstRow + r) / group; }
    int64_t head(int64_t r) const { return keyValueHead * group + (firstRow + r) % group; }
    int64_t token(int64_t r) const { return sequence.firstQuery + query(r); }
    int64_t position(int64_t r) const { return sequence.position(query(r)); }

    // Row of the tile in a packed [T, H, D] or, with headDim 1, [T, H].
    template <class T>
    T* row(T* data, int64_t r, int64_t numHeads, int64_t headDim) const {
        return data + (token(r) * numHeads + head(r)) * headDim;
    }
    // Keys that some row sees; positions rise with r, and so do both ends.
    KeyRange seenBySome(const AttentionOptions& options) const {
        return {visibleKeys(options, position(0), sequence.numKeys).begin,
                visibleKeys(options, position(numRows - 1), sequence.numKeys).end};
    }
    KeyRange seenByAll(const AttentionOptions& options) const {
        return {visibleKeys(options, position(numRows - 1), sequence.numKeys).begin,
                visibleKeys(options, position(0), sequence.numKeys).end};
    }
};

// Floats of scratch for a tile of bias or dropout factors, or for a DistanceStrip.
inline int64_t extraFloats(int64_t group) {
    return roundUp(std::max(kTileKeys * kTileRows, kTileRows + kTileKeys * group), kLaneStep);
}

// Names a tile of a packed batch.
struct TileRef {
    size_t sequence = 0;
    int64_t keyValueHead = 0;
    int64_t tile = 0;
};

inline std::vector<TileRef> listTiles(std::span<const int32_t> cuSeqlensQ, int64_t keyValueHeads, int64_t group,
                                      int64_t tileRows = kTileRows) {
    std::vector<TileRef> tiles;
    for (size_t b = 0; b + 1 < cuSeqlensQ.size(); ++b) {
        const int64_t count = numTiles((cuSeqlensQ[b + 1] - cuSeqlensQ[b]) * group, tileRows);
        for (int64_t t = 0; t < count; ++t) {
            for (int64_t head = 0; head < keyValueHeads; ++head) tiles.push_back({b, head, t});
        }
    }
    return tiles;
}

// Per-lane facts of a tile; lanes behind the last row repeat it and are never stored.
struct LaneFacts {
    alignas(64) int32_t firstKey[kTileRows];
    alignas(64) int32_t lastKey[kTileRows];
    alignas(64) float position[kTileRows];
    alignas(64) float slope[kTileRows];

    void fill(const QueryTile& tile, const AttentionOptions& options, const ConstView& bias) {
        const bool hasSlopes = options.bias == AttentionBias::Alibi;
        for (int64_t lane = 0; lane < tile.columns(); ++lane) {
            const int64_t r = std::min(lane, tile.numRows - 1);
            const KeyRange keys = visibleKeys(options, tile.position(r), tile.sequence.numKeys);
            firstKey[lane] = static_cast<int32_t>(keys.begin);
            lastKey[lane] = static_cast<int32_t>(keys.end - 1);
            position[lane] = static_cast<float>(tile.position(r));
            slope[lane] = hasSlopes ? biasValue<float>(bias, tile.head(r)) : 0.0F;
        }
    }
};

// Entries of a distance table that a tile reads. Row r and key j of a block read entry clamp(j - position(r) + N / 2):
// along a diagonal of the tile that is one entry, so the tile is `numKeys` overlapping windows of one strip.
//   value(j, r) = strip[start(j) + r]
class DistanceStrip {
public:
    DistanceStrip(const QueryTile& tile, int64_t firstKey, int64_t numKeys)
        : m_tile(tile), m_firstKey(firstKey), m_numKeys(numKeys), m_shift(tile.firstRow % tile.group) {}

    int64_t length() const { return m_shift + m_tile.columns() + (m_numKeys - 1) * m_tile.group; }
    int64_t start(int64_t j) const { return m_shift + (m_numKeys - 1 - j) * m_tile.group; }

    // Calls body(x, entry) for each element of the strip that a row reads; entry is an index into the table [Hq, N].
    template <class Body>
    void forEntries(int64_t tableLength, const Body& body) const {
        const int64_t group = m_tile.group;
        const int64_t firstHead = m_tile.keyValueHead * group;
        const int64_t end = m_shift + m_tile.numRows + (m_numKeys - 1) * group;
        for (int64_t x = m_shift; x < end; ++x) {
            // Element x belongs to the last key and the query x / group behind the first of the tile.
            const int64_t position = m_tile.position(0) + x / group;
            const int64_t entry = distanceIndex(m_firstKey + m_numKeys - 1, position, tableLength);
            body(x, (firstHead + x % group) * tableLength + entry);
        }
    }

private:
    const QueryTile& m_tile;
    int64_t m_firstKey;
    int64_t m_numKeys;
    int64_t m_shift;  // head of the first row within its group
};

// Dense bias of a tile: out[j, r] = bias of row r and key firstKey + j.
inline void gatherBias(const ConstView& bias, const QueryTile& tile, int64_t firstKey, int64_t numKeys, float* out) {
    const int64_t columns = tile.columns();
    for (int64_t r = 0; r < columns; ++r) {
        if (r >= tile.numRows) {
            for (int64_t j = 0; j < numKeys; ++j) out[j * columns + r] = 0;
            continue;
        }
        const int64_t start = (tile.head(r) * bias.shape[1] + tile.token(r)) * bias.shape[2] + firstKey;
        for (int64_t j = 0; j < numKeys; ++j) out[j * columns + r] = biasValue<float>(bias, start + j);
    }
}

// keep[j, r]: 0 where dropout drops, 1 / (1 - p) elsewhere.
inline void gatherDropout(const AttentionDropout& dropout, const QueryTile& tile, int64_t firstKey, int64_t numKeys,
                          float* keep) {
    const int64_t columns = tile.columns();
    for (int64_t r = 0; r < columns; ++r) {
        if (r < tile.numRows) {
            dropout.factors(tile.head(r), tile.token(r), firstKey, numKeys, keep + r, columns);
        } else {
            for (int64_t j = 0; j < numKeys; ++j) keep[j * columns + r] = 0;
        }
    }
}

}  // namespace wb::kernels::cpu
