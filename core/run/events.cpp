// SPDX-License-Identifier: Apache-2.0
#include "core/run/events.h"

#include <bit>
#include <charconv>
#include <chrono>

#include "core/run/event_fields.h"
#include "core/run/json_codec.h"

namespace wb::core {
namespace {

std::string_view nameOf(const RunStarted&) {
    return "run_started";
}
std::string_view nameOf(const PlanMade&) {
    return "plan";
}
std::string_view nameOf(const StepDone&) {
    return "step";
}
std::string_view nameOf(const Evaluated&) {
    return "evaluation";
}
std::string_view nameOf(const SampleMade&) {
    return "sample";
}
std::string_view nameOf(const KernelsReported&) {
    return "kernels";
}
std::string_view nameOf(const GpuMeasured&) {
    return "gpu";
}
std::string_view nameOf(const CheckpointSaved&) {
    return "checkpoint";
}
std::string_view nameOf(const StateChanged&) {
    return "state";
}
std::string_view nameOf(const WarningRaised&) {
    return "warning";
}
std::string_view nameOf(const ErrorRaised&) {
    return "error";
}
std::string_view nameOf(const RunFinished&) {
    return "run_finished";
}
std::string_view nameOf(const UnknownEvent& e) {
    return e.name;
}

// The bits decide: the decimal number beside them is for people, and cannot hold a NaN.
struct LossBits {
    std::string hex;

    explicit LossBits(float loss) : hex(fmt::format("{:08x}", std::bit_cast<uint32_t>(loss))) {}

    float value(float decimal) const {
        uint32_t bits = 0;
        const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), bits, 16);
        if (hex.size() != 8 || error != std::errc{} || end != hex.data() + hex.size()) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("field 'loss_bits' must be 8 hex digits, not '{}'", hex)};
        }
        // A line without bits leaves those of the default.
        return bits == 0 ? decimal : std::bit_cast<float>(bits);
    }
};

template <class V, class T>
void visitLoss(V& visit, T& loss) {
    if constexpr (std::is_const_v<T>) {
        visit("loss", loss);
        visit("loss_bits", LossBits(loss).hex);
    } else {
        visit("loss", loss);
        LossBits bits(0.0F);
        visit("loss_bits", bits.hex);
        loss = bits.value(loss);
    }
}

}  // namespace

template <class V>
void visitFields(V& visit, codec::Same<V, RunStarted>& e) {
    visit("run_id", e.runId);
    visit("title", e.title);
    visit("engine_version", e.engineVersion);
    visit("device", e.device);
    visit("device_name", e.deviceName);
    visit("host", e.host);
    visit("pid", e.pid);
    visit("threads", e.threads);
    visit("model_hash", e.modelHash);
    visit("data_hash", e.dataHash);
    visit("parameters", e.parameters);
    visit("trainable_parameters", e.trainableParameters);
    visit("train_rows", e.trainRows);
    visit("validation_rows", e.validationRows);
    visit("total_steps", e.totalSteps);
    visit("steps_per_epoch", e.stepsPerEpoch);
    visit("max_length", e.maxLength);
    visit("learning_rate", e.learningRate);
    visit("resumed_from_step", e.resumedFromStep);
}

template <class V>
void visitFields(V& visit, codec::Same<V, StepDone>& e) {
    visit("step", e.step);
    visit("epoch", e.epoch);
    visitLoss(visit, e.loss);
    visit("learning_rate", e.learningRate);
    visit("grad_norm", e.gradNorm);
    visit("tokens", e.tokens);
    visit("label_tokens", e.labelTokens);
    visit("tokens_per_second", e.tokensPerSecond);
    visit("step_ms", e.stepMs);
    visit("memory", e.memory);
}

template <class V>
void visitFields(V& visit, codec::Same<V, Evaluated>& e) {
    visit("step", e.step);
    visit("epoch", e.epoch);
    visitLoss(visit, e.loss);
    visit("token_accuracy", e.tokenAccuracy);
    visit("tokens", e.tokens);
    visit("seconds", e.seconds);
    visit("is_best", e.isBest);
}

