// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "app/models/lab_results.h"
#include "app/models/whet_command.h"

namespace wb::app {

// What a sweep of the Lab varies.
struct LabSweep {
    QString dtype = QStringLiteral("f32");  // or "bf16"
    QVector<qint64> lengths;
    QVector<qint64> headDims;

    static LabSweep quick(const QString& dtype);  // under a minute on two cores
    static LabSweep full(const QString& dtype);   // some minutes
    // Figures it measures: each place, backend and pass.
    qint64 total() const;
    QStringList arguments() const;  // of whet
};

// The experiments of the Kernels page on this machine: attention over lengths and head dimensions, and the matrix
// products of linear layers. Each runs as a child process, one at a time, because two would disturb each other. The
// last results lie in `kernel_lab.json` of the library folder. GUI thread only.
class KernelLabModel : public QObject {
    Q_OBJECT

public:
    enum class Job { None, Attention, Gemm };

    explicit KernelLabModel(QObject* parent = nullptr);

    // Shows what was measured last. A damaged file counts as none.
    void setLibrary(const QString& library);
    // What is written beside new results.
    void setMachine(const QString& cpu, const QStringList& flags, int threads);

    // Measures attention. A sweep that ends replaces the kept one of its number format. One that is stopped or fails
    // leaves it as it was; where there was none, what has been measured stays.
    void measureAttention(const LabSweep& sweep);
    void measureGemm();
    // Ends the child (SIGTERM); answered by updated().
    void stop();

    Job job() const { return m_job; }
    bool isRunning() const { return m_job != Job::None; }
    // Of the running job: figures so far, and how many there will be; total 0 while unknown.
    qint64 done() const { return m_done; }
    qint64 total() const { return m_total; }
    // What was measured last: "flash, 2,048 tokens, head 64".
    const QString& phase() const { return m_phase; }

    // The kept or, while it runs, the growing measurement of a number format; null if there is none.
    const AttentionMeasurement* attention(const QString& dtype) const;
    const GemmMeasurement& gemm() const { return m_gemm; }

signals:
    void updated();
    // The ceilings were measured on the way and lie in the library.
    void peakMeasured();
    void failed(wb::app::KernelLabModel::Job job, const wb::app::Problem& problem);

private:
    QString file() const { return m_library + QStringLiteral("/kernel_lab.json"); }
    void start(Job job, const QStringList& arguments);
    void takePoint(const QJsonObject& object);
    void takeAnswer(const QJsonObject& answer);
    void takeAttention(const QJsonObject& answer);
    void takeGemm(const QJsonObject& answer);
    void end(bool isComplete);
    void load();
    bool save();

    WhetCommand m_command;
    QString m_library;
    LabOrigin m_origin;  // of what runs or runs next
    Job m_job = Job::None;
    qint64 m_done = 0;
    qint64 m_total = 0;
    QString m_phase;
    AttentionMeasurement m_growing;
    QVector<AttentionMeasurement> m_kept;  // one a number format
    GemmMeasurement m_gemm;
};

}  // namespace wb::app
