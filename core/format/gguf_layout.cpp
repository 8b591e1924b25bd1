// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_layout.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <cstring>
#include <numeric>

namespace wb::core {
namespace {

// Where row `inHead` of a head (first halves, then second halves of its pairs) lies among pairs (0, 1), (2, 3) ...
size_t pairedRow(size_t inHead, size_t headRows) {
    const size_t half = headRows / 2;
    return 2 * (inHead % half) + inHead / half;
}

// Row `row` of groups of queries with their key and value, among all queries, all keys, all values.
size_t ungroupedRow(size_t row, size_t headRows, const HeadRows& heads) {
    const auto numHeads = static_cast<size_t>(heads.numHeads);
    const auto numKvHeads = static_cast<size_t>(heads.numKvHeads);
    const size_t queriesPerGroup = numHeads / numKvHeads;
    const size_t head = row / headRows;
    const size_t group = head / (queriesPerGroup + 2);
    const size_t inGroup = head % (queriesPerGroup + 2);
    size_t source = group * queriesPerGroup + inGroup;
    if (inGroup == queriesPerGroup) source = numHeads + group;
    if (inGroup == queriesPerGroup + 1) source = numHeads + numKvHeads + group;
    return source * headRows + row % headRows;
}

}  // namespace

HeadRows headRowsOf(const ModelConfig& config, std::string_view huggingFaceName) {
    const bool isKey = huggingFaceName.find("k_proj") != std::string_view::npos;
    return {isKey ? config.numKvHeads : config.numHeads, config.numKvHeads};
}

std::vector<size_t> ggufRows(GgufLayout layout, size_t numRows, const HeadRows& heads, std::string_view name) {
    std::vector<size_t> source(numRows);
    std::iota(source.begin(), source.end(), size_t{0});
    if (layout != GgufLayout::RotaryPairs && layout != GgufLayout::GroupedHeads) return source;
    const bool isGrouped = layout == GgufLayout::GroupedHeads;
    const int64_t numParts = isGrouped ? heads.numHeads + 2 * heads.numKvHeads : 2 * heads.numHeads;
    if (heads.numHeads < 1 || heads.numKvHeads < 1 || heads.numHeads % heads.numKvHeads != 0 ||
        numRows % static_cast<size_t>(numParts) != 0) {
        throw Error{ErrorCode::CorruptFile, fmt::format("tensor '{}' has {} rows for {} heads and {} key heads", name,
                                                        numRows, heads.numHeads, heads.numKvHeads)};
    }
    const size_t headRows =
        isGrouped ? numRows / static_cast<size_t>(numParts) : numRows / static_cast<size_t>(heads.numHeads);
    for (size_t row = 0; row < numRows; ++row) {
        source[row] = isGrouped ? ungroupedRow(row, headRows, heads)
                                : row / headRows * headRows + pairedRow(row % headRows, headRows);
    }
    return source;
}

std::vector<std::byte> gatherRows(std::span<const std::byte> bytes, std::span<const size_t> source) {
    const size_t rowBytes = bytes.size() / source.size();
    std::vector<std::byte> gathered(bytes.size());
    for (size_t row = 0; row < source.size(); ++row) {
        std::memcpy(gathered.data() + row * rowBytes, bytes.data() + source[row] * rowBytes, rowBytes);
    }
    return gathered;
}

std::vector<std::byte> transposed(std::span<const std::byte> bytes, size_t rows, size_t columns, size_t elementBytes) {
    std::vector<std::byte> result(bytes.size());
    for (size_t row = 0; row < rows; ++row) {
        for (size_t column = 0; column < columns; ++column) {
            std::memcpy(result.data() + (column * rows + row) * elementBytes,
                        bytes.data() + (row * columns + column) * elementBytes, elementBytes);
        }
    }
    return result;
}

}  // namespace wb::core
