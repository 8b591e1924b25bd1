// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QUndoStack>

#include "app/gui/pages/page.h"

class QComboBox;
class QLabel;
class QPushButton;

namespace wb::app {

class MemoryBar;
class RecipeForm;
class RunView;

// Left: the recipe, its memory plan and Start. Right: the run.
class TrainPage : public Page {
    Q_OBJECT

public:
    TrainPage(Workbench& workbench, QWidget* parent = nullptr);

    QUndoStack& undoStack() { return m_undo; }
    RecipeForm& form() { return *m_form; }
    RunView& runView() { return *m_view; }

private:
    QWidget* makeLeft();
    QWidget* makeFooter();
    void makeActions();
    void refreshStart();
    void refreshPlan();
    void applyPreset(int index);

    QUndoStack m_undo;
    RecipeForm* m_form = nullptr;
    RunView* m_view = nullptr;
    QComboBox* m_preset = nullptr;
    MemoryBar* m_memory = nullptr;
    QLabel* m_planText = nullptr;
    QPushButton* m_start = nullptr;
    QLabel* m_reason = nullptr;
};

}  // namespace wb::app
