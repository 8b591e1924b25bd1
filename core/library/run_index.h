// SPDX-License-Identifier: Apache-2.0
// Private to the library: what run folders say, taken into tables.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "core/library/database.h"
#include "core/library/library.h"
#include "core/run/events.h"
#include "core/run/run_folder.h"

namespace wb::core {

// Throws SQLite::Exception; the library translates.
class RunIndex {
public:
    explicit RunIndex(Database& database) : m_database(database) {}

    // Reads the events that came since the last time, in one transaction if none is open yet.
    RunEntry update(const RunFolder& run);
    std::vector<RunEntry> updateAll(const std::filesystem::path& libraryFolder);

    std::vector<RunEntry> all();
    std::optional<RunEntry> find(std::string_view id);

private:
    struct Stored {
        RunEntry entry;
        int64_t indexedBytes = 0;  // of events.jsonl
    };

    std::optional<Stored> load(std::string_view id);
    void takeEvents(const RunFolder& run, Stored& stored);
    void putPoints(const std::string& runId, const Event& event);
    void store(const Stored& stored);
    void storeAdapter(const RunFolder& run, const RunEntry& entry);

    Database& m_database;
};

}  // namespace wb::core
