// SPDX-License-Identifier: Apache-2.0
// Every op against its oracle, itself and its contract, over the table of cases.
#include "kernels/base/error.h"
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/runtime/runtime.h"
#include "tests/kernels/op_case.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>

namespace wb::kernels {
namespace {

using testing::OpCase;
using testing::OpCaseTable;
using testing::TensorBank;
using testing::TensorKind;
using testing::TensorRole;
using testing::TensorSpec;

void runAll(const Context& context, const OpCase& c, const TensorBank& bank) {
    c.forward(context, bank);
    if (c.backward) c.backward(context, bank);
}

// NaN if any difference is: a broken value must not pass as a small one.
double worstDifference(const std::vector<double>& a, const std::vector<double>& b, double& largest) {
    double worst = 0;
    largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(a[i] - b[i]);
        if (std::isnan(difference)) return difference;
        worst = std::max(worst, difference);
        largest = std::max(largest, std::abs(b[i]));
    }
    return worst;
}

// One test for each file of cases; a failure names its case.
class OpCaseTest : public ::testing::TestWithParam<OpCaseTable> {
protected:
    Runtime m_runtime{{.numThreads = 2}};

    // Calls check(case) for the small cases that `isWanted`.
    template <class Check>
    void forCases(bool (*isWanted)(const OpCase&), const Check& check) const {
        for (const OpCase& c : GetParam().cases()) {
            if (c.isBenchmark || !isWanted(c)) continue;
            SCOPED_TRACE(c.name);
            check(c);
        }
    }
    template <class Check>
    void forAllCases(const Check& check) const {
        forCases([](const OpCase&) { return true; }, check);
    }

