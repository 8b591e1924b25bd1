// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/evaluate_model.h"

#include <array>

#include "app/models/units.h"

namespace wb::app {

namespace {

struct MetricRow {
    const char* key;
    const char* title;
    const char* meaning;
    bool isShare;
};

constexpr std::array kMetrics{
    MetricRow{"mean_nll", QT_TRANSLATE_NOOP("EvaluateModel", "Loss per token"),
              QT_TRANSLATE_NOOP("EvaluateModel",
                                "Mean negative log-likelihood of the expected answers, in nats; lower is better"),
              false},
    MetricRow{"perplexity", QT_TRANSLATE_NOOP("EvaluateModel", "Perplexity"),
              QT_TRANSLATE_NOOP("EvaluateModel", "exp of the loss per token; lower is better"), false},
    MetricRow{"token_accuracy", QT_TRANSLATE_NOOP("EvaluateModel", "Token accuracy"),
              QT_TRANSLATE_NOOP("EvaluateModel", "Share of answer tokens that the model ranks first; higher is better"),
              true},
    MetricRow{"exact_match", QT_TRANSLATE_NOOP("EvaluateModel", "Exact match"),
              QT_TRANSLATE_NOOP("EvaluateModel",
                                "Share of rows whose generated answer equals the expected one; higher is better"),
              true},
    MetricRow{"tokens", QT_TRANSLATE_NOOP("EvaluateModel", "Tokens scored"),
              QT_TRANSLATE_NOOP("EvaluateModel", "Answer tokens the figures are over"), false},
};

QString tr_(const char* text) {
    return EvaluateModel::tr(text);
}

QString shown(const MetricRow& metric, const QJsonObject& answer) {
    const QJsonValue value = answer.value(QLatin1String(metric.key));
    if (!value.isDouble()) return QStringLiteral("–");
    if (qstrcmp(metric.key, "tokens") == 0) return formatCount(value.toInteger());
    return metric.isShare ? formatPercent(value.toDouble()) : formatMetric(value.toDouble());
}

}  // namespace

EvaluateModel::EvaluateModel(QObject* parent) : QAbstractTableModel(parent) {
    connect(&m_command, &WhetCommand::succeeded, this, &EvaluateModel::take);
    connect(&m_command, &WhetCommand::failed, this, &EvaluateModel::failed);
}

void EvaluateModel::start(const Setup& setup) {
    beginResetModel();
    m_setup = setup;
    m_base = {};
    m_tuned = {};
    endResetModel();
    next();
}

void EvaluateModel::cancel() {
    m_command.cancel();
    emit progressed();
}

QString EvaluateModel::phase() const {
    if (!isRunning()) return {};
    return m_base.isEmpty() ? tr("Evaluating the base") : tr("Evaluating the tuned model");
}

void EvaluateModel::next() {
    QStringList arguments{
        QStringLiteral("eval"), QStringLiteral("--model"),    m_setup.model,        QStringLiteral("--data"),
        m_setup.testFile,       QStringLiteral("--template"), m_setup.templateName, QStringLiteral("--library"),
        m_setup.library};
    if (!m_base.isEmpty()) arguments << QStringLiteral("--adapter") << m_setup.adapter;
    m_command.start(arguments);
    emit progressed();
}

void EvaluateModel::take(const QJsonObject& answer) {
    const bool isBase = m_base.isEmpty();
    beginResetModel();
    (isBase ? m_base : m_tuned) = answer;
    endResetModel();
    if (isBase && !m_setup.adapter.isEmpty()) return next();
    emit finished();
}

int EvaluateModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() || m_base.isEmpty() ? 0 : static_cast<int>(kMetrics.size());
}

int EvaluateModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant EvaluateModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const MetricRow& metric = kMetrics[static_cast<size_t>(index.row())];
    if (role == Qt::TextAlignmentRole && index.column() != Metric)
        return QVariant::fromValue(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole) return tr_(metric.meaning);
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case Metric: return tr_(metric.title);
        case Base: return shown(metric, m_base);
        case Tuned: return shown(metric, m_tuned);
        case Change: {
            const QJsonValue base = m_base.value(QLatin1String(metric.key));
            const QJsonValue tuned = m_tuned.value(QLatin1String(metric.key));
            if (!base.isDouble() || !tuned.isDouble() || qstrcmp(metric.key, "tokens") == 0) return QStringLiteral("–");
            const double change = tuned.toDouble() - base.toDouble();
            const QString sign = change > 0 ? QStringLiteral("+") : change < 0 ? QString(QChar(0x2212)) : QString();
            return metric.isShare ? tr("%1%2 points").arg(sign, QString::number(std::abs(change) * 100, 'f', 1))
                                  : sign + formatMetric(std::abs(change));
        }
        default: return {};
    }
}

QVariant EvaluateModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue((section == Metric ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    const QStringList names{tr("Metric"), tr("Base"), tr("Tuned"), tr("Change")};
    return names[section];
}

}  // namespace wb::app
