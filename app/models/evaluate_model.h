// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QJsonObject>

#include "app/models/whet_command.h"

namespace wb::app {

// Base against tuned on a test file: one `whet eval` after the other, the numbers as they come.
class EvaluateModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Metric, Base, Tuned, Change, ColumnCount };

    struct Setup {
        QString model;
        QString adapter;  // adapter folder, run or checkpoint
        QString testFile;
        QString templateName = QStringLiteral("auto");
        QString library;
    };

    explicit EvaluateModel(QObject* parent = nullptr);

    void start(const Setup& setup);
    void cancel();
    bool isRunning() const { return m_command.isRunning(); }
    // "Evaluating the base", "Evaluating the tuned model".
    QString phase() const;
    bool hasResult() const { return !m_base.isEmpty(); }
    const Setup& setup() const { return m_setup; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

signals:
    void progressed();
    void finished();
    void failed(const wb::app::Problem& problem);

private:
    void next();
    void take(const QJsonObject& answer);

    WhetCommand m_command;
    Setup m_setup;
    QJsonObject m_base;
    QJsonObject m_tuned;
};

}  // namespace wb::app
