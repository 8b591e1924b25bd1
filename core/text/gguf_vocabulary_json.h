// SPDX-License-Identifier: Apache-2.0
// Private to core: the vocabulary of a GGUF file while it is put together, and its parts that come from JSON.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace wb::core {

struct GgufVocabulary {
    std::string kind;  // "llama" (SentencePiece BPE), "gpt2" (byte-level BPE), "t5" (Unigram)
    std::string pre;
    std::vector<std::string> tokens;
    std::vector<float> scores;   // empty for gpt2
    std::vector<int32_t> types;  // PieceType
    std::vector<std::string> merges;
    std::optional<int32_t> bosId;
    std::optional<int32_t> eosId;
    std::optional<int32_t> unkId;
    std::optional<int32_t> padId;
    std::optional<bool> addsBos;
    std::optional<bool> addsEos;
    std::optional<bool> addsSpacePrefix;
    std::optional<bool> removesExtraWhitespace;
    std::string characterMap;

    // Appends unused tokens "[PAD12]".
    void growTo(size_t size);
};

// Throws CorruptFile naming the key, Unsupported naming what has no form in GGUF.
GgufVocabulary vocabularyOfTokenizerJson(const nlohmann::json& root, const std::string& sourceName);
// Without the name of a splitting rule.
GgufVocabulary vocabularyOfVocabAndMerges(const std::filesystem::path& vocab, const std::filesystem::path& merges);

// Added tokens, and which of begin and end of text its post-processor adds.
void takeRolesFromTokenizerJson(const nlohmann::json& root, const std::string& sourceName, GgufVocabulary& vocabulary);

// Whether a file called tokenizer.model holds the ranks of tiktoken instead of a SentencePiece model.
bool isTiktokenFile(const std::filesystem::path& path);

}  // namespace wb::core
