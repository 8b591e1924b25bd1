// SPDX-License-Identifier: Apache-2.0
#include "core/library/run_index.h"

#include <fmt/format.h>

#include <set>

#include "core/library/statements.h"
#include "core/run/recipe_fields.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

constexpr size_t kEventsAtOnce = 4096;

std::optional<double> realOrNothing(const SQLite::Column& column) {
    return column.isNull() ? std::nullopt : std::optional(column.getDouble());
}

std::optional<int64_t> wholeOrNothing(const SQLite::Column& column) {
    return column.isNull() ? std::nullopt : std::optional(column.getInt64());
}

// In the order of sql::kRunColumns.
RunEntry readRun(SQLite::Statement& row) {
    RunEntry run;
    int i = 0;
    for (std::string* text : {&run.id, &run.folder, &run.title, &run.state, &run.model, &run.data, &run.method,
                              &run.objective, &run.recipeToml}) {
        *text = row.getColumn(i++).getString();
    }
    run.created = row.getColumn(i++).getDouble();
    run.lastEvent = row.getColumn(i++).getDouble();
    run.steps = row.getColumn(i++).getInt64();
    run.totalSteps = row.getColumn(i++).getInt64();
    run.bestStep = wholeOrNothing(row.getColumn(i++));
    run.bestLoss = realOrNothing(row.getColumn(i++));
    run.lastLoss = realOrNothing(row.getColumn(i++));
    run.bestCheckpoint = row.getColumn(i++).getString();
    run.tokensPerSecond = row.getColumn(i++).getDouble();
    run.seconds = row.getColumn(i++).getDouble();
    run.peakBytes = row.getColumn(i++).getInt64();
    run.modelHash = row.getColumn(i++).getString();
    run.weightHash = row.getColumn(i++).getString();
    run.problem = row.getColumn(i++).getString();
    return run;
}

// What a recipe says; everything else of a run comes from its events.
RunEntry entryOf(const RunFolder& run) {
    RunEntry entry;
    entry.id = run.id();
    entry.folder = run.path().string();
    entry.state = std::string(runStateName(run.state()));
    try {
        const Recipe recipe = run.recipe();
        entry.title = recipeTitle(recipe);
        entry.model = recipe.model.empty() ? recipe.fromConfig : recipe.model;
        entry.data = recipe.data;
        entry.method = std::string(choiceName(recipe.method));
        entry.objective = std::string(choiceName(recipe.objective));
        entry.recipeToml = recipeToToml(recipe);
    } catch (const Error& error) {
        entry.title = run.id();
        entry.problem = error.what();
    }
    return entry;
}

void apply(RunEntry& entry, const RunStarted& started) {
    entry.totalSteps = started.totalSteps;
    entry.modelHash = started.modelHash;
    entry.problem.clear();  // a resumed run has left its error behind
}

void apply(RunEntry& entry, const StepDone& step) {
    entry.steps = step.step;
    entry.lastLoss = step.loss;
    entry.tokensPerSecond = step.tokensPerSecond;
    entry.seconds += step.stepMs / 1000.0;
}

void apply(RunEntry& entry, const Evaluated& evaluated) {
    if (entry.bestLoss && evaluated.loss >= *entry.bestLoss) return;
    entry.bestLoss = evaluated.loss;
    entry.bestStep = evaluated.step;
}

void apply(RunEntry& entry, const CheckpointSaved& checkpoint) {
    if (checkpoint.isBest || entry.bestCheckpoint.empty()) entry.bestCheckpoint = checkpoint.path;
}

void apply(RunEntry& entry, const ErrorRaised& error) {
    entry.problem = error.message;
}

void apply(RunEntry& entry, const RunFinished& finished) {
    entry.peakBytes = finished.peakBytes;
    entry.weightHash = finished.weightHash;
    if (finished.tokensPerSecond > 0.0) entry.tokensPerSecond = finished.tokensPerSecond;
    if (finished.seconds > 0.0) entry.seconds = finished.seconds;
    if (finished.bestStep) entry.bestStep = finished.bestStep;
    if (finished.bestLoss) entry.bestLoss = finished.bestLoss;
}

// Events that change nothing a list shows.
template <class Other>
void apply(RunEntry&, const Other&) {}

void applyEvent(RunEntry& entry, const Event& event) {
    if (entry.created == 0.0) entry.created = event.time;
    entry.lastEvent = event.time;
    std::visit([&entry](const auto& body) { apply(entry, body); }, event.body);
}

}  // namespace

RunEntry readRunEntry(const RunFolder& run) {
    RunEntry entry = entryOf(run);
    const std::string recipeProblem = entry.problem;
    EventReader reader(run.eventsPath());
    while (true) {
        const std::vector<Event> events = reader.poll(kEventsAtOnce);
        if (events.empty()) break;
        for (const Event& event : events) applyEvent(entry, event);
    }
    if (!recipeProblem.empty()) entry.problem = recipeProblem;
    return entry;
}

