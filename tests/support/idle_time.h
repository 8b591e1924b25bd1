// SPDX-License-Identifier: Apache-2.0
// Whether a process that has nothing to do does nothing: its processor time, which a busy machine does not change.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

#include "tests/support/temporary_folder.h"

namespace wb::test {

// User and system time of all threads of a process in clock ticks (/proc/PID/stat, fields 14 and 15); -1 if it is gone.
inline int64_t cpuTicks(pid_t process) {
    const std::string text = readText("/proc/" + std::to_string(process) + "/stat");
    const size_t name = text.rfind(')');  // the name of the program may hold anything
    if (name == std::string::npos) return -1;
    const char* at = text.c_str() + name + 1;
    constexpr int kFieldsBeforeUser = 11;  // state to cmajflt
    for (int field = 0; field < kFieldsBeforeUser; ++field) {
        while (*at == ' ') ++at;
        while (*at != ' ' && *at != '\0') ++at;
    }
    char* end = nullptr;
    const int64_t user = std::strtoll(at, &end, 10);
    return user + std::strtoll(end, nullptr, 10);
}

// How long to look: 3 s, or WHETBENCH_IDLE_SECONDS.
inline int idleSeconds() {
    const char* wanted = std::getenv("WHETBENCH_IDLE_SECONDS");
    return wanted ? std::atoi(wanted) : 3;
}

// One percent of one core over that time.
inline int64_t allowedIdleTicks() {
    return idleSeconds() * ::sysconf(_SC_CLK_TCK) / 100;
}

// Ticks a process uses within idleSeconds(), once it has come to rest. `wait` lets a time pass.
inline int64_t idleTicks(pid_t process, const std::function<void(std::chrono::milliseconds)>& wait) {
    constexpr int kMostLooks = 60;
    constexpr std::chrono::milliseconds kBetweenLooks(500);
    for (int look = 0; look < kMostLooks; ++look) {
        const int64_t before = cpuTicks(process);
        wait(kBetweenLooks);
        if (cpuTicks(process) == before) break;
    }
    const int64_t before = cpuTicks(process);
    wait(std::chrono::seconds(idleSeconds()));
    const int64_t after = cpuTicks(process);
    return after < 0 ? -1 : after - before;
}

}  // namespace wb::test
