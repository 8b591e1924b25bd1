// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/json/readers.h"

namespace wb::core {
namespace {

using Part = SpecialTemplate::Part;

// The ids a special token of a template stands for.
std::vector<TokenId> templateIds(const JsonView& json, std::string_view name) {
    const JsonView ids = json.at("special_tokens").at(name).at("ids");
    std::vector<TokenId> result;
    for (const simdjson::dom::element id : ids.array())
        result.push_back(static_cast<TokenId>(JsonView(id, ids.path()).integer(0, kMaxTokenId)));
    return result;
}

// "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, ...].
SpecialTemplate readTemplate(const JsonView& json) {
    SpecialTemplate result;
    const JsonView single = json.at("single");
    for (const simdjson::dom::element element : single.array()) {
        const JsonView piece(element, single.path());
        if (const auto special = piece.find("SpecialToken"))
            result.parts.push_back({.isText = false, .ids = templateIds(json, special->at("id").text())});
        else if (piece.find("Sequence"))
            result.parts.push_back({.isText = true, .ids = {}});
        else
            piece.fail("is neither a special token nor the text");
    }
    return result;
}

// RobertaProcessing and BertProcessing: {"cls": ["<s>", 0], "sep": ["</s>", 2]}.
SpecialTemplate readClassSeparator(const JsonView& json) {
    const auto part = [&](std::string_view key) {
        const JsonView pair = json.at(key);
        if (pair.array().size() != 2) pair.fail("is no pair of token and id");
        const JsonView id(pair.array().at(1), pair.path());
        return Part{.isText = false, .ids = {static_cast<TokenId>(id.integer(0, kMaxTokenId))}};
    };
    return {{part("cls"), Part{.isText = true, .ids = {}}, part("sep")}};
}

void readRoles(const std::vector<Part>& parts, SpecialIds& roles) {
    std::vector<TokenId> before;
    std::vector<TokenId> behind;
    bool isBehind = false;
    for (const Part& part : parts) {
        auto& side = isBehind ? behind : before;
        side.insert(side.end(), part.ids.begin(), part.ids.end());
        isBehind = isBehind || part.isText;
    }
    if (!isBehind) return;
    if (before.size() == 1) {
        roles.bos = before.front();
        roles.addBos = true;
    }
    if (behind.size() == 1) {
        roles.eos = behind.front();
        roles.addEos = true;
    }
}

}  // namespace

void readPostProcessor(const JsonView& json, TokenizerPipeline& pipeline) {
    pipeline.postProcessor.push_back({{Part{.isText = true, .ids = {}}}});
    forEachComponent(json, "processors", [&](const JsonView& step) {
        const std::string type = typeOf(step);
        if (type == "TemplateProcessing")
            pipeline.postProcessor.push_back(readTemplate(step));
        else if (type == "RobertaProcessing" || type == "BertProcessing")
            pipeline.postProcessor.push_back(readClassSeparator(step));
        else if (type != "ByteLevel")  // which only moves offsets
            step.unsupported(fmt::format("post-processor '{}' is not supported", type));
    });
    for (const SpecialTemplate& around : pipeline.postProcessor) readRoles(around.parts, pipeline.roles);
}

}  // namespace wb::core
