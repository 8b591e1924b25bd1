// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QStringList>
#include <QVector>

#include "app/models/job_tracker.h"
#include "core/run/recipe.h"

namespace wb::app {

struct RunCurve {
    QString folder;
    QString title;
    QVector<QPointF> training;
    QVector<QPointF> validation;
    core::Recipe recipe;
};

// A setting in which the runs differ, with each run's value; of a single run what differs from the defaults.
struct ChangedSetting {
    QString label;
    QStringList values;
};
QVector<ChangedSetting> changedSettings(const QVector<RunCurve>& runs);

// Reads the curves of several runs in the background; the latest request is answered.
class RunCurves : public QObject {
    Q_OBJECT

public:
    explicit RunCurves(QObject* parent = nullptr) : QObject(parent) {}

    void load(const QStringList& folders);
    const QVector<RunCurve>& curves() const { return m_curves; }
    bool isLoading() const { return m_jobs.isBusy(); }

signals:
    void loaded();
    void failed(const QString& message);

private:
    JobTracker m_jobs;
    QVector<RunCurve> m_curves;
};

}  // namespace wb::app
