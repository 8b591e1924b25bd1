// SPDX-License-Identifier: Apache-2.0
// Attention over a block cache on the data of contiguous attention.
#pragma once

#include "tests/kernels/attention_case.h"

#include <cmath>
#include <numeric>

namespace wb::kernels::testing {

// Where the tensors of a call live: here they stay where they are.
class HostMemory {
public:
    explicit HostMemory(const Context& /*context*/) {}
    View place(const View& view) const { return view; }
    ConstView place(const ConstView& view) const { return view; }
    void bringHome() const {}
};

// A cache filled through kvCacheStore with blocks in shuffled order; slots that belong to nobody hold NaN.
template <class T, class Memory = HostMemory>
struct PagedCache {
    int64_t blockSize;
    Shape shape;
    std::vector<T> keys, values;
    std::vector<int32_t> tables;
    std::vector<int32_t> lengths;
    int32_t maxBlocks = 0;
    int32_t maxKeyLength = 0;

    PagedCache(const Context& context, AttentionData<T>& data, int64_t size) : blockSize(size) {
        const AttentionCase& c = data.problem;
        lengths = c.keyLengths;
        int64_t numBlocks = 0;
        for (const int32_t length : lengths) {
            const auto blocks = static_cast<int32_t>((length + size - 1) / size);
            maxBlocks = std::max(maxBlocks, blocks);
            numBlocks += blocks;
        }
        numBlocks += 3;
        shape = {numBlocks, size, c.keyValueHeads, c.headDim};
        keys.assign(static_cast<size_t>(shape.count()), static_cast<T>(std::nanf("")));
        values = keys;
        fillTables(numBlocks);
        store(context, data);
    }

    int32_t slot(size_t b, int64_t j) const {
        const int32_t block = tables[b * static_cast<size_t>(maxBlocks) + static_cast<size_t>(j / blockSize)];
        return static_cast<int32_t>(block * blockSize + j % blockSize);
    }

private:
    void fillTables(int64_t numBlocks) {
        std::vector<int32_t> order(static_cast<size_t>(numBlocks));
        std::iota(order.begin(), order.end(), 0);
        for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[philoxWord(11, i) % i]);
        tables.assign(lengths.size() * static_cast<size_t>(maxBlocks), -1);
        size_t next = 0;
        for (size_t b = 0; b < lengths.size(); ++b) {
            for (int64_t i = 0; i * blockSize < lengths[b]; ++i) {
                tables[b * static_cast<size_t>(maxBlocks) + static_cast<size_t>(i)] = order[next++];
            }
        }
    }
    void store(const Context& context, AttentionData<T>& data) {
        std::vector<int32_t> slots;
        for (size_t b = 0; b < lengths.size(); ++b) {
            for (int64_t j = 0; j < lengths[b]; ++j) slots.push_back(slot(b, j));
        }
        Memory memory(context);
        kvCacheStore(context, {.k = memory.place(viewOf(data.k, data.shapeK)),
                               .v = memory.place(viewOf(data.v, data.shapeK)),
                               .slots = slots,
                               .keyCache = memory.place(viewOf(keys, shape)),
                               .valueCache = memory.place(viewOf(values, shape))});
        memory.bringHome();
    }
};

// Attention of rows [begins[b], ends[b]) of each sequence, in one call; the cache holds keys up to the last of them.
// Results land at their rows of `out`.
template <class Memory, class T>
void attendRows(const Context& context, AttentionData<T>& data, PagedCache<T, Memory>& cache,
                const std::vector<int32_t>& begins, const std::vector<int32_t>& ends, std::vector<T>& out) {
    const auto width = static_cast<std::ptrdiff_t>(data.shapeQ[1] * data.shapeQ[2]);
    std::vector<T> queries;
    std::vector<int32_t> bounds{0};
    std::vector<int32_t> lengths;
    for (size_t b = 0; b < begins.size(); ++b) {
        queries.insert(queries.end(), data.q.begin() + (data.boundsQ[b] + begins[b]) * width,
                       data.q.begin() + (data.boundsQ[b] + ends[b]) * width);
        bounds.push_back(bounds.back() + ends[b] - begins[b]);
        lengths.push_back(cache.lengths[b] - (data.problem.queryLengths[b] - ends[b]));
    }
    std::vector<T> result(queries.size(), static_cast<T>(55.0F));
    const Shape shape{bounds.back(), data.shapeQ[1], data.shapeQ[2]};
    Memory memory(context);
    pagedAttention(context, {.q = memory.place(viewOf(queries, shape)),
                             .keyCache = memory.place(viewOf(cache.keys, cache.shape)),
                             .valueCache = memory.place(viewOf(cache.values, cache.shape)),
                             .bias = memory.place(data.biasView()),
                             .cuSeqlensQ = bounds,
                             .keyLengths = lengths,
                             .blockTables = cache.tables,
                             .maxBlocks = cache.maxBlocks,
                             .maxKeyLength = cache.maxKeyLength,
                             .out = memory.place(viewOf(result, shape)),
                             .options = data.problem.options});
    memory.bringHome();
    for (size_t b = 0; b < begins.size(); ++b) {
        std::copy(result.begin() + bounds[b] * width, result.begin() + bounds[b + 1] * width,
                  out.begin() + (data.boundsQ[b] + begins[b]) * width);
    }
}

inline std::vector<AttentionCase> pagedCases() {
    std::vector<AttentionCase> cases{
        {"decode", {1, 1, 1}, {5, 90, 700}, 6, 2, 16, {}},
        {"decode_one_head", {1}, {1500}, 1, 1, 64, {}},
        {"decode_many_heads", {1}, {130}, 24, 1, 80, {}},
        {"prefill", {70, 33}, {70, 33}, 4, 2, 16, {}},
        {"continued_prefill", {40, 1, 0, 7}, {600, 1, 30, 7}, 2, 2, 24, {}},
        {"window", {50, 1}, {640, 640}, 4, 1, 8, {.windowLeft = 100}},
        {"soft_cap", {20}, {66}, 2, 1, 33, {.scale = 0.5F, .softCap = 2.0F}},
        {"alibi", {65, 1}, {65, 530}, 4, 2, 16, {.bias = AttentionBias::Alibi}},
        {"hidden_rows", {5}, {2}, 2, 1, 8, {}},
        {"distance_table_decode", {1, 1}, {5, 700}, 4, 4, 12, {.bias = AttentionBias::DistanceTable}, 40},
        {"distance_table_prefill", {65, 9}, {65, 530}, 6, 2, 20, {.bias = AttentionBias::DistanceTable}, 601},
        {"distance_table_soft_cap", {20}, {66}, 2, 1, 4, {.softCap = 1, .bias = AttentionBias::DistanceTable}, 7},
    };
    for (const int64_t headDim : {1, 12, 20, 96, 256}) {
        cases.push_back({"head_dim_" + std::to_string(headDim), {40, 1}, {90, 530}, 4, 2, headDim, {}});
    }
    for (AttentionCase& c : cases) c.options.isCausal = true;
    // Cross-attention: every query sees all keys.
    cases.push_back({"cross_over_spans", {600}, {600}, 1, 1, 8, {}});
    cases.push_back({"cross", {3, 1, 0, 70}, {90, 5, 7, 600}, 4, 2, 16, {}});
    return cases;
}

}  // namespace wb::kernels::testing
