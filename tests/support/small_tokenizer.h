// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace wb::test {

// Which of the ids 0 to 3 mean what, and what the pipeline puts around a text.
struct SmallTokenizer {
    int eos = 2;
    std::optional<int> bos;
    bool addsBos = false;
    bool addsEos = false;
};

// Writes tokenizer.json and tokenizer_config.json of a vocabulary of 99 ids: four special tokens and every printable
// ASCII character.
void writeSmallTokenizer(const SmallTokenizer& tokenizer, const std::filesystem::path& folder);

// The tokenizer that fits a golden model's config.json: its end and start ids, and for an encoder-decoder the special
// tokens its family puts around a text.
SmallTokenizer smallTokenizerFor(const std::filesystem::path& configFile);

}  // namespace wb::test
