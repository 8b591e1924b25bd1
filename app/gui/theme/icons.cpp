// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/theme/icons.h"

#include <QFile>
#include <QGuiApplication>
#include <QIconEngine>
#include <QPainter>
#include <QSvgRenderer>
#include <algorithm>

#include "app/gui/theme/theme.h"

namespace wb::app {

namespace {

QColor tintColor(IconTint tint, QIcon::Mode mode) {
    const Tokens& theme = tokensOf(QGuiApplication::palette());
    if (mode == QIcon::Disabled) return blended(theme.textMuted, theme.surface, 0.6);
    switch (tint) {
        case IconTint::Text: return theme.text;
        case IconTint::Muted: return theme.textMuted;
        case IconTint::OnAccent: return theme.onAccent;
        case IconTint::Base: return theme.base;
        case IconTint::Tuned: return theme.tuned;
        case IconTint::Warn: return theme.warn;
        case IconTint::Error: return theme.error;
        case IconTint::Proof: return theme.proof;
    }
    return theme.text;
}

// Replaces the black stroke of the source by a token and renders at the size that is asked for.
class LineIconEngine : public QIconEngine {
public:
    LineIconEngine(QByteArray source, IconTint tint) : m_source(std::move(source)), m_tint(tint) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override {
        QByteArray tinted = m_source;
        tinted.replace("#000", tintColor(m_tint, mode).name().toLatin1());
        QSvgRenderer renderer(tinted);
        // A wider rectangle leaves room at the right: the gap between an icon and its word.
        const int side = std::min(rect.width(), rect.height());
        renderer.render(painter, QRect(rect.left(), rect.top() + (rect.height() - side) / 2, side, side));
    }
    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
        QPixmap pixmap(size);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        painter.setRenderHint(QPainter::Antialiasing);
        paint(&painter, QRect(QPoint(), size), mode, state);
        return pixmap;
    }
    QIconEngine* clone() const override { return new LineIconEngine(m_source, m_tint); }
    bool isNull() override { return m_source.isEmpty(); }

private:
    QByteArray m_source;
    IconTint m_tint;
};

}  // namespace

QIcon lineIcon(const QString& name, IconTint tint) {
    QFile file(QStringLiteral(":/icons/%1.svg").arg(name));
    if (!file.open(QIODevice::ReadOnly)) return {};
    return QIcon(new LineIconEngine(file.readAll(), tint));
}

QPixmap linePixmap(const QString& name, IconTint tint, int size, qreal devicePixelRatio) {
    const int pixels = qRound(size * devicePixelRatio);
    QPixmap pixmap = lineIcon(name, tint).pixmap(QSize(pixels, pixels), 1.0);
    pixmap.setDevicePixelRatio(devicePixelRatio);
    return pixmap;
}

}  // namespace wb::app
