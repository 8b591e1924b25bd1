// SPDX-License-Identifier: Apache-2.0
#include "app/engine/tokenize_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "app/engine/model_paths.h"
#include "core/text/tokenizer.h"
#include "core/text/utf8.h"

namespace wb::app {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct Options {
    std::string model;
    bool addSpecial = false;
    bool isDecoding = false;
};

[[noreturn]] void failInput(const std::string& message) {
    throw Error{ErrorCode::InvalidArgument, "standard input: " + message};
}

// The four digits behind "\u", or -1.
int escapedUnit(std::string_view text) {
    if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return -1;
    int unit = 0;
    for (const char c : text.substr(2, 4)) {
        const bool isDigit = c >= '0' && c <= '9';
        const char letter = static_cast<char>(c | 0x20);
        if (!isDigit && (letter < 'a' || letter > 'f')) return -1;
        unit = unit * 16 + (isDigit ? c - '0' : letter - 'a' + 10);
    }
    return unit;
}

// Escaped halves of a surrogate pair without the other half, which no UTF-8 can hold, become U+FFFD.
std::string withoutLoneSurrogates(std::string text) {
    const std::string_view view = text;
    const auto isHigh = [](int unit) { return unit >= 0xd800 && unit < 0xdc00; };
    const auto isLow = [](int unit) { return unit >= 0xdc00 && unit < 0xe000; };
    for (size_t i = 0; i + 1 < view.size(); ++i) {
        if (view[i] != '\\') continue;
        const int unit = escapedUnit(view.substr(i));
        if (isHigh(unit) && isLow(escapedUnit(view.substr(i + 6)))) {
            i += 11;
        } else if (isHigh(unit) || isLow(unit)) {
            text.replace(i, 6, "\\ufffd");
            i += 5;
        } else {
            ++i;  // whatever is escaped, a backslash maybe
        }
    }
    return text;
}

json readList() {
    std::string input{std::istreambuf_iterator<char>{std::cin}, {}};
    if (!core::isValidUtf8(input)) input = core::replaceInvalidUtf8(input);
    json list;
    try {
        list = json::parse(withoutLoneSurrogates(std::move(input)));
    } catch (const json::exception& error) {
        failInput(fmt::format("not valid JSON: {}", error.what()));
    }
    if (!list.is_array()) failInput("expected a list");
    return list;
}

std::string textOf(const json& item, size_t index) {
    if (!item.is_string()) failInput(fmt::format("item {} is no text", index));
    return item.get<std::string>();
}

std::vector<core::TokenId> idsOf(const json& item, size_t index) {
    if (!item.is_array()) failInput(fmt::format("item {} is no list of ids", index));
    std::vector<core::TokenId> ids;
    for (const json& id : item) {
        if (!id.is_number_integer() || id < 0 || id > INT32_MAX)
            failInput(fmt::format("item {} holds {}, which is no token id", index, id.dump()));
        ids.push_back(id.get<core::TokenId>());
    }
    return ids;
}

void encode(const core::Tokenizer& tokenizer, bool addSpecial, CommandContext& context) {
    ordered_json answer{{"ids", ordered_json::array()}};
    size_t index = 0;
    for (const json& item : readList()) {
        const std::string text = textOf(item, index++);
        const auto ids = addSpecial ? core::encodeWithSpecials(tokenizer, text)
                                    : tokenizer.encode(text, core::SpecialTokens::Parse).ids;
        context.print(fmt::format("{}\n", fmt::join(ids, " ")));
        if (context.isJson()) answer["ids"].push_back(ids);
    }
    context.printJson(answer);
}

void decode(const core::Tokenizer& tokenizer, CommandContext& context) {
    ordered_json answer{{"texts", ordered_json::array()}};
    size_t index = 0;
    for (const json& item : readList()) {
        std::string text = tokenizer.decode(idsOf(item, index++));
        context.print(json(text).dump() + "\n");
        if (context.isJson()) answer["texts"].push_back(std::move(text));
    }
    context.printJson(answer);
}

void run(const Options& options, CommandContext& context) {
    if (options.isDecoding && options.addSpecial) throw UsageError("--add-special is for encoding, not for --decode");
    // A folder of nothing but a tokenizer is enough here, so what exists is taken as it is.
    const std::filesystem::path model =
        std::filesystem::exists(options.model) ? std::filesystem::path(options.model) : resolveModel(options.model);
    const auto tokenizer = core::loadTokenizer(model);
    if (options.isDecoding)
        decode(*tokenizer, context);
    else
        encode(*tokenizer, options.addSpecial, context);
}

}  // namespace

void defineTokenize(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    command
        .add_option("--model", options->model,
                    "Model folder, tokenizer.json, SentencePiece .model, or GGUF file (of a vocabulary alone, too)")
        ->type_name("MODEL")
        ->required();
    command.add_flag("--add-special", options->addSpecial,
                     "Add what the model's own pipeline puts around a text: begin and end tokens, language codes");
    command.add_flag("--decode", options->isDecoding, "Read lists of ids, print texts; special tokens give no text");
    command.footer(
        "Reads a JSON list from standard input: texts, or with --decode lists of ids. Names of special\n"
        "tokens inside a text become their ids. A line of ids (or one JSON text) is printed for each\n"
        "item; with --json one object {\"ids\": [[...], ...]} or {\"texts\": [...]}.");
    command.callback([options, &context] { run(*options, context); });
}

}  // namespace wb::app
