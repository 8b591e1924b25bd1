// SPDX-License-Identifier: Apache-2.0
// Ids and texts of the reference implementations, for small tokenizers of this project (tests/golden/tokenizers).
#include "core/text/tokenizer.h"
#include "core/text/utf8.h"
#include "tests/core/test_files.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

namespace wb::core {
namespace {

std::filesystem::path goldenFolder() {
    return std::filesystem::path(WHETBENCH_SOURCE_DIR) / "tests/golden/tokenizers";
}

const nlohmann::json& golden() {
    static const nlohmann::json document = nlohmann::json::parse(test::readText(goldenFolder() / "expected.json"));
    return document;
}

class TokenizerGolden : public testing::TestWithParam<const char*> {
protected:
    TokenizerGolden()
        : tokenizer(loadTokenizer(goldenFolder() / GetParam())),
          expected(golden()["files"][GetParam()]),
          texts(golden()["texts"].get<std::vector<std::string>>()) {}

    std::unique_ptr<Tokenizer> tokenizer;
    const nlohmann::json& expected;
    std::vector<std::string> texts;
};

TEST_P(TokenizerGolden, EncodesAsTheReferenceDoes) {
    ASSERT_GT(texts.size(), 90U);
    for (size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(tokenizer->encode(texts[i], SpecialTokens::None).ids,
                  expected["plain"][i].get<std::vector<TokenId>>())
            << texts[i];
        if (!expected.contains("parsed")) continue;
        EXPECT_EQ(tokenizer->encode(texts[i], SpecialTokens::Parse).ids,
                  expected["parsed"][i].get<std::vector<TokenId>>())
            << texts[i];
    }
}

TEST_P(TokenizerGolden, DecodesAsTheReferenceDoes) {
    const nlohmann::json& ids = expected.contains("parsed") ? expected["parsed"] : expected["plain"];
    for (size_t i = 0; i < texts.size(); ++i) {
        // SentencePiece shows an unknown character as " ⁇ "; here special tokens are left out.
        const std::string decoded = expected["decoded"][i];
        if (decoded.find("\u2047") != std::string::npos) continue;
        EXPECT_EQ(tokenizer->decode(ids[i].get<std::vector<TokenId>>()), decoded) << texts[i];
    }
}

// Offsets go forward, stay inside the text, and where a token's bytes are those of the text, they are where it says.
TEST_P(TokenizerGolden, OffsetsPointIntoTheText) {
    for (const std::string& text : texts) {
        const Encoding encoding = tokenizer->encode(text, SpecialTokens::Parse);
        ASSERT_EQ(encoding.ids.size(), encoding.offsets.size());
        size_t covered = 0;
        for (size_t i = 0; i < encoding.ids.size(); ++i) {
            const ByteRange range = encoding.offsets[i];
            ASSERT_LE(range.begin, range.end);
            ASSERT_LE(range.end, text.size());
            const std::string bytes = tokenizer->tokenBytes(encoding.ids[i]);
            const std::string source = text.substr(range.begin, range.end - range.begin);
            const bool isExact = bytes == source || bytes == " " + source;
            if (isExact) covered += source.size();
        }
        // These two change nothing but spaces: every byte of the text is in some token.
        const std::string_view file = GetParam();
        const bool coversAll = file.starts_with("split_rules") || file.starts_with("byte_fallback");
        if (coversAll && text.find("\u2581") == std::string::npos) {
            EXPECT_EQ(covered, text.size()) << text;
        }
    }
}

TEST_P(TokenizerGolden, StreamedPiecesAreWholeCharactersAndJoinToTheDecodedText) {
    std::vector<TokenId> all(static_cast<size_t>(tokenizer->vocabularySize()));
    std::iota(all.begin(), all.end(), 0);
    std::vector<std::vector<TokenId>> sequences{all};
    for (const std::string& text : texts) sequences.push_back(tokenizer->encode(text).ids);
    std::mt19937 random(7);
    for (int i = 0; i < 50; ++i) {  // nonsense: bytes that never become characters
        std::vector<TokenId> ids(40);
        for (TokenId& id : ids) id = static_cast<TokenId>(random() % all.size());
        sequences.push_back(ids);
    }
    for (const auto& ids : sequences) {
        StreamDecoder decoder(*tokenizer);
        std::string joined;
        for (const TokenId id : ids) {
            const std::string piece = decoder.push(id);
            ASSERT_TRUE(isValidUtf8(piece)) << "a cut character was emitted";
            joined += piece;
        }
        const std::string rest = decoder.flush();
        ASSERT_TRUE(isValidUtf8(rest));
        ASSERT_EQ(joined + rest, tokenizer->decode(ids));
    }
}

TEST_P(TokenizerGolden, NamesFindTheirIds) {
    for (TokenId id = 0; id < tokenizer->vocabularySize(); ++id) {
        EXPECT_EQ(tokenizer->findToken(tokenizer->tokenName(id)), id) << tokenizer->tokenName(id);
    }
    EXPECT_EQ(tokenizer->findToken("no such token"), std::nullopt);
    const TokenId size = tokenizer->vocabularySize();
    WB_EXPECT_ERROR(tokenizer->tokenBytes(size), ErrorCode::InvalidArgument, std::to_string(size));
    WB_EXPECT_ERROR(tokenizer->tokenName(-1), ErrorCode::InvalidArgument, "-1");
    WB_EXPECT_ERROR(tokenizer->isSpecial(size), ErrorCode::InvalidArgument, "outside the vocabulary");
    WB_EXPECT_ERROR(tokenizer->decode(std::vector<TokenId>{0, -5}), ErrorCode::InvalidArgument, "-5");
}

TEST_P(TokenizerGolden, BrokenUtf8IsReplacedFirst) {
    const std::string broken = "ab\xff\xe2\x82 c\xf0\x9f";
    const std::string repaired = "ab\xef\xbf\xbd\xef\xbf\xbd c\xef\xbf\xbd";
    EXPECT_EQ(tokenizer->encode(broken).ids, tokenizer->encode(repaired).ids);
}

INSTANTIATE_TEST_SUITE_P(Files, TokenizerGolden,
                         testing::Values("byte_level.json", "split_rules.json", "byte_fallback.json",
                                         "metaspace_first.json", "splitters.json", "sentencepiece_bpe.model",
                                         "sentencepiece_unigram.model"),
                         [](const auto& parameter) {
                             std::string name = parameter.param;
                             return name.substr(0, name.find('.'));
                         });

TEST(Tokenizer, RoundTripGivesTheTextBack) {
    const auto texts = golden()["texts"].get<std::vector<std::string>>();
    for (const char* file : {"split_rules.json", "byte_fallback.json", "sentencepiece_bpe.model"}) {
        const auto tokenizer = loadTokenizer(goldenFolder() / file);
        for (const std::string& text : texts) {
            // U+2581 stands for a space inside these vocabularies and cannot come back.
            if (std::string_view(file) != "split_rules.json" && text.find("\u2581") != std::string::npos) continue;
            EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, SpecialTokens::None).ids), text) << file;
        }
    }
}

