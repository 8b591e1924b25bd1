// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractScrollArea>
#include <QVector>
#include <functional>

#include "app/models/token_view.h"

namespace wb::app {

// Tokens as chips (the row a model trains on) or as running text with a tint per token (what a model wrote). Only what
// is visible is painted. Arrow keys walk the tokens, Return activates, hovering or walking shows the details.
class TokenStrip : public QAbstractScrollArea {
    Q_OBJECT

public:
    enum class Mode { Chips, Flow };
    // Tint of a token in Flow mode; an invalid colour is none.
    using TintOf = std::function<QColor(const TokenView& token, int index)>;
    using DetailsOf = std::function<QString(const TokenView& token, int index)>;

    explicit TokenStrip(Mode mode, QWidget* parent = nullptr);

    // Keeps the scroll position if the new tokens start with the old ones (streaming).
    void setTokens(QVector<TokenView> tokens);
    void setTint(TintOf tintOf);
    // Rich text of the tooltip.
    void setDetails(DetailsOf detailsOf);
    // A rule before this token and the words beside it; -1 for none.
    void setMark(int index, const QString& text);
    void setPlaceholder(const QString& text);
    // As tall as its text, without a scroll bar of its own: for strips inside something that scrolls.
    void setFitsContent(bool fits);

    const QVector<TokenView>& tokens() const { return m_tokens; }
    QString text() const;

signals:
    void tokenActivated(int index);

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;

private:
    void relayout(int from);
    void placeChip(int index, int& x, int& y, int width);
    void placeFlow(int index, int& x, int& y, int width);
    void paintChip(QPainter& painter, int index, const QRect& box) const;
    void paintFlow(QPainter& painter, int index, const QRect& box) const;
    int tokenAt(const QPoint& position) const;
    void setCurrent(int index, bool showDetails);
    void showDetails(int index, const QPoint& globalPosition);
    QString shownText(int index) const;

    Mode m_mode;
    QVector<TokenView> m_tokens;
    QVector<QRect> m_boxes;      // in content coordinates; one per token
    QVector<bool> m_startsLine;  // wrapped in front of it: its leading blank is not shown
    TintOf m_tintOf;
    DetailsOf m_detailsOf;
    QString m_placeholder;
    int m_mark = -1;
    QString m_markText;
    int m_current = -1;
    int m_hovered = -1;
    int m_lineHeight = 0;
    int m_contentHeight = 0;
    bool m_fitsContent = false;
};

}  // namespace wb::app
