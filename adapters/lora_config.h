// SPDX-License-Identifier: Apache-2.0
// What a low-rank adapter is made of, apart from its numbers, and which modules of a model it is for. The rules of
// matching names are those of the PEFT library (0.21): a user's configuration means the same in both.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wb::adapters {

enum class BiasTraining {
    None,
    All,           // every bias of the model
    AdaptedLayers  // those of the layers the adapter attaches to
};

struct LoraConfig {
    static constexpr const char* kAllLinear = "all-linear";

    int64_t rank = 16;
    double alpha = 32;
    double dropout = 0;
    bool usesRankStabilisedScale = false;  // alpha / sqrt(rank) instead of alpha / rank (Kalajdzievski 2023)
    // The modules it attaches to: names ("q_proj", "mlp.up_proj": the module whose name ends so) or the one word
    // "all-linear", every projection but the head.
    std::vector<std::string> targets{kAllLinear};
    std::string targetExpression{};  // instead of targets: a regular expression for whole names
    std::vector<std::string> excluded{};
    std::string excludedExpression{};
    std::vector<int64_t> layers{};             // with targets: only in these blocks; empty: in all
    std::vector<std::string> layerPatterns{};  // what the list of blocks is called ("layers"); empty: anything
    // The first expression that matches the end of a name decides, else rank and alpha.
    std::vector<std::pair<std::string, int64_t>> rankPattern{};
    std::vector<std::pair<std::string, double>> alphaPattern{};
    bool usesMagnitude = false;  // DoRA (Liu et al. 2024)
    bool hasBiasB = false;       // a bias on the output of the low-rank path
    BiasTraining biases = BiasTraining::None;
    std::vector<std::string> savedModules{};  // trained whole: modules whose name ends so

    double scale() const { return scaleOf(rank, alpha); }
    double scaleOf(int64_t ownRank, double ownAlpha) const;
};

// The names in a text, divided by commas or spaces.
std::vector<std::string> namesIn(const std::string& text);

// Names as above, "all-linear", or a regular expression, told by its special characters.
void setTargets(LoraConfig& config, const std::string& text);

// Answers for the names of modules what a configuration means for them.
class ModuleMatcher {
public:
    // Throws Unsupported if an expression is not understood.
    explicit ModuleMatcher(const LoraConfig& config);
    ModuleMatcher(ModuleMatcher&&) noexcept;
    ~ModuleMatcher();

    // `isProjection`: a linear layer inside the blocks, as "all-linear" means it.
    bool isTarget(const std::string& module, bool isProjection) const;
    bool isSaved(const std::string& module) const;  // itself or a module around it, by whole parts of the name
    // The library's rule for what to store is another one than for what not to adapt: any end of the name counts, so
    // that "norm" means "input_layernorm" too.
    bool savesWhole(const std::string& module) const;
    int64_t rankOf(const std::string& module) const;
    double alphaOf(const std::string& module) const;

private:
    struct Patterns;
    std::unique_ptr<Patterns> m_patterns;
};

}  // namespace wb::adapters
