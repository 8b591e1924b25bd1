// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QJsonObject>
#include <QObject>

#include "app/models/kernel_table_model.h"
#include "app/models/whet_command.h"

namespace wb::app {

// What this machine is (`whet doctor`) and what it can reach (`whet bench peak`, measured once and kept in the
// library).
class MachineModel : public QObject {
    Q_OBJECT

public:
    explicit MachineModel(QObject* parent = nullptr);

    void setLibrary(const QString& library);
    void examine();  // answers with changed()
    // Measures the ceilings; a few seconds on all cores. Answers with changed() or peakFailed().
    void measurePeak();
    // Reads the ceilings of the library again.
    void reloadPeak();
    bool isMeasuring() const { return m_bench.isRunning(); }

    // "AMD EPYC 7R13, 2 cores, AVX2 · 8.1 GB memory · no GPU: no driver"; why not, if unknown.
    QString summary() const { return m_summary; }
    bool hasProblem() const { return !m_problem.isEmpty(); }
    const Problem& problem() const { return m_problem; }
    const MachinePeak& peak() const { return m_peak; }
    // As `whet doctor` names them; empty until it has answered.
    const QString& cpu() const { return m_cpu; }
    const QStringList& cpuFlags() const { return m_cpuFlags; }

signals:
    void changed();
    void peakFailed(const wb::app::Problem& problem);

private:
    QString peakFile() const;
    void forgetForeignPeak();

    WhetCommand m_doctor;
    WhetCommand m_bench;
    QString m_library;
    QString m_summary;
    QString m_cpu;
    QStringList m_cpuFlags;
    Problem m_problem;
    MachinePeak m_peak;
};

// What `whet bench peak` printed.
MachinePeak machinePeakFromJson(const QJsonObject& answer);

// One line out of the answer of `whet doctor --json`.
QString machineSummary(const QJsonObject& doctor);

}  // namespace wb::app
