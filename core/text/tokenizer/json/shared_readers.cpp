// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/json/readers.h"

namespace wb::core {

std::string typeOf(const JsonView& json) {
    return std::string(json.at("type").text());
}

Regex readPattern(const JsonView& json) {
    if (const auto text = json.find("String")) {
        if (text->text().empty()) text->fail("is empty");
        return Regex(Regex::escape(text->text()), text->path());
    }
    const JsonView pattern = json.at("Regex");
    return Regex(pattern.text(), pattern.path());
}

std::string prependScheme(const JsonView& json) {
    std::string scheme = json.booleanOr("add_prefix_space", true) ? "always" : "never";
    if (const auto stated = json.find("prepend_scheme")) scheme = stated->text();
    if (scheme != "always" && scheme != "first" && scheme != "never")
        json.unsupported(fmt::format("prepend scheme '{}' is not known", scheme));
    return scheme;
}

size_t readCount(const JsonView& json, std::string_view key, size_t fallback) {
    const auto value = json.find(key);
    return value ? static_cast<size_t>(value->integer(0, INT32_MAX)) : fallback;
}

std::vector<std::string> readVocabulary(const JsonView& json) {
    std::vector<std::string> tokens;
    for (const auto& [token, value] : json.object()) {
        const JsonView item(value, fmt::format("{} '{}'", json.path(), token));
        const auto id = static_cast<size_t>(item.integer(0, kMaxTokenId));
        if (id >= tokens.size()) tokens.resize(id + 1);
        if (!tokens[id].empty()) item.fail(fmt::format("has the id {} of '{}'", id, tokens[id]));
        tokens[id] = token;
    }
    return tokens;
}

std::vector<AddedToken> readAddedTokens(const JsonView& list) {
    std::vector<AddedToken> tokens;
    for (const simdjson::dom::element element : list.array()) {
        const JsonView json(element, fmt::format("{}[{}]", list.path(), tokens.size()));
        AddedToken token;
        token.id = static_cast<TokenId>(json.at("id").integer(0, kMaxTokenId));
        token.content = json.at("content").text();
        token.isSpecial = json.booleanOr("special", false);
        token.isNormalized = json.booleanOr("normalized", !token.isSpecial);
        token.isSingleWord = json.booleanOr("single_word", false);
        token.stripsLeft = json.booleanOr("lstrip", false);
        token.stripsRight = json.booleanOr("rstrip", false);
        tokens.push_back(std::move(token));
    }
    return tokens;
}

}  // namespace wb::core
