// SPDX-License-Identifier: Apache-2.0
// whet tokenize as a script uses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/app/whet_process.h"

namespace wb {
namespace {

using nlohmann::json;
using test::runWhet;
using test::WhetResult;
using testing::HasSubstr;

json answerOf(const WhetResult& result) {
    const json object = json::parse(result.out, nullptr, false);
    EXPECT_TRUE(object.is_object()) << result.out << result.err;
    return object;
}

TEST(WhetTokenize, givesIdsAndTextsOfStandardInput) {
    const std::string kinds = std::string(WHETBENCH_SOURCE_DIR) + "/tests/golden/tokenizers/kinds/";
    const auto tokenize = [&](const char* kind, std::vector<std::string> flags, const std::string& input) {
        flags.insert(flags.begin(), {"tokenize", "--model", kinds + kind, "--json"});
        return runWhet(flags, {}, input);
    };
    const auto idsOf = [&](const char* kind, std::vector<std::string> flags, const std::string& input) {
        return answerOf(tokenize(kind, std::move(flags), input)).at("ids");
    };
    const json plain = idsOf("bert.json", {}, R"(["the plane", "", "[SEP]"])");
    ASSERT_EQ(plain.size(), 3U);
    EXPECT_GE(plain[0].size(), 2U);
    EXPECT_EQ(plain[1], json::array());
    EXPECT_EQ(plain[2], json({3})) << "special tokens of a text are parsed";
    json around = plain[0];
    around.insert(around.begin(), 2);
    around.push_back(3);
    EXPECT_EQ(idsOf("bert.json", {"--add-special"}, R"(["the plane"])"), json::array({around}));
    const json texts = answerOf(tokenize("bert.json", {"--decode"}, json::array({around, json::array()}).dump()));
    EXPECT_EQ(texts.at("texts"), json({"the plane", ""}));
    EXPECT_EQ(idsOf("gpt2.json", {}, R"(["\ud83dx \\ud83d \ud83d\ude00"])"),
              idsOf("gpt2.json", {}, R"(["\ufffdx \\ud83d \ud83d\ude00"])"))
        << "half a surrogate pair is no character";
    for (const auto& [input, flags, words] :
         {std::tuple<std::string, std::vector<std::string>, std::string>{"", {}, "not valid JSON"},
          {"{}", {}, "expected a list"},
          {"[7]", {}, "item 0 is no text"},
          {R"(["a"])", {"--decode"}, "item 0 is no list of ids"},
          {"[[1, -1]]", {"--decode"}, "-1"}}) {
        const WhetResult result = tokenize("gpt2.json", flags, input);
        EXPECT_EQ(result.exitCode, 1) << input;
        EXPECT_THAT(answerOf(result).at("error").at("message").get<std::string>(), HasSubstr(words));
    }
    const WhetResult both = tokenize("gpt2.json", {"--decode", "--add-special"}, "[]");
    EXPECT_EQ(both.exitCode, 2);
}

}  // namespace
}  // namespace wb
