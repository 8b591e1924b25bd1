// SPDX-License-Identifier: Apache-2.0
#include "app/engine/engine_server.h"

#include <fmt/format.h>

#include <chrono>

#include "app/engine/comparison.h"
#include "app/engine/engine_runtime.h"
#include "core/run/version.h"
#include "kernels/attention.h"
#include "kernels/runtime/plugin_loader.h"
#include "training/memory_plan.h"
#include "training/run_reporter.h"

namespace wb::app {
namespace {

using Clock = std::chrono::steady_clock;
using inference::GenerationOutput;

constexpr auto kKernelsInterval = std::chrono::milliseconds(500);

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string hintFor(ErrorCode code) {
    switch (code) {
        case ErrorCode::OutOfMemory: return "Close other programs, or ask for fewer beams or tokens.";
        case ErrorCode::NotFound: return "Check the path; the file may have been moved.";
        case ErrorCode::CorruptFile: return "Copy or download the file again.";
        default: return {};
    }
}

inference::GenerationOptions optionsOf(const core::GenerationSettings& settings) {
    inference::GenerationOptions options;
    options.maxNewTokens = settings.maxNewTokens;
    options.sampler = {.temperature = settings.temperature,
                       .topK = settings.topK,
                       .topP = settings.topP,
                       .minP = settings.minP,
                       .repetitionPenalty = settings.repetitionPenalty,
                       .seed = static_cast<uint64_t>(settings.seed)};
    options.numBeams = settings.numBeams;
    options.numReturn = settings.numReturn;
    options.lengthPenalty = settings.lengthPenalty;
    options.stop = settings.stop;
    options.topAlternatives = settings.topAlternatives;
    return options;
}

core::OutputResult resultOf(const GenerationOutput& output) {
    return {output.text, output.ids, output.logprobs, output.score, inference::finishReasonName(output.reason)};
}

std::vector<core::Alternative> alternativesOf(const core::Tokenizer& tokenizer,
                                              const std::vector<inference::TokenAlternative>& top) {
    std::vector<core::Alternative> alternatives;
    for (const inference::TokenAlternative& one : top)
        alternatives.push_back({one.id, core::tokenBytesOrNone(tokenizer, one.id), one.logprob});
    return alternatives;
}

std::vector<std::vector<core::Alternative>> alternativesOf(
    const core::Tokenizer& tokenizer, const std::vector<std::vector<inference::TokenAlternative>>& tops) {
    std::vector<std::vector<core::Alternative>> all;
    for (const auto& top : tops) all.push_back(alternativesOf(tokenizer, top));
    return all;
}

ModelPrompt renderPrompt(const core::PromptSpec& spec, const core::GenerationSettings& settings,
                         const LoadedModel& loaded) {
    const PromptRenderer renderer(loaded, spec.templateName);
    ModelPrompt prompt;
    if (!spec.fields.empty()) {
        prompt = renderer.render(core::PromptColumns(spec.fields.begin(), spec.fields.end()));
    } else {
        prompt = renderer.render(spec.text, spec.system);
    }
    std::vector<core::TokenId>& continued = loaded.model->isEncoderDecoder() ? prompt.answerIds : prompt.ids;
    continued.insert(continued.end(), settings.continuationIds.begin(), settings.continuationIds.end());
    return prompt;
}

// Turns what a comparison does into replies of one request.
class ReplyStream final : public ComparisonObserver {
public:
    ReplyStream(std::function<void(core::ReplyBody)> send, const std::vector<Pane>& panes, kernels::Profiler& profiler,
                std::function<bool()> isCancelled)
        : m_send(std::move(send)), m_panes(panes), m_profiler(profiler), m_isCancelled(std::move(isCancelled)) {}

    void onToken(size_t pane, size_t output, const GenerationOutput& soFar) override {
        core::TokenReply token;
        token.pane = static_cast<int64_t>(pane);
        token.output = static_cast<int64_t>(output);
        token.index = static_cast<int64_t>(soFar.ids.size()) - 1;
        token.tokenId = soFar.ids.back();
        token.text = soFar.pieces.back();
        token.logprob = soFar.logprobs.back();
        if (!soFar.top.empty()) token.top = alternativesOf(tokenizerOf(pane), soFar.top.back());
        m_send(std::move(token));
        sendKernelsIfDue();
    }

