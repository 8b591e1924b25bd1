// SPDX-License-Identifier: Apache-2.0
#include "training/training_checkpoint.h"

#include "adapters/peft.h"
#include "core/model/model_folder_writer.h"
#include "core/run/atomic_file.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <bit>
#include <nlohmann/json.hpp>

namespace wb::training {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kStateVersion = 1;
constexpr const char* kStateFile = "state.json";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kWeightFile = "model.safetensors";
constexpr const char* kAdapterFolder = "adapter";

Json toJson(const TrainingState& state) {
    Json json{{"version", kStateVersion},
              {"step", state.step},
              {"epoch", state.cursor.epoch},
              {"step_in_epoch", state.cursor.step},
              {"best_loss_bits", std::bit_cast<uint32_t>(state.bestLoss)},
              {"evaluations_without_gain", state.evaluationsWithoutGain},
              {"train_seconds", state.trainSeconds},
              {"train_tokens", state.trainTokens},
              {"peak_bytes", state.peakBytes},
              {"data_hash", state.dataHash}};
    if (state.bestStep) json["best_step"] = *state.bestStep;
    return json;
}

TrainingState stateFromJson(const Json& json) {
    TrainingState state;
    json.at("step").get_to(state.step);
    json.at("epoch").get_to(state.cursor.epoch);
    json.at("step_in_epoch").get_to(state.cursor.step);
    state.bestLoss = std::bit_cast<float>(json.at("best_loss_bits").get<uint32_t>());
    json.at("evaluations_without_gain").get_to(state.evaluationsWithoutGain);
    json.at("train_seconds").get_to(state.trainSeconds);
    json.at("train_tokens").get_to(state.trainTokens);
    json.at("peak_bytes").get_to(state.peakBytes);
    json.at("data_hash").get_to(state.dataHash);
    if (json.contains("best_step")) state.bestStep = json.at("best_step").get<int64_t>();
    return state;
}

void createFolder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw Error{ErrorCode::Io, fmt::format("cannot create {}: {}", folder.string(), error.message())};
}

}  // namespace

core::CheckpointInfo saveCheckpoint(const core::RunFolder& run, const TrainingSetup& setup, TuningModel& tuning,
                                    const TrainingState& state) {
    core::CheckpointWriter writer(run.checkpointsPath(), state.step);
    const fs::path& folder = writer.folder();
    if (tuning.adapter() != nullptr) {
        createFolder(adapterFolderOf(folder));
        const adapters::PeftConfig peft{
            .lora = tuning.adapter()->config(), .baseModel = setup.modelPath.string(), .sourceJson = {}};
        adapters::writePeftAdapter(tuning.context(), *tuning.adapter(), peft, adapterFolderOf(folder));
    } else {
        core::writeModelFolder(tuning.context(), tuning.model(), setup.companions, folder);
    }
    core::writeTensorFile(tuning.context(), folder / kOptimizerFile, tuning.optimizerTensors());
    core::writeFileAtomically(folder / kStateFile, toJson(state).dump(2) + "\n");
    return writer.commit({{"weight_hash", tuning.weightHash()}});
}

fs::path adapterFolderOf(const fs::path& checkpoint) {
    return checkpoint / kAdapterFolder;
}

TrainingState loadCheckpoint(const fs::path& folder, TuningModel& tuning) {
    const fs::path stateFile = folder / kStateFile;
    const Json json = Json::parse(core::readWholeFile(stateFile), nullptr, /*allow_exceptions=*/false);
    if (json.value("version", 0) != kStateVersion) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: is no training state of version {}", stateFile.string(), kStateVersion)};
    }
    TrainingState state;
    try {
        state = stateFromJson(json);
    } catch (const Json::exception& error) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: {}", stateFile.string(), error.what())};
    }
    if (tuning.adapter() != nullptr) {
        adapters::readPeftWeights(tuning.context(), *tuning.adapter(), adapterFolderOf(folder));
    } else {
        core::readTensorFile(tuning.context(), folder / kWeightFile, tuning.trainedTensors());
    }
    // Masters come with the state: the rounded weights alone could not continue the same trajectory.
    core::readTensorFile(tuning.context(), folder / kOptimizerFile, tuning.optimizerTensors());
    return state;
}

}  // namespace wb::training
