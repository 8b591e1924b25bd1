// SPDX-License-Identifier: Apache-2.0
// The weights of a network, part by part in forward order.
#include "core/model/architectures/architectures.h"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

namespace wb::core {
namespace {

std::vector<ProjectionConfig> gatedProjections(const MixtureConfig& mixture, const std::string& prefix, int64_t ffn) {
    const auto part = [&](const std::string& name, int64_t in, int64_t out) {
        return ProjectionConfig{.name = prefix + name, .in = in, .out = out};
    };
    return {part(mixture.gateName, mixture.hidden, ffn), part(mixture.upName, mixture.hidden, ffn),
            part(mixture.downName, ffn, mixture.hidden)};
}

class TensorList {
public:
    void add(std::string name, std::vector<int64_t> shape) {
        const bool isKnown = std::ranges::find(m_tensors, name, &ExpectedTensor::name) != m_tensors.end();
        if (!isKnown) m_tensors.push_back({std::move(name), std::move(shape)});
    }
    void add(const ProjectionConfig& projection) {
        if (!projection.exists()) return;
        std::vector<int64_t> shape{projection.out, projection.in};
        if (projection.isTransposedInFile) std::swap(shape[0], shape[1]);
        m_tensors.push_back({projection.name + ".weight", std::move(shape), projection.isTransposedInFile});
        if (projection.hasBias) m_tensors.push_back({projection.name + ".bias", {projection.out}});
    }
    void add(const NormConfig& norm) {
        if (!norm.exists() || norm.name.empty()) return;
        m_tensors.push_back({norm.name + ".weight", {norm.size}});
        if (norm.hasBias) m_tensors.push_back({norm.name + ".bias", {norm.size}});
    }
    void add(const SubLayerNorms& norms) {
        add(norms.input);
        add(norms.output);
        add(norms.sum);
    }
    void add(const AttentionConfig& attention) {
        for (const ProjectionConfig* part : {&attention.query, &attention.key, &attention.value, &attention.fused})
            add(*part);
        add(attention.queryNorm);
        add(attention.keyNorm);
        add(attention.output);
    }
    void add(const MixtureConfig& mixture) {
        add(ProjectionConfig{.name = mixture.prefix + ".gate", .in = mixture.hidden, .out = mixture.numExperts});
        for (int64_t expert = 0; expert < mixture.numExperts; ++expert) {
            const std::string prefix = fmt::format("{}.experts.{}.", mixture.prefix, expert);
            for (const ProjectionConfig& part : gatedProjections(mixture, prefix, mixture.ffn)) add(part);
        }
        if (mixture.sharedFfn == 0) return;
        for (const ProjectionConfig& part :
             gatedProjections(mixture, mixture.prefix + ".shared_expert.", mixture.sharedFfn))
            add(part);
        add(ProjectionConfig{.name = mixture.prefix + ".shared_expert_gate", .in = mixture.hidden, .out = 1});
    }
    void add(const FeedForwardConfig& layer) {
        if (layer.mixture) return add(*layer.mixture);
        for (const ProjectionConfig* part : {&layer.gate, &layer.up, &layer.gateUp, &layer.down}) add(*part);
    }
    void add(const BlockConfig& block) {
        add(block.attention);
        add(block.attentionNorms);
        if (block.crossAttention) add(*block.crossAttention);
        add(block.crossNorms);
        add(block.feedForward);
        add(block.feedForwardNorms);
    }
    void add(const NetworkConfig& network, const StackConfig& stack) {
        add(stack.embedding + ".weight", {network.vocabularySize, network.embeddingSize});
        add(stack.projectIn);
        if (stack.positions.exists() && !stack.positions.name.empty())
            add(stack.positions.name + ".weight", {stack.positions.rows, network.hidden});
        add(stack.embeddingNorm);
        if (stack.relativeBias.exists())
            add(stack.relativeBias.name + ".weight", {stack.relativeBias.buckets, stack.relativeBias.numHeads});
        for (const BlockConfig& block : stack.blocks) add(block);
        add(stack.finalNorm);
        add(stack.projectOut);
    }
    void addOptional(std::string name, std::vector<int64_t> shape) {
        m_tensors.push_back({std::move(name), std::move(shape), false, true});
    }

    std::vector<ExpectedTensor> take() { return std::move(m_tensors); }

private:
    std::vector<ExpectedTensor> m_tensors;
};

}  // namespace

std::vector<ExpectedTensor> expectedTensors(const NetworkConfig& network) {
    TensorList list;
    if (network.encoder) list.add(network, *network.encoder);
    list.add(network, network.decoder);
    const HeadConfig& head = network.head;
    if (!head.name.empty()) list.add(head.name + ".weight", {network.vocabularySize, network.embeddingSize});
    if (!head.bias.empty() && head.isBiasConstant) {
        list.addOptional(head.bias, {1, network.vocabularySize});
    } else if (!head.bias.empty()) {
        list.add(head.bias, {network.vocabularySize});
    }
    return list.take();
}

}  // namespace wb::core
