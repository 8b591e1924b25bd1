// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/plan_model.h"

#include <QSaveFile>

namespace wb::app {

namespace {

constexpr int kDebounceMs = 400;

int64_t integer(const QJsonObject& object, const char* key) {
    return object.value(QLatin1String(key)).toInteger();
}

}  // namespace

core::PlanMade planFromJson(const QJsonObject& answer) {
    const QJsonObject owner = answer.value(QLatin1String("by_owner")).toObject();
    core::PlanMade plan;
    plan.peakBytes = integer(answer, "peak_bytes");
    plan.availableBytes = integer(answer, "available_bytes");
    plan.fits = answer.value(QLatin1String("fits")).toBool(true);
    plan.byOwner = {.weights = integer(owner, "weights"),
                    .gradients = integer(owner, "gradients"),
                    .optimizer = integer(owner, "optimizer"),
                    .activations = integer(owner, "activations"),
                    .kvCache = integer(owner, "kv_cache"),
                    .workspace = integer(owner, "workspace")};
    return plan;
}

PlanModel::PlanModel(QObject* parent) : QObject(parent) {
    m_debounce.setSingleShot(true);
    m_debounce.setInterval(kDebounceMs);
    connect(&m_debounce, &QTimer::timeout, this, &PlanModel::start);
    connect(&m_command, &WhetCommand::succeeded, this, &PlanModel::take);
    connect(&m_command, &WhetCommand::failed, this, [this](const Problem& problem) {
        m_plan.reset();
        m_problem = problem;
        emit changed();
    });
}

void PlanModel::request(const core::Recipe& recipe) {
    if (m_plan && recipe == m_recipe && !isBusy()) return;
    m_recipe = recipe;
    m_command.cancel();
    m_debounce.start();
    emit changed();
}

void PlanModel::clear() {
    m_debounce.stop();
    m_command.cancel();
    m_plan.reset();
    m_problem = {};
    emit changed();
}

void PlanModel::start() {
    const QString file = m_folder.filePath(QStringLiteral("plan.toml"));
    QSaveFile out(file);
    const std::string toml = core::recipeToToml(core::withAbsolutePaths(m_recipe));
    if (!out.open(QIODevice::WriteOnly) || out.write(toml.data(), static_cast<qint64>(toml.size())) < 0 ||
        !out.commit()) {
        m_problem = {tr("%1 could not be written: %2.").arg(file, out.errorString()),
                     tr("Make room in the temporary folder."), file};
        emit changed();
        return;
    }
    m_command.start({QStringLiteral("plan"), QStringLiteral("--recipe"), file, QStringLiteral("--library"), m_library});
    emit changed();
}

void PlanModel::take(const QJsonObject& answer) {
    m_plan = planFromJson(answer);
    m_problem = {};
    emit changed();
}

}  // namespace wb::app
