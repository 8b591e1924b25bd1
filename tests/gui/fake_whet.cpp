// SPDX-License-Identifier: GPL-3.0-or-later
// A stand-in for the engine: the same command line, events and protocol, without a model. What a prompt says decides
// what happens: "die" ends the process in the middle of an answer, "refuse" is answered with an error. For benchmarks
// the variable FAKE_BENCH does: "die", "refuse", "slow", or "at once" for an answer without progress.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/run/events.h"
#include "core/run/protocol.h"
#include "core/run/run_folder.h"
#include "kernels/base/error.h"

namespace {

using namespace wb::core;

volatile sig_atomic_t isStopWanted = 0;

void pauseMs(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

std::map<std::string, std::string> optionsOf(int argc, char** argv) {
    std::map<std::string, std::string> out;
    for (int i = 2; i + 1 < argc; ++i)
        if (std::string(argv[i]).starts_with("--") && !std::string(argv[i + 1]).starts_with("--"))
            out[argv[i]] = argv[i + 1];
    return out;
}

void say(const std::string& id, ReplyBody body) {
    std::cout << toJsonLine(Reply{id, std::move(body)}) << std::endl;
}

std::vector<std::string> answerOf(size_t pane) {
    if (pane == 0) return {"Once", " upon", " a", " time", "."};
    return {"Once", " upon", " the", " hill", "."};
}

void answerCompare(const std::string& id, const CompareRequest& request) {
    std::string text = request.prompt.text;
    for (const auto& [name, value] : request.prompt.fields) text += value;
    if (text.find("refuse") != std::string::npos)
        return say(id, ErrorReply{"invalid_argument", "the prompt is refused", "write another prompt"});
    const size_t panes = request.panes.size();
    for (size_t pane = 0; pane < panes; ++pane) {
        PaneStartedReply started;
        started.pane = static_cast<int64_t>(pane);
        started.name = request.panes[pane].name;
        started.provenance = {"aaaa1111bbbb", "f32", pane == 0 ? "" : "cccc2222dddd", "greedy", request.settings.seed};
        say(id, started);
    }
    const bool hasBeams = request.settings.numBeams > 1;
    for (size_t step = 0; step < answerOf(0).size(); ++step) {
        for (size_t pane = 0; pane < panes && !hasBeams; ++pane) {
            TokenReply token;
            token.pane = static_cast<int64_t>(pane);
            token.index = static_cast<int64_t>(step);
            token.tokenId = static_cast<int32_t>(100 * pane + step);
            token.text = answerOf(pane)[step];
            token.logprob = -0.1;
            token.top = {{token.tokenId, token.text, -0.1}, {7, " other", -2.5}};
            say(id, token);
        }
        pauseMs(10);
        if (step == 2 && text.find("die") != std::string::npos) std::abort();
    }
    KernelsReply kernels;
    kernels.seconds = 0.05;
    kernels.rows = {{"linear", "onednn", "", "base", 20, 0.03, 3e9, 2e8},
                    {"attention", "flash", "no bias, head size 64", "base", 10, 0.01, 4e8, 4e7}};
    say(id, kernels);
    for (size_t pane = 0; pane < panes; ++pane) {
        for (int64_t rank = 0; rank < (hasBeams ? request.settings.numReturn : 1); ++rank) {
            OutputFinishedReply output;
            output.pane = static_cast<int64_t>(pane);
            output.output = rank;
            output.pieces = answerOf(pane);
            for (size_t i = 0; i < output.pieces.size(); ++i) {
                output.result.tokenIds.push_back(static_cast<int32_t>(100 * pane + i));
                output.result.logprobs.push_back(-0.1);
                output.result.text += output.pieces[i];
            }
            output.result.score = -0.1 * static_cast<double>(rank + 1);
            output.result.finishReason = "stop";
            say(id, output);
            if (panes > 1)
                say(id, ScoredReply{
                            output.pane, rank, pane == 0 ? 1 : 0, std::vector<double>(output.pieces.size(), -1.5), {}});
        }
        PaneFinishedReply done;
        done.pane = static_cast<int64_t>(pane);
        done.firstTokenMs = 12;
        done.tokensPerSecond = 250;
        done.tokens = 5;
        say(id, done);
    }
    say(id, FinishedReply{0.1, false});
}

int runEngine() {
    for (std::string line; std::getline(std::cin, line);) {
        const Request request = parseRequest(line);
        if (std::holds_alternative<HelloRequest>(request.body)) say(request.id, HelloReply{});
        if (const auto* compare = std::get_if<CompareRequest>(&request.body)) answerCompare(request.id, *compare);
        if (std::holds_alternative<ShutdownRequest>(request.body)) return 0;
    }
    return 0;
}

int runTrain(const std::map<std::string, std::string>& options) {
    ::signal(SIGTERM, [](int) { isStopWanted = 1; });
    const bool isResumed = options.contains("--resume");
    Recipe recipe;
    if (!isResumed) recipe = loadRecipe(options.at("--recipe"));
    if (recipe.name == "broken") {
        std::cerr << "error: the model cannot be read" << std::endl;
        return 1;
    }
    const RunFolder run =
        isResumed ? RunFolder::open(options.at("--resume")) : RunFolder::create(options.at("--library"), recipe);
    if (isResumed) recipe = run.recipe();
    const RunLock lock(run);
    int64_t first = 1;
    for (const Event& event : readEvents(run.eventsPath()))
        if (const auto* step = std::get_if<StepDone>(&event.body)) first = step->step + 1;
    const int64_t total = recipe.maxSteps > 0 ? recipe.maxSteps : 40;
    EventWriter events(run.eventsPath());
    run.clearControl();
    RunStarted started;
    started.runId = run.id();
    started.title = "fake run";
    started.totalSteps = total;
    events.write(started);
    bool isStopped = false;
    for (int64_t step = first; step <= total && !isStopped; ++step) {
        StepDone done;
        done.step = step;
        done.loss = 2.0F / static_cast<float>(step);
        done.tokensPerSecond = 1000;
        events.write(done);
        pauseMs(20);
        bool isPaused = false;
        while (run.control() == RunControl::Pause && !isStopWanted) {
            if (!isPaused) events.write(StateChanged{"paused", ""});
            isPaused = true;
            pauseMs(10);
        }
        if (isPaused) events.write(StateChanged{"running", ""});
        isStopped = isStopWanted || run.control() == RunControl::Stop;
        first = step;
    }
    Evaluated evaluated;
    evaluated.step = first;
    evaluated.loss = 0.5F;
    events.write(evaluated);
    RunFinished finished;
    finished.steps = first;
    finished.reason = isStopped ? "stopped" : "completed";
    events.write(finished);
    return 0;
}

constexpr int kRecordedFigures = 36;
constexpr const char* kPeak = R"({"f32_gflops": 100.0, "f32_gflops_one_thread": 55.0, "bf16_gflops": 150.0,
    "memory_gb_per_s": 20.0, "threads": 2, "cpu": "Test CPU", "isa": "avx2"})";

