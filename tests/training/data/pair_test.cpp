// SPDX-License-Identifier: Apache-2.0
// Rows of encoder-decoders: what the encoder reads, what the decoder reads and predicts, and what gives way if it is
// long.
#include "tests/support/small_tokenizer.h"
#include "tests/support/temporary_folder.h"
#include "training/data/packer.h"
#include "training/data/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wb::training {
namespace {

using core::TokenId;
using testing::ElementsAre;
using Ids = std::vector<TokenId>;

class PairTest : public testing::Test {
protected:
    void SetUp() override { use({.eos = 1, .addsEos = true}); }
    void use(const test::SmallTokenizer& small) {
        test::writeSmallTokenizer(small, m_folder.path());
        m_tokenizer = core::loadTokenizer(m_folder.path());
    }

    // Ids of a text's characters.
    static Ids letters(std::string_view text) {
        Ids ids;
        for (const char c : text) ids.push_back(4 + c - ' ');
        return ids;
    }
    static Ids join(std::initializer_list<Ids> parts) {
        Ids all;
        for (const Ids& part : parts) all.insert(all.end(), part.begin(), part.end());
        return all;
    }

    TokenizedExample tokenize(std::string_view prompt, std::string_view response, int64_t maxLength = 0,
                              std::string_view promptTemplate = "raw") {
        test::writeText(m_folder / "rows.jsonl", R"({"prompt": ")" + std::string(prompt) + R"(", "response": ")" +
                                                     std::string(response) + "\"}\n");
        m_dataset = loadDataset(m_folder / "rows.jsonl", {});
        return tokenizeExample(m_dataset, m_dataset.examples.front(), core::PromptTemplate::builtin(promptTemplate),
                               *m_tokenizer, {.maxLength = maxLength, .answer = m_frame});
    }

    test::TemporaryFolder m_folder;
    std::unique_ptr<core::Tokenizer> m_tokenizer;
    Dataset m_dataset;
    core::AnswerFrame m_frame{.start = 0, .first = {}, .end = 1};
};

TEST_F(PairTest, encoderReadsThePromptDecoderTheAnswer) {
    const TokenizedExample row = tokenize("ab c", "de");
    EXPECT_EQ(row.sourceIds, join({letters("ab c"), {1}}));
    EXPECT_EQ(row.ids, join({{0}, letters("de"), {1}}));
    EXPECT_THAT(row.trained, ElementsAre(0, 1, 1, 1));
    EXPECT_EQ(row.labelTokens, 3);
    EXPECT_EQ(row.decoderRows(), 3);
    EXPECT_EQ(row.fullLength, 5) << "of the longer side";
    EXPECT_EQ(row.tokens(), 8);
}

TEST_F(PairTest, tokensOfTheFamilyStandWhereItPutsThem) {
    use({.eos = 2, .bos = 0, .addsBos = true, .addsEos = true});
    m_frame = {.start = 2, .first = 0, .end = 2};
    const TokenizedExample row = tokenize("ab", "c");
    EXPECT_EQ(row.sourceIds, join({{0}, letters("ab"), {2}}));
    EXPECT_EQ(row.ids, join({{2, 0}, letters("c"), {2}}));
    EXPECT_THAT(row.trained, ElementsAre(0, 1, 1, 1));
}

TEST_F(PairTest, specialTokensInARowStayText) {
    const TokenizedExample row = tokenize("a</s>b", "</s>");
    EXPECT_EQ(row.sourceIds, join({letters("a</s>b"), {1}}));
    EXPECT_EQ(row.ids, join({{0}, letters("</s>"), {1}}));
}

TEST_F(PairTest, aTemplatesWordsBelongToThePrompt) {
    test::writeText(m_folder / "t.json", R"({"prompt": "summarize: {prompt}", "completion": "{response}"})");
    test::writeText(m_folder / "rows.jsonl", "{\"prompt\": \"ab\", \"response\": \"c\"}\n");
    const Dataset data = loadDataset(m_folder / "rows.jsonl", {});
    const TokenizedExample row =
        tokenizeExample(data, data.examples.front(), core::PromptTemplate::fromJsonFile(m_folder / "t.json"),
                        *m_tokenizer, {.answer = m_frame});
    EXPECT_EQ(row.sourceIds, join({letters("summarize: ab"), {1}}));
    EXPECT_EQ(row.ids, join({{0}, letters("c"), {1}}));
}

