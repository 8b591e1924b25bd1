// SPDX-License-Identifier: Apache-2.0
#include "core/run/protocol.h"

#include "core/run/event_fields.h"
#include "core/run/json_codec.h"

namespace wb::core {
namespace {

std::string_view nameOf(const HelloRequest&) {
    return "hello";
}
std::string_view nameOf(const LoadRequest&) {
    return "load";
}
std::string_view nameOf(const GenerateRequest&) {
    return "generate";
}
std::string_view nameOf(const CompareRequest&) {
    return "compare";
}
std::string_view nameOf(const CancelRequest&) {
    return "cancel";
}
std::string_view nameOf(const PlanRequest&) {
    return "plan";
}
std::string_view nameOf(const ShutdownRequest&) {
    return "shutdown";
}

std::string_view nameOf(const HelloReply&) {
    return "hello";
}
std::string_view nameOf(const ProgressReply&) {
    return "progress";
}
std::string_view nameOf(const LoadedReply&) {
    return "loaded";
}
std::string_view nameOf(const PaneStartedReply&) {
    return "pane_started";
}
std::string_view nameOf(const TokenReply&) {
    return "token";
}
std::string_view nameOf(const BeamsReply&) {
    return "beams";
}
std::string_view nameOf(const OutputFinishedReply&) {
    return "output_finished";
}
std::string_view nameOf(const ScoredReply&) {
    return "scored";
}
std::string_view nameOf(const PaneFinishedReply&) {
    return "pane_finished";
}
std::string_view nameOf(const KernelsReply&) {
    return "kernels";
}
std::string_view nameOf(const PlanReply&) {
    return "plan";
}
std::string_view nameOf(const FinishedReply&) {
    return "finished";
}
std::string_view nameOf(const ErrorReply&) {
    return "error";
}
std::string_view nameOf(const UnknownReply& r) {
    return r.name;
}

constexpr auto kNameOf = [](const auto& body) { return nameOf(body); };

}  // namespace

template <class V>
void visitFields(V& visit, codec::Same<V, PaneSpec>& p) {
    visit("name", p.name);
    visit("model", p.model);
    visit("adapter", p.adapter);
}

template <class V>
void visitFields(V& visit, codec::Same<V, PromptSpec>& p) {
    visit("text", p.text);
    visit("fields", p.fields);
    visit("template", p.templateName);
    visit("system", p.system);
}

template <class V>
void visitFields(V& visit, codec::Same<V, GenerationSettings>& s) {
    visit("max_new_tokens", s.maxNewTokens);
    visit("temperature", s.temperature);
    visit("top_k", s.topK);
    visit("top_p", s.topP);
    visit("min_p", s.minP);
    visit("repetition_penalty", s.repetitionPenalty);
    visit("num_beams", s.numBeams);
    visit("num_return", s.numReturn);
    visit("length_penalty", s.lengthPenalty);
    visit("seed", s.seed);
    visit("stop", s.stop);
    visit("attention", s.attention);
    visit("top_alternatives", s.topAlternatives);
    visit("continuation_ids", s.continuationIds);
}

template <class V>
void visitFields(V& visit, codec::Same<V, Alternative>& a) {
    visit("id", a.tokenId);
    visit("text", a.text);
    visit("logprob", a.logprob);
}

template <class V>
void visitFields(V& visit, codec::Same<V, Provenance>& p) {
    visit("model_hash", p.modelHash);
    visit("weights", p.weights);
    visit("adapter_hash", p.adapterHash);
    visit("sampler", p.sampler);
    visit("seed", p.seed);
}

template <class V>
void visitFields(V& visit, codec::Same<V, OutputResult>& o) {
    visit("text", o.text);
    visit("token_ids", o.tokenIds);
    visit("logprobs", o.logprobs);
    visit("score", o.score);
    visit("finish_reason", o.finishReason);
}

template <class V>
void visitFields(V& visit, codec::Same<V, HelloRequest>& r) {
    visit("protocol", r.protocol);
    visit("client", r.client);
}

template <class V>
void visitFields(V& visit, codec::Same<V, LoadRequest>& r) {
    visit("panes", r.panes);
}

template <class V>
void visitFields(V& visit, codec::Same<V, GenerateRequest>& r) {
    visit("pane", r.pane);
    visit("prompt", r.prompt);
    visit("settings", r.settings);
}

template <class V>
void visitFields(V& visit, codec::Same<V, CompareRequest>& r) {
    visit("panes", r.panes);
    visit("prompt", r.prompt);
    visit("settings", r.settings);
    visit("score_under_other", r.scoreUnderOther);
}

template <class V>
void visitFields(V& visit, codec::Same<V, CancelRequest>& r) {
    visit("target", r.target);
}

template <class V>
void visitFields(V& visit, codec::Same<V, PlanRequest>& r) {
    visit("recipe", r.recipeToml);
}

template <class V>
void visitFields(V&, codec::Same<V, ShutdownRequest>&) {}

template <class V>
void visitFields(V& visit, codec::Same<V, HelloReply>& r) {
    visit("protocol", r.protocol);
    visit("engine_version", r.engineVersion);
    visit("device", r.device);
    visit("device_name", r.deviceName);
    visit("threads", r.threads);
    visit("available_bytes", r.availableBytes);
    visit("gpu_note", r.gpuNote);
}

template <class V>
void visitFields(V& visit, codec::Same<V, ProgressReply>& r) {
    visit("phase", r.phase);
    visit("done", r.done);
    visit("total", r.total);
}

template <class V>
void visitFields(V& visit, codec::Same<V, LoadedReply>& r) {
    visit("pane", r.pane);
    visit("name", r.name);
    visit("model_hash", r.modelHash);
    visit("adapter_hash", r.adapterHash);
    visit("parameters", r.parameters);
    visit("bytes", r.bytes);
    visit("seconds", r.seconds);
}

template <class V>
void visitFields(V& visit, codec::Same<V, PaneStartedReply>& r) {
    visit("pane", r.pane);
    visit("name", r.name);
    visit("provenance", r.provenance);
    visit("prompt_text", r.promptText);
    visit("prompt_ids", r.promptIds);
}

template <class V>
void visitFields(V& visit, codec::Same<V, TokenReply>& r) {
    visit("pane", r.pane);
    visit("output", r.output);
    visit("index", r.index);
    visit("token_id", r.tokenId);
    visit("text", r.text);
    visit("logprob", r.logprob);
    visit("top", r.top);
}

template <class V>
void visitFields(V& visit, codec::Same<V, BeamsReply>& r) {
    visit("pane", r.pane);
    visit("step", r.step);
    visit("beams", r.beams);
}

template <class V>
void visitFields(V& visit, codec::Same<V, OutputFinishedReply>& r) {
    visit("pane", r.pane);
    visit("output", r.output);
    visit("result", r.result);
    visit("pieces", r.pieces);
    visit("top", r.top);
}

template <class V>
void visitFields(V& visit, codec::Same<V, ScoredReply>& r) {
    visit("pane", r.pane);
    visit("output", r.output);
    visit("under_pane", r.underPane);
    visit("logprobs", r.logprobs);
    visit("top", r.top);
}

template <class V>
void visitFields(V& visit, codec::Same<V, PaneFinishedReply>& r) {
    visit("pane", r.pane);
    visit("first_token_ms", r.firstTokenMs);
    visit("tokens_per_second", r.tokensPerSecond);
    visit("seconds", r.seconds);
    visit("tokens", r.tokens);
}

template <class V>
void visitFields(V& visit, codec::Same<V, KernelsReply>& r) {
    visit("seconds", r.seconds);
    visit("rows", r.rows);
}

template <class V>
void visitFields(V& visit, codec::Same<V, PlanReply>& r) {
    visit("plan", r.plan);
    visit("summary", r.summary);
}

template <class V>
void visitFields(V& visit, codec::Same<V, FinishedReply>& r) {
    visit("seconds", r.seconds);
    visit("was_cancelled", r.wasCancelled);
}

template <class V>
void visitFields(V& visit, codec::Same<V, ErrorReply>& r) {
    visit("code", r.code);
    visit("message", r.message);
    visit("hint", r.hint);
}

template <class V>
void visitFields(V&, codec::Same<V, UnknownReply>&) {}

namespace {

template <class Message>
std::string messageLine(const Message& message, std::string_view nameKey) {
    codec::Json json = codec::Json::object();
    json["id"] = message.id;
    json[std::string(nameKey)] = std::visit(kNameOf, message.body);
    codec::FieldWriter writer{json};
    std::visit([&writer](const auto& body) { visitFields(writer, body); }, message.body);
    return codec::dumpLine(json);
}

// Fills id and body; gives the name if no alternative has it.
template <class Message>
std::string parseMessage(std::string_view line, const char* nameKey, Message& message) {
    if (line.size() > kMaxProtocolLine) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("protocol line of {} bytes: at most {} are accepted", line.size(), kMaxProtocolLine)};
    }
    const codec::Json json = codec::parseObject(line);
    codec::FieldReader reader{json};
    std::string name;
    reader("id", message.id);
    reader(nameKey, name);
    if (name.empty()) throw Error{ErrorCode::InvalidArgument, fmt::format("protocol line has no '{}'", nameKey)};
    if (!codec::emplaceByName(message.body, name, kNameOf)) return name;
    std::visit([&reader](auto& body) { visitFields(reader, body); }, message.body);
    return {};
}

}  // namespace

