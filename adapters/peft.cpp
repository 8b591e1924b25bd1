// SPDX-License-Identifier: Apache-2.0
#include "adapters/peft.h"

#include "adapters/adapted_table.h"
#include "adapters/peft_tensors.h"
#include "core/format/weight_hash.h"
#include "core/format/widen.h"
#include "core/model/weights.h"
#include "core/run/atomic_file.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>

namespace wb::adapters {
namespace {

namespace fs = std::filesystem;

// What of a model adapters can attach to, by name.
struct ModelParts {
    explicit ModelParts(core::LanguageModel& owner) : model(owner) {
        model.visitLinears([this](core::LinearLayer& layer) { layers.emplace(layer.name, &layer); });
        model.visitParameters([this](core::Parameter& parameter) { parameters.emplace(parameter.name, &parameter); });
    }

    core::LanguageModel& model;
    std::map<std::string, core::LinearLayer*> layers;
    std::map<std::string, core::Parameter*> parameters;
};

// A weight of the file that replaces one of the model's.
struct FoundWeight {
    core::Parameter* base = nullptr;
    const core::TensorEntry* entry = nullptr;
    std::string name;  // in files written here
    bool isHead = false;
};

enum class Table { Embedding, Head };

// A vocabulary table with a low-rank update.
struct FoundTable {
    Table table = Table::Embedding;
    std::string module;
    const PeftParts* parts = nullptr;
};

std::vector<int64_t> extentsOf(const Shape& shape) {
    std::vector<int64_t> extents;
    for (int axis = 0; axis < shape.rank(); ++axis) extents.push_back(shape[axis]);
    return extents;
}

class PeftLoader {
public:
    PeftLoader(core::LanguageModel& model, PeftConfig peft, const PeftWeights& weights)
        : m_parts(model), m_peft(std::move(peft)), m_weights(weights), m_matcher(m_peft.lora) {}

    // Before any memory is taken: the rank in the config could be any number.
    void check() {
        checkTask();
        for (const auto& [module, parts] : m_weights.modules()) {
            const bool isEmbedding = parts.contains(PeftPart::EmbeddingA) || parts.contains(PeftPart::EmbeddingB);
            const bool isAdapted = isEmbedding || parts.contains(PeftPart::LoraA) || parts.contains(PeftPart::LoraB) ||
                                   parts.contains(PeftPart::LoraBiasB) || parts.contains(PeftPart::Magnitude);
            if (isEmbedding) {
                checkEmbedding(module, parts);
            } else if (isAdapted && module == m_parts.model.headName()) {
                checkHead(module, parts);
            } else if (isAdapted) {
                checkLayer(module, parts);
            }
            for (const PeftPart part : {PeftPart::Weight, PeftPart::Bias}) {
                if (parts.contains(part)) checkWhole(module, part, *parts.at(part), isAdapted);
            }
        }
    }

    std::unique_ptr<LowRankAdapter> load(const kernels::Context& context) {
        // In the order of the file: what is written again has the same bytes.
        std::ranges::sort(m_found, {}, [](const FoundWeight& found) { return found.entry->begin; });
        auto adapter = std::make_unique<LowRankAdapter>(context, m_parts.model, m_peft.lora, m_layers);
        for (const FoundWeight& found : m_found) {
            const OwnWeight& weight = found.isHead ? adapter->addOwnHead(context, found.name)
                                                   : adapter->addOwnWeight(context, *found.base, found.name);
            fill(context, *found.entry, weight.stored, weight.own->isTransposedInFile);
        }
        for (const FoundTable& found : m_tables) addTable(context, *adapter, found);
        adapter->visitDeltas([&](core::LinearLayer& layer, core::LowRankDelta& delta) {
            const PeftParts& parts = m_weights.modules().at(layer.name);
            fill(context, *parts.at(PeftPart::LoraA), delta.a.value);
            fill(context, *parts.at(PeftPart::LoraB), delta.b.value);
            if (m_peft.lora.hasBiasB) fill(context, *parts.at(PeftPart::LoraBiasB), delta.biasB.value);
            if (m_peft.lora.usesMagnitude) fill(context, *parts.at(PeftPart::Magnitude), delta.magnitude.value);
        });
        adapter->refresh(context);
        return adapter;
    }

private:
    [[noreturn]] void refuse(const std::string& feature) const {
        throw Error{ErrorCode::Unsupported, fmt::format("{}: {} is not supported", file(), feature)};
    }
    [[noreturn]] void mismatch(const std::string& what) const {
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {}", file(), what)};
    }
    std::string file() const { return m_weights.file().path().string(); }

