// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/compare/pane_view.h"

#include <QScrollArea>

#include "app/gui/pages/compare/output_card.h"
#include "app/gui/theme/icons.h"
#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"

namespace wb::app {

PaneView::PaneView(int index, QWidget* parent) : QFrame(parent), m_index(index) {
    setProperty("role", QStringLiteral("card"));
    auto* layout = makeLayout<QVBoxLayout>(this, 1, 0);
    layout->addWidget(makeHeader());
    layout->addWidget(makeLine());
    m_scroll = new QScrollArea;
    m_scroll->setWidgetResizable(true);
    m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* holder = new QWidget;
    m_list = makeLayout<QVBoxLayout>(holder, metrics::kGrid, metrics::kGrid);
    m_list->addStretch(1);
    m_scroll->setWidget(holder);
    layout->addWidget(m_scroll, 1);
}

QWidget* PaneView::makeHeader() {
    auto* header = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(header, metrics::kGrid, metrics::kGrid);
    layout->setContentsMargins(metrics::kGap - 4, metrics::kGrid, metrics::kGrid, metrics::kGrid);
    m_name = makeLabel({}, m_index == 0 ? QStringLiteral("base") : QStringLiteral("tuned"));
    m_proof = new IconLabel(QStringLiteral("proof"), IconTint::Proof, 16);
    m_proof->hide();
    m_modelHash = new CopyChip;
    m_adapterHash = new CopyChip;
    m_speed = makeLabel({}, QStringLiteral("muted"));
    layout->addWidget(m_name);
    layout->addWidget(m_proof);
    layout->addWidget(m_modelHash);
    layout->addWidget(m_adapterHash);
    layout->addStretch(1);
    layout->addWidget(m_speed);
    return header;
}

void PaneView::showHeader(const ComparePane& pane, const CompareModel& model) {
    const QString name = QString::fromStdString(pane.spec.name);
    m_name->setText(name);
    const bool hasStamp = pane.provenance.has_value();
    m_modelHash->setVisible(hasStamp);
    const QString modelHash = hasStamp ? QString::fromStdString(pane.provenance->modelHash) : QString();
    const QString adapterHash = hasStamp ? QString::fromStdString(pane.provenance->adapterHash) : QString();
    if (m_modelHash->value() != modelHash) m_modelHash->setValue(tr("weights"), shortHash(modelHash), modelHash);
    m_adapterHash->setVisible(!adapterHash.isEmpty());
    if (m_adapterHash->value() != adapterHash)
        m_adapterHash->setValue(tr("adapter"), shortHash(adapterHash), adapterHash);
    const bool isProved = hasStamp && adapterHash.isEmpty() && !m_expectedHash.isEmpty() && modelHash == m_expectedHash;
    m_proof->setVisible(isProved);
    m_proof->setToolTip(tr("Proved: the engine loaded exactly the weights the run started from.\n%1").arg(modelHash));
    QStringList speed;
    if (pane.firstTokenMs > 0) speed << tr("first token %1").arg(formatDuration(pane.firstTokenMs / 1000));
    if (pane.tokensPerSecond > 0) speed << formatTokenRate(pane.tokensPerSecond);
    if (speed.isEmpty() && model.isRunning()) speed << model.phase();
    m_speed->setText(speed.join(QStringLiteral("  ·  ")));
    if (hasStamp)
        m_speed->setToolTip(tr("%1, seed %2, weights in %3")
                                .arg(QString::fromStdString(pane.provenance->sampler))
                                .arg(pane.provenance->seed)
                                .arg(QString::fromStdString(pane.provenance->weights)));
}

void PaneView::show(const CompareModel& model, CompareView view) {
    const ComparePane& pane = model.panes()[m_index];
    showHeader(pane, model);
    static const CompareOutput kNothing;
    const bool isWaiting = model.isRunning() && pane.outputs.isEmpty();
    const int wanted = std::max<int>(isWaiting ? 1 : 0, static_cast<int>(pane.outputs.size()));
    // Later, not now: the card may be the one whose click is being handled.
    while (m_cards.size() > wanted) {
        OutputCard* card = m_cards.takeLast();
        card->hide();
        card->deleteLater();
    }
    while (m_cards.size() < wanted) {
        auto* card = new OutputCard(m_index);
        const int output = static_cast<int>(m_cards.size());
        connect(card, &OutputCard::tokenActivated, this,
                [this, output](int token) { emit tokenActivated(output, token); });
        m_list->insertWidget(output, card);
        m_cards.append(card);
    }
    const auto& panes = model.panes();
    for (int i = 0; i < m_cards.size(); ++i) {
        OutputCard::Content content{.output = isWaiting ? &kNothing : &pane.outputs[i],
                                    .rank = pane.outputs.size() > 1 ? i + 1 : 0,
                                    .view = view,
                                    .isWaiting = isWaiting || (model.isRunning() && !pane.isFinished)};
        content.ownName = QString::fromStdString(pane.spec.name);
        if (panes.size() > 1) content.otherName = QString::fromStdString(panes[m_index == 0 ? 1 : 0].spec.name);
        // While one side still writes, what it has not written yet is no difference.
        if (panes.size() > 1 && m_index < 2 && i < model.comparedOutputs()) {
            const TokenDiff diff = model.diff(i);
            content.isCommon = m_index == 0 ? diff.leftIsCommon : diff.rightIsCommon;
            const bool isSettled =
                !model.isRunning() ||
                diff.firstDivergence < std::min(panes[0].outputs[i].tokens.size(), panes[1].outputs[i].tokens.size());
            content.firstDivergence = isSettled ? diff.firstDivergence : -1;
        }
        m_cards[i]->show(content);
    }
}

}  // namespace wb::app
