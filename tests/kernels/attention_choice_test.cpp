// SPDX-License-Identifier: Apache-2.0
// The picker, and what the public functions refuse.
#include "kernels/base/error.h"
#include "kernels/cpu/attention_speeds.h"
#include "kernels/cpu/cpu_features.h"
#include "tests/kernels/attention_case.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cmath>
#include <functional>

namespace wb::kernels {
namespace {

using testing::AttentionCase;
using testing::AttentionData;
using ::testing::HasSubstr;
using testing::viewOf;

ErrorCode codeOf(const std::function<void()>& body, std::string* message = nullptr) {
    try {
        body();
    } catch (const Error& error) {
        if (message != nullptr) *message = error.what();
        return error.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::Internal;
}

TEST(AttentionChoice, NamesRoundTrip) {
    for (const char* name : {"auto", "math", "memory_efficient", "flash", "decode"}) {
        EXPECT_STREQ(attentionBackendName(parseAttentionBackend(name)), name);
    }
    std::string message;
    EXPECT_EQ(codeOf([] { parseAttentionBackend("fast"); }, &message), ErrorCode::InvalidArgument);
    EXPECT_THAT(message, HasSubstr("memory_efficient"));
}

TEST(AttentionChoice, AutoFollowsTheMeasuredTable) {
    const Runtime runtime({});
    for (const DType dtype : {DType::F32, DType::BF16}) {
        for (const int64_t headDim : {1, 32, 64, 80, 128, 512}) {
            for (const int64_t length : {0, 1, 300, 512, 100000}) {
                for (const bool isBackward : {false, true}) {
                    const AttentionProblem problem{
                        .dtype = dtype, .headDim = headDim, .maxKeyLength = length, .isBackward = isBackward};
                    const AttentionChoice choice = pickAttention(runtime.context(), problem);
                    const cpu::AttentionSpeeds speeds =
                        cpu::measuredAttentionSpeeds(dtype, headDim, length, isBackward);
                    EXPECT_GT(std::min(speeds.flash, speeds.memoryEfficient), 0);
                    EXPECT_TRUE(choice.reason.starts_with(attentionBackendName(choice.backend))) << choice.reason;
                    if (dtype == DType::BF16 && cpu::cpuFeatures().hasFastBf16Dot) continue;
                    EXPECT_EQ(choice.backend, speeds.flash >= speeds.memoryEfficient
                                                  ? AttentionBackend::Flash
                                                  : AttentionBackend::MemoryEfficient);
                    EXPECT_THAT(choice.reason, HasSubstr("(measured table)"));
                    EXPECT_THAT(choice.reason, HasSubstr(fmt::format("at head dim {}", speeds.headDim)));
                }
            }
        }
    }
}

TEST(AttentionChoice, TheTableAnswersWithTheNearestPoint) {
    const cpu::AttentionSpeeds exact = cpu::measuredAttentionSpeeds(DType::F32, 64, 512, false);
    EXPECT_EQ(exact.headDim, 64);
    EXPECT_EQ(exact.length, 512);
    const cpu::AttentionSpeeds near = cpu::measuredAttentionSpeeds(DType::F32, 72, 600, false);
    EXPECT_EQ(near.flash, exact.flash);
    EXPECT_EQ(cpu::measuredAttentionSpeeds(DType::BF16, 1000, 1 << 20, true).headDim, 256);
}

TEST(AttentionChoice, AutoSaysWhatItCannotUse) {
    const Runtime runtime({});
    const AttentionChoice f64 = pickAttention(runtime.context(), {.dtype = DType::F64, .headDim = 64});
    EXPECT_EQ(f64.backend, AttentionBackend::Math);
    EXPECT_THAT(f64.reason, HasSubstr("F64"));
    EXPECT_EQ(pickAttention(runtime.context(), {.isPaged = true}).backend, AttentionBackend::Decode);
    EXPECT_EQ(pickAttention(runtime.context(), {.dtype = DType::F64, .isPaged = true}).backend, AttentionBackend::Math);
}

TEST(AttentionChoice, ForcedBackendIsHonouredOrRefused) {
    const Runtime math({.attention = AttentionBackend::Math});
    EXPECT_EQ(pickAttention(math.context(), {}).backend, AttentionBackend::Math);
    EXPECT_THAT(pickAttention(math.context(), {}).reason, HasSubstr("forced by --attention math"));
    EXPECT_EQ(pickAttention(math.context(), {.isPaged = true}).backend, AttentionBackend::Math);

    std::string message;
    const Runtime flash({.attention = AttentionBackend::Flash});
    EXPECT_EQ(codeOf([&] { pickAttention(flash.context(), {.dtype = DType::F64}); }, &message), ErrorCode::Unsupported);
    EXPECT_THAT(message, HasSubstr("F64"));
    EXPECT_EQ(pickAttention(flash.context(), {.isPaged = true}).backend, AttentionBackend::Decode);

    const Runtime decode({.attention = AttentionBackend::Decode});
    EXPECT_EQ(codeOf([&] { pickAttention(decode.context(), {}); }, &message), ErrorCode::Unsupported);
    EXPECT_THAT(message, HasSubstr("contiguous"));

    const Runtime efficient({.attention = AttentionBackend::MemoryEfficient});
    EXPECT_EQ(pickAttention(efficient.context(), {}).backend, AttentionBackend::MemoryEfficient);
    EXPECT_EQ(codeOf([&] { pickAttention(efficient.context(), {.dtype = DType::F64}); }, &message),
              ErrorCode::Unsupported);
    EXPECT_THAT(message, HasSubstr("memory_efficient runs F32 and BF16"));
    const AttentionChoice paged = pickAttention(efficient.context(), {.isPaged = true});
    EXPECT_EQ(paged.backend, AttentionBackend::Decode);
    EXPECT_THAT(paged.reason, HasSubstr("--attention memory_efficient chooses one over contiguous keys"));
}

TEST(AttentionChoice, ProfilerRecordsBackendReasonAndCost) {
    Runtime runtime({.attention = AttentionBackend::MemoryEfficient});
    runtime.profiler().setEnabled(true);
    AttentionData<float> data({"", {4}, {4}, 2, 1, 8, {.isCausal = true}});
    data.forward(runtime.context());
    const std::vector<KernelSummary> summary = runtime.profiler().summary();
    ASSERT_EQ(summary.size(), 1U);
    EXPECT_EQ(summary[0].name, "attention_forward");
    EXPECT_EQ(summary[0].backend, "memory_efficient");
    EXPECT_EQ(summary[0].reason, "memory_efficient: forced by --attention memory_efficient");
    EXPECT_EQ(summary[0].flops, 4.0 * (1 + 2 + 3 + 4) * 2 * 8);
}

class AttentionRefuses : public ::testing::Test {
protected:
    AttentionRefuses() : m_data({"", {3, 2}, {3, 4}, 4, 2, 8, {}}) {}

    // Message of the InvalidArgument that forward throws after `change`.
    std::string forwardError(const std::function<void(AttentionForwardArgs&)>& change) {
        AttentionForwardArgs args = m_data.forwardArgs();
        change(args);
        std::string message;
        EXPECT_EQ(codeOf([&] { attentionForward(m_runtime.context(), args); }, &message), ErrorCode::InvalidArgument);
        return message;
    }
    std::string backwardError(const std::function<void(AttentionBackwardArgs&)>& change) {
        AttentionBackwardArgs args = m_data.backwardArgs();
        change(args);
        std::string message;
        EXPECT_EQ(codeOf([&] { attentionBackward(m_runtime.context(), args); }, &message), ErrorCode::InvalidArgument);
        return message;
    }

    Runtime m_runtime{RuntimeOptions{}};
    AttentionData<float> m_data;
};

TEST_F(AttentionRefuses, WrongShapesAndTypes) {
    EXPECT_THAT(forwardError([](auto& a) { a.q.shape = {5, 4}; }), HasSubstr("q has shape"));
    EXPECT_THAT(forwardError([](auto& a) { a.q.dtype = DType::F16; }), HasSubstr("F16"));
    EXPECT_THAT(forwardError([](auto& a) { a.k.shape = {7, 3, 8}; }), HasSubstr("multiple"));
    EXPECT_THAT(forwardError([](auto& a) { a.v.shape = {7, 2, 4}; }), HasSubstr("v has shape"));
    EXPECT_THAT(forwardError([](auto& a) { a.v.dtype = DType::BF16; }), HasSubstr("v is BF16"));
    EXPECT_THAT(forwardError([](auto& a) { a.out.shape = {5, 4, 4}; }), HasSubstr("out has shape"));
    EXPECT_THAT(forwardError([](auto& a) { a.logSumExp.shape = {4, 5}; }), HasSubstr("logSumExp"));
    EXPECT_THAT(backwardError([](auto& a) { a.logSumExp = {}; }), HasSubstr("logSumExp is missing"));
    EXPECT_THAT(backwardError([](auto& a) { a.dK.shape = {7, 4, 8}; }), HasSubstr("dK has shape"));
    EXPECT_THAT(backwardError([](auto& a) { a.dOut.shape = {4, 4, 8}; }), HasSubstr("dOut has shape"));
}

TEST_F(AttentionRefuses, WrongBounds) {
    const std::vector<int32_t> tooShort{0, 3, 4};
    const std::vector<int32_t> falling{0, 6, 5};
    const std::vector<int32_t> lateStart{1, 3, 5};
    const std::vector<int32_t> oneSequence{0, 5};
    EXPECT_THAT(forwardError([&](auto& a) { a.cuSeqlensQ = tooShort; }), HasSubstr("cuSeqlensQ must run from 0 to 5"));
    EXPECT_THAT(forwardError([&](auto& a) { a.cuSeqlensQ = falling; }), HasSubstr("falls from 6 to 5"));
    EXPECT_THAT(forwardError([&](auto& a) { a.cuSeqlensQ = lateStart; }), HasSubstr("must run from 0"));
    EXPECT_THAT(forwardError([&](auto& a) { a.cuSeqlensQ = oneSequence; }), HasSubstr("names 1 sequences"));
    EXPECT_THAT(forwardError([&](auto& a) { a.cuSeqlensK = {}; }), HasSubstr("cuSeqlensK"));
}

TEST_F(AttentionRefuses, WrongOptionsAndBias) {
    EXPECT_THAT(forwardError([](auto& a) { a.options.dropout = 1; }), HasSubstr("dropout"));
    EXPECT_THAT(forwardError([](auto& a) { a.options.softCap = -1; }), HasSubstr("soft cap"));
    EXPECT_THAT(forwardError([](auto& a) { a.options.scale = INFINITY; }), HasSubstr("scale"));
    EXPECT_THAT(forwardError([](auto& a) { a.options.windowLeft = -2; }), HasSubstr("window"));
    EXPECT_THAT(forwardError([](auto& a) { a.options.bias = AttentionBias::Alibi; }), HasSubstr("bias is missing"));
    std::vector<float> bias(64);
    EXPECT_THAT(forwardError([&](auto& a) { a.bias = viewOf(bias, {4}); }), HasSubstr("kind is None"));
    EXPECT_THAT(forwardError([&](auto& a) {
                    a.options.bias = AttentionBias::Dense;
                    a.bias = viewOf(bias, {4, 5, 3});
                }),
                HasSubstr("expected [4, 5, 4]"));
    EXPECT_THAT(backwardError([&](auto& a) {
                    a.options.bias = AttentionBias::Alibi;
                    a.bias = viewOf(bias, {4});
                    a.dBias = viewOf(bias, {4});
                }),
                HasSubstr("have a gradient"));
}

class PagedRefuses : public ::testing::Test {
protected:
    // Two sequences of 5 and 3 keys in blocks of 4.
    PagedAttentionArgs args() {
        return {.q = viewOf(m_q, {3, 4, 8}),
                .keyCache = viewOf(m_cache, m_shape),
                .valueCache = viewOf(m_cache, m_shape),
                .cuSeqlensQ = m_bounds,
                .keyLengths = m_lengths,
                .blockTables = m_tables,
                .maxBlocks = 2,
                .out = viewOf(m_out, {3, 4, 8})};
    }
    std::string error(const std::function<void(PagedAttentionArgs&)>& change) {
        PagedAttentionArgs call = args();
        change(call);
        std::string message;
        EXPECT_EQ(codeOf([&] { pagedAttention(m_runtime.context(), call); }, &message), ErrorCode::InvalidArgument);
        return message;
    }
    std::string storeError(const std::vector<int32_t>& slots) {
        std::string message;
        EXPECT_EQ(codeOf(
                      [&] {
                          kvCacheStore(m_runtime.context(), {.k = viewOf(m_rows, {2, 2, 8}),
                                                             .v = viewOf(m_rows, {2, 2, 8}),
                                                             .slots = slots,
                                                             .keyCache = viewOf(m_cache, m_shape),
                                                             .valueCache = viewOf(m_cache, m_shape)});
                      },
                      &message),
                  ErrorCode::InvalidArgument);
        return message;
    }

    Runtime m_runtime{RuntimeOptions{}};
    Shape m_shape{5, 4, 2, 8};
    std::vector<float> m_q = std::vector<float>(3 * 4 * 8, 0.5F);
    std::vector<float> m_out = m_q;
    std::vector<float> m_rows = std::vector<float>(2 * 2 * 8);
    std::vector<float> m_cache = std::vector<float>(5 * 4 * 2 * 8, 0.25F);
    std::vector<int32_t> m_bounds{0, 2, 3};
    std::vector<int32_t> m_lengths{5, 3};
    std::vector<int32_t> m_tables{4, 0, 2, -1};
};

TEST_F(PagedRefuses, BlocksOutsideTheCache) {
    EXPECT_NO_THROW(pagedAttention(m_runtime.context(), args()));
    const std::vector<int32_t> tooHigh{4, 5, 2, -1};
    const std::vector<int32_t> negative{4, -1, 2, -1};
    const std::vector<int32_t> tooFew{4, 0, 2};
    const std::vector<int32_t> tooLong{9, 3};
    const std::vector<int32_t> belowZero{-1, 3};
    EXPECT_THAT(error([&](auto& a) { a.blockTables = tooHigh; }), HasSubstr("names block 5 of a cache of 5"));
    EXPECT_THAT(error([&](auto& a) { a.blockTables = negative; }), HasSubstr("names block -1"));
    EXPECT_THAT(error([&](auto& a) { a.blockTables = tooFew; }), HasSubstr("block table holds 3"));
    EXPECT_THAT(error([&](auto& a) { a.keyLengths = tooLong; }), HasSubstr("has 9 keys"));
    EXPECT_THAT(error([&](auto& a) { a.keyLengths = belowZero; }), HasSubstr("has -1 keys"));
}

TEST_F(PagedRefuses, WhatACacheDoesNotDo) {
    EXPECT_THAT(error([](auto& a) { a.options.dropout = 0.1F; }), HasSubstr("dropout"));
    EXPECT_THAT(error([](auto& a) { a.options.bias = AttentionBias::Dense; }),
                HasSubstr("a dense bias is not defined over a cache"));
    EXPECT_THAT(error([](auto& a) { a.q.shape = {3, 3, 8}; }), HasSubstr("does not fit a cache"));
    EXPECT_THAT(error([](auto& a) { a.valueCache.dtype = DType::BF16; }), HasSubstr("valueCache is BF16"));
}

TEST_F(PagedRefuses, SlotsOutsideTheCache) {
    EXPECT_THAT(storeError({0, 20}), HasSubstr("slot 20"));
    EXPECT_THAT(storeError({0, -1}), HasSubstr("slot -1"));
    EXPECT_THAT(storeError({0}), HasSubstr("1 slots for 2 rows"));
}

}  // namespace
}  // namespace wb::kernels
