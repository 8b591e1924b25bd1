// SPDX-License-Identifier: Apache-2.0
// The sample data of resources/samples: counts, no overlap of training and test, and answers that are what they claim.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace wb {
namespace {

struct Row {
    std::string prompt;
    std::string response;
};

std::vector<Row> readRows(const std::string& name) {
    std::ifstream file{std::filesystem::path{WHETBENCH_SOURCE_DIR} / "resources/samples" / name};
    EXPECT_TRUE(file) << name;
    std::vector<Row> rows;
    for (std::string line; std::getline(file, line);) {
        const auto json = nlohmann::json::parse(line);
        EXPECT_EQ(json.size(), 2U);
        rows.push_back({json.at("prompt"), json.at("response")});
    }
    return rows;
}

void expectSplit(const std::vector<Row>& train, const std::vector<Row>& test) {
    EXPECT_EQ(train.size(), 400U);
    EXPECT_EQ(test.size(), 60U);
    std::set<std::string> prompts;
    for (const auto* rows : {&train, &test})
        for (const Row& row : *rows) EXPECT_TRUE(prompts.insert(row.prompt).second) << row.prompt;
}

std::string withArticle(const std::string& noun) {
    return (std::string{"aeiou"}.find(noun[0]) != std::string::npos ? "an " : "a ") + noun;
}

std::map<std::string, std::string> parseFacts(const std::string& prompt) {
    std::map<std::string, std::string> facts;
    for (size_t begin = 0; begin < prompt.size();) {
        const size_t end = std::min(prompt.find(" | ", begin), prompt.size());
        const size_t colon = prompt.find(": ", begin);
        facts[prompt.substr(begin, colon - begin)] = prompt.substr(colon + 2, end - colon - 2);
        begin = end + 3;
    }
    return facts;
}

TEST(Samples, FactsBecomeTheSentenceTheyImply) {
    const auto train = readRows("facts_to_sentence.jsonl");
    const auto test = readRows("facts_to_sentence_test.jsonl");
    expectSplit(train, test);
    std::map<std::string, int> uses;
    std::set<std::string> sentences;
    for (const auto* rows : {&train, &test}) {
        for (const Row& row : *rows) {
            const auto facts = parseFacts(row.prompt);
            ASSERT_EQ(facts.size(), 4U) << row.prompt;
            const std::string pet = facts.at("pet") == "none" ? "no pet" : withArticle(facts.at("pet"));
            EXPECT_EQ(row.response, facts.at("name") + " is " + withArticle(facts.at("job")) + " from " +
                                        facts.at("city") + " and has " + pet + ".");
            EXPECT_TRUE(sentences.insert(row.response).second) << "the same facts twice: " << row.response;
            for (const auto& [key, value] : facts) {
                const int count = rows == &train ? ++uses[key + value] : uses[key + value];
                EXPECT_GE(rows == &train ? 12 : count, 12) << value << " is rare in training";
            }
        }
    }
}

TEST(Samples, RequestsBecomeJsonThatParses) {
    const auto train = readRows("request_to_json.jsonl");
    const auto test = readRows("request_to_json_test.jsonl");
    expectSplit(train, test);
    std::set<std::string> answers;
    std::map<std::string, int> uses;
    for (const auto* rows : {&train, &test}) {
        for (const Row& row : *rows) {
            const auto json = nlohmann::ordered_json::parse(row.response);
            EXPECT_EQ(json.dump(), row.response) << "not compact";
            ASSERT_EQ(json.size(), 4U);
            EXPECT_TRUE(answers.insert(row.response).second) << "the same request twice: " << row.response;
            const int hour = json.at("hour");
            const std::string time = hour < 12 ? std::to_string(hour) + " am" : std::to_string(hour - 12) + " pm";
            const std::string what = json.at("what");
            const std::string day = json.at("day");
            for (const std::string& part : {time, what, day})
                EXPECT_NE(row.prompt.find(part), std::string::npos) << row.prompt << " lacks " << part;
            for (const std::string& value : {json.at("action").get<std::string>(), what, day, time}) {
                const int count = rows == &train ? ++uses[value] : uses[value];
                EXPECT_GE(rows == &train ? 12 : count, 12) << value << " is rare in training";
            }
        }
    }
}

}  // namespace
}  // namespace wb