std::string_view commandName(const RequestBody& body) {
    return std::visit(kNameOf, body);
}
std::string_view replyName(const ReplyBody& body) {
    return std::visit(kNameOf, body);
}

std::string toJsonLine(const Request& request) {
    return messageLine(request, "command");
}
std::string toJsonLine(const Reply& reply) {
    return messageLine(reply, "reply");
}

Request parseRequest(std::string_view line) {
    Request request;
    const std::string unknown = parseMessage(line, "command", request);
    if (!unknown.empty()) {
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("unknown command '{}': this engine knows hello, load, generate, compare, cancel, plan and "
                        "shutdown",
                        unknown)};
    }
    if (request.id.empty()) throw Error{ErrorCode::InvalidArgument, "protocol line has no 'id'"};
    return request;
}

Reply parseReply(std::string_view line) {
    Reply reply;
    const std::string unknown = parseMessage(line, "reply", reply);
    if (!unknown.empty()) reply.body = UnknownReply{unknown};
    return reply;
}

std::string requestIdOf(std::string_view line) {
    try {
        if (line.size() > kMaxProtocolLine) return {};
        const codec::Json json = codec::parseObject(line);
        const auto id = json.find("id");
        return id != json.end() && id->is_string() ? id->get<std::string>() : std::string();
    } catch (const Error&) {
        return {};
    }
}

}  // namespace wb::core
