// SPDX-License-Identifier: Apache-2.0
// Private to the GGUF files of core: moving elements between the order of a GGUF file and that of a Hugging Face
// folder.
#pragma once

#include "core/format/gguf_architectures.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace wb::core {

// The heads whose rows a layout moves: of a query or key projection `numHeads` alone counts, of a fused one both.
struct HeadRows {
    int64_t numHeads = 0;
    int64_t numKvHeads = 0;
};

// The heads of the projection that goes by this Hugging Face name.
HeadRows headRowsOf(const ModelConfig& config, std::string_view huggingFaceName);

// For each row of a Hugging Face tensor the row of the GGUF file that holds it; for Same, PlusOne and Transposed the
// same row. Throws CorruptFile if the rows do not divide among the heads.
std::vector<size_t> ggufRows(GgufLayout layout, size_t numRows, const HeadRows& heads, std::string_view name);

// Rows put into another order: row r of the result is row source[r].
std::vector<std::byte> gatherRows(std::span<const std::byte> bytes, std::span<const size_t> source);

// [rows, columns] -> [columns, rows], elements of elementBytes.
std::vector<std::byte> transposed(std::span<const std::byte> bytes, size_t rows, size_t columns, size_t elementBytes);

}  // namespace wb::core
