// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace wb::core {

// A feed-forward of many small ones, of which each token passes a few (Shazeer et al. 2017, arXiv:1701.06538). Weights
// are named "<prefix>.gate", "<prefix>.experts.N.<gateName>" and so on; a shared expert, which every token passes,
// "<prefix>.shared_expert.<gateName>" behind "<prefix>.shared_expert_gate".
struct MixtureConfig {
    std::string prefix;
    std::string gateName = "gate_proj";
    std::string upName = "up_proj";
    std::string downName = "down_proj";
    int64_t hidden = 0;
    int64_t ffn = 0;  // of one expert
    int64_t numExperts = 0;
    int64_t expertsPerToken = 0;
    bool normalisesWeights = false;  // weights of the chosen experts add up to one
    int64_t sharedFfn = 0;           // 0: no shared expert
};

}  // namespace wb::core
