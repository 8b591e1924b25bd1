// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/model_config.h"
#include "core/text/span_encoding.h"
#include "core/text/tokenizer.h"

#include <filesystem>
#include <optional>

namespace wb::core {

// What stands around an answer in the decoder of an encoder-decoder, whose encoder reads the prompt: the decoder is
// given `start`, and writes `first` if there is one, the answer and `end`.
struct AnswerFrame {
    TokenId start = 0;
    std::optional<TokenId> first;  // the language code a model is forced to begin with, or the tokenizer's own BOS
    std::optional<TokenId> end;
};

inline PromptReader promptReaderOf(const ModelConfig& config) {
    return config.isEncoderDecoder ? PromptReader::Encoder : PromptReader::Decoder;
}

// Whether a folder, or the folder of a file, holds a model with an encoder; false if there is no config.json.
bool isEncoderDecoderFolder(const std::filesystem::path& modelPath);

// Nothing for a decoder-only model. Throws InvalidArgument if the model's files do not say what an answer begins with.
std::optional<AnswerFrame> answerFrameOf(const ModelConfig& config, const GenerationConfig& generation,
                                         const Tokenizer& tokenizer);

// The same for a model folder or a file in it; nothing if there is no config.json. Throws what reading that throws.
std::optional<AnswerFrame> readAnswerFrame(const std::filesystem::path& modelPath, const Tokenizer& tokenizer);

}  // namespace wb::core
