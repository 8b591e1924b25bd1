// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/series.h"

#include <gtest/gtest.h>

#include <QDir>
#include <algorithm>
#include <cmath>

#include "app/models/kernel_table_model.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

QVector<QPointF> wave(int count) {
    QVector<QPointF> out;
    for (int i = 0; i < count; ++i) out.append({static_cast<double>(i), std::sin(i * 0.37) * (1 + i % 7)});
    return out;
}

}  // namespace

TEST(MetricSeries, repeatedStepReplacesTheTail) {
    MetricSeries series;
    for (int step = 1; step <= 10; ++step) series.append(step, step);
    series.append(8, 80);
    series.append(9, 90);
    ASSERT_EQ(series.count(), 9);
    EXPECT_EQ(series.points()[7], QPointF(8, 80));
    EXPECT_EQ(series.points()[8], QPointF(9, 90));
}

TEST(MetricSeries, lowestSkipsWhatIsNoNumber) {
    MetricSeries series;
    series.append(1, NAN);
    series.append(2, 3);
    series.append(3, 2);
    series.append(4, 5);
    EXPECT_EQ(series.lowest(), QPointF(3, 2));
}

TEST(Decimation, keepsExtremesAndBoundsTheCount) {
    const QVector<QPointF> all = wave(100'000);
    const QVector<QPointF> few = decimateMinMax(all, 0, 99'999, 500);
    EXPECT_LE(few.size(), 4 * 500 + 8);
    const auto byY = [](const QPointF& a, const QPointF& b) { return a.y() < b.y(); };
    EXPECT_EQ(std::max_element(all.begin(), all.end(), byY)->y(), std::max_element(few.begin(), few.end(), byY)->y());
    EXPECT_EQ(std::min_element(all.begin(), all.end(), byY)->y(), std::min_element(few.begin(), few.end(), byY)->y());
    EXPECT_TRUE(
        std::is_sorted(few.begin(), few.end(), [](const QPointF& a, const QPointF& b) { return a.x() < b.x(); }));
    EXPECT_EQ(few.first(), all.first());
    EXPECT_EQ(few.last(), all.last());
}

TEST(Decimation, shortSeriesAndSectionsStayWhole) {
    const QVector<QPointF> all = wave(40);
    EXPECT_EQ(decimateMinMax(all, 0, 39, 100), all);
    // A section keeps one neighbour at each side, so that the line reaches the border.
    const QVector<QPointF> section = decimateMinMax(all, 10, 20, 100);
    EXPECT_EQ(section.first().x(), 9);
    EXPECT_EQ(section.last().x(), 21);
    EXPECT_TRUE(decimateMinMax({}, 0, 1, 10).isEmpty());
}

TEST(Smoothing, ofAConstantIsTheConstant) {
    QVector<QPointF> flat;
    for (int i = 0; i < 20; ++i) flat.append({static_cast<double>(i), 2.5});
    for (const QPointF& point : smoothed(flat, 0.9)) EXPECT_NEAR(point.y(), 2.5, 1e-12);
}

TEST(LogTicks, areRoundFewAndInside) {
    EXPECT_EQ(logTicks(0.5, 200, 4), (QVector<double>{1, 10, 100}));
    EXPECT_EQ(logTicks(1, 10, 8), (QVector<double>{1, 2, 5, 10}));
    EXPECT_LE(logTicks(1e-6, 1e6, 4).size(), 4);
    const QVector<double> narrow = logTicks(2.1, 4.9, 5);
    EXPECT_GE(narrow.size(), 2);
    EXPECT_GE(narrow.first(), 2.1);
    EXPECT_LE(narrow.last(), 4.9);
    EXPECT_TRUE(logTicks(0, 1, 4).isEmpty());
}

TEST(Units, readAsPeopleWriteThem) {
    EXPECT_EQ(formatBytes(4.12e9), "4.1 GB");
    EXPECT_EQ(formatBytes(512), "512 B");
    EXPECT_EQ(formatTokenRate(312.4), "312 tok/s");
    EXPECT_EQ(formatDuration(7505), "2 h 05 min");
    EXPECT_EQ(formatDuration(65), "1 min 05 s");
    EXPECT_EQ(formatDuration(0.64), "640 ms");
    EXPECT_EQ(formatDuration(0.00085), "850 µs");
    EXPECT_EQ(formatDuration(2.5e-6), "2.5 µs");
    EXPECT_EQ(withoutZeros(formatDuration(0.001)), "1 ms");
    EXPECT_EQ(formatLearningRate(2e-4), "2e-4");
    EXPECT_EQ(formatPercent(0.41), "41 %");
    EXPECT_EQ(formatRate(12.3e9, QStringLiteral("FLOP")), "12.3 GFLOP/s");
    EXPECT_EQ(shortHash(QStringLiteral("sha256:0123456789abcdef")), "01234567");
}

TEST(Units, pathsAreShownAsTypedAndMeanTheSameFile) {
    const QString here = QDir::currentPath() + QStringLiteral("/data/rows.jsonl");
    EXPECT_EQ(shownPath(here), "data/rows.jsonl");
    EXPECT_EQ(typedPath(shownPath(here)), here);
    const QString home = QDir::homePath() + QStringLiteral("/rows.jsonl");
    EXPECT_EQ(shownPath(home), "~/rows.jsonl");
    EXPECT_EQ(typedPath(shownPath(home)), home);
    EXPECT_EQ(shownPath(QStringLiteral("/usr/rows.jsonl")), "/usr/rows.jsonl");
}

TEST(KernelFigures, followTheRoofline) {
    const MachinePeak peak{100e9, 20e9};  // ridge at 5 FLOP per byte
    core::KernelRow compute{"linear", "onednn", "", "", 1, 1.0, 50e9, 1e9};
    EXPECT_NEAR(kernelFigures(compute, 2.0, peak).percentOfPeak, 0.5, 1e-9);
    EXPECT_NEAR(kernelFigures(compute, 2.0, peak).share, 0.5, 1e-9);
    core::KernelRow memory{"add", "", "", "", 1, 1.0, 1e9, 10e9};  // 0.1 FLOP per byte allows 2 GFLOP/s
    EXPECT_NEAR(kernelFigures(memory, 2.0, peak).percentOfPeak, 0.5, 1e-9);
    EXPECT_LT(kernelFigures(memory, 2.0, MachinePeak{}).percentOfPeak, 0);
}

}  // namespace wb::app
