// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QTemporaryDir>
#include <QTimer>
#include <optional>

#include "app/models/whet_command.h"
#include "core/run/events.h"
#include "core/run/recipe.h"

namespace wb::app {

// The memory plan of the recipe in the form, from `whet plan`, a moment after the last change. GUI thread only.
class PlanModel : public QObject {
    Q_OBJECT

public:
    explicit PlanModel(QObject* parent = nullptr);

    void setLibrary(const QString& library) { m_library = library; }
    // Plans this recipe once no other has been asked for during 400 ms.
    void request(const core::Recipe& recipe);
    // Forgets the plan: there is nothing to plan yet.
    void clear();

    bool isBusy() const { return m_debounce.isActive() || m_command.isRunning(); }
    const std::optional<core::PlanMade>& plan() const { return m_plan; }
    const Problem& problem() const { return m_problem; }

signals:
    void changed();

private:
    void start();
    void take(const QJsonObject& answer);

    QTimer m_debounce;
    WhetCommand m_command;
    QTemporaryDir m_folder;
    QString m_library;
    core::Recipe m_recipe;
    std::optional<core::PlanMade> m_plan;
    Problem m_problem;
};

// {"peak_bytes", "by_owner", "fits", "available_bytes"} as an event's struct.
core::PlanMade planFromJson(const QJsonObject& answer);

}  // namespace wb::app
