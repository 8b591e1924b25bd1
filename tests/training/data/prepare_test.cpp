// SPDX-License-Identifier: Apache-2.0
#include "training/data/prepare.h"

#include <gmock/gmock.h>

#include <set>

#include "kernels/base/error.h"
#include "tests/training/data/data_fixture.h"
#include "tests/training/data/toy_tokenizer.h"
#include "training/data/byte_tokenizer.h"
#include "training/data/packer.h"

namespace wb::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ToyTokenizer;

Dataset rowsOf(int count, size_t responseLength = 3) {
    Dataset data;
    data.path = "rows.jsonl";
    data.kind = DatasetKind::PromptResponse;
    data.mapping = {{"prompt"}, "response"};
    for (int i = 0; i < count; ++i)
        data.examples.push_back(
            {i + 1, {{"prompt", "p" + std::to_string(i)}, {"response", std::string(responseLength, 'r')}}, {}, {}});
    data.rows = count;
    return data;
}

Dataset textOf(const std::vector<std::string>& documents) {
    Dataset data;
    data.path = "text.txt";
    data.kind = DatasetKind::Text;
    for (const std::string& document : documents)
        data.examples.push_back({static_cast<int64_t>(data.examples.size()) + 1, {{"text", document}}, {}, {}});
    data.rows = static_cast<int64_t>(documents.size());
    return data;
}

