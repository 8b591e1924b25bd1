// SPDX-License-Identifier: GPL-3.0-or-later
// The Lab without a window: a stand-in for the engine replays recorded figures.
#include "app/models/kernel_lab_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <QFile>
#include <QJsonDocument>
#include <QSignalSpy>

#include "app/models/gemm_table_model.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

using test::waitUntil;

namespace {

class KernelLab : public testing::Test {
protected:
    KernelLab() {
        lab.setLibrary(library());
        lab.setMachine(QStringLiteral("Test CPU"), {QStringLiteral("avx"), QStringLiteral("avx2")}, 2);
    }
    ~KernelLab() override { qunsetenv("FAKE_BENCH"); }

    QString library() const { return QString::fromStdString(folder.path().string()); }
    bool ends() {
        return waitUntil([this] { return !lab.isRunning(); });
    }
    // What the stand-in replays.
    static AttentionMeasurement recorded() {
        AttentionMeasurement out;
        QFile file(QStringLiteral(WHETBENCH_SOURCE_DIR "/tests/gui/data/attention_f32.jsonl"));
        EXPECT_TRUE(file.open(QIODevice::ReadOnly));
        while (!file.atEnd())
            out.add(AttentionPoint::fromJson(QJsonDocument::fromJson(file.readLine()).object()).value());
        return out;
    }

    test::TemporaryFolder folder;
    KernelLabModel lab;
};

AttentionPoint point(const char* backend, const char* pass, double seconds, qint64 bytes, const char* reason = "") {
    return {.backend = QLatin1String(backend),
            .pass = QLatin1String(pass),
            .length = 128,
            .headDim = 64,
            .seconds = seconds,
            .gflops = 1,
            .peakBytes = bytes,
            .reason = QLatin1String(reason)};
}

}  // namespace

TEST_F(KernelLab, figuresComeOneByOneAndAreThoseOfTheEngine) {
    QVector<qint64> progress;
    QObject::connect(&lab, &KernelLabModel::updated, &lab, [&] { progress.append(lab.done()); });
    lab.measureAttention(LabSweep::quick(QStringLiteral("f32")));
    EXPECT_EQ(lab.job(), KernelLabModel::Job::Attention);
    EXPECT_EQ(lab.total(), 5 * 3 * 3 * 2);
    ASSERT_TRUE(ends());
    const AttentionMeasurement wanted = recorded();
    ASSERT_EQ(wanted.points.size(), 36);
    EXPECT_TRUE(progress.contains(1));
    EXPECT_TRUE(progress.contains(36));
    const AttentionMeasurement* measured = lab.attention(QStringLiteral("f32"));
    ASSERT_NE(measured, nullptr);
    EXPECT_TRUE(measured->origin.isComplete);
    EXPECT_EQ(measured->lengths(), (QVector<qint64>{128, 512, 2048}));
    EXPECT_EQ(measured->headDims(), (QVector<qint64>{32, 64}));
    for (const AttentionPoint& row : wanted.points) {
        const auto forward = measured->at(row.backend, LabPass::Forward, row.length, row.headDim);
        ASSERT_TRUE(forward);
        if (row.pass != QLatin1String("forward")) continue;
        EXPECT_EQ(forward->seconds, row.seconds);
        EXPECT_EQ(forward->peakBytes, row.peakBytes);
    }
    EXPECT_EQ(lab.attention(QStringLiteral("bf16")), nullptr);
}

TEST_F(KernelLab, anAnswerWithoutProgressIsReadAsWell) {
    qputenv("FAKE_BENCH", "at once");
    lab.measureAttention(LabSweep::quick(QStringLiteral("f32")));
    ASSERT_TRUE(ends());
    ASSERT_NE(lab.attention(QStringLiteral("f32")), nullptr);
    EXPECT_EQ(lab.attention(QStringLiteral("f32"))->points.size(), 36);
}

