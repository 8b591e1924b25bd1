// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/ui.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QPainter>
#include <QStyle>
#include <QTimer>

#include "app/gui/theme/icons.h"
#include "app/gui/theme/theme.h"

namespace wb::app {

void setRole(QWidget* widget, const QString& role) {
    widget->setProperty("role", role);
    widget->style()->unpolish(widget);
    widget->style()->polish(widget);
}

QLabel* makeLabel(const QString& text, const QString& role, QWidget* parent) {
    auto* label = new QLabel(text, parent);
    if (!role.isEmpty()) label->setProperty("role", role);
    label->setTextFormat(Qt::PlainText);
    return label;
}

QPushButton* makeButton(const QString& text, const QString& icon, const QString& role, QWidget* parent) {
    auto* button = new QPushButton(text, parent);
    if (!role.isEmpty()) button->setProperty("role", role);
    if (!icon.isEmpty()) {
        button->setIcon(lineIcon(icon, role == QLatin1String("primary") ? IconTint::OnAccent : IconTint::Text));
        button->setIconSize(text.isEmpty() ? QSize(16, 16) : QSize(20, 16));
    }
    button->setAutoDefault(false);
    button->setAccessibleName(text);
    return button;
}

QToolButton* makeIconButton(const QString& icon, const QString& tooltip, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setIcon(lineIcon(icon));
    button->setIconSize(QSize(metrics::kIcon, metrics::kIcon));
    button->setToolTip(tooltip);
    button->setAccessibleName(tooltip);
    button->setFocusPolicy(Qt::StrongFocus);
    return button;
}

QFrame* makeCard(QWidget* parent) {
    auto* card = new QFrame(parent);
    card->setProperty("role", QStringLiteral("card"));
    return card;
}

QFrame* makeLine(QWidget* parent) {
    auto* line = new QFrame(parent);
    line->setProperty("role", QStringLiteral("hline"));
    line->setFixedHeight(1);
    return line;
}

void setEnabledOrWhy(QWidget* widget, const QString& reason, const QString& tooltip) {
    widget->setEnabled(reason.isEmpty());
    widget->setToolTip(reason.isEmpty() ? tooltip : reason);
    widget->setAccessibleDescription(reason);
}

ElidedLabel::ElidedLabel(const QString& text, QWidget* parent) : QLabel(parent) {
    setTextFormat(Qt::PlainText);
    setFullText(text);
}

void ElidedLabel::setFullText(const QString& text) {
    if (m_full == text && this->text() == text) return;
    m_full = text;
    setText(text);
    setToolTip(text);
    setAccessibleName(text);
}

void ElidedLabel::setElideMode(Qt::TextElideMode mode) {
    m_mode = mode;
}

QSize ElidedLabel::minimumSizeHint() const {
    return {fontMetrics().averageCharWidth() * 4, QLabel::sizeHint().height()};
}

QSize ElidedLabel::sizeHint() const {
    return {fontMetrics().horizontalAdvance(m_full) + 2, QLabel::sizeHint().height()};
}

void ElidedLabel::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setPen(palette().color(foregroundRole()));
    const QString shown = fontMetrics().elidedText(m_full.simplified(), m_mode, width());
    painter.drawText(contentsRect(), static_cast<int>(alignment()) | Qt::TextSingleLine, shown);
}

IconLabel::IconLabel(const QString& icon, IconTint tint, int size, QWidget* parent)
    : QWidget(parent), m_icon(icon), m_tint(tint) {
    setFixedSize(size, size);
}

void IconLabel::setIcon(const QString& icon, IconTint tint) {
    m_icon = icon;
    m_tint = tint;
    update();
}

void IconLabel::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    lineIcon(m_icon, m_tint).paint(&painter, rect());
}

CopyChip::CopyChip(QWidget* parent) : QPushButton(parent) {
    setProperty("role", QStringLiteral("chip"));
    setIcon(lineIcon(QStringLiteral("copy"), IconTint::Muted));
    setIconSize(QSize(17, 14));
    setAutoDefault(false);
    connect(this, &QPushButton::clicked, this, &CopyChip::copy);
}

void CopyChip::setValue(const QString& caption, const QString& shown, const QString& value) {
    m_value = value;
    m_text = caption.isEmpty() ? shown : caption + QLatin1Char(' ') + shown;
    setText(m_text);
    setToolTip(tr("%1\nClick to copy").arg(value));
    setAccessibleName(tr("Copy %1").arg(m_text));
}

void CopyChip::copy() {
    QGuiApplication::clipboard()->setText(m_value);
    setText(tr("Copied"));
    QTimer::singleShot(1200, this, [this] { setText(m_text); });
}

}  // namespace wb::app
