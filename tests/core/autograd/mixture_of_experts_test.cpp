// SPDX-License-Identifier: Apache-2.0
// The whole layer against the plain formula, its gradients, adapters, and the memory it plans.
#include "core/model/mixture_of_experts.h"

#include "kernels/base/error.h"
#include "tests/core/autograd/op_check.h"

#include <gmock/gmock.h>
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace wb::core {
namespace {

using test::OpBench;
using ::testing::HasSubstr;
using Inputs = std::span<const Var>;

MixtureConfig smallConfig() {
    return {.prefix = "mlp",
            .hidden = 6,
            .ffn = 4,
            .numExperts = 5,
            .expertsPerToken = 2,
            .normalisesWeights = true,
            .sharedFfn = 3};
}

// A layer with reproducible weights.
MixtureOfExperts makeLayer(OpBench& bench, const MixtureConfig& config) {
    MixtureOfExperts layer(bench.device(), config, kernels::Activation::Silu, bench.dtype());
    uint64_t seed = 4000;
    layer.visitParameters([&](Parameter& parameter) {
        assignFloats(bench.device(), parameter.value, test::uniform(parameter.value.count(), seed++));
    });
    return layer;
}

std::vector<std::string> namesOf(MixtureOfExperts& layer) {
    std::vector<std::string> names;
    layer.visitParameters([&](Parameter& parameter) { names.push_back(parameter.name); });
    return names;
}

using Matrix = std::vector<double>;

// weight [out, in] times x [in].
Matrix times(const Matrix& weight, const Matrix& x) {
    Matrix out(weight.size() / x.size());
    for (size_t o = 0; o < out.size(); ++o) {
        for (size_t i = 0; i < x.size(); ++i) out[o] += weight[o * x.size() + i] * x[i];
    }
    return out;
}

double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}

// down(silu(gate x) * up x) with the weights "<prefix>.gate_proj.weight" and so on.
Matrix plainMlp(const std::map<std::string, Matrix>& weights, const std::string& prefix, const Matrix& x) {
    Matrix gate = times(weights.at(prefix + ".gate_proj.weight"), x);
    const Matrix up = times(weights.at(prefix + ".up_proj.weight"), x);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] *= sigmoid(gate[i]) * up[i];
    return times(weights.at(prefix + ".down_proj.weight"), gate);
}

