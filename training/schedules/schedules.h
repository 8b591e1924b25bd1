// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/run/recipe.h"

#include <cstdint>

namespace wb::training {

struct ScheduleOptions {
    core::ScheduleKind kind = core::ScheduleKind::Cosine;
    double peak = 0;         // learning rate after the warm-up
    double warmupRatio = 0;  // part of all steps with a linear rise from peak / warmupSteps
    double minRatio = 0;     // the rate at the end is peak * minRatio
    int64_t totalSteps = 1;
};

// Learning rate of a step, counted from 1. After the warm-up, progress p runs from 0 (first full-rate step) to 1
// (the last step); the table in schedules.cpp maps p to a factor that falls from 1 to 0.
double learningRateAt(const ScheduleOptions& options, int64_t step);

// schedules/<name>.cpp: p in [0, 1] to a factor in [0, 1].
double cosineFactor(double progress);
double linearFactor(double progress);
double constantFactor(double progress);

}  // namespace wb::training