TEST(Tokenizer, EachByteTokenCoversItsOwnByte) {
    for (const char* file : {"byte_fallback.json", "sentencepiece_bpe.model", "split_rules.json"}) {
        const auto tokenizer = loadTokenizer(goldenFolder() / file);
        const std::string text = "a \U0001f9f0\u20ac";
        const Encoding encoding = tokenizer->encode(text);
        std::vector<ByteRange> tail(encoding.offsets.end() - 7, encoding.offsets.end());
        for (size_t i = 0; i < tail.size(); ++i)
            EXPECT_EQ(tail[i], (ByteRange{2 + i, 3 + i})) << file << ", byte " << i;
    }
}

TEST(Tokenizer, PromptsBeginWithOneBos) {
    const auto tokenizer = loadTokenizer(goldenFolder() / "byte_fallback.json");
    EXPECT_EQ(encodePrompt(*tokenizer, ""), std::vector<TokenId>{1});
    EXPECT_EQ(encodePrompt(*tokenizer, "the").front(), 1);
    const std::vector<TokenId> stated = encodePrompt(*tokenizer, "<s>the");
    EXPECT_EQ(std::count(stated.begin(), stated.end(), 1), 1) << "the text already began with it";
    EXPECT_TRUE(tokenizer->isSpecial(1));
    EXPECT_EQ(tokenizer->specialIds().eos, 2);
    const auto ids = tokenizer->encode("a</s>b", SpecialTokens::None).ids;
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 2), 0) << "a text ended the sequence";
}

