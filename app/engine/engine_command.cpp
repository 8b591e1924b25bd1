// SPDX-License-Identifier: Apache-2.0
#include "app/engine/engine_command.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>

#include "app/engine/engine_server.h"
#include "app/engine/generation_options.h"

namespace wb::app {
namespace {

struct Options {
    bool usesStdio = false;
    std::string dtype = kAutoDtype;
};

// Whole lines from two threads: refusals come from the one that reads.
class LineWriter {
public:
    void operator()(const core::Reply& reply) {
        const std::string line = core::toJsonLine(reply) + "\n";
        const std::lock_guard lock(m_mutex);
        std::fwrite(line.data(), 1, line.size(), stdout);
        std::fflush(stdout);
    }

private:
    std::mutex m_mutex;
};

void run(const Options& options, const CommandContext& context) {
    if (!options.usesStdio) throw UsageError("give --stdio: requests on standard input, replies on standard output");
    LineWriter write;
    const auto send = [&write](const core::Reply& reply) { write(reply); };
    RequestQueue queue;
    // First: if there is no such device, nobody must be left waiting for input.
    EngineServer server(context, queue, send, weightTypesOf(options.dtype));
    std::jthread reader([&] {
        queue.readAll(std::cin, [&](const std::string& id, const std::string& problem) {
            send({id, core::ErrorReply{errorCodeName(ErrorCode::InvalidArgument), problem,
                                       "Send one JSON object a line."}});
        });
    });
    server.run();
}

}  // namespace

void defineEngine(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<Options>();
    command.add_flag("--stdio", options->usesStdio, "One JSON object a line on standard input and output");
    addDtypeOption(command, options->dtype);
    command.callback([options, &context] { run(*options, context); });
}

}  // namespace wb::app
