// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/theme/theme.h"

#include <gtest/gtest.h>

#include <QApplication>
#include <QDir>
#include <algorithm>
#include <cstdlib>

#include "app/gui/theme/icons.h"
#include "app/gui/theme/style_sheet.h"

namespace wb::app {

TEST(Theme, textHasEnoughContrastOnEverySurface) {
    for (const ThemeKind kind : {ThemeKind::Light, ThemeKind::Dark}) {
        const Tokens& theme = tokens(kind);
        for (const QColor& ground : {theme.surface, theme.raised}) {
            for (const QColor& text :
                 {theme.text, theme.textMuted, theme.base, theme.tuned, theme.warn, theme.error, theme.proof})
                EXPECT_GE(contrastRatio(text, ground), 4.5)
                    << text.name().toStdString() << " on " << ground.name().toStdString();
            for (int variant = 0; variant < 8; ++variant)
                EXPECT_GE(contrastRatio(variantColor(theme, variant), ground), 4.5) << variant;
        }
        EXPECT_GE(contrastRatio(theme.onAccent, theme.accent), 4.5);
        EXPECT_GE(contrastRatio(theme.textMuted, theme.sunken), 4.5);
        // Tinted tokens: the strongest tint a strip paints under text.
        for (const QColor& tint : {theme.base, theme.tuned})
            EXPECT_GE(contrastRatio(theme.text, blended(tint, theme.raised, 0.45)), 4.5) << tint.name().toStdString();
    }
}

TEST(Theme, paletteDecidesTheTokens) {
    EXPECT_EQ(tokensOf(makePalette(tokens(ThemeKind::Dark))).kind, ThemeKind::Dark);
    EXPECT_EQ(tokensOf(makePalette(tokens(ThemeKind::Light))).kind, ThemeKind::Light);
}

TEST(Theme, styleSheetLeavesNoTokenUnresolved) {
    EXPECT_FALSE(makeStyleSheet(tokens(ThemeKind::Light)).contains(QLatin1Char('@')));
    EXPECT_FALSE(makeStyleSheet(tokens(ThemeKind::Dark)).contains(QLatin1Char('@')));
}

TEST(Icons, allDrawInTheColourOfTheirTint) {
    const QStringList files = QDir(QStringLiteral(":/icons")).entryList({QStringLiteral("*.svg")});
    ASSERT_GE(files.size(), 40);
    for (QString file : files) {
        if (file.startsWith(QLatin1String("control-")) || file == QLatin1String("whetbench.svg")) continue;
        const QImage image = linePixmap(file.chopped(4), IconTint::Base, 20).toImage();
        int painted = 0;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x) {
                const QColor pixel = image.pixelColor(x, y);
                painted += pixel.alpha() > 80;
                if (pixel.alpha() < 200) continue;
                // Premultiplied storage rounds each channel.
                const QColor wanted = tokensOf(QApplication::palette()).base;
                const int distance =
                    std::max({std::abs(pixel.red() - wanted.red()), std::abs(pixel.green() - wanted.green()),
                              std::abs(pixel.blue() - wanted.blue())});
                ASSERT_LE(distance, 2) << file.toStdString();
            }
        EXPECT_GT(painted, 5) << file.toStdString();
    }
    EXPECT_TRUE(lineIcon(QStringLiteral("no-such-icon")).isNull());
}

}  // namespace wb::app
