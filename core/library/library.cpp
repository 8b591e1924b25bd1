// SPDX-License-Identifier: Apache-2.0
#include "core/library/library.h"

#include <fmt/format.h>

#include <ctime>
#include <system_error>

#include "core/library/database.h"
#include "core/library/run_index.h"
#include "core/library/statements.h"
#include "core/run/atomic_file.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

constexpr const char* kFileName = "library.db";

std::filesystem::path prepared(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throwSystemError("cannot create", folder, error.value());
    return folder / kFileName;
}

AdapterState adapterStateOf(const std::string& name) {
    for (const AdapterState state : {AdapterState::Promoted, AdapterState::Retired}) {
        if (adapterStateName(state) == name) return state;
    }
    return AdapterState::Draft;
}

std::optional<double> realOrNothing(const SQLite::Column& column) {
    return column.isNull() ? std::nullopt : std::optional(column.getDouble());
}

ModelEntry readModel(SQLite::Statement& row) {
    return {row.getColumn(0),
            row.getColumn(1),
            row.getColumn(2),
            row.getColumn(3),
            row.getColumn(4).getInt64(),
            row.getColumn(5).getInt64(),
            row.getColumn(6),
            row.getColumn(7).getDouble()};
}

DatasetEntry readDataset(SQLite::Statement& row) {
    return {row.getColumn(0),
            row.getColumn(1),
            row.getColumn(2),
            row.getColumn(3).getInt64(),
            row.getColumn(4).getInt64(),
            row.getColumn(5),
            row.getColumn(6).getDouble()};
}

AdapterVersion readVersion(SQLite::Statement& row) {
    return {.id = row.getColumn(0).getInt64(),
            .name = row.getColumn(1),
            .version = row.getColumn(2).getInt64(),
            .runId = row.getColumn(3),
            .path = row.getColumn(4),
            .baseModel = row.getColumn(5),
            .baseHash = row.getColumn(6),
            .state = adapterStateOf(row.getColumn(7)),
            .evalLoss = realOrNothing(row.getColumn(8)),
            .note = row.getColumn(9),
            .created = row.getColumn(10).getDouble()};
}

EvaluationEntry readEvaluation(SQLite::Statement& row) {
    return {row.getColumn(0).getInt64(),
            row.getColumn(1),
            row.getColumn(2),
            row.getColumn(3),
            row.getColumn(4),
            row.getColumn(5),
            row.getColumn(6).getDouble()};
}

ComparisonEntry readComparison(SQLite::Statement& row) {
    return {row.getColumn(0).getInt64(), row.getColumn(1), row.getColumn(2), row.getColumn(3),
            row.getColumn(4).getDouble()};
}

VoteEntry readVote(SQLite::Statement& row) {
    return {row.getColumn(0).getInt64(), row.getColumn(1).getInt64(), row.getColumn(2), row.getColumn(3).getInt() != 0,
            row.getColumn(4).getDouble()};
}

// Out of the way under a name that is not taken; the write-ahead log belongs to it.
std::string setAside(const std::filesystem::path& folder) {
    const std::filesystem::path file = folder / kFileName;
    std::filesystem::path target;
    for (int attempt = 0; target.empty() || std::filesystem::exists(target); ++attempt) {
        target = folder / fmt::format("{}.damaged-{}{}", kFileName, static_cast<int64_t>(std::time(nullptr)),
                                      attempt == 0 ? "" : fmt::format("-{}", attempt));
    }
    std::error_code error;
    std::filesystem::rename(file, target, error);
    if (error) throwSystemError("cannot set aside", file, error.value());
    for (const char* suffix : {"-wal", "-shm"}) {
        std::filesystem::rename(file.string() + suffix, target.string() + suffix, error);
    }
    return target.string();
}

}  // namespace

std::string_view adapterStateName(AdapterState state) {
    switch (state) {
        case AdapterState::Draft: return "draft";
        case AdapterState::Promoted: return "promoted";
        case AdapterState::Retired: return "retired";
    }
    return "draft";
}

struct Library::Impl {
    explicit Impl(const std::filesystem::path& libraryFolder)
        : folder(libraryFolder), database(prepared(libraryFolder)) {}

    std::filesystem::path folder;
    mutable Database database;

    template <class T, class Read, class... Values>
    std::vector<T> select(const char* statement, const Read& read, const Values&... values) const {
        return database.guarded([&] { return database.select<T>(statement, read, values...); });
    }

    template <class... Values>
    int64_t insert(const char* statement, const Values&... values) {
        return database.inTransaction([&] {
            database.execute(statement, values...);
            return database.lastId();
        });
    }
};

Library::Library(const std::filesystem::path& folder) : m_impl(std::make_unique<Impl>(folder)) {}
Library::Library(Library&&) noexcept = default;
Library& Library::operator=(Library&&) noexcept = default;
Library::~Library() = default;

const std::filesystem::path& Library::folder() const {
    return m_impl->folder;
}

