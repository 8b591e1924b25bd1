// SPDX-License-Identifier: Apache-2.0
// Templates and their tokens as files: what a model folder or GGUF file carries, and which template a request means.
#include "core/text/template_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/format/gguf.h"
#include "core/text/answer_frame.h"
#include "core/text/prompt_template.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

constexpr uintmax_t kMaxFileBytes = 32 << 20;

bool isFile(const std::filesystem::path& path) {
    std::error_code status;
    return !path.empty() && std::filesystem::is_regular_file(path, status);
}

bool isGguf(const std::filesystem::path& path) {
    return path.extension() == ".gguf" && isFile(path);
}

nlohmann::json readJson(const std::filesystem::path& path) {
    auto json = nlohmann::json::parse(readTemplateFile(path), nullptr, false);
    if (!json.is_object()) throw Error{ErrorCode::CorruptFile, fmt::format("{}: not a JSON object", path.string())};
    return json;
}

// "chat_template" of a JSON file: one text, or a list of {name, template} of which "default" or "tool_use" is meant.
std::optional<std::string> templateFromJson(const std::filesystem::path& path, ChatTemplateUse use) {
    const auto json = readJson(path);
    const auto entry = json.find("chat_template");
    if (entry == json.end() || entry->is_null()) return std::nullopt;
    if (entry->is_string()) return entry->get<std::string>();
    if (!entry->is_array())
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: 'chat_template' is neither a text nor a list", path.string())};
    for (const char* wanted : {"tool_use", "default"}) {
        if (wanted == std::string_view{"tool_use"} && use != ChatTemplateUse::Tools) continue;
        for (const auto& named : *entry)
            if (named.is_object() && named.value("name", nlohmann::json{}) == wanted && named.contains("template") &&
                named["template"].is_string())
                return named["template"].get<std::string>();
    }
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: has several chat templates and none is named 'default'", path.string())};
}

// A token is written as a text or as an object with its text in "content".
std::string tokenField(const nlohmann::json& json, const char* key) {
    const auto field = json.find(key);
    if (field == json.end()) return {};
    if (field->is_string()) return field->get<std::string>();
    const auto content = field->is_object() ? field->find("content") : field->end();
    return field->is_object() && content != field->end() && content->is_string() ? content->get<std::string>()
                                                                                 : std::string{};
}

std::string ggufToken(const GgufFile& file, const std::string& key) {
    const auto id = file.integer(key);
    const auto* tokens = file.texts("tokenizer.ggml.tokens");
    if (!id || !tokens || *id < 0 || *id >= static_cast<int64_t>(tokens->size())) return {};
    return (*tokens)[static_cast<size_t>(*id)];
}

constexpr const char* kOtherTokens[] = {"unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

TemplateTokens ggufTokens(const std::filesystem::path& path) {
    const GgufFile file = GgufFile::open(path);
    TemplateTokens tokens{ggufToken(file, "tokenizer.ggml.bos_token_id"),
                          ggufToken(file, "tokenizer.ggml.eos_token_id")};
    constexpr std::pair<const char*, const char*> kKeys[] = {{"unk_token", "tokenizer.ggml.unknown_token_id"},
                                                             {"sep_token", "tokenizer.ggml.seperator_token_id"},
                                                             {"pad_token", "tokenizer.ggml.padding_token_id"},
                                                             {"cls_token", "tokenizer.ggml.cls_token_id"},
                                                             {"mask_token", "tokenizer.ggml.mask_token_id"}};
    for (const auto& [name, key] : kKeys)
        if (std::string text = ggufToken(file, key); !text.empty()) tokens.others.emplace_back(name, std::move(text));
    return tokens;
}

PromptTemplate fromJinjaFile(const std::filesystem::path& path, const std::filesystem::path& modelFolder) {
    const std::string name = path.filename().string();
    TemplateTokens tokens = readTemplateTokens(modelFolder);
    return PromptTemplate::fromChatTemplate(ChatTemplate::parse(readTemplateFile(path), name), std::move(tokens.bos),
                                            std::move(tokens.eos), name);
}

PromptTemplate fromModel(const std::filesystem::path& modelFolder) {
    auto found = PromptTemplate::fromModelFolder(modelFolder);
    if (!found)
        throw Error{ErrorCode::NotFound,
                    fmt::format("{}: the model carries no chat template (looked for chat_template.jinja, "
                                "chat_template.json and tokenizer_config.json); choose 'chatml', 'alpaca' or 'plain'",
                                modelFolder.empty() ? std::string{"no model is chosen"} : modelFolder.string())};
    return std::move(*found);
}

bool hasColumn(const TemplateRequest& request, std::string_view name) {
    for (const std::string& column : request.columnNames)
        if (column == name) return true;
    return false;
}

PromptTemplate resolveAuto(const TemplateRequest& request) {
    const bool isUnknown = !request.hasMessages && request.columnNames.empty();
    if (!request.modelFolder.empty()) {
        auto own = PromptTemplate::fromModelFolder(request.modelFolder);
        if (own && (request.hasMessages || isUnknown || own->accepts(request.columnNames))) return std::move(*own);
    }
    const auto besideData = request.dataFile.parent_path() / "template.json";
    if (!request.dataFile.empty() && !request.hasMessages && isFile(besideData)) {
        auto beside = PromptTemplate::fromJsonFile(besideData);
        if (isUnknown || beside.accepts(request.columnNames)) return beside;
    }
    if (isEncoderDecoderFolder(request.modelFolder)) {
        // Such a model reads plain text, and its encoder has no use for an end of line or for markers.
        if (!request.hasMessages) return PromptTemplate::builtin("raw");
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: an encoder-decoder has no usual form for conversations, and the model brings no "
                                "template of its own; give one with --template",
                                request.dataFile.string())};
    }
    if (request.hasMessages) return PromptTemplate::builtin("chatml");
    return PromptTemplate::builtin(hasColumn(request, "instruction") ? "alpaca" : "plain");
}

}  // namespace