TEST(Tokenizer, SettingsGiveRolesAndAddedTokens) {
    const test::TemporaryFolder folder;
    std::filesystem::copy(goldenFolder() / "sentencepiece_bpe.model", folder / "tokenizer.model");
    test::writeText(folder / "tokenizer_config.json", R"({"add_bos_token":false,"add_eos_token":true,
        "eos_token":{"content":"<|im_end|>"},"pad_token":"<pad>","model_max_length":1000000000000000019884624838656,
        "added_tokens_decoder":{"421":{"content":"<|im_end|>","special":false},"423":{"content":"<|tool|>"}}})");
    const auto tokenizer = loadTokenizer(folder.path());
    EXPECT_EQ(tokenizer->vocabularySize(), 424);
    EXPECT_EQ(tokenizer->specialIds().eos, 421);
    EXPECT_EQ(tokenizer->specialIds().pad, 3);
    EXPECT_EQ(tokenizer->specialIds().bos, 1);
    EXPECT_FALSE(tokenizer->specialIds().addBos);
    EXPECT_TRUE(tokenizer->specialIds().addEos);
    EXPECT_TRUE(tokenizer->isSpecial(421)) << "a token with a role is special";
    EXPECT_EQ(tokenizer->tokenName(421), "<|im_end|>");
    EXPECT_EQ(tokenizer->tokenName(422), "");
    EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{422}), "");
    EXPECT_EQ(tokenizer->encode("a<|tool|>", SpecialTokens::None).ids.back(), 423);
    EXPECT_EQ(tokenizer->encode("a<|im_end|>", SpecialTokens::Parse).ids.back(), 421);
    EXPECT_NE(tokenizer->encode("a<|im_end|>", SpecialTokens::None).ids.back(), 421);
}

// Behind an added token, "legacy" models begin a text anew and others go on.
TEST(Tokenizer, LegacySettingDecidesOnASecondDummyPrefix) {
    const auto textOf = [](const char* legacy) {
        const test::TemporaryFolder folder;
        std::filesystem::copy(goldenFolder() / "sentencepiece_bpe.model", folder / "tokenizer.model");
        test::writeText(folder / "tokenizer_config.json", std::string(R"({"legacy":)") + legacy + "}");
        const auto tokenizer = loadTokenizer(folder.path());
        return tokenizer->decode(tokenizer->encode("the</s>the", SpecialTokens::Parse).ids);
    };
    EXPECT_EQ(textOf("true"), "the the");
    EXPECT_EQ(textOf("false"), "thethe");
}

TEST(Tokenizer, VocabularyAndMergesInTwoFiles) {
    const test::TemporaryFolder folder;
    const auto json = nlohmann::json::parse(test::readText(goldenFolder() / "byte_level.json"));
    std::string merges = "#version: 0.2\n";
    for (const auto& merge : json["model"]["merges"]) {
        merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\r\n";
    }
    test::writeText(folder / "vocab.json", json["model"]["vocab"].dump());
    test::writeText(folder / "merges.txt", merges);
    const auto two = loadTokenizer(folder.path());
    const auto one = loadTokenizer(goldenFolder() / "byte_level.json");
    const std::string text = "The whetstone lies there; don't touch 12 of it.";
    EXPECT_EQ(two->encode(text).ids, one->encode(text).ids);
    test::writeText(folder / "merges.txt", "#version: 0.2\na b\nnopair\n");
    WB_EXPECT_ERROR(loadTokenizer(folder.path()), ErrorCode::CorruptFile, "line 3");
    test::writeText(folder / "merges.txt", "a q7\n");
    WB_EXPECT_ERROR(loadTokenizer(folder.path()), ErrorCode::CorruptFile, "merge 0");
    std::filesystem::remove(folder / "merges.txt");
    WB_EXPECT_ERROR(loadTokenizer(folder.path()), ErrorCode::NotFound, "merges.txt");
    test::writeText(folder / "tokenizer_config.json", R"({"tokenizer_class":"CLIPTokenizer"})");
    WB_EXPECT_ERROR(loadTokenizer(folder.path()), ErrorCode::Unsupported, "CLIPTokenizer");
}

TEST(Tokenizer, LiesBesideTheOtherFilesOfItsModel) {
    const test::TemporaryFolder folder;
    std::filesystem::copy(goldenFolder() / "sentencepiece_bpe.model", folder / "tokenizer.model");
    test::writeText(folder / "config.json", "{}");
    EXPECT_EQ(loadTokenizer(folder / "config.json")->kind(), "sentencepiece-bpe");
}

TEST(Tokenizer, NamesWhatIsNotThere) {
    const test::TemporaryFolder folder;
    WB_EXPECT_ERROR(loadTokenizer(folder.path()), ErrorCode::NotFound, "tokenizer.json");
    WB_EXPECT_ERROR(loadTokenizer(folder / "none"), ErrorCode::NotFound, "none");
    test::writeText(folder / "notes.txt", "x");
    WB_EXPECT_ERROR(loadTokenizer(folder / "notes.txt"), ErrorCode::NotFound, "notes.txt");
}

}  // namespace
}  // namespace wb::core
