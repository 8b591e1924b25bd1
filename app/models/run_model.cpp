// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/run_model.h"

#include <QFileInfo>
#include <algorithm>

#include "app/models/units.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace {

constexpr int kLivePollMs = 200;
constexpr int kIdlePollMs = 1000;
// Bounds what one portion costs the GUI thread: about 2 ms.
constexpr size_t kEventsPerPortion = 2000;
constexpr size_t kPaceSteps = 32;

}  // namespace

// Lives on the worker while a poll is under way; never used by two polls at once.
struct RunModel::Tail {
    explicit Tail(const std::filesystem::path& folder) : run(core::RunFolder::open(folder)), reader(run.eventsPath()) {}

    core::RunFolder run;
    core::EventReader reader;
};

struct RunModel::Portion {
    std::shared_ptr<Tail> tail;
    std::optional<core::Recipe> recipe;  // only in the first
    std::vector<core::Event> events;
    core::RunState state = core::RunState::Created;
    bool wasRestarted = false;
};

QString runStateText(core::RunState state) {
    switch (state) {
        case core::RunState::Created: return RunModel::tr("Starting");
        case core::RunState::Running: return RunModel::tr("Running");
        case core::RunState::Paused: return RunModel::tr("Paused");
        case core::RunState::Finished: return RunModel::tr("Finished");
        case core::RunState::Stopped: return RunModel::tr("Stopped, can be resumed");
        case core::RunState::Failed: return RunModel::tr("Failed");
        case core::RunState::Interrupted: return RunModel::tr("Interrupted, can be resumed");
    }
    return {};
}

RunModel::RunModel(QObject* parent) : QObject(parent) {
    m_timer.setSingleShot(true);
    connect(&m_timer, &QTimer::timeout, this, &RunModel::poll);
}

void RunModel::reset() {
    m_jobs.cancel();
    m_timer.stop();
    m_tail.reset();
    m_isCaughtUp = false;
    m_state = core::RunState::Created;
    m_recipe = {};
    m_started.reset();
    m_plan.reset();
    m_lastStep.reset();
    m_lastEvaluation.reset();
    m_finished.reset();
    m_kernels = {};
    m_gpu = {};
    m_samples.clear();
    m_messages.clear();
    for (MetricSeries* series : {&m_trainLoss, &m_validationLoss, &m_learningRate, &m_gradNorm, &m_tokensPerSecond})
        series->clear();
    m_pace.clear();
}

void RunModel::close() {
    reset();
    m_folder.clear();
    emit updated();
}

void RunModel::open(const QString& folder) {
    reset();
    m_folder = QFileInfo(folder).absoluteFilePath();
    m_jobs.run(
        [path = m_folder.toStdString()](const IsStale&) {
            Portion portion;
            portion.tail = std::make_shared<Tail>(path);
            portion.recipe = portion.tail->run.recipe();
            portion.state = portion.tail->run.state();
            portion.events = portion.tail->reader.poll(kEventsPerPortion);
            return portion;
        },
        [this](Portion portion) {
            m_tail = portion.tail;
            m_recipe = *portion.recipe;
            emit opened();
            apply(std::move(portion));
        },
        [this](const QString& message) {
            emit failed({message, tr("Open another run, or check that the folder is complete."), m_folder});
        });
}

void RunModel::poll() {
    if (!m_tail || m_jobs.isBusy()) return;
    m_jobs.run(
        [tail = m_tail](const IsStale&) {
            Portion portion;
            portion.tail = tail;
            // Asked before the events: a state that says "ended" is then followed by all events there will be.
            portion.state = tail->run.state();
            portion.events = tail->reader.poll(kEventsPerPortion);
            portion.wasRestarted = tail->reader.wasRestarted();
            return portion;
        },
        [this](Portion portion) { apply(std::move(portion)); },
        [this](const QString& message) {
            emit failed({message, tr("The run goes on; reading its folder is tried again."), m_folder});
            m_timer.start(kIdlePollMs);
        });
}

void RunModel::apply(Portion portion) {
    if (portion.wasRestarted) {
        const auto tail = m_tail;
        const auto recipe = m_recipe;
        reset();
        m_tail = tail;
        m_recipe = recipe;
    }
    for (const core::Event& event : portion.events) applyEvent(event);
    const bool hasMore = portion.events.size() == kEventsPerPortion;
    const bool isChanged = !portion.events.empty() || portion.state != m_state || (!hasMore && !m_isCaughtUp);
    m_state = portion.state;
    m_isCaughtUp = m_isCaughtUp || !hasMore;
    if (isChanged && (m_isCaughtUp || portion.events.size() < kEventsPerPortion)) emit updated();
    m_timer.start(hasMore ? 0 : isLive() || m_state == core::RunState::Created ? kLivePollMs : kIdlePollMs);
}

