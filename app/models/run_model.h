// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QTimer>
#include <QVector>
#include <deque>
#include <memory>
#include <optional>

#include "app/models/job_tracker.h"
#include "app/models/series.h"
#include "app/models/whet_command.h"
#include "core/run/events.h"
#include "core/run/recipe.h"
#include "core/run/run_folder.h"

namespace wb::app {

// What the run wrote for one fixed prompt over its evaluations: a film strip.
struct SampleReel {
    struct Frame {
        qint64 step = 0;
        QString text;
    };
    qint64 index = 0;
    QString prompt;
    QString expected;
    QVector<Frame> frames;
};

struct RunMessage {
    double time = 0.0;
    bool isError = false;
    QString text;
    QString hint;
};

// One run, shown by reading its folder: live, finished, re-attached after a crash or copied from elsewhere are the same
// code path. The file is read on a worker thread in bounded portions. GUI thread only.
class RunModel : public QObject {
    Q_OBJECT

public:
    explicit RunModel(QObject* parent = nullptr);

    // Follows the run in this folder from its first event; answers with opened() or failed().
    void open(const QString& folder);
    void close();

    bool isOpen() const { return m_tail != nullptr; }
    // All that the folder held when it was opened has been read.
    bool isCaughtUp() const { return m_isCaughtUp; }
    QString folder() const { return m_folder; }
    QString id() const;
    QString title() const;
    core::RunState state() const { return m_state; }
    bool isLive() const { return m_state == core::RunState::Running || m_state == core::RunState::Paused; }

    const core::Recipe& recipe() const { return m_recipe; }
    const std::optional<core::RunStarted>& started() const { return m_started; }
    const std::optional<core::PlanMade>& plan() const { return m_plan; }
    const std::optional<core::StepDone>& lastStep() const { return m_lastStep; }
    const std::optional<core::Evaluated>& lastEvaluation() const { return m_lastEvaluation; }
    const std::optional<core::RunFinished>& finished() const { return m_finished; }
    const core::KernelsReported& kernels() const { return m_kernels; }
    // What the GPUs of the run last did; empty for a run on the processor.
    const core::GpuMeasured& gpu() const { return m_gpu; }
    const QVector<SampleReel>& samples() const { return m_samples; }
    const QVector<RunMessage>& messages() const { return m_messages; }

    const MetricSeries& trainLoss() const { return m_trainLoss; }
    const MetricSeries& validationLoss() const { return m_validationLoss; }
    const MetricSeries& learningRate() const { return m_learningRate; }
    const MetricSeries& gradNorm() const { return m_gradNorm; }
    const MetricSeries& tokensPerSecond() const { return m_tokensPerSecond; }

    qint64 steps() const { return m_lastStep ? m_lastStep->step : 0; }
    qint64 totalSteps() const;
    // Seconds to the last step at the pace of the recent ones; nothing while unknown.
    std::optional<double> secondsLeft() const;
    // "Training", "Paused", "Loading model and data", ...
    QString phase() const;

    // Requests to the process at work; a refusal arrives as failed().
    void pause();
    void unpause();
    void stopAndKeep();

signals:
    void opened();
    // New events have been applied or the state has changed; at most five times a second.
    void updated();
    void failed(const wb::app::Problem& problem);

private:
    struct Tail;
    struct Portion;

    void reset();
    void poll();
    void apply(Portion portion);
    void applyEvent(const core::Event& event);
    void applyStep(const core::StepDone& step, double time);
    void applySample(const core::SampleMade& sample);
    void request(void (core::RunFolder::*what)() const);

    QTimer m_timer;
    JobTracker m_jobs;
    std::shared_ptr<Tail> m_tail;
    QString m_folder;
    bool m_isCaughtUp = false;
    core::RunState m_state = core::RunState::Created;
    core::Recipe m_recipe;
    std::optional<core::RunStarted> m_started;
    std::optional<core::PlanMade> m_plan;
    std::optional<core::StepDone> m_lastStep;
    std::optional<core::Evaluated> m_lastEvaluation;
    std::optional<core::RunFinished> m_finished;
    core::KernelsReported m_kernels;
    core::GpuMeasured m_gpu;
    QVector<SampleReel> m_samples;
    QVector<RunMessage> m_messages;
    MetricSeries m_trainLoss;
    MetricSeries m_validationLoss;
    MetricSeries m_learningRate;
    MetricSeries m_gradNorm;
    MetricSeries m_tokensPerSecond;
    std::deque<std::pair<double, qint64>> m_pace;  // time and step of the recent steps
};

// "Running", "Stopped, can be resumed", ...
QString runStateText(core::RunState state);

// "cuda:0: 87 % busy, 21 GB of 150 GB, 540 W, 61 °C, 1980 MHz"; empty without a GPU.
QString gpuSummary(const core::GpuMeasured& measured);

}  // namespace wb::app