int Library::schemaVersion() const {
    Database& database = m_impl->database;
    return database.guarded([&] { return database.connection().execAndGet("PRAGMA user_version").getInt(); });
}

RunEntry Library::indexRun(const RunFolder& run) {
    RunIndex index(m_impl->database);
    return m_impl->database.guarded([&] { return index.update(run); });
}

std::vector<RunEntry> Library::indexAllRuns() {
    return m_impl->database.guarded([&] {
        RunIndex index(m_impl->database);
        return index.updateAll(m_impl->folder);
    });
}

std::vector<RunEntry> Library::runs() const {
    return m_impl->database.guarded([&] { return RunIndex(m_impl->database).all(); });
}

std::optional<RunEntry> Library::run(std::string_view id) const {
    return m_impl->database.guarded([&] { return RunIndex(m_impl->database).find(id); });
}

std::vector<MetricPoint> Library::metric(std::string_view runId, std::string_view name) const {
    const auto read = [](SQLite::Statement& row) {
        return MetricPoint{row.getColumn(0).getInt64(), row.getColumn(1).getDouble(), row.getColumn(2).getDouble()};
    };
    return m_impl->select<MetricPoint>(sql::kPoints, read, std::string(runId), std::string(name));
}

void Library::putModel(const ModelEntry& m) {
    m_impl->insert(sql::kPutModel, m.path, m.name, m.architecture, m.dtype, m.parameters, m.bytes, m.hash, m.added);
}

std::vector<ModelEntry> Library::models() const {
    return m_impl->select<ModelEntry>(sql::kModels, readModel);
}

void Library::putDataset(const DatasetEntry& d) {
    m_impl->insert(sql::kPutDataset, d.path, d.format, d.templateName, d.rows, d.bytes, d.hash, d.added);
}

std::vector<DatasetEntry> Library::datasets() const {
    return m_impl->select<DatasetEntry>(sql::kDatasets, readDataset);
}

std::vector<AdapterVersion> Library::adapters() const {
    return m_impl->select<AdapterVersion>(sql::kVersions, readVersion);
}

void Library::setAdapterState(int64_t id, AdapterState state) {
    Database& database = m_impl->database;
    database.inTransaction([&] {
        if (state == AdapterState::Promoted) database.execute(sql::kRetireOthers, id);
        if (database.execute(sql::kSetVersionState, id, std::string(adapterStateName(state))) == 0) {
            throw Error{ErrorCode::NotFound, fmt::format("the library has no adapter version {}", id)};
        }
    });
}

void Library::setAdapterNote(int64_t id, std::string_view note) {
    Database& database = m_impl->database;
    database.inTransaction([&] {
        if (database.execute(sql::kSetVersionNote, id, std::string(note)) == 0) {
            throw Error{ErrorCode::NotFound, fmt::format("the library has no adapter version {}", id)};
        }
    });
}

int64_t Library::addEvaluation(const EvaluationEntry& e) {
    return m_impl->insert(sql::kAddEvaluation, e.runId, e.model, e.adapter, e.data, e.metricsJson, e.time);
}

std::vector<EvaluationEntry> Library::evaluations() const {
    return m_impl->select<EvaluationEntry>(sql::kEvaluations, readEvaluation);
}

int64_t Library::addComparison(const ComparisonEntry& c) {
    return m_impl->insert(sql::kAddComparison, c.prompt, c.panesJson, c.settingsJson, c.time);
}

std::vector<ComparisonEntry> Library::comparisons() const {
    return m_impl->select<ComparisonEntry>(sql::kComparisons, readComparison);
}

int64_t Library::addVote(const VoteEntry& v) {
    return m_impl->insert(sql::kAddVote, v.comparison, v.choice, v.isBlind ? 1 : 0, v.time);
}

std::vector<VoteEntry> Library::votes() const {
    return m_impl->select<VoteEntry>(sql::kVotes, readVote);
}

RebuildReport Library::rebuildFromRuns(const std::filesystem::path& folder) {
    RebuildReport report;
    const auto rebuild = [&] {
        Library library(folder);
        Database& database = library.m_impl->database;
        database.guarded([&] {
            // Damage in a page that nobody has touched would otherwise stay hidden in a "rebuilt" library.
            const std::string verdict = database.connection().execAndGet("PRAGMA quick_check(1)").getString();
            if (verdict != "ok") throw Error{ErrorCode::CorruptFile, fmt::format("library.db: {}", verdict)};
        });
        database.inTransaction([&] {
            RunIndex index(database);
            database.execute(sql::kDeleteAllRuns);
            for (const RunEntry& run : index.updateAll(folder)) {
                ++report.runs;
                if (!run.problem.empty()) report.problems.push_back(fmt::format("{}: {}", run.id, run.problem));
            }
            report.metricPoints = database.connection().execAndGet(sql::kCountPoints).getInt64();
        });
    };
    try {
        rebuild();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::CorruptFile) throw;
        report = {};
        report.setAside = setAside(folder);
        rebuild();
    }
    return report;
}

}  // namespace wb::core
