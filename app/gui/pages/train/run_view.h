// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;
class QPushButton;

namespace wb::app {

class ElidedLabel;
class FilmStrip;
class KernelLane;
class MessageBar;
class PlotView;
class StateStack;
class Workbench;

// The run that is open, live or not: controls, figures, curves, samples, kernels.
class RunView : public QWidget {
    Q_OBJECT

public:
    RunView(Workbench& workbench, QWidget* parent = nullptr);

    PlotView& lossPlot() { return *m_loss; }

private:
    QWidget* makeHeader();
    QWidget* makePlots();
    void refresh();
    void refreshHeader();
    void refreshPlots();
    void refreshMessages();

    Workbench& m_workbench;
    StateStack* m_states = nullptr;
    ElidedLabel* m_title = nullptr;
    QLabel* m_state = nullptr;
    QLabel* m_progress = nullptr;
    QLabel* m_best = nullptr;
    QLabel* m_rate = nullptr;
    QLabel* m_left = nullptr;
    QLabel* m_leftCaption = nullptr;
    QPushButton* m_pause = nullptr;
    QPushButton* m_stop = nullptr;
    QPushButton* m_resume = nullptr;
    QPushButton* m_compare = nullptr;
    QPushButton* m_close = nullptr;
    MessageBar* m_message = nullptr;
    qsizetype m_messagesShown = 0;
    PlotView* m_loss = nullptr;
    PlotView* m_rates = nullptr;
    PlotView* m_speed = nullptr;
    FilmStrip* m_film = nullptr;
    KernelLane* m_lane = nullptr;
};

}  // namespace wb::app
