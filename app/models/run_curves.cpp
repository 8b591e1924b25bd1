// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/run_curves.h"

#include "app/models/recipe_model.h"
#include "app/models/series.h"
#include "core/run/events.h"
#include "core/run/recipe_fields.h"
#include "core/run/run_folder.h"

namespace wb::app {

namespace {

RunCurve readCurve(const QString& folder, const IsStale& isStale) {
    const core::RunFolder run = core::RunFolder::open(folder.toStdString());
    RunCurve out;
    out.folder = folder;
    out.recipe = run.recipe();
    out.title = QString::fromStdString(core::recipeTitle(out.recipe));
    MetricSeries training;
    MetricSeries validation;
    core::EventReader reader(run.eventsPath());
    constexpr size_t kPortion = 5000;
    for (auto events = reader.poll(kPortion); !events.empty() && !isStale(); events = reader.poll(kPortion))
        for (const core::Event& event : events) {
            if (const auto* step = std::get_if<core::StepDone>(&event.body))
                training.append(static_cast<double>(step->step), static_cast<double>(step->loss));
            if (const auto* eval = std::get_if<core::Evaluated>(&event.body))
                validation.append(static_cast<double>(eval->step), static_cast<double>(eval->loss));
        }
    out.training = training.points();
    out.validation = validation.points();
    return out;
}

}  // namespace

QVector<ChangedSetting> changedSettings(const QVector<RunCurve>& runs) {
    QVector<ChangedSetting> out;
    if (runs.isEmpty()) return out;
    for (const core::RecipeField& field : core::recipeFields()) {
        ChangedSetting setting{fromView(field.label), {}};
        for (const RunCurve& run : runs)
            setting.values << QString::fromStdString(core::valueText(field.get(run.recipe)));
        QStringList distinct = setting.values;
        if (runs.size() == 1) distinct << QString::fromStdString(core::valueText(field.defaultValue()));
        distinct.removeDuplicates();
        if (distinct.size() > 1) out.append(setting);
    }
    return out;
}

void RunCurves::load(const QStringList& folders) {
    m_jobs.run(
        [folders](const IsStale& isStale) {
            QVector<RunCurve> curves;
            for (const QString& folder : folders)
                if (!isStale()) curves.append(readCurve(folder, isStale));
            return curves;
        },
        [this](QVector<RunCurve> curves) {
            m_curves = std::move(curves);
            emit loaded();
        },
        [this](const QString& message) { emit failed(message); });
}

}  // namespace wb::app
