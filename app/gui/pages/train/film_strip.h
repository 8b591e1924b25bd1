// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/models/run_model.h"

class QComboBox;
class QHBoxLayout;
class QLabel;
class QScrollArea;

namespace wb::app {

class ElidedLabel;

// What the run writes for its fixed prompts, one frame per evaluation, newest at the right.
class FilmStrip : public QWidget {
    Q_OBJECT

public:
    explicit FilmStrip(QWidget* parent = nullptr);
    void setReels(const QVector<SampleReel>& reels);

private:
    void showReel();
    QWidget* makeFrame(const QString& caption, const QString& text, const QString& role);

    QVector<SampleReel> m_reels;
    QComboBox* m_choice = nullptr;
    QLabel* m_empty = nullptr;
    QScrollArea* m_scroll = nullptr;
    QHBoxLayout* m_frames = nullptr;
    QString m_shown;  // what the frames were built from
};

}  // namespace wb::app
