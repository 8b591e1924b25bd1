// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/data_model.h"

#include <algorithm>

#include "app/models/loaded_data.h"
#include "app/models/units.h"
#include "kernels/base/error.h"

namespace wb::app {

namespace {

QVector<qint64> linesOf(const std::vector<int64_t>& lines) {
    return {lines.begin(), lines.end()};
}

QVector<qint64> secondLines(const std::vector<training::LinePair>& pairs) {
    QVector<qint64> out;
    for (const training::LinePair& pair : pairs) out.append(pair.second);
    return out;
}

QStringList reasonsOf(const std::vector<training::BadLine>& lines) {
    QStringList out;
    for (const training::BadLine& line : lines) out.append(QString::fromStdString(line.reason));
    return out;
}

QVector<qint64> linesOf(const std::vector<training::BadLine>& lines) {
    QVector<qint64> out;
    for (const training::BadLine& line : lines) out.append(line.line);
    return out;
}

}  // namespace

DataModel::DataModel(QObject* parent) : QObject(parent) {}

void DataModel::setSettings(const DataSettings& settings) {
    if (settings == m_settings && (m_data || m_jobs.isBusy())) return;
    const bool isOtherFile = settings.file != m_settings.file;
    m_settings = settings;
    if (isOtherFile) m_skipsBadLines = m_skipsEmptyTargets = false;
    reload();
}

void DataModel::close() {
    m_jobs.cancel();
    m_auditJobs.cancel();
    m_rowJobs.cancel();
    m_settings = {};
    m_data.reset();
    m_audit = {};
    m_rows.setData(nullptr, 0);
    m_shownTokens.clear();
    emit changed();
}

void DataModel::reload() {
    m_auditJobs.cancel();
    m_rowJobs.cancel();
    struct Result {
        std::shared_ptr<const LoadedData> data;
        training::DataAudit audit;
        qint64 maxLength = 0;
    };
    m_jobs.run(
        [settings = m_settings](const IsStale& isStale) {
            Result result;
            result.data = loadData(settings, isStale);
            if (isStale()) return result;
            result.maxLength = settings.maxLength > 0 ? settings.maxLength : result.data->length.p99;
            result.audit = auditAt(*result.data, result.maxLength);
            return result;
        },
        [this](Result result) {
            m_data = result.data;
            m_audit = std::move(result.audit);
            m_maxLength = result.maxLength;
            m_shownTokens.clear();
            m_shownLine = 0;
            m_rows.setData(m_data, m_maxLength);
            emit changed();
        },
        [this](const QString& message) {
            m_data.reset();
            m_audit = {};
            m_rows.setData(nullptr, 0);
            emit failed({message, tr("Choose another file or format, or correct the file and open it again."),
                         m_settings.file});
        });
    emit loadingStarted();
}

void DataModel::setMaxLength(qint64 tokens) {
    m_settings.maxLength = tokens;
    if (!m_data || m_jobs.isBusy()) return;
    const qint64 limit = tokens > 0 ? tokens : m_data->length.p99;
    if (limit == m_maxLength) return;
    m_maxLength = limit;
    m_rows.setData(m_data, m_maxLength);
    m_auditJobs.run([data = m_data, limit](const IsStale&) { return auditAt(*data, limit); },
                    [this](training::DataAudit audit) {
                        m_audit = std::move(audit);
                        emit auditChanged();
                    },
                    [this](const QString& message) {
                        emit failed({message, {}, m_settings.file});
                    });
    emit rowShown();
}

QString DataModel::formatTitle() const {
    return m_data ? QString::fromStdString(m_data->dataset.format.title) : QString();
}

QString DataModel::templateTitle() const {
    return m_data && m_data->promptTemplate ? QString::fromStdString(m_data->promptTemplate->name()) : tr("none");
}

QString DataModel::templateDescription() const {
    return m_data && m_data->promptTemplate ? QString::fromStdString(m_data->promptTemplate->describe()) : QString();
}

QStringList DataModel::formatChoices() const {
    QStringList out{QStringLiteral("auto")};
    for (const std::string& name : training::datasetFormatNames()) out.append(QString::fromStdString(name));
    return out;
}

QStringList DataModel::columnNames() const {
    QStringList out;
    if (m_data && m_data->promptTemplate && !m_data->promptTemplate->promptColumns().empty()) {
        for (const std::string& name : m_data->promptTemplate->promptColumns())
            out.append(QString::fromStdString(name));
    } else if (m_data) {
        for (const std::string& name : m_data->dataset.mapping.prompt) out.append(QString::fromStdString(name));
    }
    return out;
}

QStringList DataModel::notes() const {
    QStringList out;
    if (m_data)
        for (const std::string& note : m_data->dataset.notes) out.append(QString::fromStdString(note));
    return out;
}

bool DataModel::hasTokens() const {
    return m_data && m_data->tokenizer;
}

bool DataModel::isRunningText() const {
    return m_data && m_data->isRunningText();
}

qint64 DataModel::rowCount() const {
    return m_data ? m_data->dataset.rows : 0;
}

QVector<AuditLine> DataModel::auditLines() const {
    using Kind = AuditLine::Kind;
    using Fix = AuditLine::Fix;
    QVector<AuditLine> out;
    if (!m_data) return out;
    // `one` is the headline for a single row, `many` the one with a count in it.
    const auto add = [&out](Kind kind, const QVector<qint64>& lines, const QString& one, const QString& many,
                            const QString& meaning) -> AuditLine* {
        if (lines.isEmpty()) return nullptr;
        out.append({.kind = kind,
                    .count = lines.size(),
                    .headline = lines.size() == 1 ? one : many.arg(formatCount(lines.size())),
                    .meaning = meaning,
                    .lines = lines});
        return &out.last();
    };
    const auto offer = [](AuditLine* line, Fix fix, const QString& text, bool isBlocking) {
        if (!line) return;
        line->fix = fix;
        line->fixText = text;
        line->isBlocking = isBlocking;
    };
    AuditLine* bad =
        add(Kind::BadLines, linesOf(m_audit.badLines), tr("1 line cannot be read"), tr("%1 lines cannot be read"),
            m_skipsBadLines ? tr("They will be left out by number.")
                            : tr("Nothing is left out silently: decide before training."));
    if (bad) bad->reasons = reasonsOf(m_audit.badLines);
    if (!m_skipsBadLines) offer(bad, Fix::SkipBadLines, tr("Skip"), true);
    AuditLine* empty = add(Kind::ZeroTarget, linesOf(m_audit.zeroTargetLines), tr("1 row teaches nothing"),
                           tr("%1 rows teach nothing"),
                           m_skipsEmptyTargets ? tr("They will be left out.")
                                               : tr("Their answer is empty or lies behind the maximum length."));
    if (!m_skipsEmptyTargets) offer(empty, Fix::SkipEmptyTargets, tr("Skip"), true);
    offer(add(Kind::Truncated, linesOf(m_audit.truncatedLines), tr("1 row loses part of its answer"),
              tr("%1 rows lose part of their answer"),
              tr("Longer than %1 tokens; the longest row has %2.").arg(m_maxLength).arg(m_audit.length.max)),
          Fix::RaiseMaxLength, tr("Fit all"), false);
    offer(add(Kind::Shortened, linesOf(m_audit.shortenedLines), tr("1 row loses the end of its longest input"),
              tr("%1 rows lose the end of their longest input"),
              tr("Longer than %1 tokens; answers stay whole.").arg(m_maxLength)),
          Fix::RaiseMaxLength, tr("Fit all"), false);
    add(Kind::EmptyResponse, linesOf(m_audit.emptyResponseLines), tr("1 answer is empty"), tr("%1 answers are empty"),
        tr("The model would learn to stop at once on these prompts."));
    add(Kind::Duplicates, secondLines(m_audit.duplicates), tr("1 row repeats an earlier one"),
        tr("%1 rows repeat an earlier one"), tr("They count more than once in training."));
    add(Kind::Conflicts, secondLines(m_audit.conflicts), tr("1 row answers an earlier prompt differently"),
        tr("%1 rows answer an earlier prompt differently"), tr("The model sees two answers to one prompt."));
    add(Kind::Leaks, secondLines(m_audit.leaks), tr("1 validation prompt is also trained on"),
        tr("%1 validation prompts are also trained on"), tr("Validation loss would look better than it is."));
    const auto& warnings = m_data->dataset.warnings;
    add(Kind::Warnings, linesOf(warnings), tr("1 row was loaded with a remark"),
        tr("%1 rows were loaded with a remark"),
        QString::fromStdString(warnings.empty() ? std::string() : warnings.front().reason));
    return out;
}

QString DataModel::firstPrompt() const {
    constexpr int kMostCharacters = 4000;
    if (!m_data || m_data->dataset.examples.empty()) return {};
    return promptPreview(m_data->dataset, m_data->dataset.examples.front(), kMostCharacters);
}

qint64 DataModel::undecidedRows() const {
    qint64 out = 0;
    for (const AuditLine& line : auditLines())
        if (line.isBlocking) out += line.count;
    return out;
}

QString DataModel::verdict() const {
    if (!m_data) return {};
    if (isRunningText() && hasTokens()) {
        qint64 tokens = 0;
        for (const training::TokenizedExample& row : m_data->rows) tokens += row.fullLength;
        const QString window = m_settings.maxLength > 0 ? tr("of %1").arg(formatCount(m_settings.maxLength))
                                                        : tr("as long as the model takes");
        return tr("All %1 tokens will teach, in windows %2.").arg(formatCount(tokens), window);
    }
    const auto without = static_cast<qint64>(m_audit.badLines.size() + m_audit.zeroTargetLines.size());
    const qint64 rows = rowCount();
    const qint64 undecided = undecidedRows();
    QString out = hasTokens() ? tr("%1 of %2 rows will teach").arg(formatCount(rows - without), formatCount(rows))
                              : tr("%1 of %2 rows can be read").arg(formatCount(rows - without), formatCount(rows));
    if (undecided == 1)
        out += tr("; 1 needs a decision");
    else if (undecided > 1)
        out += tr("; %1 need a decision").arg(formatCount(undecided));
    else if (without > 0)
        out += tr("; %1 will be skipped").arg(formatCount(without));
    return out + QLatin1Char('.');
}

void DataModel::decideToSkip(AuditLine::Kind kind) {
    if (kind == AuditLine::Kind::BadLines) m_skipsBadLines = true;
    if (kind == AuditLine::Kind::ZeroTarget) m_skipsEmptyTargets = true;
    emit auditChanged();
}

void DataModel::showRow(int example, qint64 line) {
    m_shownLine = line;
    m_shownTokens.clear();
    m_shownProblem.clear();
    m_rowJobs.cancel();
    if (!m_data) return;
    if (example < 0) {
        for (const training::BadLine& bad : m_data->dataset.badLines)
            if (bad.line == line) m_shownProblem = QString::fromStdString(bad.reason);
        emit rowShown();
        return;
    }
    if (!m_data->tokenizer) {
        m_shownProblem = tr("Choose a model: its tokenizer decides what the row looks like to it.");
        emit rowShown();
        return;
    }
    m_rowJobs.run([data = m_data, example](const IsStale&) { return tokensOfRow(*data, example); },
                  [this](RowTokens row) {
                      m_shownTokens = std::move(row.tokens);
                      m_shownInputBegin = row.inputBegin;
                      m_shownInputEnd = row.inputEnd;
                      emit rowShown();
                  },
                  [this](const QString& message) {
                      m_shownProblem = message;
                      emit rowShown();
                  });
}

QVector<TokenView> DataModel::shownTokens() const {
    QVector<TokenView> out = m_shownTokens;
    const qint64 excess = m_maxLength > 0 && !isRunningText() ? out.size() - m_maxLength : 0;
    if (excess <= 0) return out;
    const bool isShortened = m_settings.shortensInputs && excess < m_shownInputEnd - m_shownInputBegin;
    const qint64 end = isShortened ? m_shownInputEnd : out.size();
    for (qint64 i = end - excess; i < end; ++i) out[i].role = TokenView::Role::Cut;
    return out;
}

}  // namespace wb::app
