// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <QClipboard>
#include <QFile>
#include <QGuiApplication>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSvgRenderer>
#include <QTest>
#include <cmath>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/histogram_view.h"
#include "app/gui/widgets/memory_bar.h"
#include "app/gui/widgets/plot_view.h"
#include "app/gui/widgets/roofline_plot.h"
#include "app/gui/widgets/state_stack.h"
#include "app/gui/widgets/token_strip.h"
#include "app/gui/widgets/ui.h"
#include "tests/gui/gui_test_support.h"
#include "tests/support/temporary_folder.h"

namespace wb::app {

namespace {

QVector<QPointF> falling(int count) {
    QVector<QPointF> out;
    for (int i = 1; i <= count; ++i) out.append({static_cast<double>(i), 3.0 / i + 0.2});
    return out;
}

// Colours that occur in the picture, by how often.
int pixelsOf(const QImage& image, const QColor& color) {
    int out = 0;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) out += image.pixelColor(x, y).rgb() == color.rgb();
    return out;
}

}  // namespace

TEST(PlotView, redrawsAtMostTenTimesASecond) {
    PlotView plot(QStringLiteral("Loss"));
    plot.resize(600, 300);
    plot.show();
    test::spin(150);
    const int before = plot.rebuilds();
    for (int i = 0; i < 100; ++i) {
        plot.setSeries({{.name = QStringLiteral("training"), .variant = 1, .points = falling(10 + i)}});
        test::spin(5);
    }
    // Half a second of updates or somewhat more on a busy machine.
    EXPECT_GE(plot.rebuilds() - before, 2);
    EXPECT_LE(plot.rebuilds() - before, 20);
}

TEST(PlotView, exportsWhatItShows) {
    const test::TemporaryFolder folder;
    PlotView plot(QStringLiteral("Loss"));
    plot.setAxisTitles(QStringLiteral("step"), {});
    plot.resize(600, 300);
    plot.show();
    plot.setSeries({{.name = QStringLiteral("validation"), .variant = 1, .points = falling(50), .marksLowest = true}});
    test::spin(300);
    const auto at = [&](const char* name) { return QString::fromStdString((folder / name).string()); };
    ASSERT_TRUE(plot.exportPng(at("plot.png")));
    ASSERT_TRUE(plot.exportSvg(at("plot.svg")));
    ASSERT_TRUE(plot.exportCsv(at("plot.csv")));
    EXPECT_FALSE(plot.exportCsv(QStringLiteral("/nonexistent/plot.csv")));
    EXPECT_GE(QImage(at("plot.png")).width(), 1100);
    EXPECT_TRUE(QSvgRenderer(at("plot.svg")).isValid());
    const QStringList rows =
        QString::fromStdString(test::readText(folder / "plot.csv")).split('\n', Qt::SkipEmptyParts);
    ASSERT_EQ(rows.size(), 51);
    EXPECT_EQ(rows[0], "series,step,value");
    EXPECT_NEAR(rows[10].section(',', 2).toDouble(), 3.0 / 10 + 0.2, 1e-8);
}

TEST(PlotView, logarithmicAxesNameTheirTicksAndKeepTheData) {
    const test::TemporaryFolder folder;
    PlotView plot(QStringLiteral("Time"));
    plot.setLogarithmic(true);
    plot.setLogarithmicX(true);
    QStringList asked;
    plot.setFormats([&](double x) { return asked.append(QString::number(x)), QString::number(x); },
                    [](double y) { return QString::number(y); });
    plot.resize(600, 300);
    plot.show();
    plot.setSeries(
        {{.name = QStringLiteral("flash"), .points = {{128, 0.001}, {512, 0}, {2048, 1.0}}, .hasMarks = true}});
    test::spin(300);
    EXPECT_FALSE(plot.grab().isNull());
    // Ticks stand where points are; what has no logarithm is left out of the drawing and stays in the data.
    EXPECT_TRUE(asked.contains(QStringLiteral("128")));
    EXPECT_TRUE(asked.contains(QStringLiteral("2048")));
    EXPECT_FALSE(asked.contains(QStringLiteral("512")));
    const QString file = QString::fromStdString((folder / "plot.csv").string());
    ASSERT_TRUE(plot.exportCsv(file));
    EXPECT_EQ(test::readText(folder / "plot.csv").find("\"flash\",128,0.001\n") != std::string::npos, true);
}

