// SPDX-License-Identifier: Apache-2.0
#include "app/engine/run_export.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "adapters/export/exporters.h"
#include "adapters/peft.h"
#include "app/engine/model_host.h"
#include "core/format/model_folder.h"
#include "core/run/atomic_file.h"
#include "inference/generation_session.h"
#include "kernels/base/error.h"
#include "kernels/base/philox.h"
#include "training/sample_prompts.h"

namespace wb::app {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kReplayPrompts = 8;
constexpr int64_t kReplayTokens = 32;

// The folder's name while it is being written; removed again unless it is kept.
class PartialFolder {
public:
    // "out/" is out: the slash would put the partial folder inside.
    explicit PartialFolder(const fs::path& target)
        : m_target(target.has_filename() ? target : target.parent_path()), m_partial(m_target.string() + ".partial") {
        std::error_code error;
        if (fs::exists(m_target, error) && !fs::is_empty(m_target, error)) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("{} exists and is not empty; choose another folder", m_target.string())};
        }
        fs::remove_all(m_partial, error);
        fs::create_directories(m_partial, error);
        if (error) throw Error{ErrorCode::Io, fmt::format("cannot create {}: {}", m_partial.string(), error.message())};
    }
    PartialFolder(const PartialFolder&) = delete;
    PartialFolder& operator=(const PartialFolder&) = delete;
    ~PartialFolder() {
        std::error_code error;
        if (!m_isKept) fs::remove_all(m_partial, error);
    }

    const fs::path& path() const { return m_partial; }
    void keep() {
        std::error_code error;
        fs::remove(m_target, error);
        fs::rename(m_partial, m_target, error);
        if (error)
            throw Error{ErrorCode::Io, fmt::format("cannot rename {} to {}: {}", m_partial.string(), m_target.string(),
                                                   error.message())};
        m_isKept = true;
        core::syncFolder(m_target.parent_path().empty() ? fs::path(".") : m_target.parent_path());
    }

private:
    fs::path m_target;
    fs::path m_partial;
    bool m_isKept = false;
};

// Held-out prompts of the run's data with the tuned model's greedy answers.
std::vector<adapters::ReplaySequence> heldOutAnswers(const kernels::Context& context, core::Recipe recipe,
                                                     const Variant& tuned) {
    recipe.samplePrompts = kReplayPrompts;
    recipe.sampleMaxNewTokens = kReplayTokens;
    const training::TrainingSetup setup = training::prepareTraining(recipe, context.numThreads);
    std::vector<inference::GenerationRequest> requests;
    std::vector<adapters::ReplaySequence> sequences;
    for (training::SamplePrompt& prompt : training::samplePrompts(setup)) {
        sequences.push_back({prompt.ids, prompt.ids.size()});
        inference::GenerationRequest request{std::move(prompt.ids), tuned.adapter, {}};
        request.options.maxNewTokens = kReplayTokens;
        addModelRules(request.options, *tuned.loaded);
        requests.push_back(std::move(request));
    }
    if (requests.empty()) return sequences;
    inference::GenerationSession session(context, *tuned.loaded->model, *tuned.loaded->tokenizer, std::move(requests));
    session.run();
    for (size_t i = 0; i < sequences.size(); ++i) {
        const inference::GenerationResult result = session.result(i);
        const std::vector<core::TokenId>& answer = result.outputs.front().ids;
        sequences[i].ids.insert(sequences[i].ids.end(), answer.begin(), answer.end());
    }
    return sequences;
}

std::vector<std::vector<float>> replay(const kernels::Context& context, const Variant& variant,
                                       const std::vector<adapters::ReplaySequence>& sequences) {
    return adapters::replayLogits(context, {*variant.loaded->model, variant.adapter}, sequences);
}

// Drawn ids, for a model without data of its own. The same ones every time.
std::vector<adapters::ReplaySequence> drawnSequences(const core::ModelConfig& config) {
    constexpr int64_t kLength = 24;
    constexpr uint64_t kStream = 0;
    std::vector<adapters::ReplaySequence> sequences;
    for (uint64_t i = 0; i < static_cast<uint64_t>(kReplayPrompts); ++i) {
        adapters::ReplaySequence sequence;
        const int64_t length = std::min(kLength, config.maxPositions);
        for (int64_t t = 0; t < length; ++t) {
            const uint32_t word = philoxBlock(i, static_cast<uint64_t>(t), kStream)[0];
            sequence.ids.push_back(static_cast<core::TokenId>(word % static_cast<uint64_t>(config.vocabularySize)));
        }
        sequence.promptLength = static_cast<size_t>(std::max<int64_t>(length / 2, 1));
        sequences.push_back(std::move(sequence));
    }
    return sequences;
}

