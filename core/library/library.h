// SPDX-License-Identifier: Apache-2.0
// library.db: an index over run folders, and a memory of what is in no folder (votes, comparisons, adapter states).
// SQLite in WAL mode: any number of processes read while one writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/run/run_folder.h"

namespace wb::core {

// A run as lists show it. Times are seconds since 1970, 0 if unknown.
struct RunEntry {
    std::string id;
    std::string folder;
    std::string title;
    std::string state;  // runStateName at the last look
    std::string model;
    std::string data;
    std::string method;
    std::string objective;
    std::string recipeToml;
    double created = 0.0;
    double lastEvent = 0.0;
    int64_t steps = 0;
    int64_t totalSteps = 0;
    std::optional<int64_t> bestStep;
    std::optional<double> bestLoss;  // of validation
    std::optional<double> lastLoss;  // of training
    std::string bestCheckpoint;      // relative to the folder
    double tokensPerSecond = 0.0;
    double seconds = 0.0;
    int64_t peakBytes = 0;
    std::string modelHash;
    std::string weightHash;
    std::string problem;  // of the last error event or of reading the folder

    bool operator==(const RunEntry&) const = default;
};

// Reads a run straight from its folder, whether or not a library knows it. Does not throw for a folder whose recipe
// cannot be read: the entry then has a problem. Throws Io if the events cannot be read.
RunEntry readRunEntry(const RunFolder& run);

struct MetricPoint {
    int64_t step = 0;
    double value = 0.0;
    double time = 0.0;

    bool operator==(const MetricPoint&) const = default;
};

struct ModelEntry {
    std::string path;  // identifies it
    std::string name;
    std::string architecture;
    std::string dtype;
    int64_t parameters = 0;
    int64_t bytes = 0;
    std::string hash;  // empty until it was computed
    double added = 0.0;

    bool operator==(const ModelEntry&) const = default;
};

struct DatasetEntry {
    std::string path;  // identifies it
    std::string format;
    std::string templateName;
    int64_t rows = 0;
    int64_t bytes = 0;
    std::string hash;
    double added = 0.0;

    bool operator==(const DatasetEntry&) const = default;
};

enum class AdapterState { Draft, Promoted, Retired };
std::string_view adapterStateName(AdapterState state);

// One trained adapter. Versions of one name are numbered from 1 in the order of their runs.
struct AdapterVersion {
    int64_t id = 0;
    std::string name;
    int64_t version = 0;
    std::string runId;
    std::string path;  // folder with the adapter, absolute
    std::string baseModel;
    std::string baseHash;
    AdapterState state = AdapterState::Draft;
    std::optional<double> evalLoss;
    std::string note;
    double created = 0.0;

    bool operator==(const AdapterVersion&) const = default;
};

struct EvaluationEntry {
    int64_t id = 0;
    std::string runId;  // empty if of no run
    std::string model;
    std::string adapter;
    std::string data;
    std::string metricsJson;  // an object: {"exact_match": 0.9, ...}
    double time = 0.0;

    bool operator==(const EvaluationEntry&) const = default;
};

struct ComparisonEntry {
    int64_t id = 0;
    std::string prompt;
    std::string panesJson;     // a list: names, provenance, outputs
    std::string settingsJson;  // an object
    double time = 0.0;

    bool operator==(const ComparisonEntry&) const = default;
};

struct VoteEntry {
    int64_t id = 0;
    int64_t comparison = 0;
    std::string choice;  // name of a pane, or "tie"
    bool isBlind = false;
    double time = 0.0;

    bool operator==(const VoteEntry&) const = default;
};

struct RebuildReport {
    int64_t runs = 0;
    int64_t metricPoints = 0;
    std::vector<std::string> problems;  // folders that could not be read, and why
    std::string setAside;               // where a damaged library.db went, empty if it was whole
};

// Not thread-safe; each thread opens its own.
class Library {
public:
    // Opens `<folder>/library.db` and makes folder, file and tables as needed.
    // Throws Io; CorruptFile if the file is damaged, naming the way on; Unsupported if a newer version made it.
    explicit Library(const std::filesystem::path& folder);
    Library(Library&&) noexcept;
    Library& operator=(Library&&) noexcept;
    ~Library();

    const std::filesystem::path& folder() const;
    // Version of the tables; equals that of this program after opening.
    int schemaVersion() const;

    // Takes in what the run's folder gained since the last look, and returns the run as it is now. Trained adapters
    // become versions. A folder that cannot be read gives an entry with its problem.
    RunEntry indexRun(const RunFolder& run);
    // The same for every run of the library folder; forgets runs whose folder is gone. Newest first.
    std::vector<RunEntry> indexAllRuns();
    std::vector<RunEntry> runs() const;  // newest first, as of the last look
    std::optional<RunEntry> run(std::string_view id) const;

    // Points of "loss", "learning_rate", "grad_norm", "tokens_per_second", "eval_loss" or "token_accuracy", by step.
    std::vector<MetricPoint> metric(std::string_view runId, std::string_view name) const;

    void putModel(const ModelEntry& model);  // replaces the entry of this path
    std::vector<ModelEntry> models() const;
    void putDataset(const DatasetEntry& dataset);
    std::vector<DatasetEntry> datasets() const;

    std::vector<AdapterVersion> adapters() const;  // by name, newest version first
    // Promoting retires the version of the same name that was promoted before. Throws NotFound.
    void setAdapterState(int64_t id, AdapterState state);
    void setAdapterNote(int64_t id, std::string_view note);  // throws NotFound

    int64_t addEvaluation(const EvaluationEntry& evaluation);  // returns its id
    std::vector<EvaluationEntry> evaluations() const;
    int64_t addComparison(const ComparisonEntry& comparison);
    std::vector<ComparisonEntry> comparisons() const;  // newest first
    // Throws InvalidArgument if there is no such comparison.
    int64_t addVote(const VoteEntry& vote);
    std::vector<VoteEntry> votes() const;

    // Makes runs and metric points anew from the run folders, and keeps what is in no folder. A damaged library.db is
    // set aside first and a new one made.
    static RebuildReport rebuildFromRuns(const std::filesystem::path& folder);

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace wb::core
