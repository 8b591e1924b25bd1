// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "core/run/protocol.h"

class QComboBox;
class QDoubleSpinBox;
class QSpinBox;

namespace wb::app {

// Generation settings in one row.
class ParameterRow : public QWidget {
    Q_OBJECT

public:
    explicit ParameterRow(QWidget* parent = nullptr);
    core::GenerationSettings settings() const;

signals:
    void attentionChosen(const QString& backend);

private:
    QSpinBox* addInteger(const QString& label, const QString& tip, int low, int high, int value);
    QDoubleSpinBox* addReal(const QString& label, const QString& tip, double low, double high, double step,
                            double value);
    void addLabelled(const QString& label, const QString& tip, QWidget* editor);

    QSpinBox* m_tokens = nullptr;
    QDoubleSpinBox* m_temperature = nullptr;
    QSpinBox* m_topK = nullptr;
    QDoubleSpinBox* m_topP = nullptr;
    QSpinBox* m_beams = nullptr;
    QSpinBox* m_returned = nullptr;
    QSpinBox* m_seed = nullptr;
    QComboBox* m_attention = nullptr;
};

}  // namespace wb::app