void RunIndex::putPoints(const std::string& runId, const Event& event) {
    const auto put = [&](const char* name, int64_t step, double value) {
        m_database.execute(sql::kPutPoint, runId, name, step, value, event.time);
    };
    if (const auto* step = std::get_if<StepDone>(&event.body)) {
        put("loss", step->step, step->loss);
        put("learning_rate", step->step, step->learningRate);
        put("grad_norm", step->step, step->gradNorm);
        put("tokens_per_second", step->step, step->tokensPerSecond);
    } else if (const auto* evaluated = std::get_if<Evaluated>(&event.body)) {
        put("eval_loss", evaluated->step, evaluated->loss);
        put("token_accuracy", evaluated->step, evaluated->tokenAccuracy);
    }
}

void RunIndex::takeEvents(const RunFolder& run, Stored& stored) {
    EventReader reader(run.eventsPath(), stored.indexedBytes);
    while (true) {
        const std::vector<Event> events = reader.poll(kEventsAtOnce);
        if (reader.wasRestarted()) {
            // The file is another one than what was read: nothing of it counts any more.
            stored.entry = entryOf(run);
            m_database.execute(sql::kDeletePoints, stored.entry.id);
        }
        if (events.empty()) break;
        for (const Event& event : events) {
            applyEvent(stored.entry, event);
            putPoints(stored.entry.id, event);
        }
    }
    stored.indexedBytes = reader.offset();
}

std::optional<RunIndex::Stored> RunIndex::load(std::string_view id) {
    const std::string statement = fmt::format("SELECT {} FROM runs WHERE id = ?1", sql::kRunColumns);
    const auto read = [](SQLite::Statement& row) {
        return Stored{readRun(row), row.getColumn(row.getColumnCount() - 1).getInt64()};
    };
    auto rows = m_database.select<Stored>(statement, read, std::string(id));
    return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

void RunIndex::store(const Stored& stored) {
    const RunEntry& r = stored.entry;
    m_database.execute(sql::kPutRun, r.id, r.folder, r.title, r.state, r.model, r.data, r.method, r.objective,
                       r.recipeToml, r.created, r.lastEvent, r.steps, r.totalSteps, r.bestStep, r.bestLoss, r.lastLoss,
                       r.bestCheckpoint, r.tokensPerSecond, r.seconds, r.peakBytes, r.modelHash, r.weightHash,
                       r.problem, stored.indexedBytes);
}

// A trained adapter becomes a version once there is a checkpoint to take it from.
void RunIndex::storeAdapter(const RunFolder& run, const RunEntry& entry) {
    if (entry.method != choiceName(TuneMethod::Lora) || entry.bestCheckpoint.empty()) return;
    m_database.execute(sql::kPutAdapter, entry.title);
    m_database.execute(sql::kPutVersion, entry.title, entry.id, (run.path() / entry.bestCheckpoint).string(),
                       entry.model, entry.modelHash, entry.bestLoss, entry.created);
}

RunEntry RunIndex::update(const RunFolder& run) {
    const auto work = [&] {
        const RunEntry fresh = entryOf(run);
        Stored stored = load(run.id()).value_or(Stored{fresh, 0});
        stored.entry.state = fresh.state;
        stored.entry.folder = fresh.folder;
        // The row must be there before its points.
        store(stored);
        takeEvents(run, stored);
        if (!fresh.problem.empty()) stored.entry.problem = fresh.problem;
        store(stored);
        storeAdapter(run, stored.entry);
        return stored.entry;
    };
    // Within a rebuild everything is one transaction already.
    if (m_database.isInTransaction()) return work();
    return m_database.inTransaction(work);
}

std::vector<RunEntry> RunIndex::updateAll(const std::filesystem::path& libraryFolder) {
    std::vector<RunEntry> entries;
    std::set<std::string> present;
    for (const RunFolder& run : RunFolder::list(libraryFolder)) {
        const auto stored = load(run.id());
        present.insert(run.id());
        std::error_code error;
        const auto size = std::filesystem::file_size(run.eventsPath(), error);
        const bool isUnchanged = stored && stored->entry.folder == run.path().string() &&
                                 stored->indexedBytes == (error ? 0 : static_cast<int64_t>(size)) &&
                                 stored->entry.state == runStateName(run.state());
        entries.push_back(isUnchanged ? stored->entry : update(run));
    }
    for (const std::string& id : m_database.select<std::string>(
             sql::kAllRuns, [](SQLite::Statement& row) { return row.getColumn(0).getString(); })) {
        if (!present.contains(id)) m_database.execute(sql::kDeleteRun, id);
    }
    return entries;
}

std::vector<RunEntry> RunIndex::all() {
    return m_database.select<RunEntry>(fmt::format("SELECT {} FROM runs ORDER BY id DESC", sql::kRunColumns), readRun);
}

std::optional<RunEntry> RunIndex::find(std::string_view id) {
    const auto stored = load(id);
    return stored ? std::optional(stored->entry) : std::nullopt;
}

}  // namespace wb::core
