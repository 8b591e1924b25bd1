// SPDX-License-Identifier: Apache-2.0
#include "core/format/safetensors.h"

#include "tests/core/test_files.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstring>

namespace wb::core {
namespace {

using test::TemporaryFolder;

std::string lengthPrefix(uint64_t length) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes;
}

std::string fileOf(const std::string& header, size_t dataBytes) {
    return lengthPrefix(header.size()) + header + std::string(dataBytes, 'x');
}

// Opens a file of this header and data size.
void openHeader(const std::string& header, size_t dataBytes) {
    const TemporaryFolder folder;
    test::writeText(folder / "m.safetensors", fileOf(header, dataBytes));
    SafetensorsFile::open(folder / "m.safetensors");
}

void openBytes(const std::string& bytes) {
    const TemporaryFolder folder;
    test::writeText(folder / "m.safetensors", bytes);
    SafetensorsFile::open(folder / "m.safetensors");
}

template <class T>
std::span<const std::byte> bytesOf(const std::vector<T>& values) {
    return std::as_bytes(std::span(values));
}

// A file of several kilobytes with types, an empty tensor, a scalar and awkward names.
std::string sampleFile() {
    const TemporaryFolder folder;
    std::vector<TensorDeclaration> tensors{{"plain", DType::F32, {3, 5}},
                                           {"empty", DType::F16, {0, 7}},
                                           {"scalar", DType::I64, {}},
                                           {"näme \"quoted\"", DType::BF16, {2}}};
    for (int i = 0; i < 60; ++i) tensors.push_back({fmt::format("model.layers.{}.weight", i), DType::F32, {4}});
    SafetensorsWriter writer(folder / "m.safetensors", tensors, {{"format", "pt"}, {"note", "x"}});
    for (const TensorDeclaration& tensor : tensors) {
        size_t count = 1;
        for (const int64_t extent : tensor.shape) count *= static_cast<size_t>(extent);
        writer.write(tensor.name, bytesOf(std::vector<uint8_t>(dtypeBytes(tensor.dtype, count), 7)));
    }
    writer.finish();
    return test::readText(folder / "m.safetensors");
}

TEST(Safetensors, RoundTripKeepsTypesShapesBytesAndMetadata) {
    const TemporaryFolder folder;
    const std::vector<float> a{1.5F, -2.0F, 0.0F, 4.0F, 5.0F, 6.0F};
    const std::vector<uint16_t> b{0x3f80, 0xbf80};
    SafetensorsWriter writer(folder / "m.safetensors",
                             {{"b.second", DType::BF16, {2}}, {"a.first", DType::F32, {2, 3}}});
    writer.write("b.second", bytesOf(b));
    writer.write("a.first", bytesOf(a));
    EXPECT_FALSE(std::filesystem::exists(folder / "m.safetensors")) << "visible before it is complete";
    const WrittenFile written = writer.finish();
    EXPECT_EQ(written.bytes, std::filesystem::file_size(folder / "m.safetensors"));
    EXPECT_EQ(written.sha256, sha256OfFile(folder / "m.safetensors"));

    const SafetensorsFile file = SafetensorsFile::open(folder / "m.safetensors");
    ASSERT_EQ(file.tensors().size(), 2U);
    EXPECT_EQ(file.tensors()[0].name, "b.second");
    EXPECT_EQ(file.metadata().at("format"), "pt");
    const TensorEntry* entry = file.find("a.first");
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->dtype, DType::F32);
    EXPECT_EQ(entry->shape, (std::vector<int64_t>{2, 3}));
    EXPECT_TRUE(std::ranges::equal(file.bytes("a.first"), bytesOf(a)));
    EXPECT_TRUE(std::ranges::equal(file.bytes("b.second"), bytesOf(b)));
    EXPECT_EQ(file.find("c"), nullptr);
    WB_EXPECT_ERROR(file.bytes("c"), ErrorCode::NotFound, "'c'");
}

TEST(Safetensors, WriterPadsTheHeaderToEight) {
    for (size_t length = 1; length <= 9; ++length) {
        const TemporaryFolder folder;
        SafetensorsWriter writer(folder / "m.safetensors", {{std::string(length, 'n'), DType::U8, {1}}});
        writer.write(std::string(length, 'n'), bytesOf(std::vector<uint8_t>{1}));
        writer.finish();
        const std::string bytes = test::readText(folder / "m.safetensors");
        uint64_t headerBytes = 0;
        std::memcpy(&headerBytes, bytes.data(), 8);
        EXPECT_EQ(headerBytes % 8, 0U);
        EXPECT_EQ(bytes.size(), 8 + headerBytes + 1);
        SafetensorsFile::open(folder / "m.safetensors");
    }
}

