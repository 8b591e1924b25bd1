// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/tokenizer_settings.h"

#include <memory>
#include <string>
#include <string_view>

namespace wb::core {

// A tokenizer.json of any model type. Throws CorruptFile naming the place, Unsupported naming the
// component (model, normaliser, pre-tokenizer, decoder ...) that is not known.
std::unique_ptr<Tokenizer> parseTokenizerJson(std::string_view json, std::string_view sourceName,
                                              const TokenizerSettings& settings);

}  // namespace wb::core
