// SPDX-License-Identifier: Apache-2.0
#include "core/text/gguf_vocabulary.h"

#include "core/format/gguf_writer.h"
#include "core/format/model_folder.h"
#include "core/text/tokenizer.h"
#include "core/text/tokenizer/gguf_tokenizer.h"
#include "tests/core/test_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace wb::core {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

std::vector<fs::path> filesOf(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
}

ModelConfig withVocabulary(int64_t size) {
    ModelConfig config;
    config.vocabularySize = size;
    return config;
}

const GgufField* fieldOf(const GgufMetadata& metadata, std::string_view key) {
    const auto found = std::ranges::find(metadata, key, &GgufEntry::key);
    return found == metadata.end() ? nullptr : &found->value;
}

GgufFile writeVocabulary(const TemporaryFolder& folder, const GgufMetadata& metadata) {
    GgufWriter writer(folder / "v.gguf", metadata, {});
    writer.finish();
    return GgufFile::open(folder / "v.gguf");
}

constexpr const char* kTexts[] = {"The lamp goes out at 7, doesn't it?", " two  spaces ",      "",
                                  "Grüße aus Köln, 你好 🙂",      "line\none\n\n\ttab", "x=1234567890;"};

TEST(GgufVocabulary, TokenizersOfFoldersSurviveTheFile) {
    const std::pair<const char*, int64_t> folders[] = {{"tokenizers/gpt2", 50257},
                                                       {"tokenizers/qwen2", 151936},
                                                       {"tokenizers/llama2", 32000},
                                                       {"tokenizers/gpt_neox", 50304},
                                                       {"models/stories260K/hf", 512}};
    for (const auto& [name, size] : folders) {
        SCOPED_TRACE(name);
        WB_NEED_SHARED_DATA(folder, name);
        const TemporaryFolder written;
        const GgufFile file = writeVocabulary(written, ggufVocabularyOf(filesOf(folder), withVocabulary(size)));
        EXPECT_EQ(static_cast<int64_t>(file.texts("tokenizer.ggml.tokens")->size()), size);
        const auto original = loadTokenizer(folder);
        const auto reread = makeGgufTokenizer(file);
        for (const char* text : kTexts) {
            EXPECT_EQ(reread->encode(text).ids, original->encode(text).ids) << text;
        }
    }
}

// A byte-level tokenizer.json of three tokens and a merge.
nlohmann::json tinyTokenizer() {
    return nlohmann::json::parse(R"({
      "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
      "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
      "added_tokens": [{"id": 3, "content": "<end>", "special": true}, {"id": 4, "content": "<mark>"}],
      "post_processor": {"type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<end>"}}]}})");
}

GgufMetadata vocabularyOf(const nlohmann::json& tokenizer, int64_t size = 8) {
    const TemporaryFolder folder;
    test::writeText(folder / "tokenizer.json", tokenizer.dump());
    return ggufVocabularyOf(filesOf(folder.path()), withVocabulary(size));
}

TEST(GgufVocabulary, HoldsTypesRolesAndUnusedRows) {
    const GgufMetadata metadata = vocabularyOf(tinyTokenizer());
    EXPECT_EQ(std::get<std::string>(*fieldOf(metadata, "tokenizer.ggml.model")), "gpt2");
    EXPECT_EQ(std::get<std::string>(*fieldOf(metadata, "tokenizer.ggml.pre")), "gpt-2");
    EXPECT_EQ(std::get<std::vector<std::string>>(*fieldOf(metadata, "tokenizer.ggml.tokens")),
              (std::vector<std::string>{"a", "b", "ab", "<end>", "<mark>", "[PAD5]", "[PAD6]", "[PAD7]"}));
    EXPECT_EQ(std::get<std::vector<int32_t>>(*fieldOf(metadata, "tokenizer.ggml.token_type")),
              (std::vector<int32_t>{1, 1, 1, 3, 4, 5, 5, 5}));
    EXPECT_EQ(std::get<std::vector<std::string>>(*fieldOf(metadata, "tokenizer.ggml.merges")),
              std::vector<std::string>{"a b"});
    EXPECT_EQ(std::get<uint32_t>(*fieldOf(metadata, "tokenizer.ggml.eos_token_id")), 3U);
    EXPECT_EQ(std::get<bool>(*fieldOf(metadata, "tokenizer.ggml.add_eos_token")), true);
    EXPECT_EQ(fieldOf(metadata, "tokenizer.ggml.scores"), nullptr);
    EXPECT_EQ(fieldOf(metadata, "tokenizer.chat_template"), nullptr);
}