    void checkTask() const {
        const char* task = m_parts.model.isEncoderDecoder() ? "SEQ_2_SEQ_LM" : "CAUSAL_LM";
        if (m_peft.taskType.empty() || m_peft.taskType == task) return;
        mismatch(fmt::format("is for the task {}, this {} model does {}; the adapter belongs to another model",
                             m_peft.taskType, m_parts.model.config().modelType, task));
    }

    void checkAsked(const std::string& module, bool isProjection) const {
        if (!m_peft.namesTargets || m_matcher.isTarget(module, isProjection)) return;
        mismatch(fmt::format("adapts '{}', which {} does not ask for", module, kPeftConfigFile));
    }

    // [V, C]
    Shape tableShape() const { return m_parts.model.storedValue(m_parts.model.embeddingTable()).shape(); }

    void checkEmbedding(const std::string& module, const PeftParts& parts) {
        core::Parameter& table = m_parts.model.embeddingTable();
        if (module + ".weight" != table.name || m_parts.model.isEncoderDecoder()) {
            refuse(
                fmt::format("an adapter on the embedding {} (the token embedding of decoder-only models can be "
                            "adapted)",
                            module));
        }
        checkAsked(module, false);
        const int64_t rank = m_matcher.rankOf(module);
        const Shape shape = tableShape();
        const LoraConfig& lora = m_peft.lora;
        checkPart(module, parts, PeftPart::EmbeddingA, ".lora_embedding_A", {rank, shape[0]});
        checkPart(module, parts, PeftPart::EmbeddingB, ".lora_embedding_B", {shape[1], rank});
        checkOptional(module, parts, PeftPart::Magnitude, ".lora_magnitude_vector", lora.usesMagnitude, "use_dora",
                      shape[1]);
        m_tables.push_back({Table::Embedding, module, &parts});
    }

    void checkHead(const std::string& module, const PeftParts& parts) {
        checkAsked(module, false);
        if (parts.contains(PeftPart::LoraBiasB)) refuse(fmt::format("lora_bias on {}", module));
        const int64_t rank = m_matcher.rankOf(module);
        const Shape shape = tableShape();
        checkPart(module, parts, PeftPart::LoraA, ".lora_A.weight", {rank, shape[1]});
        checkPart(module, parts, PeftPart::LoraB, ".lora_B.weight", {shape[0], rank});
        checkOptional(module, parts, PeftPart::Magnitude, ".lora_magnitude_vector", m_peft.lora.usesMagnitude,
                      "use_dora", shape[0]);
        m_tables.push_back({Table::Head, module, &parts});
    }

