// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/dtype.h"

#include "kernels/base/error.h"
#include "kernels/base/quantized_tiles.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cctype>

namespace wb {
namespace {

struct DTypeInfo {
    DType dtype;
    const char* name;
    size_t valuesPerBlock;
    size_t bytesPerBlock;
};

constexpr std::array kInfos{
    DTypeInfo{DType::F64, "F64", 1, 8},
    DTypeInfo{DType::F32, "F32", 1, 4},
    DTypeInfo{DType::F16, "F16", 1, 2},
    DTypeInfo{DType::BF16, "BF16", 1, 2},
    DTypeInfo{DType::I64, "I64", 1, 8},
    DTypeInfo{DType::I32, "I32", 1, 4},
    DTypeInfo{DType::I8, "I8", 1, 1},
    DTypeInfo{DType::U8, "U8", 1, 1},
    DTypeInfo{DType::Q8_0, "Q8_0", 32, 34},
    DTypeInfo{DType::Q4_0, "Q4_0", 32, 18},
    DTypeInfo{DType::Q8_0x16, "Q8_0x16", 32, 34},
    DTypeInfo{DType::Q4_0x16, "Q4_0x16", 32, 18},
    DTypeInfo{DType::NF4, "NF4", 64, 34},
    DTypeInfo{DType::NF4x16, "NF4x16", 64, 34},
};

const DTypeInfo& infoOf(DType dtype) {
    return kInfos[static_cast<size_t>(dtype)];
}

bool equalIgnoringCase(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b,
                              [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

const char* dtypeName(DType dtype) {
    return infoOf(dtype).name;
}

DType parseDtype(std::string_view name) {
    for (const DTypeInfo& info : kInfos) {
        const bool isInFiles = !isTiled(info.dtype) && info.dtype != DType::NF4;
        if (isInFiles && equalIgnoringCase(name, info.name)) return info.dtype;
    }
    throw Error{
        ErrorCode::InvalidArgument,
        fmt::format("unknown element type '{}'; known are F64, F32, F16, BF16, I64, I32, I8, U8, Q8_0, Q4_0", name)};
}

size_t dtypeBytes(DType dtype, size_t count) {
    const DTypeInfo& info = infoOf(dtype);
    if (isTiled(dtype)) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} elements of {} have no size without their shape", count, info.name)};
    }
    if (count % info.valuesPerBlock != 0) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{} elements of {} do not fill blocks of {}", count, info.name, info.valuesPerBlock)};
    }
    return count / info.valuesPerBlock * info.bytesPerBlock;
}

size_t arrayBytes(DType dtype, const Shape& shape) {
    if (!isTiled(dtype)) return dtypeBytes(dtype, static_cast<size_t>(shape.count()));
    const DTypeInfo& info = infoOf(dtype);
    if (shape.rank() != 2 || shape[1] % static_cast<int64_t>(info.valuesPerBlock) != 0) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("an array {} cannot be held as {}: tiles are of matrices with rows of {} n elements",
                                shape.text(), info.name, info.valuesPerBlock)};
    }
    const int64_t rows = (shape[0] + kTileRows - 1) / kTileRows * kTileRows;
    return static_cast<size_t>(rows * shape[1]) / info.valuesPerBlock * info.bytesPerBlock;
}

bool isBlocked(DType dtype) {
    return dtype == DType::Q8_0 || dtype == DType::Q4_0 || dtype == DType::NF4;
}

bool isTiled(DType dtype) {
    return dtype == DType::Q8_0x16 || dtype == DType::Q4_0x16 || dtype == DType::NF4x16;
}

DType rowsOfTiles(DType tiled) {
    switch (tiled) {
        case DType::Q8_0x16: return DType::Q8_0;
        case DType::Q4_0x16: return DType::Q4_0;
        case DType::NF4x16: return DType::NF4;
        default: break;
    }
    WB_CHECK(false, "only tiles have a form row by row");
}

DType tilesOfRows(DType blocks) {
    switch (blocks) {
        case DType::Q8_0: return DType::Q8_0x16;
        case DType::Q4_0: return DType::Q4_0x16;
        case DType::NF4: return DType::NF4x16;
        default: break;
    }
    WB_CHECK(false, "only blocks can be put into tiles");
}

int64_t valuesPerBlock(DType dtype) {
    return static_cast<int64_t>(infoOf(dtype).valuesPerBlock);
}

bool isFloatingPoint(DType dtype) {
    return dtype == DType::F64 || dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16;
}

}  // namespace wb
