// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/sentencepiece_model.h"

#include "kernels/base/error.h"

#include <cstddef>
#include <cstdint>

// Any bytes either are a model, which can be written and read again, or throw an Error. The library itself is left out:
// its own faults are not ours to find.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
        const auto model = wb::core::parseSentencePieceModel(bytes, "tokenizer.model");
        const std::string again = wb::core::serialiseSentencePieceModel(model);
        wb::core::parseSentencePieceModel(std::as_bytes(std::span(again)), "tokenizer.model");
    } catch (const wb::Error&) {
    }
    return 0;
}
