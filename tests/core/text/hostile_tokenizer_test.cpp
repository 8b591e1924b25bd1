// SPDX-License-Identifier: Apache-2.0
// Damaged and contradicting tokenizer files: each is refused by name, and none does harm.
#include "core/text/tokenizer.h"
#include "core/text/tokenizer/sentencepiece_model.h"
#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

namespace wb::core {
namespace {

std::filesystem::path goldenFile(const char* name) {
    return std::filesystem::path(WHETBENCH_SOURCE_DIR) / "tests/golden/tokenizers" / name;
}

void openFile(const char* name, std::string_view bytes) {
    const test::TemporaryFolder folder;
    test::writeText(folder / name, bytes);
    const auto tokenizer = loadTokenizer(folder / name);
    tokenizer->encode("The edge \xff of 12 \U0001f9f0 <s> knives.", SpecialTokens::Parse);
    for (TokenId id = 0; id < std::min(tokenizer->vocabularySize(), 600); ++id)
        tokenizer->decode(std::vector<TokenId>{id});
}

void openJson(const nlohmann::json& json) {
    openFile("tokenizer.json", json.dump());
}

nlohmann::json goldenJson(const char* name) {
    return nlohmann::json::parse(test::readText(goldenFile(name)));
}

// The golden with one place changed.
nlohmann::json changed(const char* name, const char* place, const nlohmann::json& value) {
    nlohmann::json json = goldenJson(name);
    json[nlohmann::json::json_pointer(place)] = value;
    return json;
}

TEST(HostileTokenizer, JsonNamesThePlaceOfAnError) {
    const auto corrupt = [](const char* place, const nlohmann::json& value, const std::string& part) {
        WB_EXPECT_ERROR(openJson(changed("byte_fallback.json", place, value)), ErrorCode::CorruptFile, part);
    };
    corrupt("/model", nullptr, "has no 'model'");
    corrupt("/model", 7, "model is no object");
    corrupt("/model/vocab", {{"a", -1}}, "vocab 'a'");
    corrupt("/model/vocab", {{"a", 1e30}}, "vocab 'a'");
    corrupt("/model/vocab", {{"a", int64_t{1} << 40}}, "vocab 'a'");
    corrupt("/model/vocab", {{"a", 1}, {"b", 1}}, "has the id 1");
    corrupt("/model/merges", nlohmann::json::array({nlohmann::json::array({"t", "nothing here"})}), "merge 0");
    corrupt("/model/merges", nlohmann::json::object(), "is no list");
    corrupt("/model/merges", nlohmann::json::array({"ab"}), "no pair");
    corrupt("/model/merges", nlohmann::json::array({7}), "no pair");
    corrupt("/model/merges", nlohmann::json::array({nlohmann::json::array({"a", "b", "c"})}), "no pair");
    corrupt("/model/unk_token", "<nope>", "<nope>");
    corrupt("/added_tokens/0/id", -4, "added_tokens[0].id");
    corrupt("/added_tokens/0/content", "renamed", "renamed");
    corrupt("/normalizer/normalizers/0/prepend", 3, "prepend is no text");
    corrupt("/post_processor/special_tokens", nlohmann::json::object(), "has no '<s>'");
    WB_EXPECT_ERROR(openFile("tokenizer.json", ""), ErrorCode::CorruptFile, "JSON");
    WB_EXPECT_ERROR(openFile("tokenizer.json", "{\"model\":"), ErrorCode::CorruptFile, "JSON");
    WB_EXPECT_ERROR(openFile("tokenizer.json", "[]"), ErrorCode::CorruptFile, "object");
    WB_EXPECT_ERROR(openFile("tokenizer.json", std::string(100000, '[')), ErrorCode::CorruptFile, "JSON");
}

TEST(HostileTokenizer, JsonNamesWhatIsNotSupported) {
    const auto unsupported = [](const char* place, const nlohmann::json& value, const std::string& part) {
        WB_EXPECT_ERROR(openJson(changed("byte_fallback.json", place, value)), ErrorCode::Unsupported, part);
    };
    unsupported("/model/type", "Novel", "Novel");
    unsupported("/model/dropout", 0.1, "dropout");
    unsupported("/normalizer/normalizers/0", {{"type", "Novel"}}, "Novel");
    unsupported("/pre_tokenizer", {{"type", "UnicodeScripts"}}, "UnicodeScripts");
    unsupported("/decoder", {{"type", "CTC"}}, "CTC");
    unsupported("/post_processor/type", "Novel", "Novel");
    unsupported("/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"Regex", "(unclosed"}}}, {"behavior", "Isolated"}},
                "(unclosed");
    unsupported("/pre_tokenizer",
                {{"type", "Split"}, {"pattern", {{"Regex", "[a-z&&[aeiou]]"}}}, {"behavior", "Isolated"}},
                "intersects");
    unsupported("/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "Scattered"}},
                "Scattered");
    nlohmann::json nested = {{"type", "NFC"}};
    for (int i = 0; i < 20; ++i) nested = {{"type", "Sequence"}, {"normalizers", {nested}}};
    WB_EXPECT_ERROR(openJson(changed("byte_fallback.json", "/normalizer", nested)), ErrorCode::CorruptFile, "nests");
}

TEST(HostileTokenizer, APatternThatBacktracksForeverIsStopped) {
    const auto json =
        changed("byte_fallback.json", "/pre_tokenizer",
                {{"type", "Split"}, {"pattern", {{"Regex", "(\\w*)*\\w*!\\d"}}}, {"behavior", "Isolated"}});
    const test::TemporaryFolder folder;
    test::writeText(folder / "tokenizer.json", json.dump());
    const auto tokenizer = loadTokenizer(folder.path());
    WB_EXPECT_ERROR(tokenizer->encode(std::string(2000, 'a') + "!"), ErrorCode::InvalidArgument, "pattern");
}

// Any byte of the file replaced: the result is a working tokenizer or an Error.
TEST(HostileTokenizer, DamagedFilesAreRefusedOrWork) {
    std::mt19937 random(11);
    for (const char* name :
         {"byte_level.json", "metaspace_first.json", "sentencepiece_bpe.model", "sentencepiece_unigram.model"}) {
        const std::string whole = test::readText(goldenFile(name));
        const char* fileName = std::string_view(name).ends_with(".model") ? "tokenizer.model" : "tokenizer.json";
        size_t numRefused = 0;
        for (int i = 0; i < 300; ++i) {
            std::string damaged = whole;
            for (unsigned k = 0; k <= random() % 3; ++k)
                damaged[random() % damaged.size()] = static_cast<char>(random());
            if (i % 10 == 0) damaged.resize(random() % damaged.size());
            if (test::failureOf([&] { openFile(fileName, damaged); })) ++numRefused;
        }
        EXPECT_GT(numRefused, 30U) << name;
    }
}

TEST(HostileTokenizer, EveryTruncationOfASentencePieceModelIsHandled) {
    const std::string whole = test::readText(goldenFile("sentencepiece_bpe.model"));
    size_t numRefused = 0;
    for (size_t length = 0; length < whole.size(); ++length) {
        if (test::failureOf(
                [&] { parseSentencePieceModel(std::as_bytes(std::span(whole).first(length)), "cut.model"); }))
            ++numRefused;
    }
    // Cuts between two fields leave a valid message; all others must be noticed.
    EXPECT_GT(numRefused, whole.size() * 9 / 10);
}

// Bytes of a model whose parts a test may spoil.
std::string modelBytes(const std::vector<SentencePiece>& pieces, const std::string& suffix = "") {
    SentencePieceModel model;
    model.pieces = pieces;
    model.kind = SentencePieceKind::Bpe;
    model.bosId = model.eosId = -1;
    return serialiseSentencePieceModel(model) + suffix;
}

// Field 3 (normaliser) with field 2 (character map).
std::string characterMap(const std::vector<uint32_t>& units, const std::string& replacements, uint32_t trieBytes) {
    std::string map(reinterpret_cast<const char*>(&trieBytes), 4);
    map.append(reinterpret_cast<const char*>(units.data()), units.size() * 4);
    map += replacements;
    const auto field = [](char tag, const std::string& content) {
        const size_t size = content.size();
        std::string bytes{tag};
        bytes += static_cast<char>((size & 0x7fU) | 0x80U);
        bytes += static_cast<char>(((size >> 7) & 0x7fU) | 0x80U);
        bytes += static_cast<char>(size >> 14);
        return bytes + content;
    };
    return field('\x1a', field('\x12', map));
}

TEST(HostileTokenizer, SentencePieceModelsAreCheckedBeforeTheLibrarySeesThem) {
    const SentencePiece unknown{"<unk>", 0.0F, PieceType::Unknown};
    const auto expect = [](const std::string& bytes, const std::string& part) {
        WB_EXPECT_ERROR(openFile("tokenizer.model", bytes), ErrorCode::CorruptFile, part);
    };
    openFile("tokenizer.model", modelBytes({unknown, {"a", -1.0F}, {"\u2581", -2.0F}}));
    expect("", "no pieces");
    expect(modelBytes({{"a", -1.0F}}), "unknown kind");
    expect(modelBytes({unknown, unknown}), "unknown kind");
    expect(modelBytes({unknown, {"", 0.0F}}), "empty");
    expect(modelBytes({unknown, {std::string("a\0b", 3), 0.0F}}), "zero byte");
    expect(modelBytes({unknown, {"a", std::numeric_limits<float>::quiet_NaN()}}), "score");
    expect(modelBytes({unknown, {"a", 0.0F, static_cast<PieceType>(9)}}), "type 9");
    expect(modelBytes({unknown, {"<0xZZ>", 0.0F, PieceType::Byte}}), "names no byte");
    expect(modelBytes({unknown}, "\x0a\xff\xff\xff\xff\x7f"), "bytes");
    expect(modelBytes({unknown}, "\x0b"), "wire type");
    expect(modelBytes({unknown}, std::string(11, '\xff')), "ten bytes");
    expect(modelBytes({unknown}, "\x12\x02\x18\x09"), "model type 9");
    expect(modelBytes({unknown}, "\x12\x03\xc8\x02\x63"), "special id 99");
    // A trie whose root leads outside, and one whose value does.
    std::vector<uint32_t> units(256, 0x80000000U);
    units[0] = 300U << 10;
    expect(modelBytes({unknown}, characterMap(units, std::string("x\0", 2), 1024)), "trie node 0 leads");
    units[0] = (1U << 10) | (1U << 8);
    units[1] = 0x80000000U | 77U;
    expect(modelBytes({unknown}, characterMap(units, std::string("x\0", 2), 1024)), "replacement 77");
    expect(modelBytes({unknown}, characterMap(units, "x", 1024)), "zero byte");
    expect(modelBytes({unknown}, characterMap(units, "", 4096)), "trie of 4096");
    WB_EXPECT_ERROR(openFile("tokenizer.model", "IQ== 0\nIg== 1\n"), ErrorCode::Unsupported, "tiktoken");
    WB_EXPECT_ERROR(openFile("tokenizer.model", "\x80\x02}q\x01."), ErrorCode::CorruptFile, "tokenizer.model");
}

TEST(HostileTokenizer, SettingsNameFileAndKey) {
    const auto expect = [](const char* file, const char* text, const std::string& part) {
        const test::TemporaryFolder folder;
        std::filesystem::copy(goldenFile("sentencepiece_bpe.model"), folder / "tokenizer.model");
        test::writeText(folder / file, text);
        WB_EXPECT_ERROR(loadTokenizer(folder.path()), ErrorCode::CorruptFile, part);
        WB_EXPECT_ERROR(loadTokenizer(folder.path()), ErrorCode::CorruptFile, file);
    };
    expect("tokenizer_config.json", "{", "JSON");
    expect("tokenizer_config.json", R"({"add_bos_token":"yes"})", "add_bos_token");
    expect("tokenizer_config.json", R"({"added_tokens_decoder":{"x":{"content":"a"}}})", "'x'");
    expect("tokenizer_config.json", R"({"added_tokens_decoder":{"99999999999":{"content":"a"}}})", "99999999999");
    expect("tokenizer_config.json", R"({"added_tokens_decoder":{"5":7}})", "object");
    expect("added_tokens.json", R"({"<x>":-1})", "<x>");
    expect("special_tokens_map.json", R"({"eos_token":3})", "eos_token");
}

}  // namespace
}  // namespace wb::core
