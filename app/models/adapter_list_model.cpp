// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/adapter_list_model.h"

#include <QFileInfo>

#include "app/models/units.h"
#include "core/run/checkpoint_folder.h"

namespace wb::app {

namespace {

QVector<AdapterVersion> versionsOf(const RunSummary& run) {
    QVector<AdapterVersion> out;
    for (const core::CheckpointInfo& info : core::listCheckpoints(run.folder.toStdString() + "/checkpoints")) {
        AdapterVersion version{info.step, info.bytes, std::nullopt};
        // The last one counts: a resumed run evaluates a step again.
        const qsizetype at = run.validationSteps.lastIndexOf(info.step);
        if (at >= 0) version.loss = run.validationLosses[at];
        out.append(version);
    }
    return out;
}

}  // namespace

void AdapterListModel::refresh(const QVector<RunSummary>& runs) {
    if (m_jobs.isBusy()) return;
    m_jobs.run(
        [runs](const IsStale& isStale) {
            QVector<AdapterEntry> entries;
            for (const RunSummary& run : runs) {
                if (isStale()) break;
                AdapterEntry entry{.folder = run.folder,
                                   .title = run.title,
                                   .state = run.state,
                                   .bestLoss = run.bestLoss,
                                   .bestStep = run.bestStep};
                entry.base = QFileInfo(QString::fromStdString(run.recipe.model)).fileName();
                entry.isLora = run.recipe.method == core::TuneMethod::Lora && run.recipe.fromConfig.empty();
                entry.rank = run.recipe.loraRank;
                entry.versions = versionsOf(run);
                if (!entry.versions.isEmpty()) entries.append(entry);
            }
            return entries;
        },
        [this](QVector<AdapterEntry> entries) { apply(std::move(entries)); }, [this](const QString&) { apply({}); });
}

void AdapterListModel::apply(QVector<AdapterEntry> entries) {
    const auto isSame = [&] {
        if (entries.size() != m_entries.size()) return false;
        for (qsizetype i = 0; i < entries.size(); ++i)
            if (entries[i].folder != m_entries[i].folder) return false;
        return true;
    }();
    if (!isSame) beginResetModel();
    m_entries = std::move(entries);
    if (!isSame)
        endResetModel();
    else if (!m_entries.isEmpty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
    m_hasLoaded = true;
    emit refreshed();
}

int AdapterListModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_entries.size());
}

int AdapterListModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant AdapterListModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const AdapterEntry& entry = m_entries[index.row()];
    if (role == Qt::TextAlignmentRole && index.column() >= BestLoss)
        return QVariant::fromValue(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole) return entry.folder;
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case Title: return entry.title;
        case Base: return entry.base;
        case Kind: return entry.isLora ? tr("LoRA, rank %1").arg(entry.rank) : tr("all weights");
        case BestLoss: return entry.bestLoss ? formatMetric(*entry.bestLoss) : QStringLiteral("–");
        case Versions: return static_cast<qint64>(entry.versions.size());
        case Size: return formatBytes(static_cast<double>(entry.versions.last().bytes));
        default: return {};
    }
}

QVariant AdapterListModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue((section >= BestLoss ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    const QStringList names{tr("Name"), tr("Base"), tr("Kind"), tr("Best validation"), tr("Checkpoints"), tr("Size")};
    return names[section];
}

}  // namespace wb::app
