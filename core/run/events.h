// SPDX-License-Identifier: Apache-2.0
// What a run tells about itself: one JSON object a line in events.jsonl, append-only. The file is the only thing the
// workbench reads of a run, so that live, finished, re-attached and copied runs are one case.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wb::core {

// Raised only for a change that is not additive. Readers keep unknown events and ignore unknown fields.
inline constexpr int kEventVersion = 1;

// Bytes by what they hold.
struct MemoryByOwner {
    int64_t weights = 0;
    int64_t gradients = 0;
    int64_t optimizer = 0;
    int64_t activations = 0;
    int64_t kvCache = 0;
    int64_t workspace = 0;

    int64_t total() const { return weights + gradients + optimizer + activations + kvCache + workspace; }
    bool operator==(const MemoryByOwner&) const = default;
};

// Sums over the calls of one op with one backend.
struct KernelRow {
    std::string name;     // "attention", "linear"
    std::string backend;  // "flash", "onednn"
    std::string reason;   // why that backend was chosen, empty if there is only one
    std::string model;    // pane or model it ran for, empty if one only
    int64_t calls = 0;
    double seconds = 0.0;
    double flops = 0.0;
    double bytes = 0.0;

    bool operator==(const KernelRow&) const = default;
};

struct RunStarted {
    std::string runId;
    std::string title;
    std::string engineVersion;
    std::string device;      // "cpu"
    std::string deviceName;  // "AMD EPYC 7R13, AVX2"
    std::string host;
    int64_t pid = 0;
    int threads = 0;
    std::string modelHash;
    std::string dataHash;
    int64_t parameters = 0;
    int64_t trainableParameters = 0;
    int64_t trainRows = 0;
    int64_t validationRows = 0;
    int64_t totalSteps = 0;
    int64_t stepsPerEpoch = 0;
    int64_t maxLength = 0;      // tokens, resolved
    double learningRate = 0.0;  // resolved
    std::optional<int64_t> resumedFromStep;

    bool operator==(const RunStarted&) const = default;
};

struct PlanMade {
    int64_t peakBytes = 0;
    int64_t availableBytes = 0;
    bool fits = true;
    MemoryByOwner byOwner;

    bool operator==(const PlanMade&) const = default;
};

struct StepDone {
    int64_t step = 0;  // 1 for the first
    double epoch = 0.0;
    float loss = 0.0F;  // mean over the step's label tokens; loss_bits is written from it, so that NaN survives too
    double learningRate = 0.0;
    double gradNorm = 0.0;
    int64_t tokens = 0;       // all tokens of the step
    int64_t labelTokens = 0;  // those the loss is over
    double tokensPerSecond = 0.0;
    double stepMs = 0.0;
    MemoryByOwner memory;

    bool operator==(const StepDone&) const = default;
};

struct Evaluated {
    int64_t step = 0;  // 0: before the first step
    double epoch = 0.0;
    float loss = 0.0F;
    double tokenAccuracy = 0.0;
    int64_t tokens = 0;
    double seconds = 0.0;
    bool isBest = false;

    bool operator==(const Evaluated&) const = default;
};

struct SampleMade {
    int64_t step = 0;
    int64_t index = 0;  // of the fixed prompt
    std::string prompt;
    std::string text;
    std::string expected;  // the data's own answer, empty if none

    bool operator==(const SampleMade&) const = default;
};

struct KernelsReported {
    int64_t step = 0;
    double seconds = 0.0;  // wall time the rows cover
    std::vector<KernelRow> rows;

    bool operator==(const KernelsReported&) const = default;
};

// What a GPU did at one moment, as its driver tells; what the driver does not tell is absent.
struct GpuReading {
    std::string device;                 // "cuda:0"
    std::string name;                   // "NVIDIA H200"
    std::optional<double> utilisation;  // share of the last moments in which a kernel ran, 0 to 1
    std::optional<int64_t> memoryUsed;  // bytes, of all programs
    std::optional<int64_t> memoryTotal;
    std::optional<double> powerWatts;
    std::optional<double> powerLimitWatts;
    std::optional<double> temperatureCelsius;
    std::optional<double> clockMhz;  // of the multiprocessors
    std::optional<double> memoryClockMhz;

    bool operator==(const GpuReading&) const = default;
};

struct GpuMeasured {
    int64_t step = 0;
    std::vector<GpuReading> gpus;

