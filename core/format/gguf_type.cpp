// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_type.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

struct TypeInfo {
    uint32_t number;
    const char* name;
    GgufBlock block;
};

constexpr std::array kTypes{
    TypeInfo{0, "F32", {1, 4}},         TypeInfo{1, "F16", {1, 2}},         TypeInfo{2, "Q4_0", {32, 18}},
    TypeInfo{3, "Q4_1", {32, 20}},      TypeInfo{6, "Q5_0", {32, 22}},      TypeInfo{7, "Q5_1", {32, 24}},
    TypeInfo{8, "Q8_0", {32, 34}},      TypeInfo{9, "Q8_1", {32, 36}},      TypeInfo{10, "Q2_K", {256, 84}},
    TypeInfo{11, "Q3_K", {256, 110}},   TypeInfo{12, "Q4_K", {256, 144}},   TypeInfo{13, "Q5_K", {256, 176}},
    TypeInfo{14, "Q6_K", {256, 210}},   TypeInfo{15, "Q8_K", {256, 292}},   TypeInfo{16, "IQ2_XXS", {256, 66}},
    TypeInfo{17, "IQ2_XS", {256, 74}},  TypeInfo{18, "IQ3_XXS", {256, 98}}, TypeInfo{19, "IQ1_S", {256, 50}},
    TypeInfo{20, "IQ4_NL", {32, 18}},   TypeInfo{21, "IQ3_S", {256, 110}},  TypeInfo{22, "IQ2_S", {256, 82}},
    TypeInfo{23, "IQ4_XS", {256, 136}}, TypeInfo{24, "I8", {1, 1}},         TypeInfo{25, "I16", {1, 2}},
    TypeInfo{26, "I32", {1, 4}},        TypeInfo{27, "I64", {1, 8}},        TypeInfo{28, "F64", {1, 8}},
    TypeInfo{29, "IQ1_M", {256, 56}},   TypeInfo{30, "BF16", {1, 2}},       TypeInfo{34, "TQ1_0", {256, 54}},
    TypeInfo{35, "TQ2_0", {256, 66}},   TypeInfo{39, "MXFP4", {32, 17}},    TypeInfo{40, "NVFP4", {64, 36}},
};

const TypeInfo* infoOf(GgufType type) {
    const auto info = std::ranges::find(kTypes, static_cast<uint32_t>(type), &TypeInfo::number);
    return info == kTypes.end() ? nullptr : &*info;
}

}  // namespace

std::string ggufTypeName(GgufType type) {
    const TypeInfo* info = infoOf(type);
    return info != nullptr ? info->name : fmt::format("type {}", static_cast<uint32_t>(type));
}

std::optional<GgufBlock> ggufBlockOf(GgufType type) {
    const TypeInfo* info = infoOf(type);
    return info != nullptr ? std::optional(info->block) : std::nullopt;
}

std::optional<DType> dtypeOfGguf(GgufType type) {
    switch (type) {
        case GgufType::F16: return DType::F16;
        case GgufType::BF16: return DType::BF16;
        case GgufType::Q8_0: return DType::Q8_0;
        case GgufType::Q4_0: return DType::Q4_0;
        case GgufType::F32:
        case GgufType::Q4_1:
        case GgufType::Q5_0:
        case GgufType::Q5_1:
        case GgufType::Q2_K:
        case GgufType::Q3_K:
        case GgufType::Q4_K:
        case GgufType::Q5_K:
        case GgufType::Q6_K: return DType::F32;
        case GgufType::F64: break;
    }
    return std::nullopt;
}

}  // namespace wb::core