TEST(PlotView, followsThePalette) {
    PlotView plot(QStringLiteral("Loss"));
    plot.setPalette(makePalette(tokens(ThemeKind::Dark)));
    plot.resize(400, 200);
    plot.show();
    plot.setSeries({{.name = QStringLiteral("a"), .variant = 1, .points = falling(20)}});
    test::spin(300);
    const QImage image = plot.grab().toImage();
    EXPECT_GT(pixelsOf(image, tokens(ThemeKind::Dark).raised), 10'000);
    EXPECT_EQ(pixelsOf(image, Qt::white), 0);
}

TEST(TokenStrip, drawsEachRoleAndWalksWithTheKeyboard) {
    TokenStrip strip(TokenStrip::Mode::Chips);
    strip.resize(400, 200);
    QVector<TokenView> tokens;
    for (int i = 0; i < 12; ++i) {
        TokenView token;
        token.id = i;
        token.text = QStringLiteral("tok%1").arg(i);
        token.role = i < 4 ? TokenView::Role::Context : i < 8 ? TokenView::Role::Trained : TokenView::Role::Cut;
        tokens.append(token);
    }
    strip.setTokens(tokens);
    strip.show();
    const QImage image = strip.grab().toImage();
    const Tokens& theme = tokensOf(strip.palette());
    EXPECT_GT(pixelsOf(image, theme.sunken), 100);
    EXPECT_GT(pixelsOf(image, blended(theme.tuned, theme.raised, 0.22)), 100);

    QSignalSpy activated(&strip, &TokenStrip::tokenActivated);
    strip.setFocus();
    QTest::keyClick(&strip, Qt::Key_Right);
    QTest::keyClick(&strip, Qt::Key_Right);
    QTest::keyClick(&strip, Qt::Key_Return);
    ASSERT_EQ(activated.count(), 1);
    EXPECT_EQ(activated[0][0].toInt(), 1);
    EXPECT_EQ(strip.text(), "tok0tok1tok2tok3tok4tok5tok6tok7tok8tok9tok10tok11");
}

TEST(TokenStrip, streamingExtendsWithoutMovingWhatIsThere) {
    TokenStrip strip(TokenStrip::Mode::Flow);
    strip.setFitsContent(true);
    strip.resize(300, 50);
    strip.show();
    QVector<TokenView> tokens;
    QString whole;
    for (int i = 0; i < 60; ++i) {
        const QString text = i % 3 == 0 ? QStringLiteral(" word") : QStringLiteral("ly");
        tokens.append(TokenView{.id = i, .text = text});
        whole += text;
        strip.setTokens(tokens);
    }
    const QImage streamed = strip.grab().toImage();
    TokenStrip atOnce(TokenStrip::Mode::Flow);
    atOnce.setFitsContent(true);
    atOnce.resize(300, 50);
    atOnce.show();
    atOnce.setTokens(tokens);
    EXPECT_EQ(strip.text(), whole);
    EXPECT_EQ(streamed, atOnce.grab().toImage());
}

TEST(HistogramView, keysAndMouseMoveTheLimit) {
    HistogramView view;
    view.resize(416, 120);
    view.setBars({{0, 50, 10}, {50, 100, 20}}, 100);
    view.setLimit(80);
    view.show();
    QSignalSpy chosen(&view, &HistogramView::limitChosen);
    view.setFocus();
    QTest::keyClick(&view, Qt::Key_Left);
    EXPECT_EQ(view.limit(), 79);
    QTest::keyClick(&view, Qt::Key_End);
    EXPECT_EQ(view.limit(), 100);
    QTest::mouseClick(&view, Qt::LeftButton, {}, QPoint(208, 60));
    EXPECT_NEAR(static_cast<double>(view.limit()), 50, 1);
    EXPECT_EQ(chosen.count(), 3);
}

TEST(StateStack, errorTellsCopiesAndActs) {
    StateStack states(new QLabel(QStringLiteral("content")));
    states.resize(500, 400);
    states.show();
    int runs = 0;
    states.showError({QStringLiteral("It broke."), QStringLiteral("Mend it."), QStringLiteral("line 7")},
                     QStringLiteral("Try again"), [&] { ++runs; });
    EXPECT_EQ(states.state(), StateStack::State::Error);
    ASSERT_TRUE(test::clickButton(states, "errorAction"));
    EXPECT_EQ(runs, 1);
    for (QPushButton* button : states.findChildren<QPushButton*>())
        if (button->text() == QLatin1String("Copy details")) QTest::mouseClick(button, Qt::LeftButton);
    EXPECT_EQ(QGuiApplication::clipboard()->text(), "It broke.\nMend it.\nline 7");
}

TEST(CopyChip, copiesTheWholeValue) {
    CopyChip chip;
    chip.setValue(QStringLiteral("weights"), QStringLiteral("0123"), QStringLiteral("0123456789"));
    EXPECT_EQ(chip.text(), "weights 0123");
    chip.click();
    EXPECT_EQ(QGuiApplication::clipboard()->text(), "0123456789");
}

TEST(RooflinePlot, keysWalkTheDots) {
    RooflinePlot plot;
    plot.resize(500, 400);
    plot.setRows({{"linear", "", "", "", 1, 1, 1e10, 1e9}, {"add", "", "", "", 1, 1, 1e8, 1e9}}, {5e10, 1e10});
    plot.show();
    QSignalSpy chosen(&plot, &RooflinePlot::rowChosen);
    QTest::keyClick(&plot, Qt::Key_Right);
    QTest::keyClick(&plot, Qt::Key_Right);
    ASSERT_EQ(chosen.count(), 2);
    EXPECT_EQ(chosen[1][0].toInt(), 1);
    EXPECT_FALSE(plot.grab().toImage().isNull());
}

}  // namespace wb::app
