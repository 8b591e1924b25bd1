// SPDX-License-Identifier: Apache-2.0
#include "tests/support/small_tokenizer.h"

#include "tests/support/temporary_folder.h"

#include <nlohmann/json.hpp>

namespace wb::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSpecials = 4;

std::string specialName(const SmallTokenizer& tokenizer, int id) {
    if (id == tokenizer.eos) return "</s>";
    if (id == tokenizer.bos) return "<s>";
    return "<special" + std::to_string(id) + ">";
}

Json specialToken(const SmallTokenizer& tokenizer, int id) {
    return {{"SpecialToken", {{"id", specialName(tokenizer, id)}, {"type_id", 0}}}};
}

Json postProcessor(const SmallTokenizer& tokenizer) {
    if (!tokenizer.addsBos && !tokenizer.addsEos) return nullptr;
    Json single = Json::array();
    Json specials = Json::object();
    const auto add = [&](int id) {
        const std::string name = specialName(tokenizer, id);
        single.push_back(specialToken(tokenizer, id));
        specials[name] = {{"id", name}, {"ids", {id}}, {"tokens", {name}}};
    };
    if (tokenizer.addsBos) add(*tokenizer.bos);
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (tokenizer.addsEos) add(tokenizer.eos);
    return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", single}, {"special_tokens", specials}};
}

}  // namespace

void writeSmallTokenizer(const SmallTokenizer& tokenizer, const std::filesystem::path& folder) {
    Json added = Json::array();
    Json vocabulary = Json::object();
    for (int id = 0; id < kSpecials; ++id) {
        const std::string name = specialName(tokenizer, id);
        vocabulary[name] = id;
        added.push_back({{"id", id},
                         {"content", name},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
    }
    // The byte alphabet writes a space as "Ġ" and the other printable characters as themselves.
    for (char c = ' '; c <= '~'; ++c) vocabulary[c == ' ' ? "\u0120" : std::string(1, c)] = kSpecials + (c - ' ');
    const Json byteLevel{
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
    const Json model{{"type", "BPE"},
                     {"dropout", nullptr},
                     {"unk_token", nullptr},
                     {"continuing_subword_prefix", nullptr},
                     {"end_of_word_suffix", nullptr},
                     {"fuse_unk", false},
                     {"vocab", vocabulary},
                     {"merges", Json::array()}};
    const Json file{{"version", "1.0"},
                    {"truncation", nullptr},
                    {"padding", nullptr},
                    {"added_tokens", added},
                    {"normalizer", nullptr},
                    {"pre_tokenizer", byteLevel},
                    {"post_processor", postProcessor(tokenizer)},
                    {"decoder", byteLevel},
                    {"model", model}};
    writeText(folder / "tokenizer.json", file.dump());
    Json settings{{"eos_token", "</s>"}};
    if (tokenizer.bos && *tokenizer.bos != tokenizer.eos) settings["bos_token"] = "<s>";
    writeText(folder / "tokenizer_config.json", settings.dump());
}

SmallTokenizer smallTokenizerFor(const std::filesystem::path& configFile) {
    const Json config = Json::parse(readText(configFile));
    SmallTokenizer tokenizer;
    tokenizer.eos = config.at("eos_token_id").get<int>();
    if (config.contains("bos_token_id") && config["bos_token_id"].is_number())
        tokenizer.bos = config["bos_token_id"].get<int>();
    tokenizer.addsEos = config.value("is_encoder_decoder", false);
    tokenizer.addsBos = config.at("model_type") == "bart";
    return tokenizer;
}

}  // namespace wb::test
