// SPDX-License-Identifier: Apache-2.0
// Private to the library: the connection, and SQLite's errors in the words of this project.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>

#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace wb::core {

// library.db, open and brought to the present tables.
class Database {
public:
    // Throws Io, CorruptFile or Unsupported.
    explicit Database(const std::filesystem::path& file);

    SQLite::Database& connection() { return m_connection; }

    // Runs a statement that changes something; returns the number of changed rows.
    template <class... Values>
    int execute(const char* statement, const Values&... values) {
        SQLite::Statement query(m_connection, statement);
        bindAll(query, values...);
        return query.exec();
    }

    // One value of T per row, made by `read(statement)`.
    template <class T, class Read, class... Values>
    std::vector<T> select(const std::string& statement, const Read& read, const Values&... values) {
        SQLite::Statement query(m_connection, statement);
        bindAll(query, values...);
        std::vector<T> rows;
        while (query.executeStep()) rows.push_back(read(query));
        return rows;
    }

    bool isInTransaction() const { return m_isInTransaction; }

    int64_t lastId() { return m_connection.getLastInsertRowid(); }

    // Runs `work` and turns SQLite's exceptions into Error with the file's name.
    template <class Work>
    auto guarded(const Work& work) -> decltype(work()) {
        try {
            return work();
        } catch (const SQLite::Exception& error) {
            throwError(m_file, error);
        }
    }

    // The same inside one transaction that begins as a writer, so that two writers wait instead of failing half-way.
    template <class Work>
    auto inTransaction(const Work& work) -> decltype(work()) {
        return guarded([&] {
            SQLite::Transaction transaction(m_connection, SQLite::TransactionBehavior::IMMEDIATE);
            const Flag flag(m_isInTransaction);
            if constexpr (std::is_void_v<decltype(work())>) {
                work();
                transaction.commit();
            } else {
                auto result = work();
                transaction.commit();
                return result;
            }
        });
    }

    [[noreturn]] static void throwError(const std::filesystem::path& file, const SQLite::Exception& error);

private:
    // True for the life of a scope.
    struct Flag {
        explicit Flag(bool& value) : target(value) { target = true; }
        ~Flag() { target = false; }
        bool& target;
    };

    static SQLite::Database openConnection(const std::filesystem::path& file);
    // Turning a new file to WAL needs it alone, and SQLite does not wait for that by itself.
    void enterWriteAheadMode();
    void migrate();

    template <class T>
    static void bindOne(SQLite::Statement& query, int index, const T& value) {
        query.bind(index, value);
    }
    template <class T>
    static void bindOne(SQLite::Statement& query, int index, const std::optional<T>& value) {
        if (value) {
            query.bind(index, *value);
        } else {
            query.bind(index);
        }
    }
    template <class... Values>
    static void bindAll(SQLite::Statement& query, const Values&... values) {
        int index = 0;
        (bindOne(query, ++index, values), ...);
    }

    std::filesystem::path m_file;
    SQLite::Database m_connection;
    bool m_isInTransaction = false;
};

}  // namespace wb::core
