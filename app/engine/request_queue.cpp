// SPDX-License-Identifier: Apache-2.0
#include "app/engine/request_queue.h"

#include <fmt/format.h>

#include "kernels/base/error.h"

namespace wb::app {
namespace {

enum class LineState { Line, TooLong, End };

// getline with a limit: a longer line is skipped to its end and reported, not stored.
LineState readLine(std::istream& input, std::string& line) {
    line.clear();
    bool isTooLong = false;
    for (int c = input.get(); c != std::istream::traits_type::eof(); c = input.get()) {
        if (c == '\n') return isTooLong ? LineState::TooLong : LineState::Line;
        if (line.size() < core::kMaxProtocolLine) {
            line += static_cast<char>(c);
        } else {
            isTooLong = true;
        }
    }
    return line.empty() ? LineState::End : LineState::Line;
}

}  // namespace

void RequestQueue::readAll(std::istream& input,
                           const std::function<void(const std::string&, const std::string&)>& refuse) {
    std::string line;
    for (LineState state = readLine(input, line); state != LineState::End; state = readLine(input, line)) {
        if (state == LineState::TooLong) {
            refuse({}, fmt::format("a request is longer than {} bytes", core::kMaxProtocolLine));
            continue;
        }
        if (line.empty()) continue;
        try {
            core::Request request = core::parseRequest(line);
            const bool isLast = std::holds_alternative<core::ShutdownRequest>(request.body);
            push(std::move(request));
            if (isLast) break;
        } catch (const Error& error) {
            refuse(core::requestIdOf(line), error.what());
        }
    }
    close();
}

void RequestQueue::push(core::Request request) {
    const std::lock_guard lock(m_mutex);
    if (const auto* cancel = std::get_if<core::CancelRequest>(&request.body)) m_cancelled.insert(cancel->target);
    m_waiting.push_back(std::move(request));
    m_changed.notify_one();
}

void RequestQueue::close() {
    const std::lock_guard lock(m_mutex);
    m_isClosed = true;
    m_changed.notify_one();
}

std::optional<core::Request> RequestQueue::next() {
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [this] { return m_isClosed || !m_waiting.empty(); });
    if (m_waiting.empty()) return std::nullopt;
    core::Request request = std::move(m_waiting.front());
    m_waiting.pop_front();
    return request;
}

bool RequestQueue::isCancelled(const std::string& id) const {
    const std::lock_guard lock(m_mutex);
    return m_cancelled.contains(id);
}

void RequestQueue::forget(const std::string& id) {
    const std::lock_guard lock(m_mutex);
    m_cancelled.erase(id);
}

}  // namespace wb::app