// What is written, and the files that go along.
struct ExportJob {
    fs::path basePath;
    std::string baseModel;
    Variant tuned;
    adapters::LowRankAdapter* adapter = nullptr;
    std::vector<adapters::ReplaySequence> sequences;
};

bool isGgufFile(const fs::path& path) {
    return fs::is_regular_file(path) && path.extension() == ".gguf";
}

void requireTokenizer(const fs::path& basePath, const ExportOptions& options, bool hasCompanions) {
    if (options.format != "safetensors" || hasCompanions) return;
    throw Error{ErrorCode::Unsupported,
                fmt::format("{} has no tokenizer files that a model folder could take along; export as peft{}",
                            basePath.string(), isGgufFile(basePath) ? " or gguf" : "")};
}

adapters::Certificate exportJob(const kernels::Context& context, const ExportJob& job, const ExportOptions& options,
                                PartialFolder& partial) {
    const adapters::Exporter& exporter = adapters::exporterOf(options.format);
    const bool isGguf = options.format == "gguf";
    const std::vector<fs::path> companions = core::companionFilesOf(job.basePath);
    requireTokenizer(job.basePath, options, !companions.empty());
    const auto original = replay(context, job.tuned, job.sequences);
    exporter.write({.context = context,
                    .model = *job.tuned.loaded->model,
                    .adapter = job.adapter,
                    .baseModel = job.baseModel,
                    .companions = companions,
                    .ggufType = options.ggufType,
                    .ggufBase = isGgufFile(job.basePath) ? job.basePath : fs::path()},
                   partial.path());

    ModelHost fresh(context);
    const bool wroteAdapter = adapters::isPeftFolder(partial.path());
    const fs::path writtenPath = isGguf ? partial.path() / "model.gguf" : partial.path();
    const TunedSource written{
        wroteAdapter ? TunedSource::Kind::Adapter : TunedSource::Kind::Model, writtenPath, {}, {}};
    const Variant reloaded = fresh.tuned(wroteAdapter ? job.basePath : writtenPath, written);
    const auto found = replay(context, reloaded, job.sequences);
    // Writing GGUF leaves the model in memory merged and rounded as the file is.
    const auto expected =
        isGguf ? adapters::replayLogits(context, {*job.tuned.loaded->model, -1}, job.sequences) : original;
    adapters::Certificate certificate = adapters::compareReplays(job.sequences, expected, found, DType::F32);
    if (isGguf) {
        const auto rounding = adapters::compareReplays(job.sequences, original, found, DType::F32);
        certificate.storedType = options.ggufType;
        certificate.roundingError = rounding.maxLogitError;
        certificate.roundingAgreement = rounding.tokenAgreement;
    }
    certificate.format = exporter.format;
    certificate.baseHash = job.tuned.modelHash();
    certificate.adapterHash = job.tuned.adapterHash();
    certificate.exportedHash = wroteAdapter ? reloaded.adapterHash() : reloaded.modelHash();
    core::writeFileAtomically(partial.path() / "certificate.json", adapters::certificateJson(certificate));
    partial.keep();
    return certificate;
}

}  // namespace

adapters::Certificate exportRun(const kernels::Context& context, const core::RunFolder& run,
                                const ExportOptions& options, const fs::path& folder) {
    PartialFolder partial(folder);
    const core::Recipe recipe = run.recipe();
    const TunedSource source = tunedOfRun(run);
    const bool isAdapter = source.kind == TunedSource::Kind::Adapter;
    ModelHost host(context);
    ExportJob job;
    job.basePath = isAdapter ? fs::path(recipe.model) : source.folder;
    job.baseModel = recipe.model;
    requireTokenizer(job.basePath, options, !core::companionFilesOf(job.basePath).empty());
    job.tuned = host.tuned(job.basePath, source);
    if (recipe.baseDtype != core::BaseWeights::AsComputed && options.format != "peft") {
        spdlog::warn("the adapter was trained on rounded weights and is merged into the model's own, unrounded ones");
    }
    job.sequences = heldOutAnswers(context, recipe, job.tuned);
    if (isAdapter) job.adapter = job.tuned.loaded->adapters[static_cast<size_t>(job.tuned.adapter)].adapter.get();
    return exportJob(context, job, options, partial);
}

adapters::Certificate exportModel(const kernels::Context& context, const fs::path& modelPath,
                                  const ExportOptions& options, const fs::path& folder) {
    PartialFolder partial(folder);
    ModelHost host(context);
    ExportJob job;
    job.basePath = modelPath;
    job.baseModel = modelPath.string();
    job.tuned = host.base(modelPath);
    job.sequences = drawnSequences(job.tuned.loaded->model->config());
    return exportJob(context, job, options, partial);
}

nlohmann::ordered_json toJson(const adapters::Certificate& certificate) {
    return nlohmann::ordered_json::parse(adapters::certificateJson(certificate));
}

}  // namespace wb::app
