// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPair>
#include <QVector>
#include <QWidget>

class QButtonGroup;

namespace wb::app {

// A row of joined buttons of which one is down. Arrow keys move between them.
class SegmentSwitch : public QWidget {
    Q_OBJECT

public:
    // Text and tooltip of each segment.
    SegmentSwitch(const QString& accessibleName, const QVector<QPair<QString, QString>>& segments,
                  QWidget* parent = nullptr);

    int current() const;
    void setCurrent(int index);  // no signal

signals:
    void chosen(int index);

private:
    QButtonGroup* m_group = nullptr;
};

}  // namespace wb::app
