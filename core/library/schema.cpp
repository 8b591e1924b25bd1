// SPDX-License-Identifier: Apache-2.0
#include "core/library/schema.h"

namespace wb::core {
namespace {

constexpr std::string_view kFirstTables = R"sql(
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    folder TEXT NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    model TEXT NOT NULL,
    data TEXT NOT NULL,
    method TEXT NOT NULL,
    objective TEXT NOT NULL,
    recipe_toml TEXT NOT NULL,
    created REAL NOT NULL,
    last_event REAL NOT NULL,
    steps INTEGER NOT NULL,
    total_steps INTEGER NOT NULL,
    best_step INTEGER,
    best_loss REAL,
    last_loss REAL,
    best_checkpoint TEXT NOT NULL,
    tokens_per_second REAL NOT NULL,
    seconds REAL NOT NULL,
    peak_bytes INTEGER NOT NULL,
    model_hash TEXT NOT NULL,
    weight_hash TEXT NOT NULL,
    problem TEXT NOT NULL,
    indexed_bytes INTEGER NOT NULL
);

CREATE TABLE metric_points (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    step INTEGER NOT NULL,
    value REAL,
    time REAL NOT NULL,
    PRIMARY KEY (run_id, name, step)
) WITHOUT ROWID;

CREATE TABLE models (
    path TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    architecture TEXT NOT NULL,
    dtype TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    hash TEXT NOT NULL,
    added REAL NOT NULL
);

CREATE TABLE datasets (
    path TEXT PRIMARY KEY,
    format TEXT NOT NULL,
    template TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    hash TEXT NOT NULL,
    added REAL NOT NULL
);

CREATE TABLE adapters (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE adapter_versions (
    id INTEGER PRIMARY KEY,
    adapter_id INTEGER NOT NULL REFERENCES adapters (id) ON DELETE CASCADE,
    run_id TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    base_model TEXT NOT NULL,
    base_hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'promoted', 'retired')),
    eval_loss REAL,
    note TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL
);
CREATE INDEX adapter_versions_by_adapter ON adapter_versions (adapter_id, created);

CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    model TEXT NOT NULL,
    adapter TEXT NOT NULL,
    data TEXT NOT NULL,
    metrics_json TEXT NOT NULL,
    time REAL NOT NULL
);

CREATE TABLE comparisons (
    id INTEGER PRIMARY KEY,
    prompt TEXT NOT NULL,
    panes_json TEXT NOT NULL,
    settings_json TEXT NOT NULL,
    time REAL NOT NULL
);

CREATE TABLE votes (
    id INTEGER PRIMARY KEY,
    comparison_id INTEGER NOT NULL REFERENCES comparisons (id) ON DELETE CASCADE,
    choice TEXT NOT NULL,
    is_blind INTEGER NOT NULL,
    time REAL NOT NULL
);
)sql";

constexpr std::string_view kSteps[] = {kFirstTables};

}  // namespace

std::span<const std::string_view> schemaSteps() {
    return kSteps;
}

}  // namespace wb::core
