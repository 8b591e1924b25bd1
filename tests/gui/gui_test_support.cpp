// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/gui_test_support.h"

#include <QAbstractButton>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QTest>
#include <QTimer>
#include <cmath>
#include <fstream>

namespace wb::test {

void spin(int milliseconds) {
    QEventLoop loop;
    QTimer::singleShot(milliseconds, &loop, &QEventLoop::quit);
    loop.exec();
}

bool waitUntil(const std::function<bool()>& isDone, int milliseconds) {
    QElapsedTimer clock;
    clock.start();
    while (!isDone()) {
        if (clock.elapsed() > milliseconds) return false;
        spin(5);
    }
    return true;
}

core::Recipe sampleRecipe() {
    core::Recipe recipe;
    recipe.model = WHETBENCH_SOURCE_DIR "/resources/models/pocket";
    recipe.data = WHETBENCH_SOURCE_DIR "/resources/samples/facts_to_sentence.jsonl";
    return recipe;
}

RecordedRun::RecordedRun(const std::filesystem::path& library)
    : run(core::RunFolder::create(library, sampleRecipe())), events(run.eventsPath()) {}

void RecordedRun::start(int64_t totalSteps) {
    core::RunStarted started;
    started.runId = run.id();
    started.title = "recorded run";
    started.totalSteps = totalSteps;
    started.modelHash = "aaaa";
    events.write(started);
}

float lossOf(int64_t step) {
    return 3.0F * std::exp(-static_cast<float>(step) / 400.0F) + 0.5F;
}

void RecordedRun::steps(int64_t first, int64_t last) {
    for (int64_t step = first; step <= last; ++step) {
        core::StepDone done;
        done.step = step;
        done.loss = lossOf(step);
        done.learningRate = 2e-4;
        done.gradNorm = 1.5;
        done.tokens = 512;
        done.tokensPerSecond = 900;
        done.stepMs = 500;
        core::Event event = core::makeEvent(done);
        // Two steps a second on the run's own clock, so that the time left can be predicted.
        event.time = 1'700'000'000.0 + 0.5 * static_cast<double>(step);
        events.write(event);
    }
}

void RecordedRun::evaluate(int64_t step, float loss) {
    core::Evaluated evaluated;
    evaluated.step = step;
    evaluated.loss = loss;
    events.write(evaluated);
}

void RecordedRun::finish(int64_t steps) {
    core::RunFinished finished;
    finished.steps = steps;
    events.write(finished);
}

void writeRows(const std::filesystem::path& file, int count) {
    std::ofstream out(file);
    for (int i = 0; i < count; ++i)
        out << R"({"prompt": "name: Ben | job: farmer | number: )" << i << R"(", "response": "Ben is farmer number )"
            << i << ".\"}\n";
}

bool clickButton(QWidget& root, const char* objectName) {
    auto* button = root.findChild<QAbstractButton*>(QLatin1String(objectName));
    if (!button || !button->isVisible() || !button->isEnabled()) return false;
    QTest::mouseClick(button, Qt::LeftButton);
    return true;
}

}  // namespace wb::test
