// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/json/readers.h"

namespace wb::core {
namespace {

using Kind = DecoderStep::Kind;

void readStrip(const JsonView& json, DecoderStep& step) {
    step.symbol = json.textOr("content", " ");
    if (step.symbol.empty()) json.fail("'content' is empty");
    step.stripsLeft = readCount(json, "start", 0);
    step.stripsRight = readCount(json, "stop", 0);
}

DecoderStep readStep(const JsonView& json) {
    const std::string type = typeOf(json);
    DecoderStep step;
    if (type == "Fuse") {
        step.kind = Kind::Fuse;
    } else if (type == "ByteLevel") {
        step.kind = Kind::ByteLevel;
    } else if (type == "ByteFallback") {
        step.kind = Kind::ByteFallback;
    } else if (type == "Metaspace") {
        step.kind = Kind::Metaspace;
        step.symbol = json.textOr("replacement", kSpaceSymbol);
        step.dropsFirstSpace = prependScheme(json) != "never";
    } else if (type == "WordPiece") {
        step.kind = Kind::WordPiece;
        step.symbol = json.textOr("prefix", "##");
        step.cleansUp = json.booleanOr("cleanup", true);
    } else if (type == "BPEDecoder") {
        step.kind = Kind::BpeSuffix;
        step.symbol = json.textOr("suffix", "</w>");
    } else if (type == "Replace") {
        step.kind = Kind::Replace;
        step.pattern = readPattern(json.at("pattern"));
        step.content = json.at("content").text();
    } else if (type == "Strip") {
        step.kind = Kind::Strip;
        readStrip(json, step);
    } else {
        json.unsupported(fmt::format("decoder '{}' is not supported", type));
    }
    return step;
}

}  // namespace

std::vector<DecoderStep> readDecoder(const JsonView& json) {
    std::vector<DecoderStep> steps;
    forEachComponent(json, "decoders", [&](const JsonView& step) { steps.push_back(readStep(step)); });
    return steps;
}

}  // namespace wb::core
