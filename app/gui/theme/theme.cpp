// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/theme/theme.h"

#include <QApplication>
#include <QFontDatabase>
#include <QStyleFactory>
#include <QToolTip>
#include <array>
#include <cmath>

#include "app/gui/theme/style_sheet.h"

// Resources live in a static library: without this call the linker drops them. Must stand outside any namespace.
static void initResources() {
    Q_INIT_RESOURCE(whetbench);
}

namespace wb::app {

const Tokens& tokens(ThemeKind kind) {
    static const Tokens light{
        .kind = ThemeKind::Light,
        .surface = QColor(0xf5f6f8),
        .raised = QColor(0xffffff),
        .sunken = QColor(0xebedf0),
        .line = QColor(0xd5d9df),
        .text = QColor(0x1b1f24),
        .textMuted = QColor(0x586069),
        .accent = QColor(0x2b3442),
        .onAccent = QColor(0xffffff),
        .base = QColor(0x0b62b0),
        .tuned = QColor(0xb04a00),
        .warn = QColor(0x7d5a00),
        .error = QColor(0xc02626),
        .proof = QColor(0x1a7440),
    };
    static const Tokens dark{
        .kind = ThemeKind::Dark,
        .surface = QColor(0x15181c),
        .raised = QColor(0x1d2126),
        .sunken = QColor(0x282d34),
        .line = QColor(0x363d46),
        .text = QColor(0xe6e9ed),
        .textMuted = QColor(0x9ea7b2),
        .accent = QColor(0xd8dde4),
        .onAccent = QColor(0x15181c),
        .base = QColor(0x6cb2f5),
        .tuned = QColor(0xf2a25c),
        .warn = QColor(0xe0bd4c),
        .error = QColor(0xff8a80),
        .proof = QColor(0x69d08f),
    };
    return kind == ThemeKind::Light ? light : dark;
}

const Tokens& tokensOf(const QPalette& palette) {
    return tokens(palette.color(QPalette::Window).lightness() < 128 ? ThemeKind::Dark : ThemeKind::Light);
}

QColor variantColor(const Tokens& theme, int index) {
    if (index == 0) return theme.base;
    if (index == 1) return theme.tuned;
    static const std::array<QColor, 6> light{QColor(0x00735c), QColor(0x8b3a8b), QColor(0x6b6b00),
                                             QColor(0x3d4fb8), QColor(0xa3275a), QColor(0x555d66)};
    static const std::array<QColor, 6> dark{QColor(0x4fc3a1), QColor(0xd58fd5), QColor(0xc9c95a),
                                            QColor(0x98a6f2), QColor(0xf08ab0), QColor(0xaab2bd)};
    const auto& list = theme.kind == ThemeKind::Light ? light : dark;
    return list[static_cast<size_t>(index - 2) % list.size()];
}

QColor blended(const QColor& color, const QColor& ground, double opacity) {
    const auto mix = [opacity](int a, int b) { return static_cast<int>(std::lround(a * opacity + b * (1 - opacity))); };
    return {mix(color.red(), ground.red()), mix(color.green(), ground.green()), mix(color.blue(), ground.blue())};
}

double contrastRatio(const QColor& a, const QColor& b) {
    const auto luminance = [](const QColor& color) {
        const auto linear = [](double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
        return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF());
    };
    const double la = luminance(a);
    const double lb = luminance(b);
    return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

QPalette makePalette(const Tokens& theme) {
    QPalette palette;
    palette.setColor(QPalette::Window, theme.surface);
    palette.setColor(QPalette::WindowText, theme.text);
    palette.setColor(QPalette::Base, theme.raised);
    palette.setColor(QPalette::AlternateBase, theme.surface);
    palette.setColor(QPalette::Text, theme.text);
    palette.setColor(QPalette::Button, theme.raised);
    palette.setColor(QPalette::ButtonText, theme.text);
    palette.setColor(QPalette::BrightText, theme.error);
    palette.setColor(QPalette::Highlight, blended(theme.accent, theme.raised, 0.16));
    palette.setColor(QPalette::HighlightedText, theme.text);
    palette.setColor(QPalette::Link, theme.base);
    palette.setColor(QPalette::LinkVisited, theme.base);
    palette.setColor(QPalette::PlaceholderText, theme.textMuted);
    palette.setColor(QPalette::ToolTipBase, theme.raised);
    palette.setColor(QPalette::ToolTipText, theme.text);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, blended(theme.textMuted, theme.surface, 0.75));
    return palette;
}

void applyTheme(QApplication& application, ThemeKind kind) {
    initResources();
    const Tokens& theme = tokens(kind);
    application.setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
    application.setFont(bodyFont());
    application.setPalette(makePalette(theme));
    QToolTip::setPalette(makePalette(theme));
    application.setStyleSheet(makeStyleSheet(theme));
}

QFont bodyFont() {
    QFont font = QFontDatabase::systemFont(QFontDatabase::GeneralFont);
    font.setPointSizeF(10);
    return font;
}

QFont sectionFont() {
    QFont font = bodyFont();
    font.setPointSizeF(13);
    font.setWeight(QFont::DemiBold);
    return font;
}

QFont titleFont() {
    QFont font = bodyFont();
    font.setPointSizeF(18);
    font.setWeight(QFont::DemiBold);
    return font;
}

QFont monospaceFont() {
    QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    font.setPointSizeF(10);
    return font;
}

}  // namespace wb::app
