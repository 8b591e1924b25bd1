// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/compare_model.h"

#include <gtest/gtest.h>

#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <csignal>

#include "app/models/evaluate_model.h"
#include "tests/gui/gui_test_support.h"

namespace wb::app {

using test::waitUntil;

namespace {

const std::vector<core::PaneSpec> kPanes{{"base", "m", ""}, {"tuned", "m", "a"}};

QVector<TokenView> tokensOf(const QStringList& texts) {
    QVector<TokenView> out;
    for (const QString& text : texts) out.append(TokenView{.text = text});
    return out;
}

}  // namespace

TEST(TokenDiff, marksWhatOnlyOneSideHas) {
    const TokenDiff diff = diffTokens(tokensOf({"a", "b", "c", "d"}), tokensOf({"a", "x", "c", "d", "e"}));
    EXPECT_EQ(diff.firstDivergence, 1);
    EXPECT_EQ(diff.leftIsCommon, (QVector<bool>{true, false, true, true}));
    EXPECT_EQ(diff.rightIsCommon, (QVector<bool>{true, false, true, true, false}));
    EXPECT_EQ(diffTokens(tokensOf({"a"}), tokensOf({"a"})).firstDivergence, -1);
    EXPECT_EQ(diffTokens(tokensOf({"a"}), tokensOf({"a", "b"})).firstDivergence, 1);
    EXPECT_EQ(diffTokens({}, {}).firstDivergence, -1);
}

TEST(CompareModel, bothPanesStreamAndEndWithEvidence) {
    EngineClient engine;
    CompareModel model(engine);
    QSignalSpy finished(&model, &CompareModel::finished);
    QSignalSpy updates(&model, &CompareModel::updated);
    model.setPanes(kPanes);
    model.run({.text = "hello"}, {});
    EXPECT_TRUE(model.isRunning());
    ASSERT_TRUE(waitUntil([&] { return finished.count() == 1; }));
    ASSERT_EQ(model.comparedOutputs(), 1);
    EXPECT_EQ(model.panes()[0].outputs[0].text(), "Once upon a time.");
    EXPECT_EQ(model.panes()[1].outputs[0].text(), "Once upon the hill.");
    EXPECT_EQ(model.diff(0).firstDivergence, 2);
    EXPECT_EQ(model.panes()[1].provenance->adapterHash, "cccc2222dddd");
    EXPECT_EQ(model.panes()[0].outputs[0].tokens[1].otherLogprob, -1.5);
    EXPECT_EQ(model.kernels().size(), 2);
    EXPECT_LE(updates.count(), 8);  // streamed for 50 ms: coalesced, not once per token
}

TEST(CompareModel, beamsAreRankedInBothPanes) {
    EngineClient engine;
    CompareModel model(engine);
    QSignalSpy finished(&model, &CompareModel::finished);
    model.setPanes(kPanes);
    core::GenerationSettings settings;
    settings.numBeams = 10;
    settings.numReturn = 5;
    model.run({.text = "hello"}, settings);
    ASSERT_TRUE(waitUntil([&] { return finished.count() == 1; }));
    EXPECT_EQ(model.panes()[0].outputs.size(), 5);
    EXPECT_EQ(model.panes()[1].outputs.size(), 5);
    EXPECT_GT(model.panes()[0].outputs[0].score, model.panes()[0].outputs[4].score);
}

TEST(CompareModel, continuesBothFromAToken) {
    EngineClient engine;
    CompareModel model(engine);
    QSignalSpy finished(&model, &CompareModel::finished);
    model.setPanes(kPanes);
    model.run({.text = "hello"}, {});
    ASSERT_TRUE(waitUntil([&] { return finished.count() == 1; }));
    model.continueFrom(1, 0, 2);
    EXPECT_EQ(model.settings().continuationIds, (std::vector<int32_t>{100, 101, 102}));
    ASSERT_TRUE(waitUntil([&] { return finished.count() == 2; }));
    EXPECT_EQ(model.panes()[0].outputs[0].text(), "Once upon theOnce upon a time.");
    EXPECT_EQ(model.panes()[0].outputs[0].tokens[0].role, TokenView::Role::Context);
}

TEST(CompareModel, deadEngineIsAProblemWithAWayOn) {
    EngineClient engine;
    CompareModel model(engine);
    QSignalSpy died(&model, &CompareModel::engineDied);
    QSignalSpy finished(&model, &CompareModel::finished);
    model.setPanes(kPanes);
    model.run({.text = "please die"}, {});
    ASSERT_TRUE(waitUntil([&] { return died.count() == 1; }));
    EXPECT_FALSE(model.isRunning());
    EXPECT_FALSE(died[0][0].value<Problem>().advice.isEmpty());
    model.restartEngine();
    model.run({.text = "hello"}, {});
    ASSERT_TRUE(waitUntil([&] { return finished.count() == 1; }));
    // Killed from outside while idle: told as well.
    ::kill(static_cast<pid_t>(engine.processId()), SIGKILL);
    ASSERT_TRUE(waitUntil([&] { return died.count() == 2; }));
}

TEST(CompareModel, refusedPromptKeepsTheEngine) {
    EngineClient engine;
    CompareModel model(engine);
    QSignalSpy failed(&model, &CompareModel::failed);
    model.setPanes(kPanes);
    model.run({.text = "refuse"}, {});
    ASSERT_TRUE(waitUntil([&] { return failed.count() == 1; }));
    EXPECT_EQ(failed[0][0].value<Problem>().what, "the prompt is refused");
    EXPECT_TRUE(engine.isRunning());
}

TEST(EngineClient, missingExecutableIsTold) {
    qputenv("WHETBENCH_ENGINE", "/nonexistent/whet");
    EngineClient engine;
    QSignalSpy died(&engine, &EngineClient::died);
    engine.send(core::HelloRequest{});
    EXPECT_TRUE(waitUntil([&] { return died.count() == 1; }));
    qputenv("WHETBENCH_ENGINE", FAKE_WHET);
}

TEST(EvaluateModel, runsBaseThenTuned) {
    EvaluateModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    QSignalSpy finished(&model, &EvaluateModel::finished);
    model.start({.model = QStringLiteral("m"),
                 .adapter = QStringLiteral("a"),
                 .testFile = QStringLiteral("t"),
                 .library = QStringLiteral("l")});
    ASSERT_TRUE(waitUntil([&] { return finished.count() == 1; }));
    EXPECT_EQ(model.data(model.index(3, EvaluateModel::Base), Qt::DisplayRole), QStringLiteral("0 %"));
    EXPECT_EQ(model.data(model.index(3, EvaluateModel::Tuned), Qt::DisplayRole), QStringLiteral("80 %"));
    EXPECT_EQ(model.data(model.index(3, EvaluateModel::Change), Qt::DisplayRole), QStringLiteral("+80.0 points"));
}

}  // namespace wb::app
