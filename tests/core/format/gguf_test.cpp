// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf.h"

#include "core/format/gguf_config.h"
#include "core/format/gguf_dequantise.h"
#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <cstring>

namespace wb::core {
namespace {

using test::TemporaryFolder;

// Puts together the bytes of a GGUF file; what it writes is up to the test.
class GgufBytes {
public:
    explicit GgufBytes(uint64_t numTensors, uint64_t numValues, uint32_t version = 3) {
        m_bytes = "GGUF";
        add(version);
        add(numTensors);
        add(numValues);
    }

    template <class T>
    requires std::is_arithmetic_v<T> GgufBytes& add(T value) {
        m_bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
        return *this;
    }
    GgufBytes& add(std::string_view text) {
        add(static_cast<uint64_t>(text.size()));
        m_bytes += text;
        return *this;
    }
    GgufBytes& raw(std::string_view bytes) {
        m_bytes += bytes;
        return *this;
    }
    GgufBytes& tensor(std::string_view name, const std::vector<uint64_t>& extents, uint32_t type, uint64_t offset) {
        add(name).add(static_cast<uint32_t>(extents.size()));
        for (const uint64_t extent : extents) add(extent);
        return add(type).add(offset);
    }
    GgufBytes& padTo(size_t alignment) {
        m_bytes.append((alignment - m_bytes.size() % alignment) % alignment, '\0');
        return *this;
    }
    const std::string& bytes() const { return m_bytes; }

private:
    std::string m_bytes;
};

GgufFile openBytes(const std::string& bytes) {
    const TemporaryFolder folder;
    test::writeText(folder / "m.gguf", bytes);
    return GgufFile::open(folder / "m.gguf");
}

GgufFile openBytes(const GgufBytes& bytes) {
    return openBytes(bytes.bytes());
}

// Every kind of value, two tensors.
GgufBytes sampleFile() {
    GgufBytes file(2, 15);
    file.add("u8").add(uint32_t{0}).add(uint8_t{200});
    file.add("i8").add(uint32_t{1}).add(int8_t{-5});
    file.add("u16").add(uint32_t{2}).add(uint16_t{60000});
    file.add("i16").add(uint32_t{3}).add(int16_t{-300});
    file.add("u32").add(uint32_t{4}).add(uint32_t{4000000000});
    file.add("i32").add(uint32_t{5}).add(int32_t{-7});
    file.add("f32").add(uint32_t{6}).add(1.5F);
    file.add("bool").add(uint32_t{7}).add(uint8_t{1});
    file.add("text").add(uint32_t{8}).add("hello");
    file.add("u64").add(uint32_t{10}).add(uint64_t{1} << 40);
    file.add("i64").add(uint32_t{11}).add(int64_t{-1});
    file.add("f64").add(uint32_t{12}).add(2.5);
    file.add("texts").add(uint32_t{9}).add(uint32_t{8}).add(uint64_t{2}).add("a").add("bc");
    file.add("ints")
        .add(uint32_t{9})
        .add(uint32_t{5})
        .add(uint64_t{3})
        .add(int32_t{1})
        .add(int32_t{-2})
        .add(int32_t{3});
    file.add("floats").add(uint32_t{9}).add(uint32_t{6}).add(uint64_t{1}).add(0.25F);
    file.tensor("first", {3, 2}, 0, 0).tensor("second", {4}, 1, 32).padTo(32);
    for (int i = 0; i < 6; ++i) file.add(static_cast<float>(i));
    return file.padTo(32).raw("abcdefgh");
}

TEST(Gguf, ReadsEveryKindOfValueAndTensor) {
    const GgufFile file = openBytes(sampleFile());
    EXPECT_EQ(file.version(), 3U);
    EXPECT_EQ(file.integer("u8"), 200);
    EXPECT_EQ(file.integer("i8"), -5);
    EXPECT_EQ(file.integer("u16"), 60000);
    EXPECT_EQ(file.integer("i16"), -300);
    EXPECT_EQ(file.integer("u32"), 4000000000);
    EXPECT_EQ(file.integer("i32"), -7);
    EXPECT_EQ(file.number("f32"), 1.5);
    EXPECT_EQ(file.boolean("bool"), true);
    EXPECT_EQ(file.text("text"), "hello");
    EXPECT_EQ(file.integer("u64"), int64_t{1} << 40);
    EXPECT_EQ(file.integer("i64"), -1);
    EXPECT_EQ(file.number("f64"), 2.5);
    EXPECT_EQ(file.number("u8"), 200.0) << "a whole number is a number";
    EXPECT_EQ(*file.texts("texts"), (std::vector<std::string>{"a", "bc"}));
    EXPECT_EQ(*file.integers("ints"), (std::vector<int64_t>{1, -2, 3}));
    EXPECT_EQ(*file.numbers("floats"), std::vector<double>{0.25});
    EXPECT_EQ(file.integer("absent"), std::nullopt);
    WB_EXPECT_ERROR(file.integer("text"), ErrorCode::CorruptFile, "'text'");
    WB_EXPECT_ERROR(file.requiredInteger("absent"), ErrorCode::CorruptFile, "'absent' is missing");
    const GgufTensor* first = file.find("first");
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->shape, (std::vector<int64_t>{2, 3})) << "outermost first";
    std::vector<float> values(6);
    dequantiseGguf(first->type, first->bytes, values, "first");
    EXPECT_EQ(values, (std::vector<float>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(file.find("second")->bytes.size(), 8U);
    EXPECT_EQ(static_cast<char>(file.find("second")->bytes[0]), 'a');
}

TEST(Gguf, VersionTwoHasTheSameLayout) {
    std::string bytes = sampleFile().bytes();
    bytes[4] = 2;
    EXPECT_EQ(openBytes(bytes).tensors().size(), 2U);
    bytes[4] = 1;
    WB_EXPECT_ERROR(openBytes(bytes), ErrorCode::Unsupported, "version 1");
    bytes[4] = 0;
    bytes[7] = 3;
    WB_EXPECT_ERROR(openBytes(bytes), ErrorCode::Unsupported, "big-endian");
}

TEST(Gguf, RefusesCountsThatCannotFit) {
    const uint64_t huge = uint64_t{1} << 60;
    WB_EXPECT_ERROR(openBytes(GgufBytes(huge, 0)), ErrorCode::CorruptFile, "tensors cannot fit");
    WB_EXPECT_ERROR(openBytes(GgufBytes(0, huge)), ErrorCode::CorruptFile, "metadata values cannot fit");
    GgufBytes longKey(0, 1);
    longKey.add(huge).raw("keykeykeykeykey");
    WB_EXPECT_ERROR(openBytes(longKey), ErrorCode::CorruptFile, "cannot fit");
    for (const uint32_t kind : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U, 11U, 12U}) {
        GgufBytes array(0, 1);
        array.add("k").add(uint32_t{9}).add(kind).add(huge).raw("12345678");
        WB_EXPECT_ERROR(openBytes(array), ErrorCode::CorruptFile, "array elements cannot fit");
    }
    GgufBytes unknown(0, 1);
    unknown.add("k").add(uint32_t{9}).add(uint32_t{13}).add(uint64_t{1}).raw("12345678");
    WB_EXPECT_ERROR(openBytes(unknown), ErrorCode::CorruptFile, "metadata type 13");
    GgufBytes nested(0, 1);
    nested.add("k").add(uint32_t{9}).add(uint32_t{9}).add(uint64_t{1}).raw("123456789012345678901234");
    WB_EXPECT_ERROR(openBytes(nested), ErrorCode::Unsupported, "array of arrays");
}

TEST(Gguf, RefusesBadTensors) {
    const auto expect = [](const std::vector<uint64_t>& extents, uint32_t type, uint64_t offset, ErrorCode code,
                           const std::string& part) {
        GgufBytes file(1, 0);
        file.tensor("t", extents, type, offset).padTo(32).raw(std::string(64, 'x'));
        WB_EXPECT_ERROR(openBytes(file), code, part);
    };
    expect({}, 0, 0, ErrorCode::CorruptFile, "0 axes");
    expect({1, 1, 1, 1, 1}, 0, 0, ErrorCode::CorruptFile, "5 axes");
    expect({0}, 0, 0, ErrorCode::CorruptFile, "extent of 0");
    expect({17}, 0, 0, ErrorCode::CorruptFile, "needs 68 bytes");
    expect({4}, 0, 7, ErrorCode::CorruptFile, "alignment");
    expect({4}, 0, 64, ErrorCode::CorruptFile, "needs 16 bytes at 64");
    expect({4}, 0, UINT64_MAX - 31, ErrorCode::CorruptFile, "needs 16 bytes");
    expect({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0, ErrorCode::CorruptFile, "larger than any memory");
    expect({uint64_t{1} << 63}, 0, 0, ErrorCode::CorruptFile, "extent");
    expect({33}, 8, 0, ErrorCode::CorruptFile, "block of 32");
    expect({48, 2}, 2, 0, ErrorCode::CorruptFile, "block of 32");
    expect({128, 2}, 12, 0, ErrorCode::CorruptFile, "block of 256");
    expect({256}, 14, 0, ErrorCode::CorruptFile, "needs 210 bytes");
    expect({uint64_t{1} << 40, uint64_t{1} << 32}, 14, 0, ErrorCode::CorruptFile, "larger than any memory");
    expect({32}, 99, 0, ErrorCode::Unsupported, "type 99");
    GgufBytes overlap(2, 0);
    overlap.tensor("a", {16}, 0, 0).tensor("b", {4}, 0, 32).padTo(32).raw(std::string(64, 'x'));
    WB_EXPECT_ERROR(openBytes(overlap), ErrorCode::CorruptFile, "overlap");
    GgufBytes twice(2, 0);
    twice.tensor("a", {1}, 0, 0).tensor("a", {1}, 0, 32).padTo(32).raw(std::string(64, 'x'));
    WB_EXPECT_ERROR(openBytes(twice), ErrorCode::CorruptFile, "occurs twice");
    GgufBytes alignment(0, 1);
    alignment.add("general.alignment").add(uint32_t{4}).add(uint32_t{24});
    WB_EXPECT_ERROR(openBytes(alignment), ErrorCode::CorruptFile, "power of two");
}

TEST(Gguf, EveryTruncationIsANamedError) {
    const std::string whole = sampleFile().bytes();
    const TemporaryFolder folder;
    for (size_t length = 0; length < whole.size(); ++length) {
        test::writeText(folder / "m.gguf", std::string_view(whole).substr(0, length));
        const auto failure = test::failureOf([&] { GgufFile::open(folder / "m.gguf"); });
        ASSERT_TRUE(failure.has_value()) << "accepted when cut to " << length;
        ASSERT_EQ(failure->code, ErrorCode::CorruptFile) << failure->text;
    }
}

TEST(Gguf, EveryBitFlipIsRefusedOrHarmless) {
    const std::string whole = sampleFile().bytes();
    const TemporaryFolder folder;
    size_t numRefused = 0;
    uint64_t sum = 0;
    for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        test::writeText(folder / "m.gguf", damaged);
        const auto failure = test::failureOf([&] {
            const GgufFile file = GgufFile::open(folder / "m.gguf");
            for (const GgufTensor& tensor : file.tensors()) {
                for (const std::byte byte : tensor.bytes) sum += static_cast<uint64_t>(byte);
            }
        });
        if (failure) ++numRefused;
    }
    EXPECT_GT(numRefused, 500U);
    EXPECT_GT(sum, 0U);
}

TEST(Gguf, DequantisesAsTheReferenceDoes) {
    const std::pair<GgufType, const char*> cases[] = {
        {GgufType::BF16, "BF16"}, {GgufType::F16, "F16"},   {GgufType::Q8_0, "Q8_0"}, {GgufType::Q4_0, "Q4_0"},
        {GgufType::Q4_1, "Q4_1"}, {GgufType::Q5_0, "Q5_0"}, {GgufType::Q5_1, "Q5_1"}, {GgufType::Q2_K, "Q2_K"},
        {GgufType::Q3_K, "Q3_K"}, {GgufType::Q4_K, "Q4_K"}, {GgufType::Q5_K, "Q5_K"}, {GgufType::Q6_K, "Q6_K"}};
    for (const auto& [type, name] : cases) {
        WB_NEED_SHARED_DATA(blocks, fmt::format("quant_golden/{}.bin", name));
        WB_NEED_SHARED_DATA(golden, fmt::format("quant_golden/{}.f32", name));
        const std::string stored = test::readText(blocks);
        const std::string expectedBytes = test::readText(golden);
        std::vector<float> expected(expectedBytes.size() / 4);
        std::memcpy(expected.data(), expectedBytes.data(), expectedBytes.size());
        std::vector<float> values(expected.size());
        dequantiseGguf(type, std::as_bytes(std::span(stored)), values, name);
        EXPECT_EQ(values, expected) << name;
    }
    std::vector<float> values(256);
    WB_EXPECT_ERROR(dequantiseGguf(static_cast<GgufType>(23), {}, values, "t"), ErrorCode::Unsupported,
                    "'t' is stored as IQ4_XS");
    WB_EXPECT_ERROR(dequantiseGguf(GgufType::F32, {}, values, "t"), ErrorCode::InvalidArgument, "256");
}

TEST(Gguf, BlocksMustHoldExactlyTheElements) {
    for (const GgufType type : {GgufType::Q4_0, GgufType::Q5_1, GgufType::Q2_K, GgufType::Q6_K}) {
        const GgufBlock block = *ggufBlockOf(type);
        const std::vector<std::byte> bytes(2 * block.bytes);
        std::vector<float> values(2 * block.values + 1, 1.0F);
        const auto dequantise = [&](size_t numBytes, size_t numValues) {
            dequantiseGguf(type, std::span(bytes).first(numBytes), std::span(values).first(numValues), "t");
        };
        dequantise(bytes.size(), 2 * block.values);
        EXPECT_EQ(values[0], 0.0F);
        EXPECT_EQ(values.back(), 1.0F) << "wrote beyond the end";
        const std::pair<size_t, size_t> wrong[] = {{bytes.size(), 2 * block.values - 1},
                                                   {bytes.size(), 2 * block.values + 1},
                                                   {bytes.size() - 1, 2 * block.values},
                                                   {bytes.size(), block.values},
                                                   {0, block.values}};
        for (const auto& [numBytes, numValues] : wrong) {
            WB_EXPECT_ERROR(dequantise(numBytes, numValues), ErrorCode::InvalidArgument, ggufTypeName(type));
        }
    }
}

TEST(Gguf, ReadsVocabularyFilesWithoutTensors) {
    WB_NEED_SHARED_DATA(path, "gguf_vocab/ggml-vocab-llama-spm.gguf");
    const GgufFile file = GgufFile::open(path);
    EXPECT_EQ(file.text("tokenizer.ggml.model"), "llama");
    EXPECT_EQ(file.texts("tokenizer.ggml.tokens")->size(), 32000U);
    EXPECT_TRUE(file.tensors().empty());
}

}  // namespace
}  // namespace wb::core
