// SPDX-License-Identifier: Apache-2.0
// One description of an op call serves accuracy, gradient, determinism, argument and speed tests.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>
#include <functional>
#include <map>
#include <ostream>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wb::kernels::testing {

enum class TensorKind {
    Data,           // the storage type under test
    Sums,           // F32, or F64 when the storage type is F64
    Float,          // F32 whatever the storage type
    Double,         // F64 whatever the storage type
    Index,          // I32
    Q8Tiles,        // Q8_0x16 whatever the storage type
    Q4Tiles,        // Q4_0x16
    Nf4Tiles,       // NF4x16
    SignedBytes,    // I8
    UnsignedBytes,  // U8
};
enum class TensorRole { Input, Output, Accumulated };

struct TensorSpec {
    std::string name;
    Shape shape;
    TensorKind kind = TensorKind::Data;
    TensorRole role = TensorRole::Input;
    double low = -1;  // inputs and accumulated outputs start uniform in [low, high)
    double high = 1;
    std::vector<int32_t> indices;  // of an Index tensor
};

// The tensors of one case in one storage type. Contents are the same in every type: they are rounded to BF16 first.
class TensorBank {
public:
    TensorBank(const std::vector<TensorSpec>& specs, DType storage);

    // Throws std::out_of_range for an unknown name; an absent view if the case has no such tensor is asked by `find`.
    View at(std::string_view name) const;
    View find(std::string_view name) const;
    // Makes at() and find() return something else (wrong shapes and types for argument tests).
    void replace(std::string_view name, const View& view);
    std::vector<double> values(std::string_view name) const;
    std::span<double> doubles(std::string_view name) const;  // of an F64 tensor
    std::vector<uint8_t> bytes(std::string_view name) const;
    // Puts accumulated and output tensors back to their first contents.
    void reset();
    DType storage() const { return m_storage; }
    // Names that at() and find() were asked for since the last call.
    std::set<std::string> takeUsed() const { return std::exchange(m_used, {}); }

private:
    struct Entry {
        TensorSpec spec;
        std::vector<uint8_t> memory;
        size_t alignment = 0;  // offset of the first 64-byte boundary
        View view;
    };
    void fill(Entry& entry, uint64_t seed) const;
    const Entry& entryOf(std::string_view name) const;

    DType m_storage;
    std::map<std::string, Entry, std::less<>> m_entries;
    mutable std::set<std::string> m_used;
};

using RunFunction = std::function<void(const Context&, const TensorBank&)>;

struct OpCase {
    std::string name;
    std::vector<TensorSpec> tensors;
    RunFunction forward;
    RunFunction backward;  // empty if the op has none, or makes its gradients in forward
    // d(sum of output * upstream) / d(input) is in gradient.
    std::vector<std::pair<std::string, std::string>> outputsAndUpstream;
    std::vector<std::pair<std::string, std::string>> inputsAndGradients;
    int64_t reductionLength = 1;      // longest sum; scales the tolerance
    double conditioning = 1;          // how much the formula magnifies a rounding of its inputs
    double inexactness = 0;           // what the contract allows besides, relative to the largest value
    double naturalScale = 1e-3;       // size of the terms whose sum an output is, where they may cancel
    bool isThreadIndependent = true;  // the same bits for any number of threads
    std::vector<DType> storages{DType::F32, DType::BF16};  // besides the F64 oracle
    bool hasOracle = true;                                 // F64 runs
    bool isBenchmark = false;                              // too large for the oracle: speed only
    std::vector<std::string> uncheckedViews;               // views whose shape the op cannot contradict (lists)
};

// Error allowed relative to the largest value of a tensor, for sums over `reductionLength` elements.
double tolerance(DType tensor, DType storage, const OpCase& c);

// The table: one function per file <op>_cases.cpp.
std::vector<OpCase> activationCases();
std::vector<OpCase> columnsCases();
std::vector<OpCase> distanceTableCases();
std::vector<OpCase> embeddingCases();
std::vector<OpCase> expertRoutingCases();
std::vector<OpCase> layerNormCases();
std::vector<OpCase> linearCases();
std::vector<OpCase> quantizedCases();
std::vector<OpCase> rmsNormCases();
std::vector<OpCase> rotaryCases();
std::vector<OpCase> rowsCases();
std::vector<OpCase> gatedActivationCases();
std::vector<OpCase> columnScaleCases();
std::vector<OpCase> elementwiseCases();
std::vector<OpCase> lmHeadLossCases();
std::vector<OpCase> optimizerCases();

// The cases of one file, named for test output.
struct OpCaseTable {
    const char* name;
    std::vector<OpCase> (*cases)();
};
const std::vector<OpCaseTable>& opCaseTables();

inline std::ostream& operator<<(std::ostream& out, const OpCaseTable& table) {
    return out << table.name;
}

}  // namespace wb::kernels::testing
