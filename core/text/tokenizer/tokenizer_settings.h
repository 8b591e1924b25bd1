// SPDX-License-Identifier: Apache-2.0
// What the small files beside a vocabulary say: tokenizer_config.json, special_tokens_map.json, added_tokens.json.
#pragma once

#include "core/text/tokenizer/added_tokens.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace wb::core {

struct TokenizerSettings {
    std::string tokenizerClass;  // "LlamaTokenizer"; by the model_type of config.json if not said; may be empty
    std::optional<std::string> bosToken;
    std::optional<std::string> eosToken;
    std::optional<std::string> padToken;
    std::optional<std::string> unkToken;
    std::optional<bool> addBos;
    std::optional<bool> addEos;
    std::optional<bool> addPrefixSpace;
    std::optional<int64_t> extraIds;            // T5: how many "<extra_id_N>" follow the pieces
    std::optional<int64_t> offset;              // Pegasus: how far the pieces are moved up
    std::optional<std::string> sourceLanguage;  // M2M100: "en"
    bool isLegacy = true;  // SentencePiece: a dummy prefix after every added token, not only at the start
    std::vector<AddedToken> addedTokens;  // in ascending order of ids
};

// Reads what is there; a folder without any of the files gives the defaults. Throws CorruptFile naming file and key.
TokenizerSettings readTokenizerSettings(const std::filesystem::path& folder);

// Adds the settings' tokens that `tokens` lacks, and makes special what the settings call so.
void addMissingTokens(const TokenizerSettings& settings, std::vector<AddedToken>& tokens);

// Role names to ids: a role whose token `find` does not know stays as it is in `roles`. A stated add_bos_token or
// add_eos_token replaces what `roles` has.
template <class Find>
void applyRoles(const TokenizerSettings& settings, const Find& find, SpecialIds& roles) {
    const auto apply = [&](const std::optional<std::string>& token, std::optional<TokenId>& role) {
        if (!token) return;
        if (const std::optional<TokenId> id = find(*token)) role = id;
    };
    apply(settings.bosToken, roles.bos);
    apply(settings.eosToken, roles.eos);
    apply(settings.padToken, roles.pad);
    apply(settings.unkToken, roles.unk);
    roles.addBos = settings.addBos.value_or(roles.addBos) && roles.bos.has_value();
    roles.addEos = settings.addEos.value_or(roles.addEos) && roles.eos.has_value();
}

}  // namespace wb::core
