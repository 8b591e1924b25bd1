// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QStringList>

#include "app/models/compare_model.h"
#include "app/models/data_model.h"
#include "app/models/engine_client.h"
#include "app/models/evaluate_model.h"
#include "app/models/export_model.h"
#include "app/models/kernel_lab_model.h"
#include "app/models/log_model.h"
#include "app/models/machine_model.h"
#include "app/models/page_id.h"
#include "app/models/plan_model.h"
#include "app/models/recipe_model.h"
#include "app/models/run_launcher.h"
#include "app/models/run_model.h"
#include "app/models/runs_model.h"

namespace wb::app {

// What a dropped or chosen path is.
enum class PathKind { Data, Model, Run, Adapter, Unknown };
PathKind classifyPath(const QString& path);

// Everything the pages show and do, without a window: the models of one library and the moves from page to page.
class Workbench : public QObject {
    Q_OBJECT

public:
    // `library`: empty takes WHETBENCH_LIBRARY or the user's own.
    explicit Workbench(const QString& library, QObject* parent = nullptr);

    // Looks at the machine and the runs in the background.
    void begin();

    QString library() const { return m_library; }
    // Samples and the bundled model; empty if they are not installed.
    static QString resourceFolder();

    RunsModel& runs() { return m_runs; }
    RunModel& run() { return m_run; }
    RunLauncher& launcher() { return m_launcher; }
    RecipeModel& recipe() { return m_recipe; }
    PlanModel& plan() { return m_plan; }
    DataModel& data() { return m_data; }
    EngineClient& engine() { return m_engine; }
    CompareModel& compare() { return m_compare; }
    EvaluateModel& evaluate() { return m_evaluate; }
    ExportModel& exporter() { return m_export; }
    MachineModel& machine() { return m_machine; }
    KernelLabModel& lab() { return m_lab; }
    LogModel& log() { return m_log; }

    QString modelPath() const { return m_recipe.text(QStringLiteral("model")); }
    QString dataPath() const { return m_recipe.text(QStringLiteral("data")); }
    // Model folders that are known: bundled, and those of earlier runs.
    QStringList knownModels() const;

    // The moves. Each ends on the page where the next step is.
    void openSample();
    void openData(const QString& file);
    void openModel(const QString& path);
    void openRun(const QString& folder);
    void openPath(const QString& path);  // by its kind; refused() names what is accepted
    void startTraining();
    void resumeRun(const QString& folder);
    void forkRun(const QString& folder);  // its recipe into the form
    void compareRun(const QString& folder);
    void compareModels(const QString& model, const QString& adapter);

    // The prompt that Compare starts from: the first row of the run's or the open data.
    QString suggestedPrompt() const;
    QString compareTemplate() const { return m_compareTemplate; }

signals:
    void pageRequested(wb::app::PageId page);
    void refused(const wb::app::Problem& problem);
    void compareTargetChanged();

private:
    void syncData();
    void requestPlan();

    QString m_library;
    QString m_compareTemplate = QStringLiteral("auto");
    RunsModel m_runs;
    RunModel m_run;
    RunLauncher m_launcher;
    RecipeModel m_recipe;
    PlanModel m_plan;
    DataModel m_data;
    EngineClient m_engine;
    CompareModel m_compare;
    EvaluateModel m_evaluate;
    ExportModel m_export;
    MachineModel m_machine;
    KernelLabModel m_lab;
    LogModel m_log;
};

}  // namespace wb::app
