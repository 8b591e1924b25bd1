// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/data_model.h"

#include <gtest/gtest.h>

#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <algorithm>
#include <optional>

#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

using test::waitUntil;

namespace {

const QString kModel = QStringLiteral(WHETBENCH_SOURCE_DIR "/resources/models/pocket");
const QString kSample = QStringLiteral(WHETBENCH_SOURCE_DIR "/resources/samples/facts_to_sentence.jsonl");

std::optional<AuditLine> lineOf(const QVector<AuditLine>& lines, AuditLine::Kind kind) {
    const auto found =
        std::find_if(lines.begin(), lines.end(), [kind](const AuditLine& line) { return line.kind == kind; });
    return found == lines.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

TEST(DataModel, sampleIsReadWithTokensAndLossMask) {
    DataModel model;
    const QAbstractItemModelTester tester(&model.rows(), QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.setSettings({.file = kSample, .model = kModel});
    ASSERT_TRUE(waitUntil([&] { return model.isLoaded(); }));
    EXPECT_EQ(model.rowCount(), 400);
    EXPECT_EQ(model.rows().rowCount(), 400);
    EXPECT_EQ(model.undecidedRows(), 0);
    EXPECT_EQ(model.verdict(), QStringLiteral("400 of 400 rows will teach."));

    model.showRow(0, 1);
    ASSERT_TRUE(waitUntil([&] { return !model.shownTokens().isEmpty(); }));
    QString context;
    QString trained;
    for (const TokenView& token : model.shownTokens()) {
        if (token.role == TokenView::Role::Context) context += token.text;
        if (token.role == TokenView::Role::Trained && !token.isSpecial) trained += token.text;
    }
    EXPECT_TRUE(context.contains(QStringLiteral("farmer | city: York"))) << context.toStdString();
    EXPECT_TRUE(trained.contains(QStringLiteral("Ben is a farmer from York"))) << trained.toStdString();
    EXPECT_FALSE(trained.contains(QStringLiteral("city")));
}

TEST(DataModel, lowerLimitTakesTheInputFirstAndThenTheAnswer) {
    DataModel model;
    model.setSettings({.file = kSample, .model = kModel});
    ASSERT_TRUE(waitUntil([&] { return model.isLoaded(); }));
    model.showRow(0, 1);
    ASSERT_TRUE(waitUntil([&] { return !model.shownTokens().isEmpty(); }));
    const auto count = [&model](TokenView::Role role) {
        const QVector<TokenView> tokens = model.shownTokens();
        return std::count_if(tokens.begin(), tokens.end(),
                             [role](const TokenView& token) { return token.role == role; });
    };
    const auto trained = count(TokenView::Role::Trained);
    const auto total = model.shownTokens().size();

    QSignalSpy audited(&model, &DataModel::auditChanged);
    model.setMaxLength(20);
    ASSERT_TRUE(waitUntil([&] { return audited.count() == 1; }));
    EXPECT_EQ(count(TokenView::Role::Cut), total - 20);
    EXPECT_EQ(count(TokenView::Role::Trained), trained);  // the answer stays whole
    ASSERT_NE(lineOf(model.auditLines(), AuditLine::Kind::Shortened), std::nullopt);
    EXPECT_GT(lineOf(model.auditLines(), AuditLine::Kind::Shortened)->count, 300);

    DataSettings cutting = model.settings();
    cutting.shortensInputs = false;
    QSignalSpy reloaded(&model, &DataModel::changed);
    model.setSettings(cutting);
    ASSERT_TRUE(waitUntil([&] { return reloaded.count() == 1; }));
    ASSERT_NE(lineOf(model.auditLines(), AuditLine::Kind::Truncated), std::nullopt);
    EXPECT_GT(lineOf(model.auditLines(), AuditLine::Kind::Truncated)->count, 300);
    model.showRow(0, 1);
    ASSERT_TRUE(waitUntil([&] { return !model.shownTokens().isEmpty(); }));
    EXPECT_EQ(model.shownTokens()[19].role == TokenView::Role::Cut, false);
    EXPECT_EQ(model.shownTokens()[20].role, TokenView::Role::Cut);
    EXPECT_LT(count(TokenView::Role::Trained), trained);
}

TEST(DataModel, runningTextIsLearntInWindowsAndNeverCut) {
    const test::TemporaryFolder folder;
    std::string text;
    for (int i = 0; i < 40; ++i) text += "Once upon a time there was a bear. ";
    test::writeText(folder / "story.txt", text);
    DataModel model;
    model.setSettings(
        {.file = QString::fromStdString((folder / "story.txt").string()), .model = kModel, .maxLength = 32});
    ASSERT_TRUE(waitUntil([&] { return model.isLoaded(); }));
    EXPECT_TRUE(model.isRunningText());
    EXPECT_EQ(lineOf(model.auditLines(), AuditLine::Kind::Truncated), std::nullopt);
    EXPECT_EQ(model.rows().index(0, RowTableModel::State).data(), "teaches");
    EXPECT_TRUE(model.verdict().endsWith(QStringLiteral("tokens will teach, in windows of 32.")))
        << model.verdict().toStdString();
    model.showRow(0, 1);
    ASSERT_TRUE(waitUntil([&] { return !model.shownTokens().isEmpty(); }));
    for (const TokenView& token : model.shownTokens()) EXPECT_NE(token.role, TokenView::Role::Cut);
}

TEST(DataModel, badLinesAreNamedAndNeedADecision) {
    const test::TemporaryFolder folder;
    test::writeText(
        folder / "rows.jsonl",
        "{\"prompt\": \"a\", \"response\": \"b\"}\n{\"prompt\": \"a\"\n{\"prompt\": \"c\", \"response\": \"d\"}\n");
    DataModel model;
    const QAbstractItemModelTester tester(&model.rows(), QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.setSettings({.file = QString::fromStdString((folder / "rows.jsonl").string()), .model = kModel});
    ASSERT_TRUE(waitUntil([&] { return model.isLoaded(); }));
    ASSERT_EQ(model.rows().rowCount(), 3);
    EXPECT_EQ(model.rows().exampleAt(1), -1);
    EXPECT_EQ(model.rows().lineAt(1), 2);
    EXPECT_EQ(model.undecidedRows(), 1);
    const QVector<AuditLine> lines = model.auditLines();
    ASSERT_NE(lineOf(lines, AuditLine::Kind::BadLines), std::nullopt);
    EXPECT_EQ(lineOf(lines, AuditLine::Kind::BadLines)->lines, QVector<qint64>{2});
    EXPECT_TRUE(model.verdict().contains(QStringLiteral("1 needs a decision")));
    model.showRow(-1, 2);
    EXPECT_FALSE(model.shownProblem().isEmpty());

    model.decideToSkip(AuditLine::Kind::BadLines);
    EXPECT_EQ(model.undecidedRows(), 0);
    model.rows().showOnly({2});
    EXPECT_EQ(model.rows().rowCount(), 1);
    model.rows().showOnly({});
    EXPECT_EQ(model.rows().rowCount(), 3);
}

TEST(DataModel, latestFileWinsAndAMissingOneIsAProblem) {
    const test::TemporaryFolder folder;
    test::writeRows(folder / "many.jsonl", 5000);
    DataModel model;
    QSignalSpy changes(&model, &DataModel::changed);
    QSignalSpy failures(&model, &DataModel::failed);
    model.setSettings({.file = QString::fromStdString((folder / "many.jsonl").string()), .model = kModel});
    model.setSettings({.file = kSample});
    ASSERT_TRUE(waitUntil([&] { return model.isLoaded() || failures.count() > 0; }));
    ASSERT_EQ(failures.count(), 0) << failures[0][0].value<Problem>().what.toStdString();
    test::spin(300);
    EXPECT_EQ(changes.count(), 1);
    EXPECT_EQ(model.rowCount(), 400);
    EXPECT_FALSE(model.hasTokens());
    model.setSettings({.file = QStringLiteral("/nonexistent/rows.jsonl")});
    ASSERT_TRUE(waitUntil([&] { return failures.count() == 1; }));
    EXPECT_FALSE(failures[0][0].value<Problem>().advice.isEmpty());
    EXPECT_FALSE(model.isLoaded());
}

}  // namespace wb::app
