// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/tokenizer_settings.h"

#include "core/format/json_reader.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <map>

namespace wb::core {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxBytes = size_t{64} << 20;
constexpr int64_t kMaxId = (int64_t{1} << 22) - 1;

// A token is written as its text or as {"content": text, ...}.
std::optional<std::string> tokenText(const JsonObject& object, const char* key) {
    const nlohmann::json* value = object.find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_object()) return JsonObject(*value, object.sourceName() + ": " + key).text("content");
    return object.text(key);
}

void readRoles(const JsonObject& object, TokenizerSettings& settings) {
    const auto read = [&](const char* key, std::optional<std::string>& role) {
        if (!role) role = tokenText(object, key);
    };
    read("bos_token", settings.bosToken);
    read("eos_token", settings.eosToken);
    read("pad_token", settings.padToken);
    read("unk_token", settings.unkToken);
}

AddedToken readAddedToken(const std::string& idText, const nlohmann::json& value, const JsonObject& parent) {
    int64_t id = -1;
    const char* end = idText.data() + idText.size();
    const auto [parsed, status] = std::from_chars(idText.data(), end, id);
    if (status != std::errc{} || parsed != end || id < 0 || id > kMaxId) {
        parent.fail("added_tokens_decoder", fmt::format("has '{}' where a token id belongs", idText));
    }
    const JsonObject object(value, fmt::format("{}: added_tokens_decoder {}", parent.sourceName(), idText));
    AddedToken token;
    token.id = static_cast<TokenId>(id);
    token.content = object.text("content").value_or("");
    token.isSpecial = object.boolean("special").value_or(false);
    token.isNormalized = object.boolean("normalized").value_or(!token.isSpecial);
    token.isSingleWord = object.boolean("single_word").value_or(false);
    token.stripsLeft = object.boolean("lstrip").value_or(false);
    token.stripsRight = object.boolean("rstrip").value_or(false);
    return token;
}

void readConfig(const fs::path& file, TokenizerSettings& settings, std::map<TokenId, AddedToken>& added) {
    const nlohmann::json root = readJsonFile(file, kMaxBytes);
    const JsonObject object(root, file.string());
    settings.tokenizerClass = object.text("tokenizer_class").value_or("");
    settings.addBos = object.boolean("add_bos_token");
    settings.addEos = object.boolean("add_eos_token");
    settings.addPrefixSpace = object.boolean("add_prefix_space");
    const auto count = [&](const char* key) {
        const auto value = object.integer(key);
        if (value && (*value < 0 || *value > 100000)) object.fail(key, fmt::format("is {}", *value));
        return value;
    };
    settings.extraIds = count("extra_ids");
    settings.offset = count("offset");
    settings.sourceLanguage = object.text("src_lang");
    settings.isLegacy = object.boolean("legacy").value_or(true);
    readRoles(object, settings);
    const nlohmann::json* decoder = object.find("added_tokens_decoder");
    if (decoder == nullptr) return;
    if (!decoder->is_object()) object.fail("added_tokens_decoder", "is no object");
    for (const auto& [id, value] : decoder->items()) {
        AddedToken token = readAddedToken(id, value, object);
        added.insert_or_assign(token.id, std::move(token));
    }
}

// The older form: {"<|im_start|>": 32000}, without flags.
void readOldAddedTokens(const fs::path& file, std::map<TokenId, AddedToken>& added) {
    const nlohmann::json root = readJsonFile(file, kMaxBytes);
    const JsonObject object(root, file.string());
    for (const auto& [content, value] : root.items()) {
        const auto id = object.integer(content.c_str());
        if (!id || *id < 0 || *id > kMaxId) object.fail(content, "has no token id");
        added.insert({static_cast<TokenId>(*id), {.id = static_cast<TokenId>(*id), .content = content}});
    }
}

// Old folders leave it to the kind of model which tokenizer is meant.
std::string classOfModel(const fs::path& config) {
    struct Default {
        std::string_view modelType;
        const char* tokenizerClass;
    };
    constexpr std::array kDefaults{Default{"t5", "T5Tokenizer"},
                                   Default{"mt5", "T5Tokenizer"},
                                   Default{"umt5", "T5Tokenizer"},
                                   Default{"pegasus", "PegasusTokenizer"},
                                   Default{"m2m_100", "M2M100Tokenizer"},
                                   Default{"bart", "BartTokenizer"},
                                   Default{"blenderbot", "BlenderbotTokenizer"},
                                   Default{"blenderbot-small", "BlenderbotSmallTokenizer"},
                                   Default{"qwen2", "Qwen2Tokenizer"},
                                   Default{"qwen3", "Qwen2Tokenizer"}};
    if (!fs::exists(config)) return {};
    const nlohmann::json root = readJsonFile(config, kMaxBytes);
    const std::string modelType = JsonObject(root, config.string()).text("model_type").value_or("");
    const auto known = std::ranges::find(kDefaults, modelType, &Default::modelType);
    return known == kDefaults.end() ? std::string() : known->tokenizerClass;
}

// "T5TokenizerFast" names the same vocabulary as "T5Tokenizer".
std::string withoutFast(std::string name) {
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    return name;
}

}  // namespace

TokenizerSettings readTokenizerSettings(const fs::path& folder) {
    TokenizerSettings settings;
    std::map<TokenId, AddedToken> added;
    const fs::path config = folder / "tokenizer_config.json";
    if (fs::exists(config)) readConfig(config, settings, added);
    if (settings.tokenizerClass.empty()) settings.tokenizerClass = classOfModel(folder / "config.json");
    settings.tokenizerClass = withoutFast(std::move(settings.tokenizerClass));
    const fs::path map = folder / "special_tokens_map.json";
    if (fs::exists(map)) {
        const nlohmann::json root = readJsonFile(map, kMaxBytes);
        readRoles(JsonObject(root, map.string()), settings);
    }
    const fs::path old = folder / "added_tokens.json";
    if (fs::exists(old)) readOldAddedTokens(old, added);
    for (auto& [id, token] : added) {
        // A token with a role is special whatever its own flags say: it must not come out of a user's text.
        for (const auto* role : {&settings.bosToken, &settings.eosToken, &settings.padToken, &settings.unkToken}) {
            if (*role == token.content) token.isSpecial = true;
        }
        settings.addedTokens.push_back(std::move(token));
    }
    return settings;
}

void addMissingTokens(const TokenizerSettings& settings, std::vector<AddedToken>& tokens) {
    for (const AddedToken& token : settings.addedTokens) {
        const auto known = std::ranges::find(tokens, token.id, &AddedToken::id);
        if (known == tokens.end())
            tokens.push_back(token);
        else if (token.isSpecial)
            known->isSpecial = true;
    }
    for (const auto* role : {&settings.bosToken, &settings.eosToken, &settings.padToken, &settings.unkToken}) {
        for (AddedToken& token : tokens) {
            if (*role == token.content) token.isSpecial = true;
        }
    }
}

}  // namespace wb::core