TEST_F(KernelLab, cancelEndsTheChildAndKeepsWhatIsThere) {
    qputenv("FAKE_BENCH", "slow");
    lab.measureAttention(LabSweep::quick(QStringLiteral("f32")));
    ASSERT_TRUE(waitUntil([&] { return lab.done() >= 2; }));
    const auto child = static_cast<pid_t>(std::stol(test::readText(folder / "bench.pid")));
    ASSERT_EQ(::kill(child, 0), 0);
    QSignalSpy failed(&lab, &KernelLabModel::failed);
    lab.stop();
    ASSERT_TRUE(ends());
    EXPECT_NE(::kill(child, 0), 0);
    EXPECT_EQ(failed.count(), 0);
    const AttentionMeasurement* kept = lab.attention(QStringLiteral("f32"));
    ASSERT_NE(kept, nullptr);
    EXPECT_FALSE(kept->origin.isComplete);
    EXPECT_GE(kept->points.size(), 2);
    EXPECT_LT(kept->points.size(), 36);
}

TEST_F(KernelLab, aStoppedSweepDoesNotReplaceAWholeOne) {
    lab.measureAttention(LabSweep::quick(QStringLiteral("f32")));
    ASSERT_TRUE(ends());
    qputenv("FAKE_BENCH", "slow");
    lab.measureAttention(LabSweep::quick(QStringLiteral("f32")));
    ASSERT_TRUE(waitUntil([&] { return lab.done() >= 1; }));
    EXPECT_LT(lab.attention(QStringLiteral("f32"))->points.size(), 36);  // the growing one is shown
    lab.stop();
    ASSERT_TRUE(ends());
    EXPECT_EQ(lab.attention(QStringLiteral("f32"))->points.size(), 36);
}

TEST_F(KernelLab, theChildDiesWithTheModel) {
    qputenv("FAKE_BENCH", "slow");
    auto mortal = std::make_unique<KernelLabModel>();
    mortal->setLibrary(library());
    mortal->measureAttention(LabSweep::quick(QStringLiteral("f32")));
    ASSERT_TRUE(waitUntil([&] { return mortal->done() >= 1; }));
    const auto child = static_cast<pid_t>(std::stol(test::readText(folder / "bench.pid")));
    mortal.reset();
    EXPECT_TRUE(waitUntil([&] { return ::kill(child, 0) != 0; }));
}

TEST_F(KernelLab, failuresAreNamedAndLeaveNothingRunning) {
    QSignalSpy failed(&lab, &KernelLabModel::failed);
    for (const auto& [wish, text] : {std::pair{"die", "ended unexpectedly"}, {"refuse", "expected f32 or bf16"}}) {
        qputenv("FAKE_BENCH", wish);
        lab.measureAttention(LabSweep::quick(QStringLiteral("bf16")));
        ASSERT_TRUE(ends());
        ASSERT_FALSE(failed.isEmpty());
        EXPECT_THAT(failed.takeFirst()[1].value<Problem>().what.toStdString(), testing::HasSubstr(text));
    }
}

TEST_F(KernelLab, resultsAreKeptWithMachineDateAndFlags) {
    lab.measureAttention(LabSweep::quick(QStringLiteral("f32")));
    ASSERT_TRUE(ends());
    lab.measureGemm();
    ASSERT_TRUE(ends());
    KernelLabModel later;
    later.setLibrary(library());
    const AttentionMeasurement* kept = later.attention(QStringLiteral("f32"));
    ASSERT_NE(kept, nullptr);
    const AttentionMeasurement* shown = lab.attention(QStringLiteral("f32"));
    ASSERT_EQ(kept->points.size(), shown->points.size());
    for (qsizetype i = 0; i < kept->points.size(); ++i) EXPECT_EQ(kept->points[i].toJson(), shown->points[i].toJson());
    EXPECT_EQ(kept->origin.cpu, "Test CPU");
    EXPECT_EQ(kept->origin.flags.last(), "avx2");
    EXPECT_EQ(kept->origin.threads, 2);
    EXPECT_TRUE(kept->origin.isComplete);
    EXPECT_TRUE(kept->origin.arguments.contains(QStringLiteral("--dtype")));
    EXPECT_LT(kept->origin.date.secsTo(QDateTime::currentDateTimeUtc()), 600);
    EXPECT_THAT(kept->origin.text().toStdString(), testing::HasSubstr("Test CPU, AVX2, 2 threads"));
    EXPECT_EQ(later.gemm().points.size(), 4);
}

