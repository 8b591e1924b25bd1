// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_cuda_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "app/engine/bench_cuda_attention.h"
#include "app/engine/naive_attention.h"
#include "kernels/base/error.h"
#include "kernels/runtime/runtime.h"

namespace wb::app {
namespace {

constexpr uint64_t kSeed = 3;
constexpr double kForwardFactor = 2;
constexpr double kGradientFactor = 3;
constexpr double kHalfRounding = 0x1p-9;   // of BF16, relative
constexpr double kCancellation = 0x1p-14;  // what is left of terms that cancel, such as in gradients of one token

using Values = std::map<std::string, std::vector<float>>;

Values resultsOf(const kernels::Context& context, const AttentionCase& attention) {
    Values values;
    for (const auto& [name, tensor] : attention.results()) values[name] = core::toFloats(context, tensor);
    return values;
}

Values compute(const kernels::Context& context, AttentionCase::Shape shape, DType dtype) {
    shape.dtype = dtype;
    const AttentionCase attention(context, shape, kSeed);
    attention.forward();
    attention.backward();
    return resultsOf(context, attention);
}

double largestDifference(const std::vector<float>& a, const std::vector<float>& b, size_t begin, size_t end) {
    double largest = 0;
    for (size_t i = begin; i < end; ++i) {
        const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        if (!(difference <= largest)) largest = difference;  // a NaN stays
        if (std::isnan(largest)) return std::numeric_limits<double>::infinity();
    }
    return largest;
}

double largestValue(const std::vector<float>& values, size_t begin, size_t end) {
    double largest = 0;
    for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::abs(static_cast<double>(values[i])));
    return largest;
}

struct Judged {
    const AttentionCase::Shape& shape;
    const Values& ours;
    const Values& naive;
    const Values& oracle;
};

// Sequence by sequence, so that a long one does not hide a short one.
void judge(const Judged& judged, CudaCheck& check) {
    for (const auto& [name, oracle] : judged.oracle) {
        const double factor = name == "out" ? kForwardFactor : kGradientFactor;
        const size_t perToken = oracle.size() / static_cast<size_t>(judged.shape.tokens());
        const double remains = kCancellation * largestValue(oracle, 0, oracle.size());
        size_t begin = 0;
        for (const int64_t length : judged.shape.lengths) {
            const size_t end = begin + static_cast<size_t>(length) * perToken;
            const double allowed = factor * largestDifference(judged.naive.at(name), oracle, begin, end) +
                                   kHalfRounding * largestValue(oracle, begin, end) + remains;
            const double error = largestDifference(judged.ours.at(name), oracle, begin, end);
            const double share = error == 0 ? 0 : error / allowed;
            if (!(share <= check.worst)) {
                check.worst = share;
                check.worstCase =
                    fmt::format("{} of length {}: error {:.3g}, allowed {:.3g}", name, length, error, allowed);
            }
            ++check.cases;
            begin = end;
        }
    }
}

std::vector<int64_t> sweptLengths(CudaBenchSizes sizes) {
    if (sizes == CudaBenchSizes::Tiny) return {1, 2, 7, 16, 17, 33};
    std::vector<int64_t> lengths;
    for (int64_t length = 1; length <= 260; ++length) lengths.push_back(length);
    for (const int64_t length : {320, 704}) lengths.push_back(length);  // 64 and 192 are among them
    return lengths;
}

void sweep(kernels::Runtime& device, kernels::Runtime& cpu, const AttentionCase::Shape& shape, CudaCheck& check) {
    const Values ours = compute(device.context(), shape, DType::BF16);
    const Values oracle = compute(cpu.context(), shape, DType::F64);
    const Values naive = naiveAttention(cpu.context(), shape, kSeed);
    judge({shape, ours, naive, oracle}, check);
}

std::vector<std::byte> bitsOf(const kernels::Context& context, const AttentionCase& attention) {
    std::vector<std::byte> bits;
    for (const auto& [name, tensor] : attention.results()) {
        const size_t before = bits.size();
        bits.resize(before + tensor.bytes());
        core::copyToHost(context, tensor, bits.data() + before, tensor.bytes());
    }
    return bits;
}

void repeat(kernels::Runtime& device, const AttentionCase::Shape& shape, int repeats, CudaCheck& check) {
    const AttentionCase attention(device.context(), shape, kSeed);
    std::vector<std::byte> first;
    for (int run = 0; run < repeats; ++run) {
        attention.forward();
        attention.backward();
        std::vector<std::byte> bits = bitsOf(device.context(), attention);
        ++check.cases;
        if (run == 0) first = std::move(bits);
        if (run == 0 || bits == first) continue;
        check.worst = std::numeric_limits<double>::infinity();
        check.worstCase = fmt::format("run {} differs from run 1", run + 1);
        return;
    }
}

}  // namespace

std::vector<CudaCheck> checkCudaAttention(Device device, CudaBenchSizes sizes, int repeats, int threads,
                                          const std::function<void(const CudaCheck&)>& onCheck) {
    std::vector<CudaCheck> checks;
    const auto run = [&](std::string name, const std::function<void(kernels::Runtime&, CudaCheck&)>& body) {
        CudaCheck check{.name = std::move(name)};
        try {
            kernels::Runtime runtime({.device = device, .numThreads = threads});
            body(runtime, check);
        } catch (const Error& error) {
            check.why = error.what();
        }
        if (onCheck) onCheck(check);
        checks.push_back(std::move(check));
    };
    kernels::Runtime cpu({.numThreads = threads});
    const std::vector<int64_t> lengths = sweptLengths(sizes);
    for (const int64_t headDim : {64, 128}) {
        for (const bool isCausal : {true, false}) {
            const AttentionCase::Shape shape{
                .lengths = lengths, .headDim = headDim, .heads = 2, .keyValueHeads = 1, .isCausal = isCausal};
            run(fmt::format("attention hd{}{} over {} lengths", headDim, isCausal ? " causal" : "", lengths.size()),
                [&](kernels::Runtime& runtime, CudaCheck& check) { sweep(runtime, cpu, shape, check); });
        }
    }
    const int64_t longest = sizes == CudaBenchSizes::Tiny ? 40 : 704;
    for (const bool hasBias : {false, true}) {
        const AttentionCase::Shape shape{.lengths = {longest, longest / 3, 1},
                                         .headDim = 64,
                                         .heads = 4,
                                         .keyValueHeads = 2,
                                         .isCausal = !hasBias,
                                         .hasDistanceBias = hasBias};
        run(fmt::format("{} runs of attention{} with the same bits", repeats, hasBias ? " with T5 bias" : ""),
            [&](kernels::Runtime& runtime, CudaCheck& check) { repeat(runtime, shape, repeats, check); });
    }
    return checks;
}

nlohmann::ordered_json cudaCheckJson(const CudaCheck& check) {
    return {{"name", check.name},         {"cases", check.cases},
            {"worst", check.worst},       {"worst_case", check.worstCase},
            {"passed", check.isPassed()}, {"why", check.why}};
}

}  // namespace wb::app
