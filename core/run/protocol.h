// SPDX-License-Identifier: Apache-2.0
// What the workbench and `whet engine --stdio` say to each other: one JSON object a line. Every request has an id;
// every reply names the request it belongs to, so that several may be under way. A request ends with exactly one
// `finished` or `error`. Panes, outputs and alternatives are numbered from 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/run/events.h"

namespace wb::core {

inline constexpr int kProtocolVersion = 1;

// ---- shared parts ----

// One column of a comparison: a base model, with or without an adapter, or a checkpoint of a run.
struct PaneSpec {
    std::string name;     // shown in the header; "base", "tuned"
    std::string model;    // model folder, file or name
    std::string adapter;  // adapter folder, run or checkpoint; empty for the base alone

    bool operator==(const PaneSpec&) const = default;
};

struct PromptSpec {
    std::string text;                                         // used if `fields` is empty
    std::vector<std::pair<std::string, std::string>> fields;  // columns the template fills in
    std::string templateName;  // built-in name or file; "auto" takes the model's own; empty means plain
    std::string system;

    bool operator==(const PromptSpec&) const = default;
};

struct GenerationSettings {
    int64_t maxNewTokens = 128;
    double temperature = 0.0;  // 0: greedy
    int64_t topK = 0;          // 0: off
    double topP = 1.0;
    double minP = 0.0;
    double repetitionPenalty = 1.0;
    int64_t numBeams = 1;
    int64_t numReturn = 1;
    double lengthPenalty = 1.0;
    int64_t seed = 42;
    std::vector<std::string> stop;
    std::string attention = "auto";
    int64_t topAlternatives = 5;           // per token, 0 to 5
    std::vector<int32_t> continuationIds;  // put after the prompt in every pane: "continue from this token"

    bool operator==(const GenerationSettings&) const = default;
};

struct Alternative {
    int32_t tokenId = 0;
    std::string text;
    double logprob = 0.0;

    bool operator==(const Alternative&) const = default;
};

// Made by the engine from what it really ran.
struct Provenance {
    std::string modelHash;
    std::string weights;      // how the engine holds them: "f32", "bf16", "q8_0", "q4_0"
    std::string adapterHash;  // empty for the base alone
    std::string sampler;      // "greedy", "beam 10", "temperature 0.8, top-p 0.95"
    int64_t seed = 0;

    bool operator==(const Provenance&) const = default;
};

struct OutputResult {
    std::string text;
    std::vector<int32_t> tokenIds;
    std::vector<double> logprobs;  // one per token
    double score = 0.0;            // sum of log-probs, length-normalised for beams
    std::string finishReason;      // "stop", "length", "stop_string", "cancelled"

    bool operator==(const OutputResult&) const = default;
};

// ---- requests ----

struct HelloRequest {
    int protocol = kProtocolVersion;
    std::string client;  // "whetbench 0.1.0"

    bool operator==(const HelloRequest&) const = default;
};

// Loads ahead of the first question. Models that are loaded already are kept.
struct LoadRequest {
    std::vector<PaneSpec> panes;

    bool operator==(const LoadRequest&) const = default;
};

struct GenerateRequest {
    PaneSpec pane;
    PromptSpec prompt;
    GenerationSettings settings;

    bool operator==(const GenerateRequest&) const = default;
};

// All panes decode as one batch and stream together.
struct CompareRequest {
    std::vector<PaneSpec> panes;
    PromptSpec prompt;
    GenerationSettings settings;
    bool scoreUnderOther = true;  // send `scored` for each output under each other pane

    bool operator==(const CompareRequest&) const = default;
};

// Ends request `target` within one token: it then sends its outputs so far and `finished`.
struct CancelRequest {
    std::string target;

    bool operator==(const CancelRequest&) const = default;
};

// The memory plan of a recipe, live while its form is edited.
struct PlanRequest {
    std::string recipeToml;

    bool operator==(const PlanRequest&) const = default;
};

struct ShutdownRequest {
    bool operator==(const ShutdownRequest&) const = default;
};

using RequestBody = std::variant<HelloRequest, LoadRequest, GenerateRequest, CompareRequest, CancelRequest, PlanRequest,
                                 ShutdownRequest>;

struct Request {
    std::string id;
    RequestBody body;

    bool operator==(const Request&) const = default;
};

// ---- replies ----

struct HelloReply {
    int protocol = kProtocolVersion;
    std::string engineVersion;
    std::string device;      // "cpu"
    std::string deviceName;  // "AMD EPYC 7R13"
    int threads = 0;
    int64_t availableBytes = 0;
    std::string gpuNote;  // why there is no GPU, empty if one is used

