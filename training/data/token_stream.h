// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/tokenizer.h"

namespace wb::training {

// Documents as one run of ids, each with BOS (if the tokenizer's pipeline adds one) and EOS (if there is one).
struct TokenStream {
    std::vector<core::TokenId> ids;
    std::vector<int64_t> documentStarts;   // offsets into ids, ascending
    std::vector<int64_t> documentLengths;  // ids per document
};

// Encodes documents on `threads` threads (0: one per core). Long documents are encoded in pieces that end at line
// breaks; the ids are the same for every number of threads. Empty documents are left out. Special tokens are not
// parsed.
TokenStream tokenizeDocuments(const std::vector<std::string_view>& documents, const core::Tokenizer& tokenizer,
                              int threads);

}  // namespace wb::training
