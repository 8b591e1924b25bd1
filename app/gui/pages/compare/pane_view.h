// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <QVector>

#include "app/gui/pages/compare/compare_view_mode.h"
#include "app/models/compare_model.h"

class QLabel;
class QScrollArea;
class QVBoxLayout;

namespace wb::app {

class CopyChip;
class IconLabel;
class OutputCard;

// One column of the comparison: who wrote it, how fast, and the answers.
class PaneView : public QFrame {
    Q_OBJECT

public:
    PaneView(int index, QWidget* parent = nullptr);

    void show(const CompareModel& model, CompareView view);
    OutputCard* card(int output) const { return output < m_cards.size() ? m_cards[output] : nullptr; }
    // The run's own word on the base weights; draws the proof mark if the engine loaded exactly those.
    void setExpectedModelHash(const QString& hash) { m_expectedHash = hash; }

signals:
    void tokenActivated(int output, int token);

private:
    QWidget* makeHeader();
    void showHeader(const ComparePane& pane, const CompareModel& model);

    int m_index;
    QString m_expectedHash;
    QLabel* m_name = nullptr;
    IconLabel* m_proof = nullptr;
    QLabel* m_speed = nullptr;
    CopyChip* m_modelHash = nullptr;
    CopyChip* m_adapterHash = nullptr;
    QScrollArea* m_scroll = nullptr;
    QVBoxLayout* m_list = nullptr;
    QVector<OutputCard*> m_cards;
};

}  // namespace wb::app
