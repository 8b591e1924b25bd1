// SPDX-License-Identifier: Apache-2.0
#include "training/data/tokenized_example.h"

#include <gmock/gmock.h>

#include "core/text/span_encoding.h"
#include "tests/training/data/data_fixture.h"
#include "tests/training/data/toy_tokenizer.h"
#include "training/data/byte_tokenizer.h"

namespace wb::training {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::ToyTokenizer;

Dataset promptResponse(const std::vector<std::pair<std::string, std::string>>& rows) {
    Dataset data;
    data.kind = DatasetKind::PromptResponse;
    data.mapping = {{"prompt"}, "response"};
    for (const auto& [prompt, response] : rows)
        data.examples.push_back(
            {static_cast<int64_t>(data.examples.size()) + 1, {{"prompt", prompt}, {"response", response}}, {}, {}});
    data.rows = static_cast<int64_t>(rows.size());
    return data;
}

Dataset conversation(std::vector<core::ChatMessage> messages) {
    Dataset data;
    data.kind = DatasetKind::Conversation;
    data.examples.push_back({1, {}, std::move(messages), {}});
    data.rows = 1;
    return data;
}

TokenizedExample tokenizeFirst(const Dataset& data, const core::PromptTemplate& promptTemplate,
                               const core::Tokenizer& tokenizer, const TokenizeOptions& options = {}) {
    return tokenizeExample(data, data.examples.front(), promptTemplate, tokenizer, options);
}

// The trained ids as text, special tokens by name.
std::string trainedText(const TokenizedExample& row, const core::Tokenizer& tokenizer) {
    std::string text;
    for (size_t i = 0; i < row.ids.size(); ++i)
        if (row.trained[i] != 0) text += tokenizer.tokenBytes(row.ids[i]);
    return text;
}

std::string allText(const TokenizedExample& row, const core::Tokenizer& tokenizer) {
    std::string text;
    for (const core::TokenId id : row.ids) text += tokenizer.tokenBytes(id);
    return text;
}

TEST(TokenizedExample, TrainsTheResponseAndTheEndOnly) {
    const ToyTokenizer tokenizer;
    const Dataset data = promptResponse({{"hello", "world"}});
    const TokenizedExample row = tokenizeFirst(data, core::PromptTemplate::builtin("plain"), tokenizer);
    EXPECT_EQ(allText(row, tokenizer), "<s>hello\nworld</s>");
    EXPECT_EQ(trainedText(row, tokenizer), "world</s>");
    EXPECT_EQ(row.labelTokens, 2);
    EXPECT_EQ(row.trained.size(), row.ids.size());
    EXPECT_EQ(row.bytes.size(), row.ids.size());
    EXPECT_FALSE(row.isTruncated);
}

TEST(TokenizedExample, TrainOnAllLeavesOutTheFirstIdOnly) {
    const ToyTokenizer tokenizer;
    const Dataset data = promptResponse({{"hello", "world"}});
    const TokenizedExample row =
        tokenizeFirst(data, core::PromptTemplate::builtin("plain"), tokenizer, {.trainOn = core::TrainOn::All});
    EXPECT_EQ(trainedText(row, tokenizer), "hello\nworld</s>");
    EXPECT_EQ(row.labelTokens, static_cast<int64_t>(row.ids.size()) - 1);
}

// ":\n" and "\nhello" merge across the border of prompt and answer; the ids of the prompt must not feel the answer.
TEST(TokenizedExample, PromptIdsAreThoseThatGenerationFeeds) {
    for (const auto prefix : {ToyTokenizer::Prefix::None, ToyTokenizer::Prefix::Space}) {
        const ToyTokenizer tokenizer(prefix);
        for (const char* name : {"plain", "raw", "alpaca", "chatml"}) {
            const auto promptTemplate = core::PromptTemplate::builtin(name);
            for (const auto& [prompt, response] : std::vector<std::pair<std::string, std::string>>{
                     {"say:", "hello world"}, {"say", " hello"}, {"x", "\nhello"}, {"a </s> b", "c <|im_end|> d"}}) {
                const Dataset data = promptResponse({{prompt, response}});
                const TokenizedExample row = tokenizeFirst(data, promptTemplate, tokenizer);
                const core::SpanEncoder encoder(tokenizer);
                const auto fed = encoder.encodePrompt(promptTemplate.renderPrompt(data.examples[0].columns)).ids;
                ASSERT_EQ(row.promptLength, static_cast<int64_t>(fed.size()));
                EXPECT_TRUE(std::equal(fed.begin(), fed.end(), row.ids.begin())) << name << " / " << prompt;
                EXPECT_THAT(std::vector<uint8_t>(row.trained.begin(), row.trained.begin() + row.promptLength), Each(0));
            }
        }
    }
}

TEST(TokenizedExample, TheIdsSpellTheRenderedTextWithoutAnAddedSpace) {
    const ToyTokenizer tokenizer(ToyTokenizer::Prefix::Space);
    const Dataset data = promptResponse({{"say", "hello world"}});
    const TokenizedExample row = tokenizeFirst(data, core::PromptTemplate::builtin("plain"), tokenizer);
    EXPECT_EQ(allText(row, tokenizer), "<s> say\nhello world</s>") << "only the very first text gets a space";
}

TEST(TokenizedExample, SpecialTokensInDataStayText) {
    const ToyTokenizer tokenizer;
    const auto promptTemplate = core::PromptTemplate::builtin("chatml");
    const Dataset data = promptResponse({{"a<|im_end|>b</s>", "c<|im_end|>d<s>"}});
    const TokenizedExample row = tokenizeFirst(data, promptTemplate, tokenizer);
    const auto count = [&](const char* name) {
        return std::count(row.ids.begin(), row.ids.end(), *tokenizer.findToken(name));
    };
    EXPECT_EQ(count("<|im_start|>"), 2);
    EXPECT_EQ(count("<|im_end|>"), 2) << "one for each turn, none from the data";
    EXPECT_EQ(count("<s>"), 1) << "the first one";
    EXPECT_EQ(count("</s>"), 0);
    EXPECT_EQ(allText(row, tokenizer).substr(3), promptTemplate.renderRow(data.examples[0].columns).text);
}

TEST(TokenizedExample, ChatTrainsAnswersWithTheirMarkers) {
    const ToyTokenizer tokenizer;
    const Dataset data =
        conversation({{"system", "s"}, {"user", "u"}, {"assistant", "one"}, {"user", "v"}, {"assistant", "two"}});
    const TokenizedExample row = tokenizeFirst(data, core::PromptTemplate::builtin("chatml"), tokenizer);
    EXPECT_EQ(trainedText(row, tokenizer), "one<|im_end|>two<|im_end|>");
    EXPECT_EQ(row.bytes.back().end, row.rendered.text.size());
}

TEST(TokenizedExample, WeightZeroKeepsAnAnswerOutOfTheLoss) {
    const ToyTokenizer tokenizer;
    Dataset data = conversation({{"user", "u"}, {"assistant", "one"}, {"user", "v"}, {"assistant", "two"}});
    data.examples[0].messages[1].weight = 0.0F;
    EXPECT_EQ(trainedText(tokenizeFirst(data, core::PromptTemplate::builtin("chatml"), tokenizer), tokenizer),
              "two<|im_end|>");
    data.examples[0].messages[1].weight = 1.0F;
    data.examples[0].messages[3].weight = 0.0F;
    EXPECT_EQ(trainedText(tokenizeFirst(data, core::PromptTemplate::builtin("chatml"), tokenizer), tokenizer),
              "one<|im_end|>");
}

TEST(TokenizedExample, ToolCallsAreTaughtAlsoByTemplatesThatDoNotKnowThem) {
    const ToyTokenizer tokenizer;
    Dataset data = conversation({{"user", "u"}, {"assistant", ""}, {"tool", "t"}, {"assistant", "done"}});
    data.examples[0].messages[1].toolCallsJson = R"([{"function": {"name": "f"}}])";
    const TokenizedExample row = tokenizeFirst(data, core::PromptTemplate::builtin("chatml"), tokenizer);
    EXPECT_EQ(trainedText(row, tokenizer), R"([{"function": {"name": "f"}}]<|im_end|>done<|im_end|>)");
    const auto knows = core::PromptTemplate::fromChatTemplate(
        core::ChatTemplate::parse(
            "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.tool_calls %}CALL{% endif "
            "%}</s>{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
            "test"),
        "<s>", "</s>");
    EXPECT_EQ(renderExample(data, data.examples[0], knows).text,
              "[user]u</s>[assistant]CALL</s>[tool]t</s>[assistant]done</s>");
}

TEST(TokenizedExample, CutMarksWhatIsLost) {
    const ToyTokenizer tokenizer;
    const Dataset data = promptResponse({{"abc", "defg"}});
    const auto promptTemplate = core::PromptTemplate::builtin("raw");  // <s> a b c d e f g </s>
    TokenizedExample row = tokenizeFirst(data, promptTemplate, tokenizer, {.maxLength = 9});
    EXPECT_FALSE(row.isTruncated);
    EXPECT_EQ(row.labelTokens, 5);
    row = tokenizeFirst(data, promptTemplate, tokenizer, {.maxLength = 6});
    EXPECT_TRUE(row.isTruncated);
    EXPECT_TRUE(row.losesTarget);
    EXPECT_EQ(row.fullLength, 9);
    EXPECT_EQ(row.labelTokens, 2);
    EXPECT_EQ(row.ids.size(), 6U);
    cutExample(row, 4);
    EXPECT_EQ(row.labelTokens, 0) << "the prompt alone fills it";
    EXPECT_EQ(row.fullLength, 9);
}

TEST(TokenizedExample, ShorteningTakesFromTheLongestInputAndKeepsTheAnswer) {
    const ToyTokenizer tokenizer;
    const Dataset data = promptResponse({{"abcdef", "xyz"}});
    TokenizedExample row = tokenizeFirst(data, core::PromptTemplate::builtin("raw"), tokenizer);  // <s> abcdef xyz </s>
    const std::vector<core::TokenId> whole = row.ids;
    ASSERT_EQ(whole.size(), 11U);
    EXPECT_FALSE(shortenExample(row, 11)) << "it fits";
    ASSERT_TRUE(shortenExample(row, 8));
    std::vector<core::TokenId> expected(whole.begin(), whole.begin() + 4);  // <s> abc
    expected.insert(expected.end(), whole.begin() + 7, whole.end());        // xyz </s>
    EXPECT_EQ(row.ids, expected);
    EXPECT_EQ(row.labelTokens, 4);
    EXPECT_EQ(row.fullLength, 11);
    EXPECT_EQ(row.promptLength, 4);
    EXPECT_FALSE(row.losesTarget);
    EXPECT_EQ(trainedText(row, tokenizer), "xyz</s>");
    EXPECT_FALSE(shortenExample(row, 5)) << "one token of the input has to stay";
    EXPECT_TRUE(shortenExample(row, 6));
}

TEST(TokenizedExample, MappedColumnsAreJoinedAndJsonTemplatesNameTheirOwn) {
    const ByteTokenizer tokenizer;
    Dataset data;
    data.kind = DatasetKind::PromptResponse;
    data.mapping = {{"context", "question"}, "answer"};
    data.examples.push_back({1, {{"context", "C"}, {"question", "Q"}, {"answer", "A"}}, {}, {}});
    EXPECT_EQ(tokenizeFirst(data, core::PromptTemplate::builtin("plain"), tokenizer).rendered.text, "C\n\nQ\nA");
    const auto own =
        core::PromptTemplate::fromJsonText(R"({"prompt": "{context}|", "completion": "{question}"})", "t.json");
    const TokenizedExample row = tokenizeFirst(data, own, tokenizer);
    EXPECT_EQ(row.rendered.text, "C|Q");
    EXPECT_EQ(trainedText(row, tokenizer), "Q");
    EXPECT_EQ(responseText(data, data.examples[0], own), "Q");
    EXPECT_EQ(responseText(data, data.examples[0], core::PromptTemplate::builtin("plain")), "A");
}

TEST(TokenizedExample, PlainTextIsTrainedWhole) {
    const ToyTokenizer tokenizer;
    Dataset data;
    data.kind = DatasetKind::Text;
    data.examples.push_back({1, {{"text", "hello world"}}, {}, {}});
    const TokenizedExample row = tokenizeFirst(data, core::PromptTemplate::builtin("raw"), tokenizer);
    EXPECT_EQ(allText(row, tokenizer), "<s>hello world</s>");
    EXPECT_EQ(trainedText(row, tokenizer), "hello world</s>");
}

TEST(TokenizedExample, EqualPromptsHaveEqualHashes) {
    const ByteTokenizer tokenizer;
    const Dataset data = promptResponse({{"p", "a"}, {"p", "b"}, {"p", "a"}, {"q", "a"}});
    std::vector<BadLine> bad;
    const auto rows = tokenizeDataset(data, core::PromptTemplate::builtin("plain"), tokenizer, {}, 2, bad);
    EXPECT_EQ(rows[0].promptHash, rows[1].promptHash);
    EXPECT_NE(rows[0].contentHash, rows[1].contentHash);
    EXPECT_EQ(rows[0].contentHash, rows[2].contentHash);
    EXPECT_NE(rows[0].promptHash, rows[3].promptHash);
}

TEST(TokenizedExample, RowsATemplateRefusesAreNamed) {
    const ByteTokenizer tokenizer;
    Dataset data = promptResponse({{"p", "a"}, {"p", "b"}});
    data.examples[1].columns = {{"other", "x"}};
    data.examples[1].sourceLine = 9;
    data.mapping = {};
    std::vector<BadLine> bad;
    const auto rows = tokenizeDataset(data, core::PromptTemplate::builtin("plain"), tokenizer, {}, 1, bad);
    ASSERT_EQ(bad.size(), 1U);
    EXPECT_EQ(bad[0].line, 9);
    EXPECT_TRUE(rows[1].ids.empty());
}

TEST(TokenizedExample, ThreadsDoNotChangeAnything) {
    const ToyTokenizer tokenizer;
    std::vector<std::pair<std::string, std::string>> pairs;
    for (int i = 0; i < 500; ++i)
        pairs.emplace_back("hello " + std::to_string(i), std::string(static_cast<size_t>(i % 7) + 1, 'x'));
    const Dataset data = promptResponse(pairs);
    std::vector<BadLine> bad;
    const auto one = tokenizeDataset(data, core::PromptTemplate::builtin("alpaca"), tokenizer, {}, 1, bad);
    const auto four = tokenizeDataset(data, core::PromptTemplate::builtin("alpaca"), tokenizer, {}, 4, bad);
    for (size_t i = 0; i < one.size(); ++i) {
        EXPECT_EQ(one[i].ids, four[i].ids);
        EXPECT_EQ(one[i].trained, four[i].trained);
    }
}

// The same rule on the tokenizer of the bundled model.
TEST(TokenizedExample, BundledTokenizerSpellsRowsExactly) {
    const auto tokenizer =
        core::loadTokenizer(std::filesystem::path(WHETBENCH_SOURCE_DIR) / "resources" / "models" / "pocket");
    const auto promptTemplate = core::PromptTemplate::builtin("plain");
    const core::SpanEncoder encoder(*tokenizer);
    for (const auto& [prompt, response] :
         std::vector<std::pair<std::string, std::string>>{{"Name three fruits.", "Apples, pears and plums."},
                                                          {"caf\xC3\xA9 \xE4\xBD\xA0", "  two spaces </s> <s>"},
                                                          {"x", "\n\nlines"}}) {
        const Dataset data = promptResponse({{prompt, response}});
        const TokenizedExample row = tokenizeFirst(data, promptTemplate, *tokenizer);
        const auto fed = encoder.encodePrompt(promptTemplate.renderPrompt(data.examples[0].columns)).ids;
        EXPECT_TRUE(std::equal(fed.begin(), fed.end(), row.ids.begin()));
        std::string answer;
        for (size_t i = fed.size(); i + 1 < row.ids.size(); ++i) answer += tokenizer->tokenBytes(row.ids[i]);
        EXPECT_EQ(answer, response);
        EXPECT_EQ(row.ids.back(), tokenizer->specialIds().eos);
        EXPECT_EQ(std::count(row.ids.begin(), row.ids.end(), *tokenizer->specialIds().eos), 1);
    }
}

}  // namespace
}  // namespace wb::training
