// SPDX-License-Identifier: Apache-2.0
// Encodes the lines of a text again and again, one pass for each line of standard input, so that a script can let a
// peer run in between (tests/peers/tokenizers_peer.py). Prints for each pass: tokens, seconds of the processor (all
// threads together), seconds of the clock.
//   tokenizer_benchmark MODEL TEXT [THREADS]
#include "core/text/tokenizer.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

double processorSeconds() {
    std::timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

size_t encodeAll(const wb::core::Tokenizer& tokenizer, const std::vector<std::string>& lines, int numThreads) {
    std::atomic<size_t> next{0};
    std::atomic<size_t> numTokens{0};
    const auto work = [&] {
        constexpr size_t kLinesAtOnce = 64;
        size_t count = 0;
        for (size_t begin = next.fetch_add(kLinesAtOnce); begin < lines.size(); begin = next.fetch_add(kLinesAtOnce)) {
            for (size_t i = begin; i < std::min(lines.size(), begin + kLinesAtOnce); ++i)
                count += tokenizer.encode(lines[i], wb::core::SpecialTokens::Parse).ids.size();
        }
        numTokens += count;
    };
    std::vector<std::jthread> threads;
    for (int i = 1; i < numThreads; ++i) threads.emplace_back(work);
    work();
    threads.clear();
    return numTokens;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc < 3)
            throw wb::Error{wb::ErrorCode::InvalidArgument, "usage: tokenizer_benchmark MODEL TEXT [THREADS]"};
        const auto tokenizer = wb::core::loadTokenizer(argv[1]);
        std::vector<std::string> lines;
        std::ifstream file(argv[2]);
        for (std::string line; std::getline(file, line);) lines.push_back(line);
        const int numThreads = argc > 3 ? std::stoi(argv[3]) : 1;
        for (std::string command; std::getline(std::cin, command);) {
            const double processor = processorSeconds();
            const auto clock = std::chrono::steady_clock::now();
            const size_t numTokens = encodeAll(*tokenizer, lines, numThreads);
            const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - clock;
            fmt::print("{} {:.6f} {:.6f}\n", numTokens, processorSeconds() - processor, elapsed.count());
            std::fflush(stdout);
        }
    } catch (const std::exception& error) {
        fmt::print(stderr, "error: {}\n", error.what());
        return 1;
    }
    return 0;
}
