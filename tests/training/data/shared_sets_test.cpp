// SPDX-License-Identifier: Apache-2.0
// Real data sets: each is detected, and all its rows arrive.
#include <gmock/gmock.h>

#include "tests/training/data/data_fixture.h"

namespace wb::training {
namespace {

using testing::sharedData;

struct KnownSet {
    const char* path;
    const char* format;
    const char* mapping;  // ColumnMapping::describe()
    int64_t rows;
};

std::ostream& operator<<(std::ostream& out, const KnownSet& set) {
    return out << set.path;
}

class SharedSets : public ::testing::TestWithParam<KnownSet> {};

TEST_P(SharedSets, AreDetectedAndComplete) {
    const KnownSet& known = GetParam();
    WB_NEED_FILE(sharedData() / known.path);
    const Dataset data = loadDataset(sharedData() / known.path);
    EXPECT_EQ(data.format.name, known.format) << data.format.reason;
    EXPECT_EQ(data.mapping.describe(), known.mapping);
    EXPECT_EQ(data.rows, known.rows);
    EXPECT_EQ(data.rows, static_cast<int64_t>(data.examples.size() + data.badLines.size()));
    EXPECT_TRUE(data.badLines.empty()) << data.badLines.front().line << ": " << data.badLines.front().reason;
    EXPECT_FALSE(data.format.reason.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, SharedSets,
    ::testing::Values(
        KnownSet{"instruct/alpaca_en_demo.json", "alpaca", "prompt = instruction + input, response = output", 999},
        KnownSet{"instruct/dart_dev.json", "triples", "prompt = triples, response = text", 6980},
        KnownSet{"instruct/dialogsum_test.jsonl", "prompt_response", "prompt = dialogue, response = summary1", 500},
        KnownSet{"instruct/dummy_conversation_sharegpt.json", "sharegpt", "", 500},
        KnownSet{"instruct/e2e_valid.jsonl", "prompt_response", "prompt = mr, response = text", 4672},
        KnownSet{"instruct/glaive_toolcall_sharegpt.json", "sharegpt", "", 300},
        KnownSet{"instruct/gsm8k_train.jsonl", "prompt_response", "prompt = question, response = answer", 7473},
        KnownSet{"instruct/oasst_messages.jsonl", "messages", "", 178},
        KnownSet{"instruct/oasst_sharegpt.json", "sharegpt", "", 178},
        KnownSet{"instruct/openai_toy_chat.jsonl", "messages", "", 5},
        KnownSet{"instruct/self_instruct_seed_tasks.jsonl", "self_instruct",
                 "prompt = instruction + input, response = output", 175},
        KnownSet{"instruct/sft_v1_messages.jsonl", "messages", "", 500},
        KnownSet{"instruct/wikisql_text_train.jsonl", "text", "", 1000},
        KnownSet{"instruct/wikisql_text_valid.jsonl", "text", "", 100},
        KnownSet{"instruct/wikisql_train.jsonl.gz", "prompt_response", "prompt = question, response = sql", 56355},
        KnownSet{"squad/answerable_4k.jsonl", "prompt_response", "prompt = context + question, response = answer",
                 4000},
        KnownSet{"squad/squad2_train_rebuilt.json.gz", "squad", "prompt = context + question, response = answer",
                 119822},
        KnownSet{"squad/unanswerable_train.jsonl.gz", "columns", "", 32223},
        KnownSet{"squad/unanswerable_train_4k.jsonl", "columns", "", 4000},
        KnownSet{"text/tinyshakespeare.txt", "text", "", 3},
        KnownSet{"text/gutenberg_children.txt.gz", "text", "", 160}),
    [](const auto& set) {
        std::string name = set.param.path;
        for (char& c : name)
            if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
        return name;
    });

}  // namespace
}  // namespace wb::training