// Replays recorded figures, one a line.
int runAttentionBench(const std::map<std::string, std::string>& options) {
    const char* variable = std::getenv("FAKE_BENCH");
    const std::string wish = variable ? variable : "";
    if (wish == "refuse") {
        std::cerr << "error: --dtype is 'f8', expected f32 or bf16" << std::endl;
        return 2;
    }
    std::ofstream(options.at("--library") + "/bench.pid") << ::getpid();
    std::ifstream recording(RECORDED_ATTENTION);
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (std::string line; std::getline(recording, line);) {
        rows.push_back(nlohmann::ordered_json::parse(line));
        if (wish == "at once") continue;
        nlohmann::ordered_json progress = rows.back();
        progress["done"] = rows.size();
        progress["total"] = kRecordedFigures;
        std::cout << progress.dump() << std::endl;
        pauseMs(wish == "slow" ? 200 : 5);
        if (wish == "die" && rows.size() == 4) std::abort();
    }
    std::cout << nlohmann::ordered_json{{"foreign_cpu", 0.25},
                                        {"peak", nlohmann::json::parse(kPeak)},
                                        {"attention", rows}}
                     .dump(wish == "at once" ? 2 : -1)
              << std::endl;
    return 0;
}

int runGemmBench() {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const int tokens : {1, 512}) {
        rows.push_back({{"pass", "forward"},
                        {"dtype", "F32"},
                        {"tokens", tokens},
                        {"outputs", 2048},
                        {"inputs", 1024},
                        {"seconds", 0.001 * tokens},
                        {"gflops", 50.0},
                        {"percent_of_ceiling", 50.0},
                        {"gb_per_s", 0.5}});
    }
    for (const char* pass : {"input_gradient", "weight_gradient"}) {
        rows.push_back({{"pass", pass},
                        {"dtype", "F32"},
                        {"tokens", 512},
                        {"outputs", 2048},
                        {"inputs", 1024},
                        {"seconds", 0.512},
                        {"gflops", 20.0},
                        {"percent_of_ceiling", 20.0},
                        {"gb_per_s", 0.5}});
    }
    std::cout << nlohmann::ordered_json{{"peak", nlohmann::json::parse(kPeak)}, {"gemm", rows}}.dump(2) << std::endl;
    return 0;
}

int runBench(const std::string& what, const std::map<std::string, std::string>& options) {
    if (what == "attention") return runAttentionBench(options);
    if (what == "gemm") return runGemmBench();
    std::cout << kPeak;
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string command = argc > 1 ? argv[1] : "";
    const auto options = optionsOf(argc, argv);
    try {
        if (command == "engine") return runEngine();
        if (command == "train") return runTrain(options);
        if (command == "plan") {
            std::cout
                << R"({"peak_bytes": 60000000, "by_owner": {"weights": 20000000, "gradients": 10000000, "optimizer": 15000000,
                "activations": 15000000, "kv_cache": 0, "workspace": 0}, "available_bytes": 4000000000, "fits": true})";
            return 0;
        }
        if (command == "doctor") {
            std::cout
                << R"({"cpu": {"model": "Test CPU", "cores": 2, "flags": ["avx", "avx2"]}, "memory": {"total_bytes": 8000000000},
                "gpu": {"present": false, "reason": "no driver", "devices": []}, "ok": true})";
            return 0;
        }
        if (command == "bench") return runBench(argc > 2 ? argv[2] : "", options);
        if (command == "eval") {
            const bool isTuned = options.contains("--adapter");
            std::cout << nlohmann::json{{"mean_nll", isTuned ? 0.5 : 2.5},
                                        {"perplexity", isTuned ? 1.6 : 12.2},
                                        {"tokens", 900},
                                        {"token_accuracy", isTuned ? 0.9 : 0.4},
                                        {"exact_match", isTuned ? 0.8 : 0.0}};
            return 0;
        }
    } catch (const wb::Error& error) {
        std::cerr << "error: " << error.what() << std::endl;
        return 1;
    }
    std::cerr << "error: unknown command" << std::endl;
    return 2;
}