    bool operator==(const GpuMeasured&) const = default;
};

struct CheckpointSaved {
    int64_t step = 0;
    std::string path;  // relative to the run folder
    bool isBest = false;

    bool operator==(const CheckpointSaved&) const = default;
};

// "paused" or "running": what the run does while its process lives.
struct StateChanged {
    std::string state;
    std::string reason;

    bool operator==(const StateChanged&) const = default;
};

struct WarningRaised {
    std::string message;
    std::string hint;

    bool operator==(const WarningRaised&) const = default;
};

// The run ends with it.
struct ErrorRaised {
    std::string code;  // errorCodeName
    std::string message;
    std::string hint;

    bool operator==(const ErrorRaised&) const = default;
};

struct RunFinished {
    int64_t steps = 0;
    int64_t peakBytes = 0;
    std::string weightHash;
    std::string reason = "completed";  // "completed", "early_stopped" or "stopped" (can be resumed)
    std::optional<int64_t> bestStep;
    std::optional<double> bestLoss;
    double tokensPerSecond = 0.0;
    double seconds = 0.0;

    bool operator==(const RunFinished&) const = default;
};

// Written by a newer version; kept as it is.
struct UnknownEvent {
    std::string name;
    std::string json;

    bool operator==(const UnknownEvent&) const = default;
};

using EventBody = std::variant<RunStarted, PlanMade, StepDone, Evaluated, SampleMade, KernelsReported, GpuMeasured,
                               CheckpointSaved, StateChanged, WarningRaised, ErrorRaised, RunFinished, UnknownEvent>;

struct Event {
    int version = kEventVersion;
    double time = 0.0;  // seconds since 1970, UTC
    EventBody body;

    bool operator==(const Event&) const = default;
};

// Stamps a body with the present time.
Event makeEvent(EventBody body);

// The value of "event": "step", "evaluation", ...
std::string_view eventName(const EventBody& body);

// One line without the newline. Bytes that are no UTF-8 become U+FFFD.
std::string toJsonLine(const Event& event);

// Throws CorruptFile if the line is no JSON object, has no "event", or a known field has the wrong type.
Event parseEvent(std::string_view line);

// Appends events to a file, one write per line. A torn last line that a crash left behind is removed on opening (or
// ended, if it is complete). One writer per file; not thread-safe.
class EventWriter {
public:
    // Throws Io.
    explicit EventWriter(const std::filesystem::path& file);
    EventWriter(EventWriter&& other) noexcept;
    EventWriter& operator=(EventWriter&& other) noexcept;
    ~EventWriter();

    // The line has reached the operating system on return: it survives the death of this process. Throws Io with
    // nothing half-written, for example on a full disk.
    void write(const Event& event);
    void write(EventBody body) { write(makeEvent(std::move(body))); }

    // Waits until everything written is on the disk: before a checkpoint counts as saved. Throws Io.
    void sync();

private:
    std::filesystem::path m_file;
    int m_descriptor = -1;
};

// Follows a file that may be growing, not exist yet, or end in a torn line. Not thread-safe.
class EventReader {
public:
    // Begins at byte `offset`, the end of a line: what offset() said at an earlier time.
    explicit EventReader(std::filesystem::path file, int64_t offset = 0) : m_file(std::move(file)), m_offset(offset) {}

    // Complete lines since the last call, at most `maxEvents` of them; empty if there are none. Lines that are no
    // events are skipped and counted. Throws Io if the file exists and cannot be read.
    std::vector<Event> poll(size_t maxEvents = std::numeric_limits<size_t>::max());

    // True if the last poll found the file shorter than what had been read and began again from its start.
    bool wasRestarted() const { return m_wasRestarted; }
    int64_t badLines() const { return m_badLines; }
    // The end of the last line that was taken, in bytes from the beginning of the file.
    int64_t offset() const { return m_offset; }

private:
    void takeLine(std::string_view line, std::vector<Event>& events);

    std::filesystem::path m_file;
    // First byte that was not taken. A torn line is read anew each time, because a writer may replace it.
    int64_t m_offset;
    int64_t m_badLines = 0;
    bool m_wasRestarted = false;
    bool m_isSkipping = false;  // inside a line longer than any event
};

// All events of a file; empty if it does not exist.
std::vector<Event> readEvents(const std::filesystem::path& file);

}  // namespace wb::core
