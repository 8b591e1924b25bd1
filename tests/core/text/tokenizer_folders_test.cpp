// SPDX-License-Identifier: Apache-2.0
// Model folders without tokenizer.json, whose ids follow from the tokenizer's class.
#include "core/text/tokenizer.h"
#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace wb::core {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<TokenId>;

fs::path goldenFile(const char* name) {
    return fs::path(WHETBENCH_SOURCE_DIR) / "tests/golden/tokenizers" / name;
}

// A .model, a config.json that names the kind of model, and a tokenizer_config.json.
std::unique_ptr<Tokenizer> openFolder(const test::TemporaryFolder& folder, const char* modelFile, const char* modelType,
                                      const nlohmann::json& settings = nlohmann::json::object()) {
    fs::copy_file(goldenFile("sentencepiece_unigram.model"), folder / modelFile);
    test::writeText(folder / "config.json", nlohmann::json{{"model_type", modelType}}.dump());
    test::writeText(folder / "tokenizer_config.json", settings.dump());
    return loadTokenizer(folder.path());
}

const char* const kText = "The plane lies beside the saw.";

TEST(TokenizerFolder, T5CountsItsExtraTokensDownFromTheEnd) {
    const auto pieces = loadTokenizer(goldenFile("sentencepiece_unigram.model"));
    const TokenId size = pieces->vocabularySize();
    const test::TemporaryFolder folder;
    const auto tokenizer = openFolder(folder, "spiece.model", "t5");
    EXPECT_EQ(tokenizer->vocabularySize(), size + 100);
    EXPECT_EQ(tokenizer->findToken("<extra_id_0>"), size + 99);
    EXPECT_EQ(tokenizer->findToken("<extra_id_99>"), size);
    EXPECT_EQ(tokenizer->encode("<extra_id_1>", SpecialTokens::Parse).ids, Ids{size + 98});
    EXPECT_EQ(tokenizer->encode(kText).ids, pieces->encode(kText).ids);
    Ids ended = pieces->encode(kText).ids;
    ended.push_back(*pieces->specialIds().eos);
    EXPECT_EQ(encodeWithSpecials(*tokenizer, kText), ended);
    const test::TemporaryFolder other;
    EXPECT_EQ(openFolder(other, "spiece.model", "mt5", {{"extra_ids", 0}})->vocabularySize(), size);
}

TEST(TokenizerFolder, PegasusMovesItsPiecesUp) {
    const auto pieces = loadTokenizer(goldenFile("sentencepiece_unigram.model"));
    const test::TemporaryFolder folder;
    const auto tokenizer = openFolder(folder, "spiece.model", "", {{"tokenizer_class", "PegasusTokenizerFast"}});
    EXPECT_EQ(tokenizer->vocabularySize(), pieces->vocabularySize() + 103);
    EXPECT_EQ(tokenizer->tokenName(2), "<mask_1>");
    EXPECT_EQ(tokenizer->tokenName(4), "<unk_2>");
    EXPECT_EQ(tokenizer->tokenName(104), "<unk_102>");
    EXPECT_EQ(tokenizer->tokenName(105), pieces->tokenName(2));
    Ids moved = pieces->encode(kText).ids;
    for (TokenId& id : moved) id += 103;
    EXPECT_EQ(tokenizer->encode(kText).ids, moved);
    EXPECT_EQ(tokenizer->decode(moved), kText);
    moved.push_back(*tokenizer->specialIds().eos);
    EXPECT_EQ(encodeWithSpecials(*tokenizer, kText), moved);
    EXPECT_EQ(tokenizer->decode(moved), kText);
    EXPECT_EQ(tokenizer->encode("<mask_2>", SpecialTokens::Parse).ids, Ids{3});
    EXPECT_GT(tokenizer->encode("<mask_2>", SpecialTokens::None).ids.size(), 1U);
}

