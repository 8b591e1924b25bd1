// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/workbench.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>

#include "app/models/loaded_data.h"
#include "core/library/library_folder.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace {

const QString kSampleData = QStringLiteral("samples/facts_to_sentence.jsonl");
const QString kSampleRecipe = QStringLiteral("samples/facts_to_sentence.toml");
const QString kSampleModel = QStringLiteral("models/pocket");

}  // namespace

PathKind classifyPath(const QString& path) {
    const QFileInfo info(path);
    if (info.isDir()) {
        const QDir folder(path);
        // The bundled model keeps the recipe it was trained with beside its weights: weights decide.
        if (folder.exists(QStringLiteral("config.json"))) return PathKind::Model;
        if (folder.exists(QStringLiteral("adapter_config.json"))) return PathKind::Adapter;
        if (folder.exists(QStringLiteral("recipe.toml"))) return PathKind::Run;
        return PathKind::Unknown;
    }
    QString name = info.fileName().toLower();
    for (const char* packed : {".gz", ".zst"})
        if (name.endsWith(QLatin1String(packed))) name.chop(static_cast<int>(qstrlen(packed)));
    for (const char* suffix : {".jsonl", ".json", ".csv", ".tsv", ".txt"})
        if (name.endsWith(QLatin1String(suffix))) return PathKind::Data;
    for (const char* suffix : {".gguf", ".safetensors"})
        if (name.endsWith(QLatin1String(suffix))) return PathKind::Model;
    return PathKind::Unknown;
}

QString Workbench::resourceFolder() {
    const QString forced = qEnvironmentVariable("WHETBENCH_RESOURCES");
    QStringList candidates;
    if (!forced.isEmpty()) candidates << forced;
    const QDir program(QCoreApplication::applicationDirPath());
    // Installed; then out of a build folder inside the source tree.
    candidates << program.filePath(QStringLiteral("../share/whetbench"))
               << program.filePath(QStringLiteral("../../../resources"))
               << program.filePath(QStringLiteral("../../resources"));
    for (const QString& folder : candidates)
        if (QFileInfo::exists(folder + QLatin1Char('/') + kSampleData)) return QDir(folder).canonicalPath();
    return {};
}

Workbench::Workbench(const QString& library, QObject* parent)
    : QObject(parent),
      m_library(QString::fromStdString(core::resolveLibraryFolder(library.toStdString()).string())),
      m_compare(m_engine) {
    m_engine.setLibrary(m_library);
    m_plan.setLibrary(m_library);
    connect(&m_engine, &EngineClient::logged, &m_log, [this](const QString& line) { m_log.add(tr("engine"), line); });
    connect(&m_launcher, &RunLauncher::runStarted, this, [this](const QString& folder) {
        m_log.add(tr("train"), tr("run started in %1").arg(folder));
        m_runs.refresh();
        m_run.open(folder);
        emit pageRequested(PageId::Train);
    });
    connect(&m_launcher, &RunLauncher::failed, &m_log,
            [this](const Problem& problem) { m_log.add(tr("train"), problem.what); });
    connect(&m_machine, &MachineModel::changed, this,
            [this] { m_lab.setMachine(m_machine.cpu(), m_machine.cpuFlags(), m_machine.peak().threads); });
    connect(&m_lab, &KernelLabModel::peakMeasured, &m_machine, &MachineModel::reloadPeak);
    connect(&m_recipe, &RecipeModel::changed, this, &Workbench::requestPlan);
    connect(&m_recipe, &RecipeModel::textChanged, this, [this](const QString& key) {
        static const QStringList kConcernsData{QStringLiteral("model"),      QStringLiteral("data"),
                                               QStringLiteral("format"),     QStringLiteral("template"),
                                               QStringLiteral("max_length"), QStringLiteral("train_on"),
                                               QStringLiteral("long_rows"),  QStringLiteral("tokenizer")};
        if (kConcernsData.contains(key)) syncData();
    });
}

void Workbench::begin() {
    m_runs.setLibrary(m_library);
    m_machine.setLibrary(m_library);
    m_lab.setLibrary(m_library);
    m_machine.examine();
}

QStringList Workbench::knownModels() const {
    QStringList out;
    if (const QString resources = resourceFolder();
        !resources.isEmpty() && QFileInfo::exists(resources + QLatin1Char('/') + kSampleModel))
        out << resources + QLatin1Char('/') + kSampleModel;
    if (!modelPath().isEmpty()) out << modelPath();
    for (const RunSummary& run : m_runs.all())
        if (!run.recipe.model.empty()) out << QString::fromStdString(run.recipe.model);
    out.removeDuplicates();
    return out;
}