TEST(Safetensors, WriterRefusesWhatWasNotDeclaredAndLeavesNothing) {
    const TemporaryFolder folder;
    {
        SafetensorsWriter writer(folder / "m.safetensors", {{"a", DType::F32, {2}}, {"b", DType::F32, {1}}});
        WB_EXPECT_ERROR(writer.write("b", bytesOf(std::vector<float>{1})), ErrorCode::InvalidArgument, "'a'");
        WB_EXPECT_ERROR(writer.write("a", bytesOf(std::vector<float>{1})), ErrorCode::InvalidArgument, "8 bytes");
        writer.write("a", bytesOf(std::vector<float>{1, 2}));
        WB_EXPECT_ERROR(writer.finish(), ErrorCode::InvalidArgument, "'b'");
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "an unfinished file stayed behind";
    const std::filesystem::path path = folder / "m.safetensors";
    WB_EXPECT_ERROR(SafetensorsWriter(path, {{"a", DType::F32, {1}}, {"a", DType::F32, {1}}}),
                    ErrorCode::InvalidArgument, "twice");
    WB_EXPECT_ERROR(SafetensorsWriter(path, {{"a", DType::F32, {-1}}}), ErrorCode::InvalidArgument, "negative");
    WB_EXPECT_ERROR(SafetensorsWriter(path, {{"__metadata__", DType::F32, {1}}}), ErrorCode::InvalidArgument,
                    "reserved");
    WB_EXPECT_ERROR(SafetensorsWriter(path, {{"a", DType::Q8_0, {32}}}), ErrorCode::InvalidArgument, "Q8_0");
    WB_EXPECT_ERROR(SafetensorsWriter(folder / "none/m.safetensors", {}), ErrorCode::NotFound, "none/m.safetensors");
}

TEST(Safetensors, NamesTheCheckThatFailed) {
    const auto expect = [](const std::string& header, size_t dataBytes, const std::string& part) {
        WB_EXPECT_ERROR(openHeader(header, dataBytes), ErrorCode::CorruptFile, part);
    };
    const std::string f32 = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
    openHeader(f32 + "}   ", 8);
    openHeader("{}", 0);
    openHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"later":{"x":[1,{}]}}})", 8);
    expect(f32 + "}", 7, "truncated");
    expect(f32 + "}", 9, "after the last tensor");
    expect(f32 + R"(,"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})", 8, "overlap");
    expect(f32 + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}})", 10, "belong to none");
    expect(f32 + R"(,"a":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}})", 9, "occurs twice");
    expect(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8, "'dtype' twice");
    expect(R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8, "'F33'");
    expect(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "needs 12 bytes");
    expect(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "begins at 8");
    expect(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8, "data_offsets");
    expect(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", 8, "more than two");
    expect(R"({"a":{"dtype":"F32","shape":[2]}})", 0, "no 'data_offsets'");
    expect(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8, "no 'dtype'");
    expect(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "wrong type");
    expect(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8, "wrong type");
    expect(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8,
           "larger than any memory");
    expect(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})", 8, "extent");
    expect(R"({"a":{"dtype":"F64","shape":[0,9223372036854775807,4],"data_offsets":[0,8]}})", 8,
           "larger than any memory");
    expect(R"({"a":[1]})", 0, "array");
    expect(R"({"a":1})", 0, "wrong type");
    expect(R"({"__metadata__":{"n":1}})", 0, "wrong type");
    expect(R"({"__metadata__":{"n":{}}})", 0, "object");
    expect(R"([])", 0, "does not begin with");
    expect(R"( {})", 0, "does not begin with");
    expect(f32, 8, "JSON error");
    expect("{\"\xff\":{}}", 0, "JSON error");
    expect(std::string(R"({"a":)") + std::string(100000, '['), 0, "array");
    WB_EXPECT_ERROR(openBytes(lengthPrefix(100'000'001)), ErrorCode::CorruptFile, "exceeds the limit");
    WB_EXPECT_ERROR(openBytes(lengthPrefix(UINT64_MAX)), ErrorCode::CorruptFile, "exceeds the limit");
    WB_EXPECT_ERROR(openBytes(lengthPrefix(3) + "{}"), ErrorCode::CorruptFile, "header needs 3 bytes, 2 are left");
    WB_EXPECT_ERROR(openBytes("1234567"), ErrorCode::CorruptFile, "truncated");
    WB_EXPECT_ERROR(openBytes(""), ErrorCode::CorruptFile, "truncated");
}

