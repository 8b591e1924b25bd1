// SPDX-License-Identifier: Apache-2.0
#include "app/engine/run_export.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "adapters/export/exporters.h"
#include "adapters/peft.h"
#include "app/engine/model_host.h"
#include "core/model/model_folder_writer.h"
#include "core/run/atomic_file.h"
#include "inference/generation_session.h"
#include "kernels/base/error.h"
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
        request.options.eosIds = eosIdsOf(*tuned.loaded);
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

}  // namespace

adapters::Certificate exportRun(const kernels::Context& context, const core::RunFolder& run, const std::string& format,
                                const fs::path& folder) {
    const adapters::Exporter& exporter = adapters::exporterOf(format);
    PartialFolder partial(folder);
    const core::Recipe recipe = run.recipe();
    const TunedSource source = tunedOfRun(run);
    const bool isAdapter = source.kind == TunedSource::Kind::Adapter;
    const fs::path basePath = isAdapter ? fs::path(recipe.model) : source.folder;

    const std::vector<fs::path> companions = core::companionFilesOf(basePath);
    if (format == "safetensors" && companions.empty()) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{} has no tokenizer files that a model folder could take along; export as peft",
                                basePath.string())};
    }

    ModelHost host(context);
    const Variant tuned = host.tuned(basePath, source);
    const std::vector<adapters::ReplaySequence> sequences = heldOutAnswers(context, recipe, tuned);
    const auto original = replay(context, tuned, sequences);

    adapters::LowRankAdapter* adapter =
        isAdapter ? tuned.loaded->adapters[static_cast<size_t>(tuned.adapter)].adapter.get() : nullptr;
    exporter.write({.context = context,
                    .model = *tuned.loaded->model,
                    .adapter = adapter,
                    .baseModel = recipe.model,
                    .companions = companions},
                   partial.path());

    ModelHost fresh(context);
    const bool wroteAdapter = adapters::isPeftFolder(partial.path());
    const TunedSource written{
        wroteAdapter ? TunedSource::Kind::Adapter : TunedSource::Kind::Model, partial.path(), {}, {}};
    const Variant reloaded = fresh.tuned(wroteAdapter ? basePath : partial.path(), written);
    adapters::Certificate certificate =
        adapters::compareReplays(sequences, original, replay(context, reloaded, sequences), DType::F32);
    certificate.format = exporter.format;
    certificate.baseHash = tuned.modelHash();
    certificate.adapterHash = tuned.adapterHash();
    certificate.exportedHash = wroteAdapter ? reloaded.adapterHash() : reloaded.modelHash();
    core::writeFileAtomically(partial.path() / "certificate.json", adapters::certificateJson(certificate));
    partial.keep();
    return certificate;
}

nlohmann::ordered_json toJson(const adapters::Certificate& certificate) {
    return nlohmann::ordered_json::parse(adapters::certificateJson(certificate));
}

}  // namespace wb::app