    bool operator==(const HelloReply&) const = default;
};

struct ProgressReply {
    std::string phase;  // "loading model", "prefill"
    int64_t done = 0;
    int64_t total = 0;  // 0: unknown

    bool operator==(const ProgressReply&) const = default;
};

struct LoadedReply {
    int64_t pane = 0;
    std::string name;
    std::string modelHash;
    std::string adapterHash;
    int64_t parameters = 0;
    int64_t bytes = 0;
    double seconds = 0.0;

    bool operator==(const LoadedReply&) const = default;
};

struct PaneStartedReply {
    int64_t pane = 0;
    std::string name;
    Provenance provenance;
    std::string promptText;  // as rendered by the template
    std::vector<int32_t> promptIds;

    bool operator==(const PaneStartedReply&) const = default;
};

// One token of one output. With beams, tokens are not sent: the ranking may still change (see BeamsReply).
struct TokenReply {
    int64_t pane = 0;
    int64_t output = 0;
    int64_t index = 0;  // of the token in its output
    int32_t tokenId = 0;
    std::string text;  // whole code points; may be empty while one is incomplete
    double logprob = 0.0;
    std::vector<Alternative> top;  // best first

    bool operator==(const TokenReply&) const = default;
};

// The live ranking, best first. Replaces the one before.
struct BeamsReply {
    int64_t pane = 0;
    int64_t step = 0;
    std::vector<OutputResult> beams;

    bool operator==(const BeamsReply&) const = default;
};

struct OutputFinishedReply {
    int64_t pane = 0;
    int64_t output = 0;  // rank with beams
    OutputResult result;
    std::vector<std::string> pieces;  // text of each token: joined they are the text before stop strings are cut
    std::vector<std::vector<Alternative>> top;  // per token, empty with topAlternatives 0

    bool operator==(const OutputFinishedReply&) const = default;
};

// An output of `pane` as the model of `underPane` sees it.
struct ScoredReply {
    int64_t pane = 0;
    int64_t output = 0;
    int64_t underPane = 0;
    std::vector<double> logprobs;
    std::vector<std::vector<Alternative>> top;

    bool operator==(const ScoredReply&) const = default;
};

struct PaneFinishedReply {
    int64_t pane = 0;
    double firstTokenMs = 0.0;
    double tokensPerSecond = 0.0;
    double seconds = 0.0;
    int64_t tokens = 0;

    bool operator==(const PaneFinishedReply&) const = default;
};

// Sums since the request began; sent at most twice a second and once before `finished`.
struct KernelsReply {
    double seconds = 0.0;  // wall time the rows cover
    std::vector<KernelRow> rows;

    bool operator==(const KernelsReply&) const = default;
};

struct PlanReply {
    PlanMade plan;
    std::string summary;  // one sentence for people

    bool operator==(const PlanReply&) const = default;
};

struct FinishedReply {
    double seconds = 0.0;
    bool wasCancelled = false;

    bool operator==(const FinishedReply&) const = default;
};

struct ErrorReply {
    std::string code;  // errorCodeName
    std::string message;
    std::string hint;

    bool operator==(const ErrorReply&) const = default;
};

// From a newer engine; ignored by the client.
struct UnknownReply {
    std::string name;

    bool operator==(const UnknownReply&) const = default;
};

using ReplyBody =
    std::variant<HelloReply, ProgressReply, LoadedReply, PaneStartedReply, TokenReply, BeamsReply, OutputFinishedReply,
                 ScoredReply, PaneFinishedReply, KernelsReply, PlanReply, FinishedReply, ErrorReply, UnknownReply>;

struct Reply {
    std::string id;  // of the request; empty if the line could not be read at all
    ReplyBody body;

    bool operator==(const Reply&) const = default;
};

// Longest line either side accepts; a longer one is an error, not an allocation.
inline constexpr size_t kMaxProtocolLine = size_t{64} << 20;

// The value of "command" and of "reply".
std::string_view commandName(const RequestBody& body);
std::string_view replyName(const ReplyBody& body);

// One line without the newline. Bytes that are no UTF-8 become U+FFFD.
std::string toJsonLine(const Request& request);
std::string toJsonLine(const Reply& reply);

// Throw InvalidArgument naming the field: no JSON object, no id, unknown command, wrong type. Absent fields keep their
// defaults, unknown fields are ignored.
Request parseRequest(std::string_view line);
Reply parseReply(std::string_view line);

// The id in a line that parseRequest refused, so that the error can be addressed; empty if there is none.
std::string requestIdOf(std::string_view line);

}  // namespace wb::core