class M2M100Folder : public testing::Test {
protected:
    // The pieces backwards, so that an id that was not looked up is wrong; the last one is missing.
    std::unique_ptr<Tokenizer> open(const nlohmann::json& settings = nlohmann::json::object()) {
        nlohmann::json vocabulary{{"<s>", 0}, {"<pad>", 1}, {"</s>", 2}, {"<unk>", 3}};
        for (TokenId piece = pieces->vocabularySize() - 2; piece >= 0; --piece) {
            if (!pieces->isSpecial(piece)) vocabulary[pieces->tokenName(piece)] = vocabulary.size();
        }
        numPieces = static_cast<TokenId>(vocabulary.size());
        test::writeText(folder / "vocab.json", vocabulary.dump());
        return openFolder(folder, "sentencepiece.bpe.model", "m2m_100", settings);
    }

    std::unique_ptr<Tokenizer> pieces = loadTokenizer(goldenFile("sentencepiece_unigram.model"));
    test::TemporaryFolder folder;
    TokenId numPieces = 0;
};

TEST_F(M2M100Folder, NamesDecideTheIdsAndLanguagesFollow) {
    const auto tokenizer = open({{"src_lang", "de"}});
    EXPECT_EQ(tokenizer->vocabularySize(), numPieces + 100);
    EXPECT_EQ(tokenizer->findToken("__af__"), numPieces);
    EXPECT_EQ(tokenizer->findToken("__zu__"), numPieces + 99);
    const TokenId german = numPieces + 16;
    EXPECT_EQ(tokenizer->findToken("__de__"), german);
    Ids ids;
    for (const TokenId piece : pieces->encode(kText).ids)
        ids.push_back(*tokenizer->findToken(pieces->tokenName(piece)));
    EXPECT_EQ(tokenizer->encode(kText).ids, ids);
    EXPECT_EQ(tokenizer->decode(ids), kText);
    ids.insert(ids.begin(), german);
    ids.push_back(2);
    EXPECT_EQ(encodeWithSpecials(*tokenizer, kText), ids);
    EXPECT_EQ(tokenizer->decode(ids), kText) << "languages and ends are no text";
}

TEST_F(M2M100Folder, RefusesALanguageItDoesNotHave) {
    WB_EXPECT_ERROR(open({{"src_lang", "tlh"}}), ErrorCode::Unsupported, "'tlh'");
}

TEST_F(M2M100Folder, NeedsItsVocabulary) {
    open();
    fs::remove(folder / "vocab.json");
    WB_EXPECT_ERROR(loadTokenizer(folder.path()), ErrorCode::NotFound, "vocab.json");
}

TEST(TokenizerFolder, BartStandsBetweenItsTokens) {
    const auto json = nlohmann::json::parse(test::readText(goldenFile("kinds/bart.json")));
    const auto whole = loadTokenizer(goldenFile("kinds/bart.json"));
    std::string merges = "#version: 0.2\n";
    for (const auto& merge : json["model"]["merges"])
        merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
    const auto open = [&](const test::TemporaryFolder& folder, const char* modelType) {
        test::writeText(folder / "vocab.json", json["model"]["vocab"].dump());
        test::writeText(folder / "merges.txt", merges);
        test::writeText(folder / "config.json", nlohmann::json{{"model_type", modelType}}.dump());
        return loadTokenizer(folder.path());
    };
    const Ids spaced = whole->encode(kText).ids;  // this one puts a space in front
    const test::TemporaryFolder blenderbot;
    Ids ended = spaced;
    ended.push_back(2);
    EXPECT_EQ(encodeWithSpecials(*open(blenderbot, "blenderbot"), kText), ended);
    const test::TemporaryFolder bart;
    Ids around{0};
    const auto tokenizer = open(bart, "bart");
    const Ids plain = tokenizer->encode(kText).ids;
    around.insert(around.end(), plain.begin(), plain.end());
    around.push_back(2);
    EXPECT_EQ(encodeWithSpecials(*tokenizer, kText), around);
    EXPECT_NE(plain, spaced);
    EXPECT_EQ(tokenizer->encode("</s>", SpecialTokens::Parse).ids, Ids{2});
    const test::TemporaryFolder unknown;
    WB_EXPECT_ERROR(open(unknown, "blenderbot-small"), ErrorCode::Unsupported, "BlenderbotSmallTokenizer");
}

}  // namespace
}  // namespace wb::core
