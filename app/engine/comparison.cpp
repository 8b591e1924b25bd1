// SPDX-License-Identifier: Apache-2.0
#include "app/engine/comparison.h"

#include <algorithm>

#include "inference/scoring.h"

namespace wb::app {
namespace {

using inference::GenerationOutput;
using inference::GenerationRequest;
using inference::GenerationResult;

// The panes that share a loaded model, as one session.
class ModelGroup final : public inference::GenerationObserver {
public:
    ModelGroup(LoadedModel& loaded, ComparisonObserver* observer) : m_loaded(loaded), m_observer(observer) {}

    LoadedModel& loaded() const { return m_loaded; }

    void add(size_t pane, GenerationRequest request) {
        m_panes.push_back(pane);
        m_requests.push_back(std::move(request));
    }
    void start(const kernels::Context& context) {
        m_session = std::make_unique<inference::GenerationSession>(context, *m_loaded.model, *m_loaded.tokenizer,
                                                                   std::move(m_requests), this);
    }
    bool step() { return m_session->step(); }
    void cancelAll() {
        for (size_t request = 0; request < m_panes.size(); ++request) m_session->cancel(request);
    }
    void collect(std::vector<PaneResult>& results) const {
        for (size_t request = 0; request < m_panes.size(); ++request) {
            results[m_panes[request]].generation = m_session->result(request);
        }
    }

    void onToken(size_t request, size_t output, const GenerationOutput& soFar) override {
        if (m_observer != nullptr) m_observer->onToken(m_panes[request], output, soFar);
    }
    void onBeams(size_t request, int64_t step, const std::vector<GenerationOutput>& beams) override {
        if (m_observer != nullptr) m_observer->onBeams(m_panes[request], step, beams);
    }
    void onRequestFinished(size_t request, const GenerationResult& result) override {
        if (m_observer != nullptr) m_observer->onPaneFinished(m_panes[request], result);
    }

private:
    LoadedModel& m_loaded;
    ComparisonObserver* m_observer;
    std::vector<size_t> m_panes;  // by request
    std::vector<GenerationRequest> m_requests;
    std::unique_ptr<inference::GenerationSession> m_session;
};

std::vector<std::unique_ptr<ModelGroup>> groupPanes(const std::vector<Pane>& panes,
                                                    const std::vector<ModelPrompt>& prompts,
                                                    const inference::GenerationOptions& options,
                                                    ComparisonObserver* observer) {
    std::vector<std::unique_ptr<ModelGroup>> groups;
    for (size_t pane = 0; pane < panes.size(); ++pane) {
        LoadedModel& loaded = *panes[pane].variant.loaded;
        auto found = std::ranges::find_if(groups, [&](const auto& group) { return &group->loaded() == &loaded; });
        if (found == groups.end()) {
            groups.push_back(std::make_unique<ModelGroup>(loaded, observer));
            found = groups.end() - 1;
        }
        GenerationRequest request{prompts[pane].ids, panes[pane].variant.adapter, options};
        request.options.stop.insert(request.options.stop.end(), prompts[pane].stop.begin(), prompts[pane].stop.end());
        addModelRules(request.options, loaded);
        if (!prompts[pane].answerIds.empty()) {
            request.decoderPrompt = {loaded.source.config().decoderStart()};
            request.decoderPrompt.insert(request.decoderPrompt.end(), prompts[pane].answerIds.begin(),
                                         prompts[pane].answerIds.end());
        }
        (*found)->add(pane, std::move(request));
    }
    return groups;
}

void scoreUnderOthers(ModelHost& host, const std::vector<Pane>& panes, const std::vector<ModelPrompt>& prompts,
                      const inference::GenerationOptions& options, std::vector<PaneResult>& results) {
    for (size_t pane = 0; pane < panes.size(); ++pane) {
        for (const GenerationOutput& output : results[pane].generation.outputs) {
            auto& scores = results[pane].underOthers.emplace_back();
            for (size_t other = 0; other < panes.size(); ++other) {
                if (other == pane) continue;
                const Variant& judge = panes[other].variant;
                inference::SequenceScore score = inference::scoreContinuation(
                    host.context(), *judge.loaded->model, prompts[pane].ids, output.ids,
                    {.adapter = judge.adapter, .topAlternatives = options.topAlternatives});
                scores.push_back({other, std::move(score.logprobs), std::move(score.top)});
            }
        }
    }
}

}  // namespace

core::Provenance provenanceOf(const Variant& variant, inference::GenerationOptions options) {
    addModelRules(options, *variant.loaded);
    return {.modelHash = variant.modelHash(),
            .weights = std::string(core::elementTypesName(variant.loaded->model->elementTypes())),
            .adapterHash = variant.adapterHash(),
            .sampler = options.describeSampler(),
            .seed = static_cast<int64_t>(options.sampler.seed)};
}

std::vector<PaneResult> comparePanes(ModelHost& host, const std::vector<Pane>& panes,
                                     const std::vector<ModelPrompt>& prompts,
                                     const inference::GenerationOptions& options, CrossScoring scoring,
                                     ComparisonObserver* observer) {
    const auto groups = groupPanes(panes, prompts, options, observer);
    for (const auto& group : groups) group->start(host.context());
    bool isRunning = true;
    while (isRunning) {
        isRunning = false;
        for (const auto& group : groups) isRunning = group->step() || isRunning;
        if (observer != nullptr && observer->isCancelled()) {
            for (const auto& group : groups) group->cancelAll();
        }
    }
    std::vector<PaneResult> results(panes.size());
    for (const auto& group : groups) group->collect(results);
    for (size_t pane = 0; pane < panes.size(); ++pane) {
        results[pane].provenance = provenanceOf(panes[pane].variant, options);
    }
    if (scoring == CrossScoring::On) scoreUnderOthers(host, panes, prompts, options, results);
    return results;
}

}  // namespace wb::app