    // The table with its update as one of the adapter's own; A and B stay beside it for writing.
    void addTable(const kernels::Context& context, LowRankAdapter& adapter, const FoundTable& found) const {
        const bool isHead = found.table == Table::Head;
        const PeftParts& parts = *found.parts;
        const auto source = [&](PeftPart part, const char* suffix) {
            const core::TensorEntry& entry = *parts.at(part);
            const Shape shape = entry.shape.size() == 2 ? Shape{entry.shape[0], entry.shape[1]} : Shape{entry.shape[0]};
            core::Parameter& parameter = adapter.addSourceWeight(context, found.module + suffix, shape);
            fill(context, entry, parameter.value);
            return parameter.value;
        };
        TableUpdate update;
        update.a =
            isHead ? source(PeftPart::LoraA, ".lora_A.weight") : source(PeftPart::EmbeddingA, ".lora_embedding_A");
        update.b =
            isHead ? source(PeftPart::LoraB, ".lora_B.weight") : source(PeftPart::EmbeddingB, ".lora_embedding_B");
        if (m_peft.lora.usesMagnitude) update.magnitude = source(PeftPart::Magnitude, ".lora_magnitude_vector");
        update.scale =
            static_cast<float>(m_peft.lora.scaleOf(m_matcher.rankOf(found.module), m_matcher.alphaOf(found.module)));
        const OwnWeight& own = isHead ? adapter.addOwnHead(context, "")
                                      : adapter.addOwnWeight(context, m_parts.model.embeddingTable(), "");
        // Files may bring the table itself too, where the vocabulary has grown.
        if (parts.contains(PeftPart::Weight)) {
            source(PeftPart::Weight, ".base_layer.weight");
            fill(context, *parts.at(PeftPart::Weight), own.stored);
        }
        if (context.device.type == DeviceType::Plan) return;
        isHead ? applyToHead(context, update, own.own->value) : applyToEmbedding(context, update, own.own->value);
    }

    void checkLayer(const std::string& module, const PeftParts& parts) {
        const auto found = m_parts.layers.find(module);
        if (found == m_parts.layers.end()) {
            if (m_parts.parameters.contains(module + ".weight")) refuse(fmt::format("an adapter on {}", module));
            mismatch(fmt::format("adapts '{}', which this {} model does not have; the adapter belongs to another model",
                                 module, m_parts.model.config().modelType));
        }
        checkAsked(module, true);
        const core::LinearLayer& layer = *found->second;
        const int64_t rank = m_matcher.rankOf(module);
        const LoraConfig& lora = m_peft.lora;
        checkPart(module, parts, PeftPart::LoraA, ".lora_A.weight", {rank, layer.inFeatures()});
        checkPart(module, parts, PeftPart::LoraB, ".lora_B.weight", {layer.outFeatures(), rank});
        checkOptional(module, parts, PeftPart::LoraBiasB, ".lora_B.bias", lora.hasBiasB, "lora_bias",
                      layer.outFeatures());
        checkOptional(module, parts, PeftPart::Magnitude, ".lora_magnitude_vector", lora.usesMagnitude, "use_dora",
                      layer.outFeatures());
        m_layers.push_back(module);
    }

    void checkPart(const std::string& module, const PeftParts& parts, PeftPart part, const char* suffix,
                   const std::vector<int64_t>& shape) const {
        const auto found = parts.find(part);
        if (found == parts.end()) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: tensor '{}{}{}' is missing", file(), kPeftPrefix, module, suffix)};
        }
        checkShape(*found->second, shape);
    }

    // A vector [out] that is there exactly if the configuration says so.
    void checkOptional(const std::string& module, const PeftParts& parts, PeftPart part, const char* suffix,
                       bool isAsked, const char* key, int64_t length) const {
        if (isAsked) return checkPart(module, parts, part, suffix, {length});
        if (!parts.contains(part)) return;
        mismatch(
            fmt::format("tensor '{}' needs {}, which {} does not set", parts.at(part)->name, key, kPeftConfigFile));
    }

    void checkShape(const core::TensorEntry& entry, const std::vector<int64_t>& shape) const {
        if (entry.shape == shape) return;
        mismatch(fmt::format("tensor '{}' is {}, the model needs {}", entry.name, fmt::join(entry.shape, "x"),
                             fmt::join(shape, "x")));
    }

