// SPDX-License-Identifier: Apache-2.0
// Ids and texts of the reference library for a small tokenizer of every kind: tests/golden/make_tokenizer_goldens.py.
#include "core/text/tokenizer.h"
#include "core/text/utf8.h"
#include "tests/core/test_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

namespace wb::core {
namespace {

using Ids = std::vector<TokenId>;

std::filesystem::path kindsFolder() {
    return std::filesystem::path(WHETBENCH_SOURCE_DIR) / "tests/golden/tokenizers/kinds";
}

std::vector<std::string> kindNames() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(kindsFolder())) {
        if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
    }
    std::ranges::sort(names);
    return names;
}

class TokenizerKinds : public testing::TestWithParam<std::string> {
protected:
    TokenizerKinds()
        : tokenizer(loadTokenizer(kindsFolder() / (GetParam() + ".json"))),
          expected(nlohmann::json::parse(test::readText(kindsFolder() / "expected" / (GetParam() + ".json")))),
          texts(expected["texts"].get<std::vector<std::string>>()) {}

    Ids withSpecials(size_t index) const {
        return (expected["special"].empty() ? expected["plain"] : expected["special"])[index].get<Ids>();
    }

    std::unique_ptr<Tokenizer> tokenizer;
    nlohmann::json expected;
    std::vector<std::string> texts;
};

TEST_P(TokenizerKinds, EncodesAsTheReference) {
    ASSERT_GT(texts.size(), 50U);
    for (size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(tokenizer->encode(texts[i], SpecialTokens::Parse).ids, expected["plain"][i].get<Ids>()) << texts[i];
        EXPECT_EQ(encodeWithSpecials(*tokenizer, texts[i]), withSpecials(i)) << texts[i];
    }
}

TEST_P(TokenizerKinds, DecodesAsTheReference) {
    for (size_t i = 0; i < texts.size(); ++i)
        EXPECT_EQ(tokenizer->decode(withSpecials(i)), expected["decoded"][i].get<std::string>()) << texts[i];
}

TEST_P(TokenizerKinds, OffsetsStayInsideAndTokensOfATextAreFoundInIt) {
    const bool changesLetters = GetParam().starts_with("split_");  // their normaliser makes "sh" an "s"
    for (const std::string& text : texts) {
        const Encoding encoding = tokenizer->encode(text, SpecialTokens::Parse);
        ASSERT_EQ(encoding.ids.size(), encoding.offsets.size());
        for (size_t i = 0; i < encoding.ids.size(); ++i) {
            const ByteRange range = encoding.offsets[i];
            ASSERT_LE(range.begin, range.end) << text;
            ASSERT_LE(range.end, text.size()) << text;
            // Where the model got plain ASCII letters, its token says the same letters.
            const std::string source = text.substr(range.begin, range.end - range.begin);
            const std::string bytes = tokenizer->tokenBytes(encoding.ids[i]);
            const bool isWord =
                source.size() > 1 && std::ranges::all_of(source, [](char c) { return c >= 'a' && c <= 'z'; });
            if (isWord && !changesLetters && !tokenizer->isSpecial(encoding.ids[i])) {
                EXPECT_NE(bytes.find(source), std::string::npos) << text << ": '" << source << "' is " << bytes;
            }
        }
    }
}

TEST_P(TokenizerKinds, StreamedPiecesAreWholeCharactersAndJoinToTheDecodedText) {
    std::mt19937 random(3);
    std::vector<Ids> sequences;
    for (size_t i = 0; i < texts.size(); ++i) sequences.push_back(withSpecials(i));
    for (int i = 0; i < 50; ++i) {
        Ids ids(20);
        for (TokenId& id : ids)
            id = static_cast<TokenId>(random() % static_cast<unsigned>(tokenizer->vocabularySize()));
        sequences.push_back(ids);
    }
    for (const Ids& ids : sequences) {
        StreamDecoder decoder(*tokenizer);
        std::string joined;
        for (const TokenId id : ids) {
            const std::string piece = decoder.push(id);
            ASSERT_TRUE(isValidUtf8(piece)) << "a cut character was emitted";
            joined += piece;
        }
        ASSERT_EQ(joined + decoder.flush(), tokenizer->decode(ids));
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerKinds, testing::ValuesIn(kindNames()),
                         [](const auto& parameter) { return parameter.param; });

// The clean-up goes token by token: a single apostrophe keeps its space, one inside a token loses both.
TEST(TokenizerDecoder, WordPieceCleansUpAsTheReference) {
    const auto decoded = [](bool cleansUp) {
        nlohmann::json vocabulary;
        for (const char* token :
             {"[UNK]", "is", "it", ".", "?", "!", ",", "'", "n't", "'m", "'s", "'ve", "'re", "do not", "##n", "a ' b"})
            vocabulary[token] = vocabulary.size();
        const nlohmann::json file{{"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"}, {"vocab", vocabulary}}},
                                  {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", cleansUp}}}};
        const test::TemporaryFolder folder;
        test::writeText(folder / "tokenizer.json", file.dump());
        return loadTokenizer(folder.path())->decode(Ids{1, 2, 3, 2,  4, 2,  5, 2,  6, 2,  7,  2, 8,
                                                        2, 9, 2, 10, 2, 11, 2, 12, 2, 13, 14, 2, 15});
    };
    EXPECT_EQ(decoded(true), "is it. it? it! it, it ' itn't it'm it's it've it're it don'tn it a'b");
    EXPECT_EQ(decoded(false), "is it . it ? it ! it , it ' it n't it 'm it 's it 've it 're it do notn it a ' b");
}

// A word that many threads see for the first time at once must get the same tokens from each of them.
TEST(TokenizerThreads, ManyThreadsEncodeTheSame) {
    const auto tokenizer = loadTokenizer(kindsFolder() / "gpt2.json");
    const auto fresh = loadTokenizer(kindsFolder() / "gpt2.json");
    const std::string text = "The whetstone lies beside the plane, and the plane lies beside the saw.";
    const Ids ids = tokenizer->encode(text).ids;
    std::vector<Ids> results(8);
    std::vector<std::thread> threads;
    for (Ids& result : results) threads.emplace_back([&] { result = fresh->encode(text).ids; });
    for (std::thread& thread : threads) thread.join();
    for (const Ids& result : results) EXPECT_EQ(result, ids);
}

}  // namespace
}  // namespace wb::core
