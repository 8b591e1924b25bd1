// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_cuda_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "kernels/base/philox.h"

namespace wb::app {
namespace {

constexpr std::array kDirections{CudaBenchPass::Forward, CudaBenchPass::Backward};

// What differs between the sizes.
struct Scale {
    int64_t width;                       // heads times head dimension of attention
    int64_t tokens;                      // of an attention row
    std::vector<int64_t> causalLengths;  // of causal attention
    std::vector<int64_t> biasedLengths;  // of attention with T5's bias
    int64_t biasedHeads;
    int64_t packedSequences;
    int64_t packedLongest;
    std::vector<std::array<int64_t, 3>> products;  // m, n, k
    std::string gpt2, llama1b, llama7b;
    std::array<int64_t, 2> fullStep, loraStep;  // sequences, tokens of each
    int64_t decodedTokens;
};

Scale scaleOf(CudaBenchSizes sizes) {
    if (sizes == CudaBenchSizes::Tiny) {
        return {.width = 128,
                .tokens = 64,
                .causalLengths = {32},
                .biasedLengths = {24},
                .biasedHeads = 2,
                .packedSequences = 4,
                .packedLongest = 32,
                .products = {{32, 48, 64}},
                .gpt2 = "tiny-gpt2",
                .llama1b = "tiny-llama",
                .llama7b = "tiny-llama",
                .fullStep = {2, 16},
                .loraStep = {2, 16},
                .decodedTokens = 4};
    }
    return {.width = 2048,
            .tokens = 16384,
            .causalLengths = {1024, 2048, 4096, 8192},
            .biasedLengths = {2048, 4096},
            .biasedHeads = 12,
            .packedSequences = 32,
            .packedLongest = 2048,
            // QKV, feed-forward and head of a 1 B model, and a square that shows the ceiling.
            .products = {{16384, 3072, 2048}, {16384, 16384, 2048}, {16384, 2048, 8192}, {8192, 8192, 8192}},
            .gpt2 = "gpt2",
            .llama1b = "1b",
            .llama7b = "7b",
            .fullStep = {64, 1024},
            .loraStep = {8, 2048},
            .decodedTokens = 128};
}

CudaBenchRow attentionRow(std::string name, CudaBenchPass pass, std::vector<int64_t> lengths, int64_t headDim,
                          int64_t heads) {
    CudaBenchRow row;
    row.name = std::move(name);
    row.pass = pass;
    row.lengths = std::move(lengths);
    row.headDim = headDim;
    row.heads = row.keyValueHeads = heads;
    return row;
}

std::vector<int64_t> equalLengths(const Scale& scale, int64_t length) {
    return std::vector<int64_t>(static_cast<size_t>(std::max<int64_t>(1, scale.tokens / length)), length);
}

void addAttention(const Scale& scale, std::vector<CudaBenchRow>& rows) {
    for (const int64_t headDim : {64, 128}) {
        for (const int64_t length : scale.causalLengths) {
            for (const CudaBenchPass pass : kDirections) {
                rows.push_back(attentionRow(fmt::format("attention hd{} {} {}", headDim, length, passName(pass)), pass,
                                            equalLengths(scale, length), headDim, scale.width / headDim));
            }
        }
    }
    for (const int64_t length : scale.biasedLengths) {
        CudaBenchRow row = attentionRow(fmt::format("attention T5 bias {}", length), CudaBenchPass::ForwardBackward,
                                        equalLengths(scale, length), 64, scale.biasedHeads);
        row.isCausal = false;
        row.hasDistanceBias = true;
        rows.push_back(std::move(row));
    }
}

// Lengths as chat data has them, short ones mostly: about 35 % of a rectangle of the longest is filled.
std::vector<int64_t> mixedLengths(const Scale& scale) {
    std::vector<int64_t> lengths;
    for (int64_t i = 0; i < scale.packedSequences; ++i) {
        const auto u = static_cast<double>(philoxUnit(philoxWord(7, static_cast<uint64_t>(i))));
        const double share = 0.05 + 0.95 * u * u;
        lengths.push_back(std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(scale.packedLongest))));
    }
    lengths.front() = scale.packedLongest;
    return lengths;
}