    void checkWhole(const std::string& module, PeftPart part, const core::TensorEntry& entry, bool isAdapted) {
        const char* suffix = part == PeftPart::Weight ? ".weight" : ".bias";
        const bool isHead = module == m_parts.model.headName() && part == PeftPart::Weight;
        const auto found = m_parts.parameters.find(module + suffix);
        if (found == m_parts.parameters.end() && !isHead) {
            mismatch(fmt::format("brings '{}', which this {} model does not have; the adapter belongs to another model",
                                 entry.name, m_parts.model.config().modelType));
        }
        core::Parameter& base = isHead ? m_parts.model.headTable() : *found->second;
        if (base.isConstant || !isReplaceable(m_parts.model, base)) {
            refuse(
                fmt::format("tensor '{}' (projections, norms, the head and the embedding of decoder-only models can "
                            "be saved whole)",
                            entry.name));
        }
        std::vector<int64_t> shape = extentsOf(m_parts.model.storedValue(base).shape());
        if (base.isTransposedInFile) std::ranges::reverse(shape);
        checkShape(entry, shape);
        const bool isTable = isHead || &base == &m_parts.model.embeddingTable();
        if (isTable && isAdapted) return;  // the update is applied to it
        m_found.push_back({&base, &entry, module + (isAdapted ? ".base_layer" : "") + suffix, isHead});
    }

    // Nothing is read on the plan device.
    void fill(const kernels::Context& context, const core::TensorEntry& entry, const core::Tensor& target,
              bool isTransposed = false) const {
        if (context.device.type == DeviceType::Plan) return;
        std::vector<float> values(static_cast<size_t>(target.count()));
        core::widenToFloat(*entry.dtype, m_weights.file().bytes(entry), values, entry.name);
        if (isTransposed) values = turned(values, static_cast<size_t>(entry.shape[1]));
        core::assignFloats(context, target, values);
    }

    // Rows of `columns` values as columns.
    static std::vector<float> turned(const std::vector<float>& values, size_t columns) {
        const size_t rows = values.size() / columns;
        std::vector<float> result(values.size());
        for (size_t i = 0; i < values.size(); ++i) result[(i % columns) * rows + i / columns] = values[i];
        return result;
    }

    ModelParts m_parts;
    PeftConfig m_peft;
    const PeftWeights& m_weights;
    ModuleMatcher m_matcher;
    std::vector<std::string> m_layers;
    std::vector<FoundWeight> m_found;
    std::vector<FoundTable> m_tables;
};

std::vector<core::NamedTensor> peftTensors(LowRankAdapter& adapter) {
    std::vector<core::NamedTensor> tensors = adapter.storedTensors();
    for (core::NamedTensor& tensor : tensors) tensor.name.insert(0, kPeftPrefix);
    return tensors;
}

}  // namespace

bool isPeftFolder(const fs::path& folder) {
    std::error_code error;
    return fs::exists(folder / kPeftConfigFile, error) || fs::exists(folder / kPeftWeightFile, error);
}

std::unique_ptr<LowRankAdapter> loadPeftAdapter(const kernels::Context& context, core::LanguageModel& model,
                                                const fs::path& folder) {
    PeftConfig peft = readPeftConfig(folder);
    const PeftWeights weights = PeftWeights::open(folder);
    PeftLoader loader(model, std::move(peft), weights);
    loader.check();
    return loader.load(context);
}

void readPeftWeights(const kernels::Context& context, LowRankAdapter& adapter, const fs::path& folder) {
    core::readTensorFile(context, folder / kPeftWeightFile, peftTensors(adapter));
    adapter.refresh(context);
}

void writePeftAdapter(const kernels::Context& context, LowRankAdapter& adapter, const PeftConfig& source,
                      const fs::path& folder) {
    core::writeTensorFile(context, folder / kPeftWeightFile, peftTensors(adapter));
    core::writeFileAtomically(folder / kPeftConfigFile, peftConfigText(adapter, source));
}

std::string hashPeftFolder(const fs::path& folder) {
    const PeftWeights weights = PeftWeights::open(folder);
    std::vector<const core::TensorEntry*> entries;
    for (const core::TensorEntry& entry : weights.file().tensors()) entries.push_back(&entry);
    std::ranges::sort(entries, {}, &core::TensorEntry::name);
    core::WeightHash hash;
    for (const core::TensorEntry* entry : entries) {
        hash.begin(entry->name, *entry->dtype, entry->shape);
        hash.update(weights.file().bytes(*entry));
    }
    return hash.finish();
}

std::string hashAdapter(const kernels::Context& context, LowRankAdapter& adapter) {
    return core::hashTensors(context, peftTensors(adapter));
}

}  // namespace wb::adapters