// The layer for one token by the formula, every expert on its own.
Matrix plainLayer(const std::map<std::string, Matrix>& weights, const MixtureConfig& config, const Matrix& x) {
    const Matrix logits = times(weights.at("mlp.gate.weight"), x);
    std::vector<size_t> order(logits.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    double all = 0;
    double chosen = 0;
    for (const double logit : logits) all += std::exp(logit);
    for (int64_t j = 0; j < config.expertsPerToken; ++j) chosen += std::exp(logits[order[static_cast<size_t>(j)]]);
    Matrix out(x.size());
    for (int64_t j = 0; j < config.expertsPerToken; ++j) {
        const size_t e = order[static_cast<size_t>(j)];
        const double weight = std::exp(logits[e]) / (config.normalisesWeights ? chosen : all);
        const Matrix y = plainMlp(weights, "mlp.experts." + std::to_string(e), x);
        for (size_t c = 0; c < out.size(); ++c) out[c] += weight * y[c];
    }
    if (config.sharedFfn == 0) return out;
    const double gate = sigmoid(times(weights.at("mlp.shared_expert_gate.weight"), x)[0]);
    const Matrix y = plainMlp(weights, "mlp.shared_expert", x);
    for (size_t c = 0; c < out.size(); ++c) out[c] += gate * y[c];
    return out;
}

void expectPlainResult(DType dtype, const MixtureConfig& config, double tolerance) {
    OpBench bench(dtype);
    MixtureOfExperts layer = makeLayer(bench, config);
    std::map<std::string, Matrix> weights;
    layer.visitParameters([&](Parameter& parameter) {
        const std::vector<float> values = toFloats(bench.device(), parameter.value);
        weights[parameter.name] = Matrix(values.begin(), values.end());
    });
    const Tensor x = bench.tensor({9, config.hidden});
    const std::vector<float> in = toFloats(bench.device(), x);
    const std::vector<float> out = toFloats(bench.device(), layer.apply({bench.device()}, {x}).value);
    const auto width = static_cast<size_t>(config.hidden);
    for (size_t t = 0; t < 9; ++t) {
        const auto begin = in.begin() + static_cast<std::ptrdiff_t>(t * width);
        const Matrix expected = plainLayer(weights, config, Matrix(begin, begin + static_cast<std::ptrdiff_t>(width)));
        for (size_t c = 0; c < width; ++c) {
            EXPECT_NEAR(out[t * width + c], expected[c], tolerance) << "token " << t << ", column " << c;
        }
    }
}

TEST(MixtureOfExperts, equalsThePlainFormula) {
    for (const bool normalises : {true, false}) {
        for (const int64_t sharedFfn : {0, 3}) {
            MixtureConfig config = smallConfig();
            config.normalisesWeights = normalises;
            config.sharedFfn = sharedFfn;
            expectPlainResult(DType::F64, config, 1e-6);  // of the conversion to float
            expectPlainResult(DType::F32, config, 4e-6);
            expectPlainResult(DType::BF16, config, 0.06);
        }
    }
}

TEST(MixtureOfExperts, gradientsOfEveryWeight) {
    OpBench bench;
    MixtureOfExperts layer = makeLayer(bench, smallConfig());
    layer.visitParameters([&](Parameter& parameter) { makeTrainable(bench.device(), parameter); });
    const Tensor x = bench.tensor({9, 6});
    const test::TapeFunction function = [&](const Context& context, Inputs in) { return layer.apply(context, in[0]); };
    std::vector<float> upstream;
    const Tensor dX = test::tapeGradients(bench.device(), {x}, function, upstream)[0];
    const auto objective = [&] { return test::weightedSum(layer.apply({bench.device()}, {x}).value, upstream); };
    const auto errorOf = [&](const Tensor& value, const Tensor& gradient) {
        return kernels::testing::worstGradientError(objective, test::doublesOf(value), test::doublesOf(gradient));
    };
    EXPECT_LT(errorOf(x, dX), kernels::testing::kGradientTolerance);
    layer.visitParameters([&](Parameter& parameter) {
        EXPECT_LT(errorOf(parameter.value, parameter.gradient), kernels::testing::kGradientTolerance) << parameter.name;
    });
}

TEST(MixtureOfExperts, frozenLayerPassesTheSameGradientOn) {
    OpBench bench;
    MixtureOfExperts layer = makeLayer(bench, smallConfig());
    const Tensor x = bench.tensor({9, 6});
    const test::TapeFunction function = [&](const Context& context, Inputs in) { return layer.apply(context, in[0]); };
    const auto gradientOfX = [&] {
        std::vector<float> upstream;
        const Tensor dX = test::tapeGradients(bench.device(), {x}, function, upstream)[0];
        const std::span<double> values = test::doublesOf(dX);
        return std::vector<double>(values.begin(), values.end());
    };
    const std::vector<double> frozen = gradientOfX();
    layer.visitParameters([&](Parameter& parameter) { makeTrainable(bench.device(), parameter); });
    EXPECT_EQ(frozen, gradientOfX());
    layer.visitParameters([&](Parameter& parameter) { parameter.gradient = {}; });
    test::expectNothingRecorded(bench, {x}, function);
}

// Two adapters on different rows of the batch: each must follow its rows to the experts.
TEST(MixtureOfExperts, adaptersFollowTheirRows) {
    OpBench bench;
    MixtureOfExperts layer = makeLayer(bench, smallConfig());
    std::vector<std::unique_ptr<LowRankDelta>> deltas;
    layer.visitLinears([&](LinearLayer& linear) {
        for (int adapter = 0; adapter < 2; ++adapter) {
            auto delta = std::make_unique<LowRankDelta>();
            delta->a = {"a", bench.tensor({2, linear.inFeatures()}), {}};
            delta->b = {"b", bench.tensor({linear.outFeatures(), 2}), {}};
            delta->scale = 0.5F;
            makeTrainable(bench.device(), delta->a);
            makeTrainable(bench.device(), delta->b);
            linear.deltas.push_back(delta.get());
            deltas.push_back(std::move(delta));
        }
    });
    const std::vector<AdapterRows> rows{{0, 4, 0}, {4, 9, 1}};
    const Tensor x = bench.tensor({9, 6});
    const auto run = [&](const Context& context, const Var& in) {
        const Context adapted{context.device, context.tape, nullptr, rows};
        return layer.apply(adapted, in);
    };
    std::vector<float> upstream;
    test::tapeGradients(
        bench.device(), {x}, [&](const Context& context, Inputs in) { return run(context, in[0]); }, upstream);
    const auto objective = [&] { return test::weightedSum(run({bench.device()}, {x}).value, upstream); };
    for (const auto& delta : deltas) {
        for (const Parameter* part : {&delta->a, &delta->b}) {
            EXPECT_LT(kernels::testing::worstGradientError(objective, test::doublesOf(part->value),
                                                           test::doublesOf(part->gradient)),
                      kernels::testing::kGradientTolerance);
        }
    }
    // Rows of adapter 1 are those of a batch that has adapter 1 alone.
    const std::vector<AdapterRows> alone{{0, 5, 1}};
    const Tensor tail = x.rows(4, 9);
    const Context context{bench.device(), nullptr, nullptr, alone};
    const Tensor expected = layer.apply(context, {tail}).value;
    const Tensor actual = run({bench.device()}, {x}).value.rows(4, 9);
    const std::span<double> left = test::doublesOf(actual);
    const std::span<double> right = test::doublesOf(expected);
    for (size_t i = 0; i < left.size(); ++i) EXPECT_NEAR(left[i], right[i], 1e-12);
}

TEST(MixtureOfExperts, hasTheNamesOfItsFamily) {
    OpBench bench;
    MixtureConfig mixtral{.hidden = 6, .ffn = 4, .numExperts = 2, .expertsPerToken = 1};
    mixtral.prefix = "model.layers.3.block_sparse_moe";
    mixtral.gateName = "w1";
    mixtral.upName = "w3";
    mixtral.downName = "w2";
    MixtureOfExperts layer = makeLayer(bench, mixtral);
    EXPECT_THAT(namesOf(layer), ::testing::ElementsAre("model.layers.3.block_sparse_moe.gate.weight",
                                                       "model.layers.3.block_sparse_moe.experts.0.w1.weight",
                                                       "model.layers.3.block_sparse_moe.experts.0.w3.weight",
                                                       "model.layers.3.block_sparse_moe.experts.0.w2.weight",
                                                       "model.layers.3.block_sparse_moe.experts.1.w1.weight",
                                                       "model.layers.3.block_sparse_moe.experts.1.w3.weight",
                                                       "model.layers.3.block_sparse_moe.experts.1.w2.weight"));
    MixtureOfExperts shared = makeLayer(bench, smallConfig());
    const std::vector<std::string> names = namesOf(shared);
    EXPECT_EQ(names.back(), "mlp.shared_expert_gate.weight");
    EXPECT_EQ(names[names.size() - 2], "mlp.shared_expert.down_proj.weight");
}

TEST(MixtureOfExperts, refusesMoreExpertsPerTokenThanThereAre) {
    OpBench bench;
    MixtureConfig config = smallConfig();
    config.expertsPerToken = 6;
    config.prefix = "model.layers.0.mlp";
    try {
        MixtureOfExperts layer(bench.device(), config, kernels::Activation::Silu, DType::F32);
        FAIL() << "6 of 5 experts";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        EXPECT_THAT(error.what(), HasSubstr("model.layers.0.mlp: 6 of 5 experts per token"));
    }
}

TEST(MixtureOfExperts, acceptsABatchWithoutTokens) {
    OpBench bench;
    MixtureOfExperts layer = makeLayer(bench, smallConfig());
    EXPECT_EQ(layer.apply({bench.device()}, {bench.tensor({0, 6})}).value.shape(), (Shape{0, 6}));
}

// What a training step keeps does not depend on who goes where, so a plan without numbers knows it.
TEST(MixtureOfExperts, plansWhatATrainingStepKeeps) {
    const MixtureConfig config{
        .prefix = "mlp", .hidden = 16, .ffn = 32, .numExperts = 4, .expertsPerToken = 2, .sharedFfn = 16};
    const auto keptBytes = [&](kernels::Runtime& runtime) {
        const kernels::Context& device = runtime.context();
        MixtureOfExperts layer(device, config, kernels::Activation::Silu, DType::F32);
        uint64_t seed = 1;
        layer.visitParameters([&](Parameter& parameter) {
            assignFloats(device, parameter.value, test::uniform(parameter.value.count(), seed++));
            makeTrainable(device, parameter);
        });
        const Tensor x = Tensor::zeros(device, DType::F32, Shape{21, 16}, kernels::MemoryOwner::Activations);
        assignFloats(device, x, test::uniform(x.count(), 50));
        Tape tape(device);
        const int64_t before = runtime.allocator().stats().liveBytes;
        const Var out = layer.apply({device, &tape}, tape.leaf(x));
        return runtime.allocator().stats().liveBytes - before;
    };
    kernels::Runtime real({.device = {}, .numThreads = 2, .memoryLimitBytes = std::nullopt});
    kernels::Runtime plan({.device = {DeviceType::Plan}, .numThreads = 2, .memoryLimitBytes = std::nullopt});
    EXPECT_EQ(keptBytes(plan), keptBytes(real));
}

}  // namespace
}  // namespace wb::core
