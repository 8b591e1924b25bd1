// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>

#include "app/models/lab_results.h"

namespace wb::app {

// Percent of the arithmetic ceiling that linear layers reach: one row a layer (outputs x inputs), one column a number
// of tokens.
class GemmTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    explicit GemmTableModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

    void setMeasurement(const GemmMeasurement& measurement);
    void setChoice(const QString& dtype, LabPass pass);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Layer {
        qint64 outputs;
        qint64 inputs;
        bool operator==(const Layer&) const = default;
    };
    // All passes of a cell in one.
    struct Cell {
        int passes = 0;  // 0: not measured
        double seconds = 0;
        double secondsAtCeiling = 0;  // for the same arithmetic
        double flops = 0;
        double bytes = 0;
    };
    void arrange();
    Cell cell(int row, int column) const;

    GemmMeasurement m_measurement;
    QString m_dtype = QStringLiteral("f32");
    LabPass m_pass = LabPass::Forward;
    QVector<Layer> m_layers;
    QVector<qint64> m_tokens;
};

}  // namespace wb::app