void addPacked(const Scale& scale, std::vector<CudaBenchRow>& rows) {
    const std::vector<int64_t> mixed = mixedLengths(scale);
    const std::vector<int64_t> padded(mixed.size(), scale.packedLongest);
    for (const auto& [name, lengths] : {std::pair{"attention packed", mixed}, std::pair{"attention padded", padded}})
        rows.push_back(attentionRow(name, CudaBenchPass::ForwardBackward, lengths, 128, scale.width / 128));
}

CudaBenchRow modelRow(CudaBenchKind kind, std::string name, std::string config, std::string method,
                      std::array<int64_t, 2> shape) {
    CudaBenchRow row;
    row.name = std::move(name);
    row.kind = kind;
    row.config = std::move(config);
    row.method = std::move(method);
    row.sequences = shape[0];
    row.tokens = shape[1];
    return row;
}

const char* kindName(CudaBenchKind kind) {
    switch (kind) {
        case CudaBenchKind::Attention: return "attention";
        case CudaBenchKind::Gemm: return "gemm";
        case CudaBenchKind::Train: return "train";
        case CudaBenchKind::Decode: return "decode";
        case CudaBenchKind::ColdStart: return "cold_start";
    }
    return "";
}

}  // namespace

const char* passName(CudaBenchPass pass) {
    switch (pass) {
        case CudaBenchPass::Forward: return "forward";
        case CudaBenchPass::Backward: return "backward";
        case CudaBenchPass::ForwardBackward: return "forward_backward";
    }
    return "";
}

std::vector<CudaBenchRow> cudaBenchRows(CudaBenchSizes sizes) {
    const Scale scale = scaleOf(sizes);
    std::vector<CudaBenchRow> rows;
    addAttention(scale, rows);
    addPacked(scale, rows);
    for (const auto& [m, n, k] : scale.products) {
        CudaBenchRow row;
        row.name = fmt::format("gemm {}x{}x{}", m, n, k);
        row.kind = CudaBenchKind::Gemm;
        row.m = m;
        row.n = n;
        row.k = k;
        rows.push_back(std::move(row));
    }
    rows.push_back(modelRow(CudaBenchKind::Train, "GPT-2 124M full step", scale.gpt2, "full", scale.fullStep));
    rows.push_back(modelRow(CudaBenchKind::Train, "Llama 1B LoRA step", scale.llama1b, "lora", scale.loraStep));
    rows.push_back(modelRow(CudaBenchKind::Decode, "decode 1B", scale.llama1b, {}, {1, scale.decodedTokens}));
    rows.push_back(modelRow(CudaBenchKind::Decode, "decode 7B", scale.llama7b, {}, {1, scale.decodedTokens}));
    rows.push_back(
        modelRow(CudaBenchKind::ColdStart, "cold start GPT-2 124M", scale.gpt2, "full", {1, scale.fullStep[1]}));
    return rows;
}

nlohmann::ordered_json cudaBenchRowJson(const CudaBenchRow& row) {
    nlohmann::ordered_json json{{"name", row.name}, {"kind", kindName(row.kind)}};
    switch (row.kind) {
        case CudaBenchKind::Attention:
            json["pass"] = passName(row.pass);
            json["lengths"] = row.lengths;
            json["head_dim"] = row.headDim;
            json["heads"] = row.heads;
            json["kv_heads"] = row.keyValueHeads;
            json["causal"] = row.isCausal;
            json["bias"] = row.hasDistanceBias ? "t5" : "none";
            break;
        case CudaBenchKind::Gemm:
            json["m"] = row.m;
            json["n"] = row.n;
            json["k"] = row.k;
            break;
        case CudaBenchKind::Train:
        case CudaBenchKind::ColdStart: json["method"] = row.method; [[fallthrough]];
        case CudaBenchKind::Decode:
            json["config"] = row.config;
            json["sequences"] = row.sequences;
            json["tokens"] = row.tokens;
            break;
    }
    return json;
}

}  // namespace wb::app