TEST_F(PairTest, aLongPromptGivesWayAndTheAnswerStays) {
    TokenizedExample row = tokenize("abcdefgh", "xyz");
    EXPECT_FALSE(canShorten(row, 9)) << "it fits";
    ASSERT_TRUE(shortenExample(row, 5));
    cutExample(row, 5);
    EXPECT_EQ(row.sourceIds, join({letters("abcd"), {1}})) << "the end token stays";
    EXPECT_EQ(row.ids, join({{0}, letters("xyz"), {1}}));
    EXPECT_TRUE(row.isShortened);
    EXPECT_FALSE(row.isTruncated);
    EXPECT_FALSE(row.losesTarget);
    EXPECT_EQ(row.fullLength, 9);
}

TEST_F(PairTest, aCutSaysWhatItLost) {
    const TokenizedExample source = tokenize("abcdefgh", "xyz", 5);
    EXPECT_EQ(source.sourceIds, join({letters("abcd"), {1}}));
    EXPECT_TRUE(source.isTruncated);
    EXPECT_FALSE(source.losesTarget);
    const TokenizedExample target = tokenize("ab", "uvwxyz", 4);
    EXPECT_EQ(target.ids, join({{0}, letters("uvwx")})) << "four rows predict four ids";
    EXPECT_EQ(target.decoderRows(), 4);
    EXPECT_EQ(target.labelTokens, 4);
    EXPECT_TRUE(target.losesTarget);
}

TEST_F(PairTest, bothSidesArePackedAndCounted) {
    SequenceSet set;
    addRow(set, tokenize("abc", "de"), 0);
    addRow(set, tokenize("f", "ghij"), 1);
    EXPECT_EQ(set.length(0), 4 + 3);
    EXPECT_EQ(set.sourceLength(0), 4);
    EXPECT_EQ(set.longest(), 7);
    EXPECT_EQ(set.totalTokens(), 7 + 7);
    EXPECT_EQ(set.totalLabelTokens(), 3 + 5);
    const std::vector<int32_t> order{1, 0};
    const PackedBatch batch = set.pack(order);
    EXPECT_EQ(batch.ids, join({{0}, letters("ghij"), {0}, letters("de")}));
    EXPECT_EQ(batch.labels, join({letters("ghij"), {1}, letters("de"), {1}}));
    EXPECT_THAT(batch.cuSeqlens, ElementsAre(0, 5, 8));
    EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 3, 4, 0, 1, 2));
    EXPECT_EQ(batch.source.ids, join({letters("f"), {1}, letters("abc"), {1}}));
    EXPECT_THAT(batch.source.cuSeqlens, ElementsAre(0, 2, 6));
    EXPECT_THAT(batch.source.positions, ElementsAre(0, 1, 0, 1, 2, 3));
    EXPECT_EQ(batch.labelTokens, 8);
    EXPECT_EQ(batch.tokens(), 14);
    EXPECT_EQ(planInOrder(set, 13).steps.size(), 2U) << "a budget counts both sides";
    EXPECT_EQ(planInOrder(set, 14).steps.size(), 1U);
}

TEST_F(PairTest, preparedDataCountsBothSidesAndDependsOnThePrompts) {
    const auto prepare = [&](const std::string& prompt) {
        std::string rows;
        for (const char* answer : {"x", "yy", "zzz", "uvw", "rst"})
            rows += R"({"prompt": ")" + prompt + answer + R"(", "response": ")" + answer + "\"}\n";
        test::writeText(m_folder / "rows.jsonl", rows);
        m_dataset = loadDataset(m_folder / "rows.jsonl", {});
        return prepareExamples(m_dataset, core::PromptTemplate::builtin("raw"), *m_tokenizer, {.answer = m_frame});
    };
    const PreparedData prepared = prepare("what is ");
    EXPECT_EQ(prepared.audit.length.max, 12);
    EXPECT_EQ(prepared.train.totalTokens() + prepared.validation.totalTokens(), prepared.audit.totalTokens);
    EXPECT_NE(prepared.contentHash, prepare("who is it ").contentHash);
}

}  // namespace
}  // namespace wb::training