template <class V>
void visitFields(V& visit, codec::Same<V, SampleMade>& e) {
    visit("step", e.step);
    visit("index", e.index);
    visit("prompt", e.prompt);
    visit("text", e.text);
    visit("expected", e.expected);
}

template <class V>
void visitFields(V& visit, codec::Same<V, KernelsReported>& e) {
    visit("step", e.step);
    visit("seconds", e.seconds);
    visit("rows", e.rows);
}

template <class V>
void visitFields(V& visit, codec::Same<V, GpuReading>& g) {
    visit("device", g.device);
    visit("name", g.name);
    visit("utilisation", g.utilisation);
    visit("memory_used", g.memoryUsed);
    visit("memory_total", g.memoryTotal);
    visit("power_w", g.powerWatts);
    visit("power_limit_w", g.powerLimitWatts);
    visit("temperature_c", g.temperatureCelsius);
    visit("clock_mhz", g.clockMhz);
    visit("memory_clock_mhz", g.memoryClockMhz);
}

template <class V>
void visitFields(V& visit, codec::Same<V, GpuMeasured>& e) {
    visit("step", e.step);
    visit("gpus", e.gpus);
}

template <class V>
void visitFields(V& visit, codec::Same<V, CheckpointSaved>& e) {
    visit("step", e.step);
    visit("path", e.path);
    visit("is_best", e.isBest);
}

template <class V>
void visitFields(V& visit, codec::Same<V, StateChanged>& e) {
    visit("state", e.state);
    visit("reason", e.reason);
}

template <class V>
void visitFields(V& visit, codec::Same<V, WarningRaised>& e) {
    visit("message", e.message);
    visit("hint", e.hint);
}

template <class V>
void visitFields(V& visit, codec::Same<V, ErrorRaised>& e) {
    visit("code", e.code);
    visit("message", e.message);
    visit("hint", e.hint);
}

template <class V>
void visitFields(V& visit, codec::Same<V, RunFinished>& e) {
    visit("steps", e.steps);
    visit("peak_bytes", e.peakBytes);
    visit("weight_hash", e.weightHash);
    visit("reason", e.reason);
    visit("best_step", e.bestStep);
    visit("best_loss", e.bestLoss);
    visit("tokens_per_second", e.tokensPerSecond);
    visit("seconds", e.seconds);
}

template <class V>
void visitFields(V&, codec::Same<V, UnknownEvent>&) {}

Event makeEvent(EventBody body) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const double milliseconds = static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    return {.time = milliseconds / 1000.0, .body = std::move(body)};
}

std::string_view eventName(const EventBody& body) {
    return std::visit([](const auto& e) { return nameOf(e); }, body);
}

std::string toJsonLine(const Event& event) {
    if (const auto* unknown = std::get_if<UnknownEvent>(&event.body)) return unknown->json;
    codec::Json json{{"v", event.version}, {"event", eventName(event.body)}, {"time", event.time}};
    codec::FieldWriter writer{json};
    std::visit([&writer](const auto& e) { visitFields(writer, e); }, event.body);
    return codec::dumpLine(json);
}

Event parseEvent(std::string_view line) {
    try {
        const codec::Json json = codec::parseObject(line);
        Event event;
        std::string name;
        codec::FieldReader reader{json};
        reader("v", event.version);
        reader("event", name);
        reader("time", event.time);
        if (name.empty()) throw Error{ErrorCode::InvalidArgument, "no 'event'"};
        if (!codec::emplaceByName(event.body, name, [](const auto& e) { return nameOf(e); })) {
            event.body = UnknownEvent{name, std::string(line)};
            return event;
        }
        std::visit([&reader](auto& e) { visitFields(reader, e); }, event.body);
        return event;
    } catch (const Error& error) {
        throw Error{ErrorCode::CorruptFile, fmt::format("event line: {}: {}", error.what(), line.substr(0, 120))};
    }
}

}  // namespace wb::core
