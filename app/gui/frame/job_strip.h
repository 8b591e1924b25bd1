// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <QMap>

#include "app/models/page_id.h"

class QLabel;
class QProgressBar;
class QPushButton;
class QTimer;
class QVBoxLayout;

namespace wb::app {

class ElidedLabel;
class Workbench;

// What one line says.
struct JobLine {
    QString key;  // stays the same while the job runs
    QString title;
    QString phase;
    double fraction = -1;  // below 0: unknown
    QString rate;
    QString left;
    bool canStop = true;
    bool isExternal = false;  // a run that outlives this window
};

// The bottom of the window: one line per running job with phase, bar, rate, time left and Stop.
class JobStrip : public QFrame {
    Q_OBJECT

public:
    JobStrip(Workbench& workbench, QWidget* parent = nullptr);

    int jobCount() const { return static_cast<int>(m_rows.size()); }

signals:
    void jobOpened(const QString& key);

private:
    struct Row;

    void refresh();
    QList<JobLine> collect() const;
    void fill(Row& row, const JobLine& job);
    Row* makeRow(const JobLine& job);
    void stop(const QString& key);

    Workbench& m_workbench;
    QVBoxLayout* m_layout = nullptr;
    QLabel* m_idle = nullptr;
    QTimer* m_timer = nullptr;
    QMap<QString, Row*> m_rows;
};

}  // namespace wb::app
