// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QVector>
#include <QWidget>

namespace wb::app {

struct HistogramBar {
    qint64 begin = 0;
    qint64 end = 0;  // exclusive
    qint64 rows = 0;
};

// Row lengths as bars with the maximum length as a handle: what lies right of it would be cut. Dragging, arrow keys and
// the wheel move the handle.
class HistogramView : public QWidget {
    Q_OBJECT

public:
    explicit HistogramView(QWidget* parent = nullptr);

    void setBars(QVector<HistogramBar> bars, qint64 longest);
    void setLimit(qint64 tokens);
    // Running text is learnt in windows of the limit instead of being cut there.
    void setWindows(bool areWindows);
    qint64 limit() const { return m_limit; }
    QSize sizeHint() const override { return {480, 112}; }

signals:
    void limitChanged(qint64 tokens);  // while dragging
    void limitChosen(qint64 tokens);   // on release or key

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    bool event(QEvent* event) override;

private:
    QRect plotArea() const;
    int xOf(qint64 tokens) const;
    qint64 tokensAt(int x) const;
    void moveTo(qint64 tokens);

    QVector<HistogramBar> m_bars;
    qint64 m_longest = 0;
    qint64 m_limit = 0;
    bool m_isWindow = false;
};

}  // namespace wb::app
