// SPDX-License-Identifier: GPL-3.0-or-later
// The look of the workbench: named colour tokens, the 8 px grid and the type scale. Nothing else names a colour.
#pragma once

#include <QColor>
#include <QFont>
#include <QPalette>
#include <QString>

class QApplication;

namespace wb::app {

enum class ThemeKind { Light, Dark };

// One palette. Chrome is grey; base and tuned are the only hues that carry meaning, error and proof the only others.
struct Tokens {
    ThemeKind kind;
    QColor surface;  // window
    QColor raised;   // cards, fields, tables
    QColor sunken;   // hovered rows, token context, tracks
    QColor line;     // 1 px borders
    QColor text;
    QColor textMuted;  // at least 4.5:1 on surface and raised, like text
    QColor accent;     // primary buttons, focus, selection
    QColor onAccent;
    QColor base;
    QColor tuned;
    QColor warn;
    QColor error;
    QColor proof;
};

namespace metrics {
constexpr int kGrid = 8;
constexpr int kGap = 16;
constexpr int kMargin = 24;
constexpr int kRadius = 6;
constexpr int kIcon = 20;
}  // namespace metrics

const Tokens& tokens(ThemeKind kind);

// The tokens a widget paints with: decided by its palette, so a palette change is a theme change.
const Tokens& tokensOf(const QPalette& palette);

// Colour of a variant: 0 base, 1 tuned, then one fixed list that is never re-used for something else.
QColor variantColor(const Tokens& theme, int index);

// `color` over `ground` with the given opacity: tints without transparency, so that contrast can be tested.
QColor blended(const QColor& color, const QColor& ground, double opacity);

// WCAG contrast ratio, 1..21.
double contrastRatio(const QColor& a, const QColor& b);

QPalette makePalette(const Tokens& theme);

// Fusion, palette, style sheet and resources. May be called again to switch.
void applyTheme(QApplication& application, ThemeKind kind);

QFont bodyFont();       // 10 pt system font
QFont sectionFont();    // 13 pt
QFont titleFont();      // 18 pt
QFont monospaceFont();  // tokens and code

}  // namespace wb::app
