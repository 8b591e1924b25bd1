// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/tokenizer_json.h"

#include "kernels/base/error.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

// Any bytes either make a tokenizer, whose ids are in range and decode, or throw an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const auto tokenizer =
            wb::core::parseTokenizerJson({reinterpret_cast<const char*>(data), size}, "tokenizer.json", {});
        const std::string_view text =
            "The edge \xff of\t12 \xf0\x9f\xa7\xb0 <s> knives isn't \xcc\x81 \xe2\x96\x81 dull.";
        const auto encoding = tokenizer->encode(text, wb::core::SpecialTokens::Parse);
        tokenizer->decode(encoding.ids);
    } catch (const wb::Error&) {
    }
    return 0;
}