    void onBeams(size_t pane, int64_t step, const std::vector<GenerationOutput>& beams) override {
        core::BeamsReply reply{static_cast<int64_t>(pane), step, {}};
        for (const GenerationOutput& beam : beams) reply.beams.push_back(resultOf(beam));
        m_send(std::move(reply));
        sendKernelsIfDue();
    }

    void onPaneFinished(size_t pane, const inference::GenerationResult& result) override {
        for (size_t i = 0; i < result.outputs.size(); ++i) {
            const GenerationOutput& output = result.outputs[i];
            m_send(core::OutputFinishedReply{static_cast<int64_t>(pane), static_cast<int64_t>(i), resultOf(output),
                                             output.pieces, alternativesOf(tokenizerOf(pane), output.top)});
        }
        m_send(core::PaneFinishedReply{static_cast<int64_t>(pane), result.firstTokenSeconds * 1e3,
                                       static_cast<double>(result.tokens) / std::max(result.seconds, 1e-9),
                                       result.seconds, result.tokens});
    }

    bool isCancelled() override { return m_isCancelled(); }

    void sendScores(const std::vector<PaneResult>& results) {
        for (size_t pane = 0; pane < results.size(); ++pane) {
            for (size_t output = 0; output < results[pane].underOthers.size(); ++output) {
                for (const PaneResult::UnderOther& score : results[pane].underOthers[output]) {
                    m_send(core::ScoredReply{static_cast<int64_t>(pane), static_cast<int64_t>(output),
                                             static_cast<int64_t>(score.pane), score.logprobs,
                                             alternativesOf(tokenizerOf(score.pane), score.top)});
                }
            }
        }
    }

    void sendKernels() {
        m_lastKernels = Clock::now();
        m_send(core::KernelsReply{secondsSince(m_start), training::kernelRows(m_profiler)});
    }

private:
    const core::Tokenizer& tokenizerOf(size_t pane) const { return *m_panes[pane].variant.loaded->tokenizer; }
    void sendKernelsIfDue() {
        if (Clock::now() - m_lastKernels >= kKernelsInterval) sendKernels();
    }

    std::function<void(core::ReplyBody)> m_send;
    const std::vector<Pane>& m_panes;
    kernels::Profiler& m_profiler;
    std::function<bool()> m_isCancelled;
    Clock::time_point m_start = Clock::now();
    Clock::time_point m_lastKernels = m_start;
};

}  // namespace

EngineServer::EngineServer(const CommandContext& context, RequestQueue& queue,
                           std::function<void(const core::Reply&)> send, const WeightTypes& types)
    : m_context(context),
      m_queue(queue),
      m_send(std::move(send)),
      m_runtime(makeRuntime(context.options().device, context.options().threads)),
      m_host(m_runtime.context(), types) {}

void EngineServer::run() {
    while (const std::optional<core::Request> request = m_queue.next()) {
        try {
            serve(*request);
        } catch (const Error& error) {
            reply(request->id, core::ErrorReply{errorCodeName(error.code()), error.what(), hintFor(error.code())});
        } catch (const std::exception& error) {
            reply(request->id, core::ErrorReply{errorCodeName(ErrorCode::Internal), error.what(),
                                                "This is a defect of the engine; please report it."});
        }
        m_queue.forget(request->id);
    }
}

void EngineServer::serve(const core::Request& request) {
    std::visit([&](const auto& body) { answer(request.id, body); }, request.body);
}

void EngineServer::answer(const std::string& id, const core::HelloRequest& hello) {
    if (hello.protocol != core::kProtocolVersion) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("this engine speaks protocol {}, the client {}; install both from one release",
                                core::kProtocolVersion, hello.protocol)};
    }
    core::HelloReply greeting;
    greeting.engineVersion = core::engineVersion();
    greeting.device = deviceName(m_runtime.context().device);
    greeting.deviceName = kernels::deviceModel(m_runtime.context().device);
    greeting.threads = m_runtime.context().numThreads;
    greeting.availableBytes = training::availableMemory(m_runtime.context().device);
    greeting.gpuNote = kernels::cudaPlugin().reason;
    reply(id, std::move(greeting));
    reply(id, core::FinishedReply{});
}

Variant EngineServer::variantOf(const core::PaneSpec& pane) {
    const std::filesystem::path model = resolveModel(pane.model);
    if (pane.adapter.empty()) return m_host.base(model);
    return m_host.tuned(model, resolveTuned(pane.adapter, m_context.libraryFolder()));
}