TEST(Safetensors, NamesForeignFilesAndSaysWhatToDo) {
    const std::string_view pickle("\x80\x02}q\x00(X\x05\x00\x00\x00modelq", 17);
    WB_EXPECT_ERROR(openBytes(std::string(pickle)), ErrorCode::Unsupported, "pickle");
    WB_EXPECT_ERROR(openBytes("PK\x03\x04 archive/data.pkl"), ErrorCode::Unsupported, "any program");
    WB_EXPECT_ERROR(openBytes("GGUF\x03"), ErrorCode::Unsupported, "GGUF");
    WB_EXPECT_ERROR(openBytes("\x89HDF\r\n\x1a\n 1234567"), ErrorCode::Unsupported, "HDF5");
    const TemporaryFolder folder;
    test::writeText(folder / "pytorch_model.bin", "anything");
    WB_EXPECT_ERROR(SafetensorsFile::open(folder / "pytorch_model.bin"), ErrorCode::Unsupported,
                    "safe_serialization=True");
    WB_EXPECT_ERROR(SafetensorsFile::open(folder / "gone.safetensors"), ErrorCode::NotFound, "gone.safetensors");
    WB_EXPECT_ERROR(SafetensorsFile::open(folder.path()), ErrorCode::NotFound, "folder");
}

TEST(Safetensors, NamesAGitLfsPointer) {
    WB_NEED_SHARED_DATA(pointer, "weights_misc/lfs_pointer/model.safetensors");
    WB_EXPECT_ERROR(SafetensorsFile::open(pointer), ErrorCode::Unsupported, "Git LFS pointer");
}

TEST(Safetensors, ReadsRealAdaptersOfOtherWriters) {
    WB_NEED_SHARED_DATA(adapter, "adapters/opt125m_lora_bf16/adapter_model.safetensors");
    const SafetensorsFile file = SafetensorsFile::open(adapter);
    ASSERT_FALSE(file.tensors().empty());
    for (const TensorEntry& entry : file.tensors()) EXPECT_EQ(entry.shape.size(), 2U) << entry.name;
}

TEST(Safetensors, EveryTruncationIsANamedError) {
    const std::string whole = sampleFile();
    ASSERT_GT(whole.size(), 4096U);
    openBytes(whole);
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "m.safetensors";
    for (size_t length = 0; length < whole.size(); ++length) {
        test::writeText(path, std::string_view(whole).substr(0, length));
        const auto failure = test::failureOf([&] { SafetensorsFile::open(path); });
        ASSERT_TRUE(failure.has_value()) << "accepted when cut to " << length << " of " << whole.size();
        ASSERT_EQ(failure->code, ErrorCode::CorruptFile) << failure->text;
        ASSERT_TRUE(failure->names("m.safetensors")) << failure->text;
    }
}

// A flipped bit may leave a valid file (a letter of a name); it must never do anything but open or throw an Error, and
// what opens must stay inside the file.
TEST(Safetensors, EveryBitFlipIsRefusedOrHarmless) {
    const std::string whole = sampleFile();
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "m.safetensors";
    size_t numRefused = 0;
    uint64_t sum = 0;
    for (size_t bit = 0; bit < std::min<size_t>(whole.size(), 4096) * 8; bit += 7) {
        std::string damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        test::writeText(path, damaged);
        const auto failure = test::failureOf([&] {
            const SafetensorsFile file = SafetensorsFile::open(path);
            for (const TensorEntry& entry : file.tensors()) {
                for (const std::byte byte : file.bytes(entry)) sum += static_cast<uint64_t>(byte);
            }
        });
        if (failure) ++numRefused;
    }
    EXPECT_GT(numRefused, 500U);
    EXPECT_GT(sum, 0U);
}

}  // namespace
}  // namespace wb::core
