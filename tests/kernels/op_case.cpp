// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/op_case.h"

#include "kernels/base/float_formats.h"
#include "kernels/base/philox.h"
#include "kernels/quantize.h"
#include "kernels/runtime/runtime.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

namespace wb::kernels::testing {
namespace {

DType dtypeOf(TensorKind kind, DType storage) {
    switch (kind) {
        case TensorKind::Data: return storage;
        case TensorKind::Sums: return storage == DType::F64 ? DType::F64 : DType::F32;
        case TensorKind::Float: return DType::F32;
        case TensorKind::Double: return DType::F64;
        case TensorKind::Index: return DType::I32;
        case TensorKind::Q8Tiles: return DType::Q8_0x16;
        case TensorKind::Q4Tiles: return DType::Q4_0x16;
        case TensorKind::Nf4Tiles: return DType::NF4x16;
        case TensorKind::SignedBytes: return DType::I8;
        case TensorKind::UnsignedBytes: return DType::U8;
    }
    return storage;
}

double valueAt(const View& view, int64_t i) {
    switch (view.dtype) {
        case DType::F64: return view.as<double>()[i];
        case DType::F32: return static_cast<double>(view.as<float>()[i]);
        case DType::BF16: return static_cast<double>(static_cast<float>(view.as<BFloat16>()[i]));
        case DType::F16: return static_cast<double>(static_cast<float>(view.as<Float16>()[i]));
        case DType::I32: return static_cast<double>(view.as<int32_t>()[i]);
        case DType::I8: return static_cast<double>(view.as<int8_t>()[i]);
        case DType::U8: return static_cast<double>(view.as<uint8_t>()[i]);
        default: throw std::logic_error("no numbers of this type");
    }
}

void setValue(const View& view, int64_t i, double value) {
    switch (view.dtype) {
        case DType::F64: view.as<double>()[i] = value; return;
        case DType::F32: view.as<float>()[i] = static_cast<float>(value); return;
        case DType::BF16: view.as<BFloat16>()[i] = BFloat16(static_cast<float>(value)); return;
        case DType::F16: view.as<Float16>()[i] = Float16(static_cast<float>(value)); return;
        case DType::I32: view.as<int32_t>()[i] = static_cast<int32_t>(value); return;
        case DType::I8: view.as<int8_t>()[i] = static_cast<int8_t>(value); return;
        case DType::U8: view.as<uint8_t>()[i] = static_cast<uint8_t>(value); return;
        default: throw std::logic_error("no numbers of this type");
    }
}

// Noise in [-1, 1), the same blocks whatever the storage type.
void fillTiles(const View& view, uint64_t seed) {
    std::vector<float> values(static_cast<size_t>(view.shape.count()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = 2 * philoxUnit(philoxWord(seed, i)) - 1;
    const Runtime runtime({.numThreads = 1});
    quantize(runtime.context(), {.x = {values.data(), DType::F32, view.shape}, .out = view});
}

}  // namespace

TensorBank::TensorBank(const std::vector<TensorSpec>& specs, DType storage) : m_storage(storage) {
    constexpr size_t kAlignment = 64;
    uint64_t seed = 100;
    for (const TensorSpec& spec : specs) {
        Entry& entry = m_entries[spec.name];
        entry.spec = spec;
        const DType dtype = dtypeOf(spec.kind, storage);
        const size_t bytes = arrayBytes(dtype, spec.shape);
        entry.memory.resize(bytes + kAlignment);
        const auto address = reinterpret_cast<uintptr_t>(entry.memory.data());
        entry.alignment = (kAlignment - address % kAlignment) % kAlignment;
        entry.view = {entry.memory.data() + entry.alignment, dtype, spec.shape};
        fill(entry, seed++);
    }
}

void TensorBank::fill(Entry& entry, uint64_t seed) const {
    const TensorSpec& spec = entry.spec;
    if (isTiled(entry.view.dtype)) return fillTiles(entry.view, seed);
    for (int64_t i = 0; i < spec.shape.count(); ++i) {
        if (spec.kind == TensorKind::Index && !spec.indices.empty()) {
            setValue(entry.view, i, spec.indices[static_cast<size_t>(i) % spec.indices.size()]);
            continue;
        }
        // Outputs start as something that no kernel leaves behind by accident.
        const double unit = static_cast<double>(philoxUnit(philoxWord(seed, static_cast<uint64_t>(i))));
        const double value = spec.role == TensorRole::Output ? 77.0 : spec.low + (spec.high - spec.low) * unit;
        setValue(entry.view, i, static_cast<double>(static_cast<float>(BFloat16(static_cast<float>(value)))));
    }
}

void TensorBank::reset() {
    uint64_t seed = 5000;
    for (auto& [name, entry] : m_entries) {
        if (entry.spec.role != TensorRole::Input) fill(entry, seed);
        ++seed;
    }
}

const TensorBank::Entry& TensorBank::entryOf(std::string_view name) const {
    const auto found = m_entries.find(name);
    if (found == m_entries.end()) throw std::out_of_range("no tensor '" + std::string(name) + "'");
    m_used.insert(found->first);
    return found->second;
}

View TensorBank::at(std::string_view name) const {
    return entryOf(name).view;
}

View TensorBank::find(std::string_view name) const {
    return m_entries.contains(name) ? entryOf(name).view : View{};
}

void TensorBank::replace(std::string_view name, const View& view) {
    m_entries.find(name)->second.view = view;
}

std::vector<double> TensorBank::values(std::string_view name) const {
    const View view = at(name);
    std::vector<double> values(static_cast<size_t>(view.shape.count()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = valueAt(view, static_cast<int64_t>(i));
    return values;
}

std::span<double> TensorBank::doubles(std::string_view name) const {
    const View view = at(name);
    if (view.dtype != DType::F64) throw std::logic_error("not an F64 tensor");
    return {view.as<double>(), static_cast<size_t>(view.shape.count())};
}

std::vector<uint8_t> TensorBank::bytes(std::string_view name) const {
    const View view = at(name);
    return {view.as<uint8_t>(), view.as<uint8_t>() + view.bytes()};
}

double tolerance(DType tensor, DType storage, const OpCase& c) {
    // Roundings of a sum add up like a random walk; 4 covers the few operations around it.
    const double single = 0x1p-23 * (4 + std::sqrt(static_cast<double>(c.reductionLength)));
    // One rounding to BF16 is 2^-9; a stored intermediate and the result make two, at the edge of a binade.
    double relative = single;
    if (tensor == DType::BF16 || storage == DType::BF16) relative += 0x1p-8;
    if (tensor == DType::F16 || storage == DType::F16) relative += 0x1p-10;  // three bits more
    return relative * c.conditioning + c.inexactness;
}

const std::vector<OpCaseTable>& opCaseTables() {
    static const std::vector<OpCaseTable> tables{
        {"activation", activationCases},
        {"columns", columnsCases},
        {"distance_table", distanceTableCases},
        {"embedding", embeddingCases},
        {"expert_routing", expertRoutingCases},
        {"layer_norm", layerNormCases},
        {"linear", linearCases},
        {"quantized", quantizedCases},
        {"rms_norm", rmsNormCases},
        {"rotary", rotaryCases},
        {"rows", rowsCases},
        {"gated_activation", gatedActivationCases},
        {"column_scale", columnScaleCases},
        {"elementwise", elementwiseCases},
        {"lm_head_loss", lmHeadLossCases},
        {"optimizer", optimizerCases},
    };
    return tables;
}

}  // namespace wb::kernels::testing
