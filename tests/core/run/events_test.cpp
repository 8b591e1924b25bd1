// SPDX-License-Identifier: Apache-2.0
#include "core/run/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/base/error.h"

namespace wb::core {
namespace {

constexpr double kTime = 1769868143.25;

std::vector<Event> oneOfEach() {
    const MemoryByOwner memory{
        .weights = 1, .gradients = 2, .optimizer = 3, .activations = 4, .kvCache = 5, .workspace = 6};
    const KernelRow row{.name = "attention",
                        .backend = "flash",
                        .reason = "fastest",
                        .model = "tuned",
                        .calls = 7,
                        .seconds = 0.25,
                        .flops = 1e15,
                        .bytes = 3e9};
    const std::vector<EventBody> bodies{
        RunStarted{.runId = "20260131-142233-k3f9",
                   .title = "pocket on facts",
                   .engineVersion = "0.1.0",
                   .device = "cpu",
                   .deviceName = "CPU",
                   .host = "h",
                   .pid = 12,
                   .threads = 2,
                   .modelHash = "ab",
                   .dataHash = "cd",
                   .parameters = 5000000,
                   .trainableParameters = 200,
                   .trainRows = 300,
                   .validationRows = 30,
                   .totalSteps = 57,
                   .stepsPerEpoch = 19,
                   .maxLength = 128,
                   .learningRate = 2e-4,
                   .resumedFromStep = 20},
        RunStarted{.runId = "x", .resumedFromStep = std::nullopt},
        PlanMade{.peakBytes = int64_t{1} << 40, .availableBytes = 5, .fits = false, .byOwner = memory},
        StepDone{.step = 3,
                 .epoch = 0.15,
                 .loss = 2.7182817F,
                 .learningRate = 1e-4,
                 .gradNorm = 0.5,
                 .tokens = 1000,
                 .labelTokens = 200,
                 .tokensPerSecond = 1234.5,
                 .stepMs = 12.25,
                 .memory = memory},
        Evaluated{.step = 19,
                  .epoch = 1.0,
                  .loss = 1.1F,
                  .tokenAccuracy = 0.75,
                  .tokens = 999,
                  .seconds = 0.5,
                  .isBest = true},
        SampleMade{.step = 19, .index = 1, .prompt = "a\n\"b\"", .text = "ü ✓ 🙂", .expected = "c"},
        KernelsReported{.step = 19, .seconds = 2.5, .rows = {row, row}},
        GpuMeasured{.step = 19,
                    .gpus = {{.device = "cuda:0",
                              .name = "GPU",
                              .utilisation = 0.97,
                              .memoryUsed = int64_t{20} << 30,
                              .memoryTotal = int64_t{139} << 30,
                              .powerWatts = 640.5,
                              .powerLimitWatts = 700.0,
                              .temperatureCelsius = 61.0,
                              .clockMhz = 1980.0,
                              .memoryClockMhz = 3201.0},
                             {.device = "cuda:1",
                              .name = {},
                              .utilisation = std::nullopt,
                              .memoryUsed = std::nullopt,
                              .memoryTotal = std::nullopt,
                              .powerWatts = std::nullopt,
                              .powerLimitWatts = std::nullopt,
                              .temperatureCelsius = std::nullopt,
                              .clockMhz = std::nullopt,
                              .memoryClockMhz = std::nullopt}}},
        CheckpointSaved{.step = 19, .path = "checkpoints/step-000019", .isBest = true},
        StateChanged{.state = "paused", .reason = "disk full"},
        WarningRaised{.message = "m", .hint = "h"},
        ErrorRaised{.code = "io", .message = "m", .hint = "h"},
        RunFinished{.steps = 57,
                    .peakBytes = 123,
                    .weightHash = "ef",
                    .reason = "early_stopped",
                    .bestStep = 38,
                    .bestLoss = 0.9,
                    .tokensPerSecond = 3.5,
                    .seconds = 60.5},
        RunFinished{.steps = 1, .bestStep = std::nullopt, .bestLoss = std::nullopt},
    };
    std::vector<Event> events;
    for (const EventBody& body : bodies) events.push_back({.time = kTime, .body = body});
    return events;
}

TEST(Events, everyKindSurvivesTheRoundTrip) {
    std::set<size_t> kinds;
    for (const Event& event : oneOfEach()) {
        const std::string line = toJsonLine(event);
        EXPECT_EQ(line.find('\n'), std::string::npos);
        EXPECT_EQ(parseEvent(line), event) << line;
        kinds.insert(event.body.index());
    }
    EXPECT_EQ(kinds.size() + 1, std::variant_size_v<EventBody>) << "a kind has no case here";
}

TEST(Events, stepHasTheNamesThatReadersRelyOn) {
    const StepDone step{.step = 3, .epoch = 0.15, .loss = 1.0F, .learningRate = 1e-4};
    const auto json = nlohmann::json::parse(toJsonLine({.time = kTime, .body = step}));
    EXPECT_EQ(json.at("v"), kEventVersion);
    EXPECT_EQ(json.at("event"), "step");
    EXPECT_EQ(json.at("time"), kTime);
    EXPECT_EQ(json.at("loss_bits"), "3f800000");
    for (const char* key :
         {"step", "epoch", "loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "step_ms"}) {
        EXPECT_TRUE(json.at(key).is_number()) << key;
    }
    for (const char* key : {"weights", "gradients", "optimizer", "activations", "kv_cache", "workspace"}) {
        EXPECT_TRUE(json.at("memory").at(key).is_number_integer()) << key;
    }
}

TEST(Events, otherEventsHaveTheNamesThatReadersRelyOn) {
    const std::vector<std::pair<EventBody, std::vector<std::string>>> expected{
        {RunStarted{}, {"run_id"}},
        {PlanMade{}, {"peak_bytes", "by_owner", "fits"}},
        {Evaluated{}, {"step", "loss", "token_accuracy"}},
        {SampleMade{}, {"step", "prompt", "text"}},
        {CheckpointSaved{}, {"step", "path"}},
        {GpuMeasured{}, {"step", "gpus"}},
        {RunFinished{}, {"steps", "peak_bytes", "weight_hash"}},
    };
    for (const auto& [body, keys] : expected) {
        const auto json = nlohmann::json::parse(toJsonLine(makeEvent(body)));
        for (const std::string& key : keys) EXPECT_TRUE(json.contains(key)) << eventName(body) << " lacks " << key;
    }
}

TEST(Events, lossKeepsItsBits) {
    for (const uint32_t bits : {0x00000000U, 0x80000000U, 0x00000001U, 0x3dcccccdU, 0x7f7fffffU, 0x7f800000U,
                                0xff800000U, 0x7fc00000U, 0x7fc12345U}) {
        const StepDone step{.step = 1, .loss = std::bit_cast<float>(bits)};
        const Event read = parseEvent(toJsonLine({.time = kTime, .body = step}));
        EXPECT_EQ(std::bit_cast<uint32_t>(std::get<StepDone>(read.body).loss), bits);
    }
}

TEST(Events, numbersThatAreNoneBecomeNullAndNan) {
    const StepDone step{.step = 1, .gradNorm = std::nan("")};
    const std::string line = toJsonLine({.time = kTime, .body = step});
    EXPECT_TRUE(nlohmann::json::parse(line).at("grad_norm").is_null());
    EXPECT_TRUE(std::isnan(std::get<StepDone>(parseEvent(line).body).gradNorm));
}

TEST(Events, lineWithoutBitsTakesTheDecimalLoss) {
    const Event event = parseEvent(R"({"v":1,"event":"evaluation","time":1,"step":2,"loss":1.5})");
    EXPECT_EQ(std::get<Evaluated>(event.body).loss, 1.5F);
}

TEST(Events, unknownEventIsKeptAsItIs) {
    const std::string line = R"({"v":9,"event":"merged","time":5,"what":[1,{"a":null}]})";
    const Event event = parseEvent(line);
    EXPECT_EQ(event.version, 9);
    EXPECT_EQ(eventName(event.body), "merged");
    EXPECT_EQ(toJsonLine(event), line);
}

TEST(Events, unknownFieldIsIgnored) {
    const Event event = parseEvent(R"({"v":2,"event":"checkpoint","time":5,"step":4,"shards":[1,2]})");
    EXPECT_EQ(std::get<CheckpointSaved>(event.body).step, 4);
}

TEST(Events, badLinesAreNamedErrors) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "not one JSON object"},
        {"[]", "not one JSON object"},
        {"{\"event\":\"step\"", "not one JSON object"},
        {"{\"event\":\"step\"} {}", "not one JSON object"},
        {"{\"v\":1}", "no 'event'"},
        {R"({"event":7})", "field 'event' must be text, not number"},
        {R"({"event":"step","step":"3"})", "field 'step' must be a whole number, not string"},
        {R"({"event":"step","step":1.5})", "field 'step' must be a whole number, not number"},
        {R"({"event":"step","step":18446744073709551615})", "field 'step' is out of range"},
        {R"({"event":"step","v":99999999999})", "field 'v' is out of range"},
        {R"({"event":"step","loss_bits":"xyz"})", "8 hex digits"},
        {R"({"event":"step","memory":[]})", "field 'memory' must be an object"},
        {R"({"event":"kernels","rows":{}})", "field 'rows' must be a list"},
        {R"({"event":"evaluation","is_best":1})", "field 'is_best' must be true or false"},
        {R"({"event":"step","x":)" + std::string(100000, '[') + std::string(100000, ']') + "}", "nested deeper than"},
    };
    for (const auto& [line, words] : cases) {
        try {
            (void)parseEvent(line);
            ADD_FAILURE() << "accepted: " << line.substr(0, 80);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptFile);
            EXPECT_THAT(error.what(), testing::HasSubstr(words)) << line.substr(0, 80);
        }
    }
}

TEST(Events, everyTruncationOfALineIsAnError) {
    for (const Event& event : oneOfEach()) {
        const std::string line = toJsonLine(event);
        for (size_t length = 0; length < line.size(); ++length) {
            EXPECT_THROW((void)parseEvent(line.substr(0, length)), Error) << line.substr(0, length);
        }
    }
}

TEST(Events, textThatIsNoUtf8IsReplaced) {
    const Event event{.time = kTime, .body = SampleMade{.text = "a\xff\xc3"}};
    EXPECT_EQ(std::get<SampleMade>(parseEvent(toJsonLine(event)).body).text, "a\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Events, newEventsCarryThePresentTime) {
    EXPECT_GT(makeEvent(StateChanged{}).time, 1.7e9);
}

}  // namespace
}  // namespace wb::core
