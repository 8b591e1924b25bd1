// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/theme/style_sheet.h"

#include "app/gui/theme/theme.h"

namespace wb::app {

namespace {

// @names are replaced by the tokens of the palette.
constexpr const char* kTemplate = R"css(
QToolTip { background: @raised; color: @text; border: 1px solid @line; padding: 6px 8px; }
QMainWindow::separator { background: @line; width: 1px; height: 1px; }
QSplitter::handle { background: @line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QScrollArea { border: none; background: transparent; }
QScrollArea > QWidget > QWidget { background: transparent; }

QLabel[role="title"] { font-size: 18pt; font-weight: 600; }
QLabel[role="section"] { font-size: 13pt; font-weight: 600; }
QLabel[role="strong"] { font-weight: 600; }
QLabel[role="muted"] { color: @textMuted; }
QLabel[role="error"] { color: @error; }
QLabel[role="warn"] { color: @warn; }
QLabel[role="proof"] { color: @proof; }
QLabel[role="base"] { color: @base; font-weight: 600; }
QLabel[role="tuned"] { color: @tuned; font-weight: 600; }
QLabel[role="figure"] { font-size: 13pt; font-weight: 600; }

QFrame[role="card"] { background: @raised; border: 1px solid @line; border-radius: 6px; }
QFrame[role="rail"] { background: @raised; border: none; border-right: 1px solid @line; }
QFrame[role="strip"] { background: @raised; border: none; border-top: 1px solid @line; }
QFrame[role="banner"] { background: @errorTint; border: 1px solid @error; border-radius: 6px; }
QFrame[role="hline"] { background: @line; border: none; max-height: 1px; min-height: 1px; }

QPushButton { background: @raised; color: @text; border: 1px solid @line; border-radius: 6px; padding: 5px 12px; min-height: 18px; }
QPushButton:hover { background: @sunken; }
QPushButton:pressed { background: @line; }
QPushButton:focus { border-color: @accent; }
QPushButton:checked { background: @selection; border-color: @accent; }
QPushButton:disabled { color: @disabled; background: @surface; }
QPushButton[role="primary"] { background: @accent; color: @onAccent; border-color: @accent; font-weight: 600; }
QPushButton[role="primary"]:hover { background: @accentHover; }
QPushButton[role="primary"]:focus { border: 2px solid @base; padding: 4px 11px; }
QPushButton[role="primary"]:disabled { background: @sunken; color: @disabled; border-color: @line; }
QPushButton[role="chip"] { padding: 1px 8px; border-radius: 6px; color: @textMuted; background: @surface; min-height: 18px; }
QPushButton[role="chip"]:hover { color: @text; background: @sunken; }
QPushButton[role="link"] { border: 1px solid transparent; background: transparent; color: @base; padding: 2px 4px; text-align: left; }
QPushButton[role="link"]:hover { text-decoration: underline; background: transparent; }
QPushButton[role="link"]:focus { border-color: @accent; }
QPushButton[role="link"]:disabled { color: @disabled; }
QPushButton[role="action"] { text-align: left; padding: 14px 16px; background: @raised; min-height: 60px; }
QPushButton[role="action"]:hover { background: @sunken; }
QPushButton[role="fold"] { border: 1px solid transparent; background: transparent; text-align: left; padding: 4px 2px; font-weight: 600; }
QPushButton[role="fold"]:focus { border-color: @accent; }
QPushButton[role="segment"] { border-radius: 0px; margin-left: -1px; padding: 4px 12px; }
QPushButton[role="segment"][end="first"] { margin-left: 0px; border-top-left-radius: 6px; border-bottom-left-radius: 6px; }
QPushButton[role="segment"][end="last"] { border-top-right-radius: 6px; border-bottom-right-radius: 6px; }
QPushButton[role="segment"]:checked { background: @accent; color: @onAccent; border-color: @accent; }
QPushButton[role="segment"]:focus { border-color: @base; }

QToolButton { border: 1px solid transparent; border-radius: 6px; padding: 5px; background: transparent; color: @text; }
QToolButton:hover { background: @sunken; }
QToolButton:pressed { background: @line; }
QToolButton:focus { border-color: @accent; }
QToolButton::menu-indicator { image: none; }
QToolButton[role="nav"] { border-radius: 6px; padding: 7px 10px; text-align: left; color: @textMuted; }
QToolButton[role="nav"]:hover { color: @text; }
QToolButton[role="nav"]:checked { background: @selection; color: @text; font-weight: 600; }

QLineEdit, QPlainTextEdit, QTextEdit, QComboBox, QAbstractSpinBox {
  background: @raised; color: @text; border: 1px solid @line; border-radius: 6px; padding: 4px 8px; min-height: 18px;
  selection-background-color: @selectionStrong; selection-color: @text; }
QPlainTextEdit, QTextEdit { padding: 6px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QComboBox:focus, QAbstractSpinBox:focus { border-color: @accent; }
QLineEdit:disabled, QPlainTextEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled { color: @disabled; background: @surface; }
QLineEdit[invalid="true"], QComboBox[invalid="true"] { border-color: @error; }
QComboBox::drop-down { border: none; width: 24px; }
QComboBox::down-arrow { image: url(:/icons/control-down.svg); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: @raised; color: @text; border: 1px solid @line; padding: 4px; outline: none;
  selection-background-color: @selection; selection-color: @text; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { border: none; width: 18px; background: transparent; }
QAbstractSpinBox::up-arrow { image: url(:/icons/control-up.svg); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url(:/icons/control-down.svg); width: 10px; height: 10px; }

QCheckBox { spacing: 8px; }
QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid @control; border-radius: 4px; background: @raised; }
QCheckBox::indicator:checked { background: @accent; border-color: @accent; image: url(:/icons/control-check-@kind.svg); }
QCheckBox::indicator:focus { border-color: @base; }
QCheckBox::indicator:disabled { background: @surface; }

QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: @sunken; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: @accent; }
QSlider::handle:horizontal { width: 14px; height: 14px; margin: -6px 0; border-radius: 8px; background: @raised; border: 1px solid @accent; }
QSlider::handle:horizontal:focus { border: 2px solid @base; }

QProgressBar { border: none; border-radius: 3px; background: @sunken; min-height: 6px; max-height: 6px; }
QProgressBar::chunk { border-radius: 3px; background: @accent; }

QTableView, QListView, QTreeView, QTableWidget, QListWidget { background: @raised; color: @text; border: 1px solid @line; border-radius: 6px;
  outline: none; gridline-color: @sunken; selection-background-color: @selection; selection-color: @text;
  alternate-background-color: @raised; }
QTableView:focus, QListView:focus, QTreeView:focus { border-color: @accent; }
QTableView::item { padding: 0 6px; border: none; }
QTableView::item:selected { background: @selection; color: @text; }
QTableView::item:focus { border: none; }
QListView::item { padding: 4px 8px; }
QListView::item:selected { background: @selection; color: @text; }
QHeaderView { background: @raised; border: none; }
QHeaderView::section { background: @raised; color: @textMuted; border: none; border-bottom: 1px solid @line; padding: 6px 0px 6px 8px; font-weight: 400; }
QHeaderView::up-arrow { image: url(:/icons/control-up.svg); width: 10px; height: 10px; }
QHeaderView::down-arrow { image: url(:/icons/control-down.svg); width: 10px; height: 10px; }
QTableCornerButton::section { background: @raised; border: none; }

QTabWidget::pane { border: none; border-top: 1px solid @line; }
QTabBar { qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: @textMuted; border: none; border-bottom: 2px solid transparent; padding: 6px 4px; margin-right: 16px; }
QTabBar::tab:selected { color: @text; border-bottom-color: @accent; }
QTabBar::tab:hover { color: @text; }
QTabBar::tab:focus { color: @text; border-bottom-color: @base; }

QScrollBar:vertical { background: transparent; width: 12px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 2px; }
QScrollBar::handle { background: @handle; border-radius: 4px; min-height: 32px; min-width: 32px; }
QScrollBar::handle:hover { background: @textMuted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QMenu { background: @raised; color: @text; border: 1px solid @line; padding: 4px; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 4px; }
QMenu::item:selected { background: @selection; }
QMenu::item:disabled { color: @disabled; }
QMenu::separator { height: 1px; background: @line; margin: 4px 8px; }
QMenuBar { background: @surface; }
)css";

}  // namespace

QString makeStyleSheet(const Tokens& theme) {
    QString sheet = QString::fromLatin1(kTemplate);
    const auto set = [&sheet](const char* name, const QString& value) { sheet.replace(QLatin1String(name), value); };
    const auto tint = [&theme](const QColor& color, double opacity) {
        return blended(color, theme.raised, opacity).name();
    };
    // Longer names first: @text is a prefix of @textMuted.
    set("@selectionStrong", tint(theme.accent, 0.28));
    set("@selection", tint(theme.accent, theme.kind == ThemeKind::Light ? 0.10 : 0.14));
    set("@accentHover", blended(theme.accent, theme.surface, 0.85).name());
    set("@accent", theme.accent.name());
    set("@onAccent", theme.onAccent.name());
    set("@textMuted", theme.textMuted.name());
    set("@text", theme.text.name());
    set("@surface", theme.surface.name());
    set("@raised", theme.raised.name());
    set("@sunken", theme.sunken.name());
    set("@line", theme.line.name());
    set("@handle", tint(theme.textMuted, 0.45));
    set("@control", tint(theme.textMuted, 0.75));
    set("@disabled", blended(theme.textMuted, theme.surface, 0.75).name());
    set("@errorTint", tint(theme.error, 0.10));
    set("@error", theme.error.name());
    set("@base", theme.base.name());
    set("@tuned", theme.tuned.name());
    set("@warn", theme.warn.name());
    set("@proof", theme.proof.name());
    set("@kind", theme.kind == ThemeKind::Light ? QStringLiteral("light") : QStringLiteral("dark"));
    return sheet;
}

}  // namespace wb::app