TEST(GgufVocabulary, TakesTheChatTemplateAlong) {
    const TemporaryFolder folder;
    test::writeText(folder / "tokenizer.json", tinyTokenizer().dump());
    test::writeText(
        folder / "tokenizer_config.json",
        R"({"chat_template": [{"name": "tool", "template": "no"}, {"name": "default", "template": "yes"}]})");
    const auto of = [&] {
        return std::get<std::string>(
            *fieldOf(ggufVocabularyOf(filesOf(folder.path()), withVocabulary(8)), "tokenizer.chat_template"));
    };
    EXPECT_EQ(of(), "yes");
    test::writeText(folder / "chat_template.jinja", "the file wins");
    EXPECT_EQ(of(), "the file wins");
}

TEST(GgufVocabulary, RefusesWhatLlamaCppWouldDoOtherwise) {
    const auto expect = [](const char* pointer, const nlohmann::json& value, ErrorCode code, const char* part) {
        SCOPED_TRACE(pointer);
        nlohmann::json tokenizer = tinyTokenizer();
        tokenizer[nlohmann::json::json_pointer(pointer)] = value;
        WB_EXPECT_ERROR(vocabularyOf(tokenizer), code, part);
    };
    expect("/normalizer", {{"type", "Lowercase"}}, ErrorCode::Unsupported, "normaliser 'Lowercase'");
    expect("/pre_tokenizer/add_prefix_space", true, ErrorCode::Unsupported, "splitting rule");
    expect("/model/ignore_merges", true, ErrorCode::Unsupported, "'ignore_merges'");
    expect("/model/type", "WordPiece", ErrorCode::Unsupported, "WordPiece");
    expect("/model/vocab", nlohmann::json::array(), ErrorCode::CorruptFile, "'vocab'");
    expect("/model/vocab/a", -1, ErrorCode::CorruptFile, "token 'a'");
    expect("/model/vocab/a", int64_t{1} << 40, ErrorCode::CorruptFile, "token 'a'");
    expect("/model/merges", nlohmann::json::array({"ab"}), ErrorCode::CorruptFile, "merge 0");
    expect("/added_tokens/0/id", -5, ErrorCode::CorruptFile, "added token");
    WB_EXPECT_ERROR(vocabularyOf(tinyTokenizer(), 4), ErrorCode::Unsupported, "5 tokens and the model 4");
    const TemporaryFolder twoFiles;
    test::writeText(twoFiles / "vocab.json", R"({"a": 0})");
    test::writeText(twoFiles / "merges.txt", "");
    test::writeText(twoFiles / "tokenizer_config.json", R"({"tokenizer_class": "OtherTokenizer"})");
    WB_EXPECT_ERROR(ggufVocabularyOf(filesOf(twoFiles.path()), withVocabulary(4)), ErrorCode::Unsupported,
                    "'OtherTokenizer'");
    const TemporaryFolder empty;
    WB_EXPECT_ERROR(ggufVocabularyOf(filesOf(empty.path()), withVocabulary(4)), ErrorCode::NotFound, "no tokenizer");
}

TEST(GgufVocabulary, MergesThatSentencePieceWouldNotFollowAreRefused) {
    nlohmann::json tokenizer = nlohmann::json::parse(R"({
      "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
        "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "ab": 4, "bc": 5, "abc": 6},
        "merges": ["a b", "b c", "ab c", "a bc"]},
      "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}})");
    const GgufMetadata metadata = vocabularyOf(tokenizer);
    EXPECT_EQ(std::get<std::string>(*fieldOf(metadata, "tokenizer.ggml.model")), "llama");
    const auto scores = std::get<std::vector<float>>(*fieldOf(metadata, "tokenizer.ggml.scores"));
    EXPECT_GT(scores[4], scores[5]);
    EXPECT_GT(scores[5], scores[6]);
    tokenizer["model"]["merges"].erase(3);
    WB_EXPECT_ERROR(vocabularyOf(tokenizer), ErrorCode::Unsupported, "'a' + 'bc'");
}

}  // namespace
}  // namespace wb::core
