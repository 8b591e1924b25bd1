// SPDX-License-Identifier: GPL-3.0-or-later
// Small parts every page is built of, so that spacing and roles are decided once.
#pragma once

#include <QBoxLayout>
#include <QFrame>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>

#include "app/gui/theme/icons.h"

namespace wb::app {

// role: "title", "section", "strong", "muted", "error", "warn", "proof", "base", "tuned", "figure" or "" for body text.
QLabel* makeLabel(const QString& text, const QString& role = {}, QWidget* parent = nullptr);
void setRole(QWidget* widget, const QString& role);  // re-polishes, so that the style sheet applies

// role: "", "primary", "chip", "link", "action", "fold", "segment". `icon` is a name of resources/icons or empty.
QPushButton* makeButton(const QString& text, const QString& icon = {}, const QString& role = {},
                        QWidget* parent = nullptr);
// Icon only: the tooltip is its accessible name.
QToolButton* makeIconButton(const QString& icon, const QString& tooltip, QWidget* parent = nullptr);

QFrame* makeCard(QWidget* parent = nullptr);  // raised, 1 px line, radius 6
QFrame* makeLine(QWidget* parent = nullptr);

// Margins and spacing on the 8 px grid. `margin` applies to all sides.
template <class Layout>
Layout* makeLayout(QWidget* owner, int margin, int spacing) {
    auto* layout = new Layout(owner);
    layout->setContentsMargins(margin, margin, margin, margin);
    layout->setSpacing(spacing);
    return layout;
}

// Disables with the reason as tooltip; an empty reason enables and restores `tooltip`.
void setEnabledOrWhy(QWidget* widget, const QString& reason, const QString& tooltip = {});

// A label that shortens its text to the width there is and shows the whole as tooltip.
class ElidedLabel : public QLabel {
    Q_OBJECT

public:
    explicit ElidedLabel(const QString& text = {}, QWidget* parent = nullptr);
    void setFullText(const QString& text);
    void setElideMode(Qt::TextElideMode mode);
    QSize minimumSizeHint() const override;
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QString m_full;
    Qt::TextElideMode m_mode = Qt::ElideRight;
};

// A line icon on its own; painted when shown, so that it follows a theme switch.
class IconLabel : public QWidget {
    Q_OBJECT

public:
    IconLabel(const QString& icon, IconTint tint, int size, QWidget* parent = nullptr);
    void setIcon(const QString& icon, IconTint tint);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QString m_icon;
    IconTint m_tint;
};

// A small button with a value that is copied when clicked: hashes, paths, ids.
class CopyChip : public QPushButton {
    Q_OBJECT

public:
    explicit CopyChip(QWidget* parent = nullptr);
    // Shows `caption shown`, copies `value`.
    void setValue(const QString& caption, const QString& shown, const QString& value);
    const QString& value() const { return m_value; }

private:
    void copy();

    QString m_value;
    QString m_text;
};

}  // namespace wb::app
