// SPDX-License-Identifier: Apache-2.0
#include "core/run/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "kernels/base/error.h"

namespace wb::core {
namespace {

const PaneSpec kBase{.name = "base", .model = "m", .adapter = ""};
const PaneSpec kTuned{.name = "tuned", .model = "m", .adapter = "runs/x"};
const PromptSpec kPrompt{
    .text = "Hi\n", .fields = {{"context", "c"}, {"question", "q"}}, .templateName = "t.json", .system = "s"};
const GenerationSettings kSettings{.maxNewTokens = 40,
                                   .temperature = 0.5,
                                   .topK = 3,
                                   .topP = 0.9,
                                   .minP = 0.1,
                                   .repetitionPenalty = 1.1,
                                   .numBeams = 10,
                                   .numReturn = 5,
                                   .lengthPenalty = 0.8,
                                   .seed = 7,
                                   .stop = {"\n", "END"},
                                   .attention = "math",
                                   .topAlternatives = 4,
                                   .continuationIds = {1, 2, -3}};
const Alternative kAlternative{.tokenId = 9, .text = "ü", .logprob = -0.5};
const OutputResult kResult{
    .text = "t", .tokenIds = {1, 2}, .logprobs = {-0.1, -0.25}, .score = -0.35, .finishReason = "stop"};

std::vector<Request> requestOfEachKind() {
    return {
        {"1", HelloRequest{.protocol = 3, .client = "whetbench"}},
        {"2", LoadRequest{.panes = {kBase, kTuned}}},
        {"3", GenerateRequest{.pane = kTuned, .prompt = kPrompt, .settings = kSettings}},
        {"4",
         CompareRequest{.panes = {kBase, kTuned}, .prompt = kPrompt, .settings = kSettings, .scoreUnderOther = false}},
        {"5", CancelRequest{.target = "4"}},
        {"6", PlanRequest{.recipeToml = "epochs = 1\n"}},
        {"7", ShutdownRequest{}},
    };
}

std::vector<Reply> replyOfEachKind() {
    const KernelRow row{.name = "linear",
                        .backend = "onednn",
                        .reason = "r",
                        .model = "tuned",
                        .calls = 3,
                        .seconds = 0.5,
                        .flops = 1e9,
                        .bytes = 2e9};
    return {
        {"1", HelloReply{.protocol = 2,
                         .engineVersion = "0.1.0",
                         .device = "cpu",
                         .deviceName = "CPU",
                         .threads = 2,
                         .availableBytes = 5,
                         .gpuNote = "no driver"}},
        {"2", ProgressReply{.phase = "loading model", .done = 1, .total = 2}},
        {"2", LoadedReply{.pane = 1,
                          .name = "tuned",
                          .modelHash = "a",
                          .adapterHash = "b",
                          .parameters = 4,
                          .bytes = 8,
                          .seconds = 0.5}},
        {"3",
         PaneStartedReply{
             .pane = 1,
             .name = "tuned",
             .provenance = {.modelHash = "a", .weights = "q8_0", .adapterHash = "b", .sampler = "greedy", .seed = 42},
             .promptText = "p",
             .promptIds = {1, 2}}},
        {"3", TokenReply{.pane = 1,
                         .output = 2,
                         .index = 3,
                         .tokenId = 4,
                         .text = " é",
                         .logprob = -0.125,
                         .top = {kAlternative, kAlternative}}},
        {"3", BeamsReply{.pane = 1, .step = 4, .beams = {kResult, kResult}}},
        {"3",
         OutputFinishedReply{
             .pane = 1, .output = 2, .result = kResult, .pieces = {"a", "b"}, .top = {{kAlternative}, {}}}},
        {"3", ScoredReply{.pane = 1, .output = 2, .underPane = 3, .logprobs = {-1.5}, .top = {{kAlternative}}}},
        {"3", PaneFinishedReply{.pane = 1, .firstTokenMs = 12.5, .tokensPerSecond = 50, .seconds = 2, .tokens = 100}},
        {"3", KernelsReply{.seconds = 1.5, .rows = {row}}},
        {"6", PlanReply{.plan = {.peakBytes = 10, .availableBytes = 20, .fits = false, .byOwner = {.weights = 10}},
                        .summary = "does not fit"}},
        {"3", FinishedReply{.seconds = 2.5, .wasCancelled = true}},
        {"", ErrorReply{.code = "not_found", .message = "m", .hint = "h"}},
    };
}

TEST(Protocol, everyRequestSurvivesTheRoundTrip) {
    std::set<size_t> kinds;
    for (const Request& request : requestOfEachKind()) {
        const std::string line = toJsonLine(request);
        EXPECT_EQ(line.find('\n'), std::string::npos);
        EXPECT_EQ(parseRequest(line), request) << line;
        kinds.insert(request.body.index());
    }
    EXPECT_EQ(kinds.size(), std::variant_size_v<RequestBody>) << "a kind has no case here";
}

TEST(Protocol, everyReplySurvivesTheRoundTrip) {
    std::set<size_t> kinds;
    for (const Reply& reply : replyOfEachKind()) {
        const std::string line = toJsonLine(reply);
        EXPECT_EQ(line.find('\n'), std::string::npos);
        EXPECT_EQ(parseReply(line), reply) << line;
        kinds.insert(reply.body.index());
    }
    EXPECT_EQ(kinds.size() + 1, std::variant_size_v<ReplyBody>) << "a kind has no case here";
}

TEST(Protocol, linesSayWhatTheyAre) {
    const auto request = nlohmann::json::parse(toJsonLine(Request{"4", CompareRequest{}}));
    EXPECT_EQ(request.at("id"), "4");
    EXPECT_EQ(request.at("command"), "compare");
    const auto reply = nlohmann::json::parse(toJsonLine(Reply{"4", TokenReply{}}));
    EXPECT_EQ(reply.at("id"), "4");
    EXPECT_EQ(reply.at("reply"), "token");
    EXPECT_EQ(nlohmann::json::parse(toJsonLine(Request{"1", HelloRequest{}})).at("protocol"), kProtocolVersion);
}

TEST(Protocol, absentFieldsKeepTheirDefaults) {
    const Request request = parseRequest(R"({"id":"1","command":"generate","prompt":{"text":"x"},"new_field":[]})");
    const auto& generate = std::get<GenerateRequest>(request.body);
    EXPECT_EQ(generate.prompt.text, "x");
    EXPECT_EQ(generate.settings, GenerationSettings{});
}

TEST(Protocol, unknownReplyIsNoError) {
    const Reply reply = parseReply(R"({"id":"1","reply":"weather","sun":true})");
    EXPECT_EQ(replyName(reply.body), "weather");
    EXPECT_TRUE(std::holds_alternative<UnknownReply>(reply.body));
}

TEST(Protocol, badRequestsAreNamedErrors) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "not one JSON object"},
        {"null", "not one JSON object"},
        {R"({"id":"1"})", "no 'command'"},
        {R"({"command":"hello"})", "no 'id'"},
        {R"({"id":1,"command":"hello"})", "field 'id' must be text"},
        {R"({"id":"1","command":"launch"})", "unknown command 'launch'"},
        {R"({"id":"1","command":"generate","settings":{"seed":"x"}})", "field 'seed' must be a whole number"},
        {R"({"id":"1","command":"generate","settings":{"continuation_ids":[3000000000]}})", "out of range"},
        {R"({"id":"1","command":"generate","prompt":{"fields":[["a"]]}})", "field 'fields' must be a pair"},
        {R"({"id":"1","command":"compare","panes":[1]})", "field 'panes' must be an object"},
        {R"({"id":"1","command":"compare","panes":)" + std::string(50000, '[') + std::string(50000, ']') + "}",
         "nested deeper"},
    };
    for (const auto& [line, words] : cases) {
        try {
            (void)parseRequest(line);
            ADD_FAILURE() << "accepted: " << line.substr(0, 80);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_THAT(error.what(), testing::HasSubstr(words)) << line.substr(0, 80);
        }
    }
}

TEST(Protocol, everyTruncationOfALineIsAnError) {
    for (const Request& request : requestOfEachKind()) {
        const std::string line = toJsonLine(request);
        for (size_t length = 0; length < line.size(); ++length) {
            EXPECT_THROW((void)parseRequest(line.substr(0, length)), Error);
        }
    }
}

TEST(Protocol, refusedLineStillGivesItsId) {
    EXPECT_EQ(requestIdOf(R"({"id":"17","command":"launch"})"), "17");
    EXPECT_EQ(requestIdOf(R"({"id":17})"), "");
    EXPECT_EQ(requestIdOf("{"), "");
}

}  // namespace
}  // namespace wb::core