std::string readTemplateFile(const std::filesystem::path& path) {
    std::error_code status;
    if (!isFile(path)) throw Error{ErrorCode::NotFound, fmt::format("{}: there is no such file", path.string())};
    if (std::filesystem::file_size(path, status) > kMaxFileBytes)
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: larger than {} bytes, which no template is", path.string(), kMaxFileBytes)};
    std::ifstream file{path, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    if (!file) throw Error{ErrorCode::Io, fmt::format("{}: cannot be read", path.string())};
    return text;
}

TemplateTokens readTemplateTokens(const std::filesystem::path& modelPath) {
    TemplateTokens tokens;
    if (isGguf(modelPath)) return ggufTokens(modelPath);
    if (modelPath.empty()) return tokens;
    const auto isKnown = [&](std::string_view name) {
        return std::any_of(tokens.others.begin(), tokens.others.end(),
                           [&](const auto& other) { return other.first == name; });
    };
    for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
        if (!isFile(modelPath / name)) continue;
        const auto json = readJson(modelPath / name);
        if (tokens.bos.empty()) tokens.bos = tokenField(json, "bos_token");
        if (tokens.eos.empty()) tokens.eos = tokenField(json, "eos_token");
        for (const char* other : kOtherTokens)
            if (std::string text = tokenField(json, other); !text.empty() && !isKnown(other))
                tokens.others.emplace_back(other, std::move(text));
    }
    return tokens;
}

std::optional<ChatTemplate> loadChatTemplate(const std::filesystem::path& modelFolder, ChatTemplateUse use) {
    if (isGguf(modelFolder)) {
        const auto source = GgufFile::open(modelFolder).text("tokenizer.chat_template");
        return source ? std::optional{ChatTemplate::parse(*source, modelFolder.filename().string())} : std::nullopt;
    }
    const auto toolFile = modelFolder / "additional_chat_templates" / "tool_use.jinja";
    if (use == ChatTemplateUse::Tools && isFile(toolFile))
        return ChatTemplate::parse(readTemplateFile(toolFile), "tool_use.jinja");
    const auto jinjaFile = modelFolder / "chat_template.jinja";
    if (isFile(jinjaFile)) return ChatTemplate::parse(readTemplateFile(jinjaFile), "chat_template.jinja");
    for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
        if (!isFile(modelFolder / name)) continue;
        if (const auto source = templateFromJson(modelFolder / name, use)) return ChatTemplate::parse(*source, name);
    }
    return std::nullopt;
}

PromptTemplate resolveTemplate(const TemplateRequest& request) {
    const std::string& wanted = request.nameOrPath;
    if (wanted.empty() || wanted == "auto") return resolveAuto(request);
    if (wanted == "model") return fromModel(request.modelFolder);
    for (const std::string_view name : PromptTemplate::builtinNames())
        if (wanted == name) return PromptTemplate::builtin(name);
    const std::filesystem::path path = wanted;
    if (path.extension() == ".json") return PromptTemplate::fromJsonFile(path);
    if (path.extension() == ".jinja" || path.extension() == ".j2") return fromJinjaFile(path, request.modelFolder);
    if (isFile(path))
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: a template file ends in .json (columns) or .jinja (chat)", wanted)};
    return PromptTemplate::builtin(wanted);  // throws with the names there are
}

}  // namespace wb::core
