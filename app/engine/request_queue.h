// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <istream>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "core/run/protocol.h"

namespace wb::app {

// Requests between the thread that reads them and the one that works. Thread-safe.
class RequestQueue {
public:
    // Reads lines until the end of input or a shutdown request. Lines that are no requests go to `refuse`, with the id
    // they carry if any. Cancel requests take effect at once, also on requests that still wait.
    void readAll(std::istream& input,
                 const std::function<void(const std::string& id, const std::string& problem)>& refuse);

    // The next request; nothing when input has ended and all is served.
    std::optional<core::Request> next();

    bool isCancelled(const std::string& id) const;
    void forget(const std::string& id);

private:
    void push(core::Request request);
    void close();

    mutable std::mutex m_mutex;
    std::condition_variable m_changed;
    std::deque<core::Request> m_waiting;
    std::set<std::string> m_cancelled;
    bool m_isClosed = false;
};

}  // namespace wb::app
