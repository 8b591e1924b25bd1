// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

namespace wb::app {

// Asked when the window closes while runs are going. Runs live in processes of their own: keeping them is the default.
class CloseDialog : public QDialog {
    Q_OBJECT

public:
    enum Choice { Cancel, KeepRunning, StopAndKeep };

    CloseDialog(const QStringList& runs, QWidget* parent);

signals:
    void chosen(wb::app::CloseDialog::Choice choice);
};

}  // namespace wb::app
