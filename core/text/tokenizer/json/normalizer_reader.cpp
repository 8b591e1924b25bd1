// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/json/readers.h"

#include <algorithm>
#include <array>

namespace wb::core {
namespace {

using Kind = NormalizerStep::Kind;
using Steps = std::vector<NormalizerStep>;

std::string decodeBase64(const JsonView& json) {
    static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string_view text = json.text();
    while (text.ends_with('=')) text.remove_suffix(1);
    std::string bytes;
    uint32_t bits = 0;
    int numBits = 0;
    for (const char c : text) {
        const size_t digit = kAlphabet.find(c);
        if (digit == std::string_view::npos) json.fail("is not base64");
        bits = (bits << 6 | static_cast<uint32_t>(digit)) & 0xffffffU;
        numBits += 6;
        if (numBits < 8) continue;
        numBits -= 8;
        bytes += static_cast<char>(static_cast<uint8_t>(bits >> numBits));
    }
    return bytes;
}

void add(Kind kind, Steps& steps) {
    steps.emplace_back().kind = kind;
}

void readStrip(const JsonView& json, Steps& steps) {
    add(Kind::Strip, steps);
    steps.back().stripsLeft = json.booleanOr("strip_left", true);
    steps.back().stripsRight = json.booleanOr("strip_right", true);
}

void readReplace(const JsonView& json, Steps& steps) {
    add(Kind::Replace, steps);
    steps.back().pattern = readPattern(json.at("pattern"));
    steps.back().content = json.at("content").text();
}

void readPrepend(const JsonView& json, Steps& steps) {
    add(Kind::Prepend, steps);
    steps.back().content = json.at("prepend").text();
}

void readBert(const JsonView& json, Steps& steps) {
    const bool isLower = json.booleanOr("lowercase", true);
    if (json.booleanOr("clean_text", true)) add(Kind::CleanBert, steps);
    if (json.booleanOr("handle_chinese_chars", true)) add(Kind::PadCjk, steps);
    if (json.booleanOr("strip_accents", isLower)) {
        add(Kind::Nfd, steps);
        add(Kind::StripNonSpacingMarks, steps);
    }
    if (isLower) add(Kind::Lowercase, steps);
}

void readPrecompiled(const JsonView& json, Steps& steps) {
    const auto field = json.find("precompiled_charsmap");
    if (!field || field->text().empty()) return;
    const std::string bytes = decodeBase64(*field);
    add(Kind::Precompiled, steps);
    steps.back().characterMap = std::make_shared<CharacterMap>(std::as_bytes(std::span(bytes)), field->path());
}

struct Reader {
    std::string_view type;
    void (*read)(const JsonView& json, Steps& steps);
};

template <Kind kind>
void readPlain(const JsonView&, Steps& steps) {
    add(kind, steps);
}

constexpr std::array kReaders{Reader{"NFC", readPlain<Kind::Nfc>},
                              Reader{"NFD", readPlain<Kind::Nfd>},
                              Reader{"NFKC", readPlain<Kind::Nfkc>},
                              Reader{"NFKD", readPlain<Kind::Nfkd>},
                              Reader{"Lowercase", readPlain<Kind::Lowercase>},
                              Reader{"StripAccents", readPlain<Kind::StripAccents>},
                              Reader{"Nmt", readPlain<Kind::CleanNmt>},
                              Reader{"ByteLevel", readPlain<Kind::ByteAlphabet>},
                              Reader{"Strip", readStrip},
                              Reader{"Replace", readReplace},
                              Reader{"Prepend", readPrepend},
                              Reader{"BertNormalizer", readBert},
                              Reader{"Precompiled", readPrecompiled}};

}  // namespace

std::vector<NormalizerStep> readNormalizer(const JsonView& json) {
    Steps steps;
    forEachComponent(json, "normalizers", [&](const JsonView& step) {
        const std::string type = typeOf(step);
        const auto reader = std::ranges::find(kReaders, type, &Reader::type);
        if (reader == kReaders.end()) step.unsupported(fmt::format("normaliser '{}' is not supported", type));
        reader->read(step, steps);
    });
    return steps;
}

}  // namespace wb::core