std::string errorOf(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

const core::PromptTemplate kPlain = core::PromptTemplate::builtin("plain");

TEST(Audit, PercentilesAreNearestRank) {
    std::vector<int64_t> lengths;
    for (int64_t i = 100; i >= 1; --i) lengths.push_back(i);
    const LengthStatistics stats = lengthStatistics(lengths);
    EXPECT_EQ(stats.p50, 50);
    EXPECT_EQ(stats.p95, 95);
    EXPECT_EQ(stats.p99, 99);
    EXPECT_EQ(stats.max, 100);
    EXPECT_DOUBLE_EQ(stats.mean, 50.5);
    const std::vector<int64_t> three{7, 1, 5};
    EXPECT_EQ(lengthStatistics(three).p50, 5);
    EXPECT_EQ(lengthStatistics(three).p99, 7);
    EXPECT_EQ(lengthStatistics({}).max, 0);
}

TEST(Audit, HistogramHoldsEveryRow) {
    const std::vector<int64_t> lengths{0, 1, 9, 10, 39, 40};
    const auto bins = lengthHistogram(lengths, 4);
    int64_t rows = 0;
    for (const HistogramBin& bin : bins) {
        for (const int64_t length : lengths) rows += length >= bin.begin && length < bin.end ? 1 : 0;
    }
    EXPECT_EQ(rows, 6);
    EXPECT_LE(bins.size(), 4U);
    EXPECT_EQ(bins.back().rows, 2);
    EXPECT_THAT(lengthHistogram({}, 4), IsEmpty());
}

TEST(Audit, FindsDuplicatesConflictsCutsAndEmptyAnswers) {
    Dataset data = rowsOf(6);
    data.examples[2].columns = data.examples[0].columns;        // line 3 repeats line 1
    data.examples[3].columns["prompt"] = "p1";                  // line 4 answers line 2's prompt ...
    data.examples[3].columns["response"] = "other";             // ... differently
    data.examples[4].columns["response"] = "  \n";              // line 5 says nothing
    data.examples[5].columns["prompt"] = std::string(40, 'x');  // line 6 has no room for its answer
    const ByteTokenizer tokenizer;
    std::vector<BadLine> bad;
    auto rows = tokenizeDataset(data, kPlain, tokenizer, {.maxLength = 7}, 1, bad);
    const DataAudit audit = auditDataset(data, rows, bad, 7, nullptr);
    EXPECT_THAT(audit.duplicates, ElementsAre(LinePair{1, 3}));
    EXPECT_THAT(audit.conflicts, ElementsAre(LinePair{2, 4}));
    EXPECT_THAT(audit.emptyResponseLines, ElementsAre(5));
    EXPECT_THAT(audit.zeroTargetLines, ElementsAre(6));
    EXPECT_THAT(audit.truncatedLines, ElementsAre(4, 6));
    EXPECT_EQ(audit.length.max, 44);
    EXPECT_EQ(audit.labelTokens, 3 + 3 + 3 + 4 + 3);
}

TEST(Audit, NamesLeaksOfASplitThatIgnoresPrompts) {
    Dataset data = rowsOf(4);
    data.examples[3].columns["prompt"] = "p0";
    const ByteTokenizer tokenizer;
    std::vector<BadLine> bad;
    const auto rows = tokenizeDataset(data, kPlain, tokenizer, {}, 1, bad);
    const DataSplit careless{.train = {0, 1, 2}, .validation = {3}};
    EXPECT_THAT(auditDataset(data, rows, bad, 0, &careless).leaks, ElementsAre(LinePair{1, 4}));
    EXPECT_THAT(findLeaks(data, rows, data, rows).size(), 4U);
}

TEST(Prepare, SplitsTokenisesAndCounts) {
    const Dataset data = rowsOf(50);
    const ToyTokenizer tokenizer;
    const PreparedData prepared = prepareExamples(data, kPlain, tokenizer, {});
    EXPECT_EQ(prepared.validation.size(), 5U);
    EXPECT_EQ(prepared.train.size(), 45U);
    EXPECT_THAT(prepared.audit.leaks, IsEmpty());
    EXPECT_EQ(prepared.maxLength, prepared.audit.length.p99);
    EXPECT_EQ(prepared.train.totalLabelTokens(), 45 * 4) << "three letters and the end";
    std::set<int32_t> sources;
    for (size_t i = 0; i < prepared.train.size(); ++i) sources.insert(prepared.train.source(i));
    for (size_t i = 0; i < prepared.validation.size(); ++i)
        EXPECT_FALSE(sources.contains(prepared.validation.source(i)));
}

TEST(Prepare, HashTellsDataApart) {
    const ToyTokenizer tokenizer;
    const auto hashOf = [&](const Dataset& data, const PrepareOptions& options) {
        return prepareExamples(data, kPlain, tokenizer, options).contentHash;
    };
    const std::string base = hashOf(rowsOf(20), {});
    EXPECT_EQ(base.size(), 64U);
    EXPECT_EQ(base, hashOf(rowsOf(20), {.threads = 3}));
    EXPECT_NE(base, hashOf(rowsOf(20, 4), {}));
    EXPECT_NE(base, hashOf(rowsOf(20), {.trainOn = core::TrainOn::All}));
    EXPECT_NE(base, hashOf(rowsOf(20), {.split = {.seed = 43}}));
}

TEST(Prepare, StopsAtRowsThatTeachNothingUntilTold) {
    Dataset data = rowsOf(20);
    data.examples[6].columns["prompt"] = std::string(100, 'x');
    const ToyTokenizer tokenizer;
    PrepareOptions options{.maxLength = 20, .longRows = core::LongRowPolicy::Cut};
    const std::string error = errorOf([&] { prepareExamples(data, kPlain, tokenizer, options); });
    EXPECT_THAT(error, HasSubstr("line 7"));
    EXPECT_THAT(error, HasSubstr("--empty-targets skip"));
    options.emptyTargets = core::RowPolicy::Skip;
    const PreparedData prepared = prepareExamples(data, kPlain, tokenizer, options);
    EXPECT_EQ(prepared.train.size() + prepared.validation.size(), 19U);
    EXPECT_THAT(prepared.audit.zeroTargetLines, ElementsAre(7));
}

TEST(Prepare, StopsAtBadLinesUntilTold) {
    Dataset data = rowsOf(20);
    data.badLines.push_back({21, "broken"});
    data.rows = 21;
    const ToyTokenizer tokenizer;
    const std::string error = errorOf([&] { prepareExamples(data, kPlain, tokenizer, {}); });
    EXPECT_THAT(error, HasSubstr("1 of 21 rows"));
    EXPECT_THAT(error, HasSubstr("line 21"));
    EXPECT_THAT(error, HasSubstr("broken"));
    EXPECT_EQ(prepareExamples(data, kPlain, tokenizer, {.badLines = core::RowPolicy::Skip}).split.train.size(), 18U);
}

TEST(Prepare, LongRowsAreCutSkippedOrRefused) {
    Dataset data = rowsOf(20);
    data.examples[2].columns["response"] = std::string(50, 'y');
    const ToyTokenizer tokenizer;
    const auto sizeWith = [&](core::LongRowPolicy policy) {
        const PreparedData prepared = prepareExamples(data, kPlain, tokenizer, {.maxLength = 12, .longRows = policy});
        EXPECT_LE(prepared.train.longest(), 12);
        return prepared.train.size() + prepared.validation.size();
    };
    EXPECT_EQ(sizeWith(core::LongRowPolicy::Shorten), 20U);
    EXPECT_EQ(sizeWith(core::LongRowPolicy::Cut), 20U);
    EXPECT_EQ(sizeWith(core::LongRowPolicy::Skip), 19U);
    EXPECT_THAT(errorOf([&] { sizeWith(core::LongRowPolicy::Stop); }), HasSubstr("line 3"));
}

TEST(Prepare, RefusesLengthsThatCannotBe) {
    const ToyTokenizer tokenizer;
    EXPECT_THAT(errorOf([&] { prepareExamples(rowsOf(5), kPlain, tokenizer, {.maxLength = 1}); }),
                HasSubstr("at least 2"));
    EXPECT_THAT(errorOf([&] { prepareExamples(rowsOf(5), kPlain, tokenizer, {.maxLength = 99, .modelLimit = 64}); }),
                HasSubstr("the model takes 64"));
    Dataset none = rowsOf(0);
    EXPECT_THAT(errorOf([&] { prepareExamples(none, kPlain, tokenizer, {}); }), HasSubstr("left to train on"));
}

TEST(Prepare, SeparateValidationFileIsUsedAndItsLeaksNamed) {
    const Dataset data = rowsOf(20);
    Dataset other = rowsOf(3);
    other.examples[1].columns["prompt"] = "fresh";
    other.examples[2].columns["prompt"] = "fresh too";
    const ToyTokenizer tokenizer;
    const PreparedData prepared = prepareExamples(data, kPlain, tokenizer, {.maxLength = 32, .validation = &other});
    EXPECT_EQ(prepared.train.size(), 20U);
    EXPECT_EQ(prepared.validation.size(), 3U);
    EXPECT_THAT(prepared.audit.leaks, ElementsAre(LinePair{1, 1}));
}

TEST(PrepareText, WindowsCoverEveryTokenOnce) {
    const ToyTokenizer tokenizer;
    std::vector<std::string> documents;
    for (int i = 0; i < 30; ++i)
        documents.push_back(std::string(static_cast<size_t>(20 + i * 3), static_cast<char>('a' + i % 26)));
    const Dataset data = textOf(documents);
    const PreparedData prepared = prepareText(data, nullptr, tokenizer, {.maxLength = 64});
    int64_t expected = 0;
    for (const std::string& document : documents)
        expected += static_cast<int64_t>(document.size()) + 2;  // <s> and </s>
    EXPECT_NEAR(static_cast<double>(prepared.audit.totalTokens), static_cast<double>(expected), 1.0);
    EXPECT_GE(prepared.validation.size(), 1U);
    std::set<int32_t> windows;
    for (const SequenceSet* set : {&prepared.train, &prepared.validation})
        for (size_t i = 0; i < set->size(); ++i) EXPECT_TRUE(windows.insert(set->source(i)).second);
    // Everything but the end of a document is followed by a label.
    EXPECT_EQ(prepared.audit.totalTokens - prepared.audit.labelTokens, static_cast<int64_t>(documents.size()));
}

TEST(PrepareText, LongDocumentsAreTheSameForAnyNumberOfThreads) {
    for (const auto prefix : {ToyTokenizer::Prefix::None, ToyTokenizer::Prefix::Space}) {
        const ToyTokenizer tokenizer(prefix);
        std::string document;
        for (int i = 0; document.size() < 200000; ++i)
            document += "hello world " + std::to_string(i) + (i % 9 == 0 ? "\n" : " ");
        const Dataset data = textOf({document});
        const PreparedData one = prepareText(data, nullptr, tokenizer, {.maxLength = 128, .threads = 1});
        const PreparedData four = prepareText(data, nullptr, tokenizer, {.maxLength = 128, .threads = 4});
        EXPECT_EQ(one.contentHash, four.contentHash);
        // The pieces join to the document, without a space where one piece ends and the next begins.
        std::string text;
        std::vector<std::pair<int32_t, std::string>> windows;
        for (const SequenceSet* set : {&one.train, &one.validation})
            for (int32_t i = 0; i < static_cast<int32_t>(set->size()); ++i) {
                std::string window;
                for (const int32_t id : set->pack(std::span(&i, 1)).ids) window += tokenizer.tokenBytes(id);
                windows.emplace_back(set->source(static_cast<size_t>(i)), window);
            }
        std::sort(windows.begin(), windows.end());
        for (const auto& window : windows) text += window.second;
        const std::string expected =
            std::string("<s>") + (prefix == ToyTokenizer::Prefix::Space ? " " : "") + document + "</s>";
        EXPECT_EQ(text.size(), expected.size());
        EXPECT_TRUE(text == expected);
    }
}

TEST(PrepareText, RowsNeedATemplateAndTextNeedsTwoTokens) {
    const ToyTokenizer tokenizer;
    EXPECT_THAT(errorOf([&] { prepareText(rowsOf(3), nullptr, tokenizer, {}); }), HasSubstr("no plain text"));
    const PreparedData rendered =
        prepareText(rowsOf(3), &kPlain, tokenizer, {.maxLength = 8, .split = {.validationShare = 0.0}});
    EXPECT_EQ(rendered.audit.totalTokens, 3 * 8);
    EXPECT_THAT(errorOf([&] { prepareText(textOf({}), nullptr, ByteTokenizer{}, {}); }),
                HasSubstr("less text than two tokens"));
}

}  // namespace
}  // namespace wb::training
