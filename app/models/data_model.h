// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QObject>
#include <QVector>
#include <memory>

#include "app/models/job_tracker.h"
#include "app/models/token_view.h"
#include "app/models/whet_command.h"
#include "training/data/audit.h"

namespace wb::app {

struct DataSettings {
    QString file;
    QString format = QStringLiteral("auto");
    QString templateName = QStringLiteral("auto");
    QString model;         // folder or file whose tokenizer counts; empty: rows without tokens
    qint64 maxLength = 0;  // 0: 99th percentile of the data
    bool trainsOnAll = false;
    bool shortensInputs = true;  // long rows give up the end of their longest input before their answer

    bool operator==(const DataSettings&) const = default;
};

// What the worker prepared; never changed afterwards, so that both threads may read it.
struct LoadedData;

// One finding of the audit with the rows it is about.
struct AuditLine {
    enum class Kind {
        BadLines,
        ZeroTarget,
        EmptyResponse,
        Shortened,
        Truncated,
        Duplicates,
        Conflicts,
        Leaks,
        Warnings
    };
    enum class Fix { None, SkipBadLines, SkipEmptyTargets, RaiseMaxLength };
    Kind kind = Kind::BadLines;
    qint64 count = 0;
    QString headline;  // "3 lines cannot be read"
    QString meaning;   // what it means for training
    Fix fix = Fix::None;
    QString fixText;          // verb of the fix's button
    bool isBlocking = false;  // needs a decision before a run starts
    QVector<qint64> lines;
    QStringList reasons;  // beside lines where each has its own
};

// Rows of the file: line, prompt, response, tokens, state. Virtual: texts are cut when asked for.
class RowTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Line, Prompt, Response, TokenCount, State, ColumnCount };

    explicit RowTableModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}
    void setData(std::shared_ptr<const LoadedData> data, qint64 maxLength);
    // Only these file lines; empty shows all.
    void showOnly(const QVector<qint64>& lines);
    bool isFiltered() const { return m_isFiltered; }
    // Index into the examples, or -1 for a bad line.
    int exampleAt(int row) const;
    qint64 lineAt(int row) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    void rebuild();

    std::shared_ptr<const LoadedData> m_data;
    qint64 m_maxLength = 0;
    QVector<qint64> m_only;
    bool m_isFiltered = false;
    QVector<int> m_rows;  // example index, or -1 - index of a bad line
};

// The Data page: reads and tokenises a file in the background, audits it for a maximum length, shows single rows.
class DataModel : public QObject {
    Q_OBJECT

public:
    explicit DataModel(QObject* parent = nullptr);

    const DataSettings& settings() const { return m_settings; }
    // Reads again what the change concerns; answers with changed() or failed(). Repeated calls: the latest wins.
    void setSettings(const DataSettings& settings);
    // Only the limit: rows are not read again.
    void setMaxLength(qint64 tokens);
    void close();

    bool isLoading() const { return m_jobs.isBusy(); }
    bool isLoaded() const { return m_data != nullptr; }
    bool isRunningText() const;  // neither prompts nor responses
    QString formatTitle() const;
    QString templateTitle() const;
    QString templateDescription() const;
    QStringList formatChoices() const;
    QStringList columnNames() const;
    QStringList notes() const;
    bool hasTokens() const;
    qint64 rowCount() const;
    qint64 maxLength() const { return m_maxLength; }
    const training::DataAudit& audit() const { return m_audit; }
    QVector<AuditLine> auditLines() const;
    // "382 of 400 rows will teach; 18 need a decision."
    QString verdict() const;
    // The prompt of the first readable row, for trying a model; empty without data.
    QString firstPrompt() const;
    // Rows that block a start until a person decides.
    qint64 undecidedRows() const;
    void decideToSkip(AuditLine::Kind kind);
    bool skipsBadLines() const { return m_skipsBadLines; }
    bool skipsEmptyTargets() const { return m_skipsEmptyTargets; }

    RowTableModel& rows() { return m_rows; }
    // Renders and tokenises one row in the background; answers with rowShown(). A negative index is a bad line.
    void showRow(int example, qint64 line);
    qint64 shownLine() const { return m_shownLine; }
    // The row as the model sees it, with what the limit cuts off; empty for a bad line.
    QVector<TokenView> shownTokens() const;
    // Why there are no tokens: the bad line's reason, the template's refusal, or that a model is missing.
    QString shownProblem() const { return m_shownProblem; }

signals:
    void loadingStarted();
    void changed();
    void auditChanged();
    void rowShown();
    void failed(const wb::app::Problem& problem);

private:
    void reload();

    JobTracker m_jobs;
    JobTracker m_auditJobs;
    JobTracker m_rowJobs;
    DataSettings m_settings;
    std::shared_ptr<const LoadedData> m_data;
    training::DataAudit m_audit;
    qint64 m_maxLength = 0;
    bool m_skipsBadLines = false;
    bool m_skipsEmptyTargets = false;
    RowTableModel m_rows;
    qint64 m_shownLine = 0;
    QVector<TokenView> m_shownTokens;
    qint64 m_shownInputBegin = 0;  // the input that a long row gives up first
    qint64 m_shownInputEnd = 0;
    QString m_shownProblem;
};

}  // namespace wb::app
