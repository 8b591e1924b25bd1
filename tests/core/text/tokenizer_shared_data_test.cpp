// SPDX-License-Identifier: Apache-2.0
// Real vocabularies of the shared data against recorded ids, and two forms of one vocabulary against each other.
#include "core/text/tokenizer.h"
#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sstream>

namespace wb::core {
namespace {

struct VocabularyCase {
    const char* golden;     // of gguf_vocab
    const char* tokenizer;  // file or folder
};

// Texts are separated by a line of its own; each line of ids belongs to one text.
std::vector<std::string> goldenTexts(const std::filesystem::path& file) {
    constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
    const std::string all = test::readText(file);
    std::vector<std::string> texts;
    size_t begin = 0;
    for (size_t end = all.find(kSeparator); end != std::string::npos; end = all.find(kSeparator, begin)) {
        texts.push_back(all.substr(begin, end - begin));
        begin = end + kSeparator.size();
    }
    texts.push_back(all.substr(begin));
    return texts;
}

std::vector<std::vector<TokenId>> goldenIds(const std::filesystem::path& file) {
    std::vector<std::vector<TokenId>> lines;
    std::istringstream stream(test::readText(file) + "\n");  // the last line is empty, as its text is
    for (std::string line; std::getline(stream, line);) {
        std::istringstream numbers(line);
        lines.emplace_back(std::istream_iterator<TokenId>(numbers), std::istream_iterator<TokenId>());
    }
    return lines;
}

class SharedVocabulary : public testing::TestWithParam<VocabularyCase> {};

TEST_P(SharedVocabulary, GivesTheRecordedIdsAndTheTextBack) {
    const std::string stem = fmt::format("gguf_vocab/ggml-vocab-{}.gguf", GetParam().golden);
    WB_NEED_SHARED_DATA(input, stem + ".inp");
    WB_NEED_SHARED_DATA(output, stem + ".out");
    WB_NEED_SHARED_DATA(model, GetParam().tokenizer);
    const auto tokenizer = loadTokenizer(model);
    const auto texts = goldenTexts(input);
    const auto ids = goldenIds(output);
    ASSERT_EQ(texts.size(), 47U);
    ASSERT_EQ(ids.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(tokenizer->encode(texts[i]).ids, ids[i]) << texts[i];
        // WordPiece forgets case, accents and spaces.
        if (tokenizer->kind() != "wordpiece") {
            EXPECT_EQ(tokenizer->decode(ids[i]), texts[i]);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Files, SharedVocabulary,
                         testing::Values(VocabularyCase{"llama-spm", "gguf_vocab/ggml-vocab-llama-spm.gguf"},
                                         VocabularyCase{"llama-spm", "tokenizers/llama2/tokenizer.model"},
                                         VocabularyCase{"llama-spm", "tokenizers/llama2/tokenizer.json"},
                                         VocabularyCase{"gpt-2", "gguf_vocab/ggml-vocab-gpt-2.gguf"},
                                         VocabularyCase{"gpt-2", "tokenizers/gpt2/vocab.json"},
                                         VocabularyCase{"gpt-2", "tokenizers/gpt2/tokenizer.json"},
                                         VocabularyCase{"starcoder", "gguf_vocab/ggml-vocab-starcoder.gguf"},
                                         VocabularyCase{"bert-bge", "gguf_vocab/ggml-vocab-bert-bge.gguf"},
                                         VocabularyCase{"qwen2", "tokenizers/qwen2"}),
                         [](const auto& parameter) {
                             std::string name = parameter.param.tokenizer;
                             std::ranges::replace_if(
                                 name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
                             return name;
                         });

void expectAgreement(const std::filesystem::path& first, const std::filesystem::path& second,
                     const std::filesystem::path& corpus) {
    const auto a = loadTokenizer(first);
    const auto b = loadTokenizer(second);
    ASSERT_NE(a->kind(), b->kind());
    std::istringstream lines(test::readText(corpus));
    size_t numLines = 0;
    for (std::string line; std::getline(lines, line) && numLines < 400; ++numLines) {
        const Encoding one = a->encode(line);
        const Encoding two = b->encode(line);
        ASSERT_EQ(one.ids, two.ids) << line;
        ASSERT_EQ(one.offsets, two.offsets) << line;
        ASSERT_EQ(a->decode(one.ids), line);
    }
    EXPECT_GT(numLines, 90U);
}

// The fast form normalises by its own reading of the character map; for everyday text both are the same.
TEST(SharedTokenizer, BothFormsOfT5Agree) {
    WB_NEED_SHARED_DATA(fast, "tokenizers/t5/tokenizer.json");
    WB_NEED_SHARED_DATA(pieces, "tokenizers/t5/spiece.model");
    WB_NEED_SHARED_DATA(corpus, "text/wikitext2_valid.txt");
    const auto a = loadTokenizer(fast);
    const auto b = loadTokenizer(pieces);
    EXPECT_EQ(a->kind(), "unigram");
    EXPECT_EQ(b->kind(), "sentencepiece-unigram");
    EXPECT_EQ(a->findToken("<extra_id_0>"), 32099);
    std::istringstream lines(test::readText(corpus));
    size_t numLines = 0;
    for (std::string line; std::getline(lines, line) && numLines < 500; ++numLines) {
        if (line.find("<unk>") != std::string::npos) continue;  // the pieces' file takes this for its name
        ASSERT_EQ(a->encode(line).ids, b->encode(line).ids) << line;
    }
    EXPECT_EQ(encodeWithSpecials(*a, "a").back(), 1);
}

TEST(SharedTokenizer, BothFormsOfLlama2Agree) {
    WB_NEED_SHARED_DATA(folder, "tokenizers/llama2");
    WB_NEED_SHARED_DATA(corpus, "instruct/gsm8k_train.jsonl");
    expectAgreement(folder / "tokenizer.json", folder / "tokenizer.model", corpus);
}

// The .model of the same folder removes extra spaces, so it is another tokenizer for such texts.
TEST(SharedTokenizer, FolderAndGgufOfStories260KAgree) {
    WB_NEED_SHARED_DATA(folder, "models/stories260K/hf");
    WB_NEED_SHARED_DATA(gguf, "models/stories260K/stories260K-f32.gguf");
    WB_NEED_SHARED_DATA(corpus, "instruct/wikisql_text_valid.jsonl");
    expectAgreement(folder, gguf, corpus);
}

TEST(SharedTokenizer, Stories260KGivesThePromptsOfItsGoldens) {
    WB_NEED_SHARED_DATA(golden, "models/stories260K/expected.json");
    const auto expected = nlohmann::json::parse(test::readText(golden));
    for (const char* form : {"models/stories260K/hf", "models/stories260K/stories260K-f32.gguf"}) {
        const auto tokenizer = loadTokenizer(test::sharedData(form));
        EXPECT_EQ(tokenizer->vocabularySize(), 512);
        for (const auto& prompt : expected["prompts"]) {
            const auto ids = prompt["ids"].get<std::vector<TokenId>>();
            const std::string text = tokenizer->decode(ids);
            EXPECT_EQ(encodePrompt(*tokenizer, text), ids) << form << ": " << text;
        }
        EXPECT_EQ(encodePrompt(*tokenizer, ""), std::vector<TokenId>{1});
    }
}

TEST(SharedTokenizer, RunsOfSpacesAreTokensOfGptNeoxInEitherMode) {
    WB_NEED_SHARED_DATA(folder, "tokenizers/gpt_neox");
    const auto tokenizer = loadTokenizer(folder);
    EXPECT_EQ(tokenizer->encode("        x", SpecialTokens::None).ids.front(), 50270);
    EXPECT_EQ(tokenizer->encode("        x", SpecialTokens::Parse).ids.front(), 50270);
    EXPECT_EQ(tokenizer->encode("<|endoftext|>", SpecialTokens::Parse).ids, std::vector<TokenId>{0});
    EXPECT_GT(tokenizer->encode("<|endoftext|>", SpecialTokens::None).ids.size(), 3U);
    EXPECT_EQ(tokenizer->specialIds().pad, 50277);
}

TEST(SharedTokenizer, QwenSettingsGiveTheChatTokens) {
    WB_NEED_SHARED_DATA(folder, "tokenizers/qwen2");
    const auto tokenizer = loadTokenizer(folder);
    EXPECT_EQ(tokenizer->specialIds().eos, 151645);
    EXPECT_FALSE(tokenizer->specialIds().addBos);
    EXPECT_EQ(tokenizer->encode("<|im_start|>user\n", SpecialTokens::Parse).ids.front(), 151644);
    EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{151644, 151645}), "");
}

}  // namespace
}  // namespace wb::core