    void expectClose(const OpCase& c, const TensorBank& actual, const TensorBank& expected, DType storage) const {
        for (const TensorSpec& spec : c.tensors) {
            if (spec.role == TensorRole::Input) continue;
            double largest = 0;
            const double worst = worstDifference(actual.values(spec.name), expected.values(spec.name), largest);
            const bool isExact = spec.kind == TensorKind::Index;
            const double allowed = isExact ? 0.0
                                           : testing::tolerance(actual.at(spec.name).dtype, storage, c) *
                                                 std::max(largest, c.naturalScale);
            EXPECT_LE(worst, allowed) << spec.name << " as " << dtypeName(storage) << ", largest value " << largest;
        }
    }
};

bool hasOracle(const OpCase& c) {
    return c.hasOracle;
}

// Sums inside the matrix products of oneDNN follow the size of the team; all others must not.
bool isThreadIndependent(const OpCase& c) {
    return c.isThreadIndependent;
}

TEST_P(OpCaseTest, fastMatchesOracle) {
    forCases(hasOracle, [&](const OpCase& c) {
        TensorBank oracle(c.tensors, DType::F64);
        runAll(m_runtime.context(), c, oracle);
        for (const DType storage : c.storages) {
            TensorBank fast(c.tensors, storage);
            runAll(m_runtime.context(), c, fast);
            expectClose(c, fast, oracle, storage);
        }
    });
}

TEST_P(OpCaseTest, referenceInSinglePrecisionMatchesTheOracle) {
    forCases(hasOracle, [&](const OpCase& c) {
        Context context = m_runtime.context();
        context.ops = &cpu::referenceOpTable();
        TensorBank oracle(c.tensors, DType::F64);
        runAll(context, c, oracle);
        for (const DType storage : c.storages) {
            TensorBank reference(c.tensors, storage);
            runAll(context, c, reference);
            expectClose(c, reference, oracle, storage);
        }
    });
}

TEST_P(OpCaseTest, repeatsBitForBit) {
    forAllCases([&](const OpCase& c) {
        for (const DType storage : c.storages) {
            TensorBank first(c.tensors, storage);
            TensorBank second(c.tensors, storage);
            runAll(m_runtime.context(), c, first);
            runAll(m_runtime.context(), c, second);
            for (const TensorSpec& spec : c.tensors) {
                EXPECT_EQ(first.bytes(spec.name), second.bytes(spec.name)) << spec.name << " as " << dtypeName(storage);
            }
        }
    });
}

TEST_P(OpCaseTest, anyNumberOfThreadsGivesTheSameBits) {
    forCases(isThreadIndependent, [&](const OpCase& c) {
        for (const DType storage : c.storages) {
            TensorBank single(c.tensors, storage);
            TensorBank many(c.tensors, storage);
            Context context = m_runtime.context();
            context.numThreads = 1;
            runAll(context, c, single);
            context.numThreads = 5;
            runAll(context, c, many);
            for (const TensorSpec& spec : c.tensors) {
                EXPECT_EQ(single.bytes(spec.name), many.bytes(spec.name)) << spec.name << " as " << dtypeName(storage);
            }
        }
    });
}

TEST_P(OpCaseTest, leavesInputsAlone) {
    forAllCases([&](const OpCase& c) {
        for (const DType storage : c.storages) {
            const TensorBank untouched(c.tensors, storage);
            TensorBank used(c.tensors, storage);
            runAll(m_runtime.context(), c, used);
            for (const TensorSpec& spec : c.tensors) {
                if (spec.role != TensorRole::Input) continue;
                EXPECT_EQ(untouched.bytes(spec.name), used.bytes(spec.name)) << spec.name;
            }
        }
    });
}

TEST_P(OpCaseTest, plansTheMemoryItUses) {
    forAllCases([&](const OpCase& c) {
        Runtime plan({.device = {DeviceType::Plan}});
        for (const DType storage : c.storages) {
            Runtime real({.numThreads = 2});
            TensorBank bank(c.tensors, storage);
            runAll(real.context(), c, bank);
            TensorBank planned(c.tensors, storage);
            for (const TensorSpec& spec : c.tensors) {
                const View view = planned.at(spec.name);
                planned.replace(spec.name, {nullptr, view.dtype, view.shape});
            }
            plan.allocator().resetPeak();
            runAll(plan.context(), c, planned);
            EXPECT_EQ(plan.allocator().stats().peakBytes, real.allocator().stats().peakBytes) << dtypeName(storage);
            EXPECT_EQ(real.allocator().stats().liveBytes, 0);
        }
    });
}

void expectInvalid(const Context& context, const testing::RunFunction& run, const TensorBank& bank,
                   const std::string& what) {
    try {
        run(context, bank);
        FAIL() << what << " was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument) << what << ": " << error.what();
    }
}

// Breaks every tensor that a direction reads or writes, one at a time.
TEST_P(OpCaseTest, refusesWrongShapesAndTypes) {
    forAllCases([&](const OpCase& c) {
        for (const testing::RunFunction& run : {c.forward, c.backward}) {
            if (!run) continue;
            TensorBank bank(c.tensors, c.storages.front());
            runAll(m_runtime.context(), c, bank);
            bank.takeUsed();
            run(m_runtime.context(), bank);
            for (const std::string& name : bank.takeUsed()) {
                const View good = bank.at(name);
                bank.replace(name, {good.data, DType::I64, good.shape});
                expectInvalid(m_runtime.context(), run, bank, name + " of integers");
                if (std::ranges::find(c.uncheckedViews, name) == c.uncheckedViews.end()) {
                    bank.replace(name, {good.data, good.dtype, Shape{3, 1, 5, 2}});
                    expectInvalid(m_runtime.context(), run, bank, name + " with four axes");
                }
                bank.replace(name, good);
            }
        }
    });
}

TEST_P(OpCaseTest, survivesAFailedAllocation) {
    forAllCases([&](const OpCase& c) {
        Runtime runtime({.numThreads = 2});
        for (int64_t n = 1; n <= 8; ++n) {
            TensorBank bank(c.tensors, c.storages.front());
            const int64_t before = runtime.allocator().stats().allocations;
            runtime.allocator().failAfter(n);
            try {
                runAll(runtime.context(), c, bank);
                EXPECT_LT(runtime.allocator().stats().allocations - before, n);
                runtime.allocator().failAfter(0);
                break;
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::OutOfMemory) << error.what();
                EXPECT_EQ(runtime.allocator().stats().liveBytes, 0);
            }
        }
    });
}

INSTANTIATE_TEST_SUITE_P(Kernels, OpCaseTest, ::testing::ValuesIn(testing::opCaseTables()),
                         [](const auto& table) { return std::string(table.param.name); });

}  // namespace
}  // namespace wb::kernels