void EngineServer::answer(const std::string& id, const core::LoadRequest& load) {
    const auto start = Clock::now();
    for (size_t i = 0; i < load.panes.size(); ++i) {
        const auto paneStart = Clock::now();
        reply(id,
              core::ProgressReply{"loading model", static_cast<int64_t>(i), static_cast<int64_t>(load.panes.size())});
        const Variant variant = variantOf(load.panes[i]);
        core::LoadedReply loaded;
        loaded.pane = static_cast<int64_t>(i);
        loaded.name = load.panes[i].name;
        loaded.modelHash = variant.modelHash();
        loaded.adapterHash = variant.adapterHash();
        loaded.parameters = variant.loaded->source.config().parameterCount();
        loaded.bytes = m_runtime.allocator().stats().liveBytes;
        loaded.seconds = secondsSince(paneStart);
        reply(id, std::move(loaded));
    }
    reply(id, core::FinishedReply{secondsSince(start), false});
}

void EngineServer::answer(const std::string& id, const core::GenerateRequest& generate) {
    compare(id, {generate.pane}, generate.prompt, generate.settings, false);
}

void EngineServer::answer(const std::string& id, const core::CompareRequest& request) {
    compare(id, request.panes, request.prompt, request.settings, request.scoreUnderOther);
}

void EngineServer::compare(const std::string& id, const std::vector<core::PaneSpec>& specs,
                           const core::PromptSpec& prompt, const core::GenerationSettings& settings,
                           bool scoresUnderOther) {
    if (specs.empty()) throw Error{ErrorCode::InvalidArgument, "a comparison needs at least one pane"};
    const auto start = Clock::now();
    m_runtime.setAttention(kernels::parseAttentionBackend(settings.attention));
    const inference::GenerationOptions options = optionsOf(settings);
    std::vector<Pane> panes;
    std::vector<ModelPrompt> prompts;
    for (size_t i = 0; i < specs.size(); ++i) {
        panes.push_back({specs[i].name, variantOf(specs[i])});
        const Variant& variant = panes.back().variant;
        prompts.push_back(renderPrompt(prompt, settings, *variant.loaded));
        reply(id, core::PaneStartedReply{static_cast<int64_t>(i), specs[i].name, provenanceOf(variant, options),
                                         prompts.back().text, prompts.back().ids});
    }
    m_runtime.profiler().reset();
    m_runtime.profiler().setEnabled(true);
    ReplyStream stream([&](core::ReplyBody body) { reply(id, std::move(body)); }, panes, m_runtime.profiler(),
                       [&] { return m_queue.isCancelled(id); });
    const CrossScoring scoring = scoresUnderOther && panes.size() > 1 ? CrossScoring::On : CrossScoring::Off;
    const std::vector<PaneResult> results = comparePanes(m_host, panes, prompts, options, scoring, &stream);
    stream.sendScores(results);
    stream.sendKernels();
    reply(id, core::FinishedReply{secondsSince(start), m_queue.isCancelled(id)});
}

void EngineServer::answer(const std::string& id, const core::CancelRequest& cancel) {
    // It has taken effect when it was read; what it named has ended by now.
    m_queue.forget(cancel.target);
    reply(id, core::FinishedReply{});
}

void EngineServer::answer(const std::string& id, const core::PlanRequest& plan) {
    const auto start = Clock::now();
    const core::Recipe recipe = resolveRecipe(core::recipeFromToml(plan.recipeToml, "recipe"));
    const int threads = recipe.threads > 0 ? static_cast<int>(recipe.threads) : m_runtime.context().numThreads;
    const training::TrainingSetup setup = training::prepareTraining(recipe, threads);
    const training::MemoryPlan made = training::planMemory(setup, chooseDevice(recipe.device), threads);
    core::PlanReply answer;
    answer.plan = {made.peakBytes, made.availableBytes, made.fits, training::memoryByOwner(made.byOwner)};
    answer.summary =
        fmt::format("{} steps over {} rows; peak {} of {} available.", setup.totalSteps,
                    setup.data.prepared.train.size(), bytesText(made.peakBytes), bytesText(made.availableBytes));
    reply(id, std::move(answer));
    reply(id, core::FinishedReply{secondsSince(start), false});
}

void EngineServer::answer(const std::string& id, const core::ShutdownRequest& /*shutdown*/) {
    reply(id, core::FinishedReply{});
}

}  // namespace wb::app