TEST_F(KernelLab, aDamagedFileCountsAsNone) {
    test::writeText(folder / "kernel_lab.json", "{\"version\": 1, \"attention\": [{\"dtype\": \"f32\", \"poin");
    KernelLabModel other;
    other.setLibrary(library());
    EXPECT_EQ(other.attention(QStringLiteral("f32")), nullptr);
    EXPECT_TRUE(other.gemm().isEmpty());
}

TEST(AttentionMeasurement, addsPassesUpAndTakesTheHigherPeak) {
    AttentionMeasurement measured;
    measured.add(point("flash", "forward", 1.0, 100));
    EXPECT_FALSE(measured.at(QStringLiteral("flash"), LabPass::ForwardBackward, 128, 64));
    measured.add(point("flash", "backward", 3.0, 400));
    const auto both = measured.at(QStringLiteral("flash"), LabPass::ForwardBackward, 128, 64);
    ASSERT_TRUE(both);
    EXPECT_EQ(both->seconds, 4.0);
    EXPECT_EQ(both->peakBytes, 400);
    EXPECT_EQ(measured.at(QStringLiteral("flash"), LabPass::Forward, 128, 64)->seconds, 1.0);
}

TEST(AttentionMeasurement, saysWhyALineOrAPartOfItIsMissing) {
    AttentionMeasurement measured;
    measured.add(point("memory_efficient", "forward", 0, 0, "memory_efficient does not exist here"));
    measured.add(point("math", "forward", 1.0, 100));
    AttentionPoint longer = point("math", "forward", 0, 0, "needs 9.1 GB");
    longer.length = 8192;
    measured.add(longer);
    EXPECT_EQ(measured.refusals(LabPass::Forward, LabAxis::Length, 64),
              (QStringList{QStringLiteral("At 8,192: math: needs 9.1 GB"),
                           QStringLiteral("memory efficient does not exist here")}));
    EXPECT_TRUE(measured.refusals(LabPass::Forward, LabAxis::Length, 32).isEmpty());
    EXPECT_EQ(measured.line(QStringLiteral("math"), LabPass::Forward, LabAxis::Length, 64, LabQuantity::PeakBytes),
              (QVector<QPointF>{{128, 100}}));
}

TEST(GemmTable, showsPercentOfTheCeilingByLayerAndTokens) {
    GemmPoint forward{.dtype = QStringLiteral("f32"),
                      .pass = QStringLiteral("forward"),
                      .tokens = 512,
                      .outputs = 2048,
                      .inputs = 1024,
                      .seconds = 1,
                      .gflops = 50,
                      .gbPerSecond = 1,
                      .percentOfCeiling = 50};
    GemmPoint gradient = forward;
    gradient.pass = QStringLiteral("input_gradient");
    gradient.gflops = 100;
    gradient.percentOfCeiling = 100;
    GemmPoint decoded = forward;
    decoded.tokens = 1;
    decoded.percentOfCeiling = 5;
    GemmTableModel table;
    table.setMeasurement({.points = {forward, gradient, decoded}});
    ASSERT_EQ(table.rowCount(), 1);
    ASSERT_EQ(table.columnCount(), 3);
    const auto text = [&](int column) { return table.index(0, column).data().toString().toStdString(); };
    EXPECT_EQ(text(0), "2048 × 1024");
    EXPECT_EQ(text(1), "5.0");
    EXPECT_EQ(text(2), "50");
    table.setChoice(QStringLiteral("f32"), LabPass::ForwardBackward);
    EXPECT_EQ(text(1), "–");
    EXPECT_EQ(text(2), "75");
    table.setChoice(QStringLiteral("bf16"), LabPass::Forward);
    EXPECT_EQ(table.rowCount(), 0);
}

}  // namespace wb::app
