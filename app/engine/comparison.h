// SPDX-License-Identifier: Apache-2.0
// Several variants of a model answer one prompt together: what `whet generate`, `whet compare` and the engine run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/engine/model_host.h"
#include "app/engine/prompt_input.h"
#include "core/run/protocol.h"
#include "inference/generation_session.h"

namespace wb::app {

struct Pane {
    std::string name;
    Variant variant;
};

struct PaneResult {
    inference::GenerationResult generation;
    core::Provenance provenance;
    // Per output, under each other pane in pane order (itself left out).
    struct UnderOther {
        size_t pane = 0;
        std::vector<double> logprobs;
        std::vector<std::vector<inference::TokenAlternative>> top;
    };
    std::vector<std::vector<UnderOther>> underOthers;  // [output][other pane]
};

// Is told of progress; pane and output numbers as in the call.
class ComparisonObserver {
public:
    virtual ~ComparisonObserver() = default;
    virtual void onToken(size_t /*pane*/, size_t /*output*/, const inference::GenerationOutput& /*soFar*/) {}
    virtual void onBeams(size_t /*pane*/, int64_t /*step*/, const std::vector<inference::GenerationOutput>& /*beams*/) {
    }
    virtual void onPaneFinished(size_t /*pane*/, const inference::GenerationResult& /*result*/) {}
    // Called between tokens; true ends everything within the token.
    virtual bool isCancelled() { return false; }
};

enum class CrossScoring { Off, On };

// The stamp of what a pane shows: weights, sampler, rules of the model.
core::Provenance provenanceOf(const Variant& variant, inference::GenerationOptions options);

// Runs all panes on one prompt. Panes of the same loaded model decode as one batch; different models take turns token
// by token, so that all panes stream together. `prompts` has one entry per pane (their tokenizers may differ).
std::vector<PaneResult> comparePanes(ModelHost& host, const std::vector<Pane>& panes,
                                     const std::vector<ModelPrompt>& prompts,
                                     const inference::GenerationOptions& options, CrossScoring scoring,
                                     ComparisonObserver* observer = nullptr);

}  // namespace wb::app
