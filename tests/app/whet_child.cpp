// SPDX-License-Identifier: Apache-2.0
#include "tests/app/whet_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace wb::test {
namespace {

int millisecondsOf(std::chrono::duration<double> time) {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

}  // namespace

WhetChild::WhetChild(const std::vector<std::string>& arguments) {
    std::array<int, 2> toChild{};
    std::array<int, 2> fromChild{};
    if (::pipe2(toChild.data(), O_CLOEXEC) != 0 || ::pipe2(fromChild.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipe");
    }
    ::signal(SIGPIPE, SIG_IGN);  // a child that has gone is an answer of send(), not the end of the tests
    const std::string err = (m_folder / "err").string();
    m_pid = ::fork();
    if (m_pid == 0) {
        ::signal(SIGPIPE, SIG_DFL);
        ::dup2(toChild[0], STDIN_FILENO);
        ::dup2(fromChild[1], STDOUT_FILENO);
        ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
        ::unsetenv("WHETBENCH_LIBRARY");
        std::vector<char*> argv{const_cast<char*>(WHET_EXECUTABLE)};
        for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(toChild[0]);
    ::close(fromChild[1]);
    m_input = toChild[1];
    m_output = fromChild[0];
    m_pidFile = static_cast<int>(::syscall(SYS_pidfd_open, m_pid, 0));
    if (m_pidFile < 0) throw std::runtime_error("no pidfd");
}

WhetChild::~WhetChild() {
    if (!m_exitCode) {
        signal(SIGKILL);
        wait();
    }
    closeInput();
    ::close(m_output);
    ::close(m_pidFile);
}

bool WhetChild::send(const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
        const ssize_t count = ::write(m_input, bytes.data() + sent, bytes.size() - sent);
        if (count < 0 && errno != EINTR) return false;
        if (count > 0) sent += static_cast<size_t>(count);
    }
    return true;
}

void WhetChild::closeInput() {
    if (m_input >= 0) ::close(m_input);
    m_input = -1;
}

std::optional<std::string> WhetChild::readLine(std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (true) {
        const size_t newline = m_buffer.find('\n');
        if (newline != std::string::npos) {
            std::string line = m_buffer.substr(0, newline);
            m_buffer.erase(0, newline + 1);
            return line;
        }
        const auto left = deadline - std::chrono::steady_clock::now();
        pollfd ready{m_output, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&ready, 1, millisecondsOf(left) + 1) <= 0) return std::nullopt;
        std::array<char, 65536> block{};
        const ssize_t count = ::read(m_output, block.data(), block.size());
        if (count <= 0) return std::nullopt;
        m_buffer.append(block.data(), static_cast<size_t>(count));
    }
}

void WhetChild::signal(int number) const {
    ::kill(m_pid, number);
}

bool WhetChild::endsWithin(std::chrono::duration<double> time) const {
    pollfd ready{m_pidFile, POLLIN, 0};
    return ::poll(&ready, 1, millisecondsOf(time)) > 0;
}

int WhetChild::wait() {
    if (!m_exitCode) {
        int status = 0;
        ::waitpid(m_pid, &status, 0);
        m_exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return *m_exitCode;
}

}  // namespace wb::test
