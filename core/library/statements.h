// SPDX-License-Identifier: Apache-2.0
// Private to the library: every statement by name. Values are always bound.
#pragma once

namespace wb::core::sql {

inline constexpr char kRunColumns[] =
    "id, folder, title, state, model, data, method, objective, recipe_toml, created, last_event, steps, total_steps, "
    "best_step, best_loss, last_loss, best_checkpoint, tokens_per_second, seconds, peak_bytes, model_hash, "
    "weight_hash, "
    "problem, indexed_bytes";

inline constexpr char kPutRun[] = R"sql(
INSERT INTO runs (id, folder, title, state, model, data, method, objective, recipe_toml, created, last_event, steps,
    total_steps, best_step, best_loss, last_loss, best_checkpoint, tokens_per_second, seconds, peak_bytes, model_hash,
    weight_hash, problem, indexed_bytes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)
ON CONFLICT (id) DO UPDATE SET
    folder = ?2, title = ?3, state = ?4, model = ?5, data = ?6, method = ?7, objective = ?8, recipe_toml = ?9,
    created = ?10, last_event = ?11, steps = ?12, total_steps = ?13, best_step = ?14, best_loss = ?15, last_loss = ?16,
    best_checkpoint = ?17, tokens_per_second = ?18, seconds = ?19, peak_bytes = ?20, model_hash = ?21, weight_hash = ?22,
    problem = ?23, indexed_bytes = ?24)sql";
inline constexpr char kAllRuns[] = "SELECT id FROM runs ORDER BY id DESC";
inline constexpr char kDeleteRun[] = "DELETE FROM runs WHERE id = ?1";
inline constexpr char kDeleteAllRuns[] = "DELETE FROM runs";

inline constexpr char kPutPoint[] =
    "INSERT OR REPLACE INTO metric_points (run_id, name, step, value, time) VALUES (?1, ?2, ?3, ?4, ?5)";
inline constexpr char kDeletePoints[] = "DELETE FROM metric_points WHERE run_id = ?1";
inline constexpr char kPoints[] =
    "SELECT step, value, time FROM metric_points WHERE run_id = ?1 AND name = ?2 AND value IS NOT NULL ORDER BY step";
inline constexpr char kCountPoints[] = "SELECT count(*) FROM metric_points";

inline constexpr char kPutModel[] =
    "INSERT OR REPLACE INTO models (path, name, architecture, dtype, parameters, bytes, hash, added) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
inline constexpr char kModels[] =
    "SELECT path, name, architecture, dtype, parameters, bytes, hash, added FROM models ORDER BY name, path";

inline constexpr char kPutDataset[] =
    "INSERT OR REPLACE INTO datasets (path, format, template, rows, bytes, hash, added) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
inline constexpr char kDatasets[] =
    "SELECT path, format, template, rows, bytes, hash, added FROM datasets ORDER BY added DESC, path";

inline constexpr char kPutAdapter[] = "INSERT INTO adapters (name) VALUES (?1) ON CONFLICT (name) DO NOTHING";
// State and note are a person's and stay.
inline constexpr char kPutVersion[] = R"sql(
INSERT INTO adapter_versions (adapter_id, run_id, path, base_model, base_hash, state, eval_loss, created)
VALUES ((SELECT id FROM adapters WHERE name = ?1), ?2, ?3, ?4, ?5, 'draft', ?6, ?7)
ON CONFLICT (run_id) DO UPDATE SET adapter_id = excluded.adapter_id, path = ?3, base_model = ?4, base_hash = ?5,
    eval_loss = ?6, created = ?7)sql";
inline constexpr char kVersions[] = R"sql(
SELECT v.id, a.name, row_number() OVER (PARTITION BY a.id ORDER BY v.run_id), v.run_id, v.path, v.base_model, v.base_hash,
    v.state, v.eval_loss, v.note, v.created
FROM adapter_versions v JOIN adapters a ON a.id = v.adapter_id
ORDER BY a.name, v.run_id DESC)sql";
inline constexpr char kRetireOthers[] = R"sql(
UPDATE adapter_versions SET state = 'retired' WHERE state = 'promoted' AND id <> ?1
    AND adapter_id = (SELECT adapter_id FROM adapter_versions WHERE id = ?1))sql";
inline constexpr char kSetVersionState[] = "UPDATE adapter_versions SET state = ?2 WHERE id = ?1";
inline constexpr char kSetVersionNote[] = "UPDATE adapter_versions SET note = ?2 WHERE id = ?1";

inline constexpr char kAddEvaluation[] =
    "INSERT INTO evaluations (run_id, model, adapter, data, metrics_json, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
inline constexpr char kEvaluations[] =
    "SELECT id, run_id, model, adapter, data, metrics_json, time FROM evaluations ORDER BY id DESC";
inline constexpr char kAddComparison[] =
    "INSERT INTO comparisons (prompt, panes_json, settings_json, time) VALUES (?1, ?2, ?3, ?4)";
inline constexpr char kComparisons[] =
    "SELECT id, prompt, panes_json, settings_json, time FROM comparisons ORDER BY id DESC";
inline constexpr char kAddVote[] = "INSERT INTO votes (comparison_id, choice, is_blind, time) VALUES (?1, ?2, ?3, ?4)";
inline constexpr char kVotes[] = "SELECT id, comparison_id, choice, is_blind, time FROM votes ORDER BY id";

}  // namespace wb::core::sql
