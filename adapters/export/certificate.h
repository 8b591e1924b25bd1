// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/language_model.h"
#include "core/text/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace wb::adapters {

// A prompt and what the tuned model answered: the whole sequence is replayed through both models.
struct ReplaySequence {
    std::vector<core::TokenId> ids;
    size_t promptLength = 0;
};

// Evidence that files behave like the model they were written from.
struct Certificate {
    bool isOk = false;
    std::string format;
    double maxLogitError = 0;  // over all positions and tokens
    double tolerance = 0;      // what the error may be: relative to the largest logit, by element type
    double tokenAgreement =
        0;  // positions of the answers with the same most likely token; 1 means greedy decoding agrees
    int64_t prompts = 0;
    int64_t positions = 0;  // answer positions compared
    std::string baseHash;
    std::string adapterHash;   // empty if the model itself was tuned
    std::string exportedHash;  // of the files' weights
    // Where the files hold rounded weights, the above compares them with the model rounded alike; these say what
    // rounding itself changed, against the tuned model.
    std::string storedType;  // "Q8_0", empty for exports that do not round
    double roundingError = 0;
    double roundingAgreement = 1;
};

// One model of the comparison: the network and the index of its adapter, -1 for none.
struct ReplayedModel {
    core::LanguageModel& model;
    int32_t adapter = -1;
};

// Every position's logits [T, V] on the host, sequence after sequence: what a later comparison needs of a model that
// exporting is going to change. Of an encoder-decoder the rows before the answer are zero: its decoder does not see
// them.
std::vector<std::vector<float>> replayLogits(const kernels::Context& context, const ReplayedModel& replayed,
                                             std::span<const ReplaySequence> sequences);

// Fills the measured fields from two replays of the same sequences. `storedDtype` is that of the exported files.
Certificate compareReplays(std::span<const ReplaySequence> sequences, const std::vector<std::vector<float>>& original,
                           const std::vector<std::vector<float>>& reloaded, DType storedDtype);

// certificate.json of an export folder.
std::string certificateJson(const Certificate& certificate);

}  // namespace wb::adapters
