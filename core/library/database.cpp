// SPDX-License-Identifier: Apache-2.0
#include "core/library/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <thread>

#include "core/library/schema.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

constexpr int kBusyMs = 10000;
constexpr auto kModeRetry = std::chrono::milliseconds(5);

}  // namespace

void Database::throwError(const std::filesystem::path& file, const SQLite::Exception& error) {
    const int code = error.getErrorCode() & 0xff;
    const std::string name = file.string();
    switch (code) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            throw Error{
                ErrorCode::CorruptFile,
                fmt::format("{} is damaged ({}): `whet runs rebuild` sets it aside and makes a new one from the run "
                            "folders",
                            name, error.what())};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            throw Error{ErrorCode::Io,
                        fmt::format("{}: another process has been writing for {} s: try again", name, kBusyMs / 1000)};
        case SQLITE_CONSTRAINT: throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {}", name, error.what())};
        case SQLITE_NOMEM: throw Error{ErrorCode::OutOfMemory, fmt::format("{}: {}", name, error.what())};
        case SQLITE_FULL: throw Error{ErrorCode::Io, fmt::format("{}: the disk is full", name)};
        default:
            throw Error{ErrorCode::Io,
                        fmt::format("{}: {} (SQLite error {})", name, error.what(), error.getExtendedErrorCode())};
    }
}

SQLite::Database Database::openConnection(const std::filesystem::path& file) {
    try {
        return {file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyMs};
    } catch (const SQLite::Exception& error) {
        throwError(file, error);
    }
}

Database::Database(const std::filesystem::path& file) : m_file(file), m_connection(openConnection(file)) {
    guarded([this] {
        enterWriteAheadMode();
        m_connection.exec("PRAGMA synchronous = FULL");
        m_connection.exec("PRAGMA foreign_keys = ON");
        migrate();
    });
}

void Database::enterWriteAheadMode() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBusyMs);
    while (true) {
        try {
            m_connection.exec("PRAGMA journal_mode = WAL");
            return;
        } catch (const SQLite::Exception& error) {
            if (error.getErrorCode() != SQLITE_BUSY || std::chrono::steady_clock::now() > deadline) throw;
            std::this_thread::sleep_for(kModeRetry);
        }
    }
}

void Database::migrate() {
    const auto version = [this] { return m_connection.execAndGet("PRAGMA user_version").getInt(); };
    const auto steps = schemaSteps();
    const int wanted = static_cast<int>(steps.size());
    while (version() < wanted) {
        SQLite::Transaction transaction(m_connection, SQLite::TransactionBehavior::IMMEDIATE);
        // Another process may have taken the step while this one waited.
        const int from = version();
        if (from >= wanted) break;
        m_connection.exec(std::string(steps[static_cast<size_t>(from)]));
        m_connection.exec(fmt::format("PRAGMA user_version = {}", from + 1));
        transaction.commit();
    }
    if (version() > wanted) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{} was made by a newer version (tables {}, this one knows {}): update whet, or give "
                                "another --library",
                                m_file.string(), version(), wanted)};
    }
}

}  // namespace wb::core
