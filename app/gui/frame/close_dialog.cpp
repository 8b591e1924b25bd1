// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/frame/close_dialog.h"

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"

namespace wb::app {

CloseDialog::CloseDialog(const QStringList& runs, QWidget* parent) : QDialog(parent) {
    setObjectName(QStringLiteral("closeDialog"));
    setWindowTitle(tr("A run is going"));
    setWindowModality(Qt::WindowModal);
    auto* layout = makeLayout<QVBoxLayout>(this, metrics::kMargin, metrics::kGap);
    layout->addWidget(
        makeLabel(runs.size() == 1 ? tr("A run is still training") : tr("%1 runs are still training").arg(runs.size()),
                  QStringLiteral("section")));
    auto* text = makeLabel(
        tr("%1\n\nA run does not need this window: it goes on, and opening Whetbench again shows it without a gap.")
            .arg(runs.join(QLatin1Char('\n'))));
    text->setWordWrap(true);
    layout->addWidget(text);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(metrics::kGrid);
    auto* cancel = makeButton(tr("Cancel"));
    auto* stop = makeButton(tr("Checkpoint and stop"));
    auto* keep = makeButton(tr("Keep running"), {}, QStringLiteral("primary"));
    keep->setDefault(true);
    buttons->addStretch(1);
    buttons->addWidget(cancel);
    buttons->addWidget(stop);
    buttons->addWidget(keep);
    layout->addLayout(buttons);
    const auto answer = [this](QPushButton* button, Choice choice) {
        connect(button, &QPushButton::clicked, this, [this, choice] {
            hide();
            emit chosen(choice);
        });
    };
    answer(cancel, Cancel);
    answer(stop, StopAndKeep);
    answer(keep, KeepRunning);
    connect(this, &QDialog::rejected, this, [this] { emit chosen(Cancel); });
}

}  // namespace wb::app
