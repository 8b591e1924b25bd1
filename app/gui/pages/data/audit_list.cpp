// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/data/audit_list.h"

#include <algorithm>

#include "app/gui/theme/icons.h"
#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"

namespace wb::app {

AuditList::AuditList(QWidget* parent) : QScrollArea(parent) {
    setWidgetResizable(true);
    setAccessibleName(tr("Findings"));
    auto* holder = new QWidget;
    m_layout = makeLayout<QVBoxLayout>(holder, 0, 0);
    setWidget(holder);
}

void AuditList::setLines(const QVector<AuditLine>& lines, bool isComplete) {
    while (QLayoutItem* item = m_layout->takeAt(0)) {
        if (item->widget()) item->widget()->deleteLater();
        delete item;
    }
    if (lines.isEmpty() && !isComplete)
        m_layout->addWidget(
            makeLabel(tr("Every line was read. Lengths and answers are checked once a model is chosen."),
                      QStringLiteral("muted")));
    if (lines.isEmpty() && isComplete) {
        auto* row = new QWidget;
        auto* layout = makeLayout<QHBoxLayout>(row, 0, metrics::kGrid);
        auto* icon = new IconLabel(QStringLiteral("proof"), IconTint::Proof, metrics::kIcon);
        layout->addWidget(icon);
        layout->addWidget(makeLabel(tr("Nothing to object to: every line was read, no answer is cut, no row repeats.")),
                          1);
        m_layout->addWidget(row);
    }
    for (const AuditLine& line : lines) m_layout->addWidget(makeLine(line));
    m_layout->addStretch(1);
    // Up to four findings are seen without scrolling.
    constexpr int kLineHeight = 38;
    setFixedHeight(kLineHeight * static_cast<int>(std::clamp<qsizetype>(lines.size(), 1, 4)));
}

QWidget* AuditList::makeLine(const AuditLine& line) {
    auto* row = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(row, 0, metrics::kGrid);
    layout->setContentsMargins(0, 3, metrics::kGrid, 3);
    auto* icon =
        new IconLabel(QStringLiteral("warning"), line.isBlocking ? IconTint::Error : IconTint::Warn, metrics::kIcon);
    auto* headline = makeLabel(line.headline, QStringLiteral("strong"));
    QString meaning = line.meaning;
    if (!line.reasons.isEmpty())
        meaning = tr("Line %1: %2. %3").arg(line.lines.first()).arg(line.reasons.first(), line.meaning);
    auto* text = new ElidedLabel(meaning);
    setRole(text, QStringLiteral("muted"));
    layout->addWidget(icon);
    layout->addWidget(headline);
    layout->addWidget(text, 1);
    auto* show = makeButton(tr("Show"));
    show->setAccessibleName(tr("Show: %1").arg(line.headline));
    layout->addWidget(show);
    connect(show, &QPushButton::clicked, this, [this, lines = line.lines] { emit showRequested(lines); });
    if (line.fix != AuditLine::Fix::None) {
        auto* fix = makeButton(line.fixText);
        fix->setAccessibleName(tr("%1: %2").arg(line.fixText, line.headline));
        layout->addWidget(fix);
        connect(fix, &QPushButton::clicked, this,
                [this, kind = line.kind, wanted = line.fix] { emit fixRequested(kind, wanted); });
    }
    return row;
}

}  // namespace wb::app
