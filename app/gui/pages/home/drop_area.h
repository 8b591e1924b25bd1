// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

namespace wb::app {

// A dashed field that takes one file or folder and names what it takes.
class DropArea : public QWidget {
    Q_OBJECT

public:
    explicit DropArea(const QString& text, QWidget* parent = nullptr);

signals:
    void dropped(const QString& path);

protected:
    void paintEvent(QPaintEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    QString m_text;
    bool m_isHovered = false;
};

}  // namespace wb::app