void RunModel::applyEvent(const core::Event& event) {
    const auto addMessage = [&](bool isError, const std::string& text, const std::string& hint) {
        m_messages.append({event.time, isError, QString::fromStdString(text), QString::fromStdString(hint)});
    };
    if (const auto* started = std::get_if<core::RunStarted>(&event.body)) {
        m_started = *started;
        m_finished.reset();
        m_pace.clear();
    } else if (const auto* plan = std::get_if<core::PlanMade>(&event.body)) {
        m_plan = *plan;
    } else if (const auto* step = std::get_if<core::StepDone>(&event.body)) {
        applyStep(*step, event.time);
    } else if (const auto* evaluation = std::get_if<core::Evaluated>(&event.body)) {
        m_validationLoss.append(static_cast<double>(evaluation->step), static_cast<double>(evaluation->loss));
        m_lastEvaluation = *evaluation;
    } else if (const auto* sample = std::get_if<core::SampleMade>(&event.body)) {
        applySample(*sample);
    } else if (const auto* kernels = std::get_if<core::KernelsReported>(&event.body)) {
        m_kernels = *kernels;
    } else if (const auto* gpu = std::get_if<core::GpuMeasured>(&event.body)) {
        m_gpu = *gpu;
    } else if (const auto* warning = std::get_if<core::WarningRaised>(&event.body)) {
        addMessage(false, warning->message, warning->hint);
    } else if (const auto* error = std::get_if<core::ErrorRaised>(&event.body)) {
        addMessage(true, error->message, error->hint);
    } else if (const auto* done = std::get_if<core::RunFinished>(&event.body)) {
        m_finished = *done;
    } else if (std::holds_alternative<core::StateChanged>(event.body)) {
        m_pace.clear();
    }
}

void RunModel::applyStep(const core::StepDone& step, double time) {
    const auto x = static_cast<double>(step.step);
    m_trainLoss.append(x, static_cast<double>(step.loss));
    m_learningRate.append(x, step.learningRate);
    m_gradNorm.append(x, step.gradNorm);
    m_tokensPerSecond.append(x, step.tokensPerSecond);
    m_lastStep = step;
    m_pace.emplace_back(time, step.step);
    if (m_pace.size() > kPaceSteps) m_pace.pop_front();
}

void RunModel::applySample(const core::SampleMade& sample) {
    const auto found = std::find_if(m_samples.begin(), m_samples.end(),
                                    [&](const SampleReel& reel) { return reel.index == sample.index; });
    SampleReel& reel = found != m_samples.end() ? *found : m_samples.emplace_back();
    reel.index = sample.index;
    reel.prompt = QString::fromStdString(sample.prompt);
    reel.expected = QString::fromStdString(sample.expected);
    // A resumed run repeats what came after its checkpoint.
    reel.frames.removeIf([&](const SampleReel::Frame& frame) { return frame.step >= sample.step; });
    reel.frames.append({sample.step, QString::fromStdString(sample.text)});
}

QString RunModel::id() const {
    return QFileInfo(m_folder).fileName();
}

QString RunModel::title() const {
    if (m_started && !m_started->title.empty()) return QString::fromStdString(m_started->title);
    return isOpen() ? QString::fromStdString(core::recipeTitle(m_recipe)) : QString();
}

qint64 RunModel::totalSteps() const {
    return m_started ? m_started->totalSteps : 0;
}

std::optional<double> RunModel::secondsLeft() const {
    if (m_state != core::RunState::Running || m_pace.size() < 3 || totalSteps() <= 0) return std::nullopt;
    const auto& [firstTime, firstStep] = m_pace.front();
    const auto& [lastTime, lastStep] = m_pace.back();
    if (lastStep <= firstStep || lastTime <= firstTime) return std::nullopt;
    const double perStep = (lastTime - firstTime) / static_cast<double>(lastStep - firstStep);
    return perStep * static_cast<double>(std::max<qint64>(0, totalSteps() - lastStep));
}

QString RunModel::phase() const {
    if (m_state != core::RunState::Running) return runStateText(m_state);
    if (!m_started) return tr("Loading model and data");
    if (!m_lastStep) return tr("Preparing the first step");
    return tr("Training");
}

void RunModel::request(void (core::RunFolder::*what)() const) {
    if (!m_tail) return;
    try {
        (core::RunFolder::open(m_folder.toStdString()).*what)();
    } catch (const Error& error) {
        emit failed({QString::fromUtf8(error.what()), tr("Resume the run first if it shall go on."), m_folder});
    }
}

void RunModel::pause() {
    request(&core::RunFolder::requestPause);
}
void RunModel::unpause() {
    request(&core::RunFolder::requestResume);
}
void RunModel::stopAndKeep() {
    request(&core::RunFolder::requestStop);
}

QString gpuSummary(const core::GpuMeasured& measured) {
    QStringList gpus;
    for (const core::GpuReading& gpu : measured.gpus) {
        QStringList parts;
        if (gpu.utilisation) parts << RunModel::tr("%1 busy").arg(formatPercent(*gpu.utilisation));
        if (gpu.memoryUsed && gpu.memoryTotal) {
            parts << RunModel::tr("%1 of %2")
                         .arg(formatBytes(static_cast<double>(*gpu.memoryUsed)),
                              formatBytes(static_cast<double>(*gpu.memoryTotal)));
        }
        if (gpu.powerWatts) parts << RunModel::tr("%1 W").arg(*gpu.powerWatts, 0, 'f', 0);
        if (gpu.temperatureCelsius) parts << RunModel::tr("%1 °C").arg(*gpu.temperatureCelsius, 0, 'f', 0);
        if (gpu.clockMhz) parts << RunModel::tr("%1 MHz").arg(*gpu.clockMhz, 0, 'f', 0);
        gpus << QString::fromStdString(gpu.device) + QStringLiteral(": ") + parts.join(QStringLiteral(", "));
    }
    return gpus.join(QStringLiteral("  ·  "));
}

}  // namespace wb::app