void Workbench::syncData() {
    const core::Recipe recipe = m_recipe.recipe();
    if (recipe.data.empty()) return m_data.close();
    DataSettings settings = m_data.settings();
    settings.file = QString::fromStdString(recipe.data);
    settings.format = QString::fromStdString(recipe.format);
    settings.templateName = QString::fromStdString(recipe.templateName);
    settings.model = QString::fromStdString(recipe.tokenizer.empty() ? recipe.model : recipe.tokenizer);
    settings.trainsOnAll = recipe.trainOn == core::TrainOn::All;
    settings.shortensInputs = recipe.longRows == core::LongRowPolicy::Shorten;
    const bool onlyLimit = [&] {
        DataSettings same = settings;
        same.maxLength = m_data.settings().maxLength;
        return same == m_data.settings();
    }();
    if (onlyLimit) return m_data.setMaxLength(recipe.maxLength);
    settings.maxLength = recipe.maxLength;
    m_data.setSettings(settings);
}

void Workbench::requestPlan() {
    if (!m_recipe.firstProblem().isEmpty()) return m_plan.clear();
    m_plan.request(m_recipe.recipe());
}

void Workbench::openSample() {
    const QString resources = resourceFolder();
    if (resources.isEmpty()) {
        emit refused({tr("The sample is not installed."),
                      tr("Set WHETBENCH_RESOURCES to the folder that holds 'samples' and 'models'."),
                      QCoreApplication::applicationDirPath()});
        return;
    }
    const QString model = resources + QLatin1Char('/') + kSampleModel;
    const QString data = resources + QLatin1Char('/') + kSampleData;
    try {
        // The sample comes with the settings under which it is learnt in about a minute.
        core::Recipe recipe = core::loadRecipe((resources + QLatin1Char('/') + kSampleRecipe).toStdString());
        recipe.model = model.toStdString();
        recipe.data = data.toStdString();
        m_recipe.setRecipe(recipe);
    } catch (const Error& error) {
        emit refused({QString::fromUtf8(error.what()), tr("Install the samples again."), resources});
        return;
    }
    openData(data);
}

void Workbench::openData(const QString& file) {
    m_recipe.setText(QStringLiteral("data"), QFileInfo(file).absoluteFilePath());
    emit pageRequested(PageId::Data);
}

void Workbench::openModel(const QString& path) {
    const QFileInfo info(path);
    // One file of a model folder stands for the folder.
    const bool isPart = info.isFile() && info.suffix() == QLatin1String("safetensors");
    m_recipe.setText(QStringLiteral("model"), isPart ? info.absolutePath() : info.absoluteFilePath());
    emit pageRequested(dataPath().isEmpty() ? PageId::Data : PageId::Train);
}

void Workbench::openRun(const QString& folder) {
    m_run.open(folder);
    emit pageRequested(PageId::Train);
}

void Workbench::openPath(const QString& path) {
    switch (classifyPath(path)) {
        case PathKind::Data: return openData(path);
        case PathKind::Model: return openModel(path);
        case PathKind::Run: return openRun(path);
        case PathKind::Adapter:
            if (!modelPath().isEmpty()) return compareModels(modelPath(), path);
            emit refused({tr("This adapter needs its base model."),
                          tr("Open the base model first, then drop the adapter again."), path});
            return;
        case PathKind::Unknown:
            emit refused({tr("%1 is nothing the bench can open.").arg(QFileInfo(path).fileName()),
                          tr("It takes data (.jsonl, .json, .csv, .tsv, .txt, also .gz and .zst), a model folder with "
                             "config.json, a .gguf file, an "
                             "adapter folder or a run folder."),
                          path});
    }
}

void Workbench::startTraining() {
    core::Recipe recipe = m_recipe.recipe();
    if (m_data.skipsBadLines()) recipe.badLines = core::RowPolicy::Skip;
    if (m_data.skipsEmptyTargets()) recipe.emptyTargets = core::RowPolicy::Skip;
    m_log.add(tr("workbench"), m_recipe.asCommand());
    m_launcher.start(recipe, m_library);
}

void Workbench::resumeRun(const QString& folder) {
    m_launcher.resume(folder, m_library);
}

void Workbench::forkRun(const QString& folder) {
    try {
        core::Recipe recipe = core::RunFolder::open(folder.toStdString()).recipe();
        recipe.name.clear();
        m_recipe.setRecipe(recipe);
        m_run.close();
        emit pageRequested(PageId::Train);
    } catch (const Error& error) {
        emit refused({QString::fromUtf8(error.what()), tr("Choose another run."), folder});
    }
}

void Workbench::compareRun(const QString& folder) {
    try {
        const core::Recipe recipe = core::RunFolder::open(folder.toStdString()).recipe();
        m_compareTemplate = QString::fromStdString(recipe.templateName);
        compareModels(QString::fromStdString(recipe.model), folder);
    } catch (const Error& error) {
        emit refused({QString::fromUtf8(error.what()), tr("Choose another run."), folder});
    }
}

void Workbench::compareModels(const QString& model, const QString& adapter) {
    std::vector<core::PaneSpec> panes{{"base", model.toStdString(), ""}};
    if (!adapter.isEmpty()) panes.push_back({"tuned", model.toStdString(), adapter.toStdString()});
    m_compare.setPanes(panes);
    emit compareTargetChanged();
    emit pageRequested(PageId::Compare);
}

QString Workbench::suggestedPrompt() const {
    return m_data.firstPrompt();
}

}  // namespace wb::app
