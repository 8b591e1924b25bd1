// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <functional>
#include <memory>

#include "core/run/events.h"
#include "core/run/run_folder.h"

class QWidget;

namespace wb::test {

// Runs the event loop until `isDone`, at most `milliseconds`; the answer of the last question.
bool waitUntil(const std::function<bool()>& isDone, int milliseconds = 20'000);
// Runs the event loop for a while.
void spin(int milliseconds);

// A recipe over the bundled sample.
core::Recipe sampleRecipe();

// The folder of a run with its events, written as a trainer writes them.
struct RecordedRun {
    explicit RecordedRun(const std::filesystem::path& library);

    void start(int64_t totalSteps);
    // Steps first..last; the loss of a step is a function of its number (see lossOf).
    void steps(int64_t first, int64_t last);
    void evaluate(int64_t step, float loss);
    void finish(int64_t steps);
    QString folder() const { return QString::fromStdString(run.path().string()); }

    core::RunFolder run;
    core::EventWriter events;
};
float lossOf(int64_t step);

// Rows of a file of prompts and responses, `count` of them.
void writeRows(const std::filesystem::path& file, int count);

// Clicks the child button with this object name; false if there is none that is visible and enabled.
bool clickButton(QWidget& root, const char* objectName);

}  // namespace wb::test
