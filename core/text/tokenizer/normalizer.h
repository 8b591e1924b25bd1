// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer/aligned_text.h"
#include "core/text/tokenizer/regex.h"

#include <optional>
#include <string>
#include <vector>

namespace wb::core {

// One step of what happens to a text before it is cut into words.
struct NormalizerStep {
    enum class Kind { Nfc, Nfd, Nfkc, Nfkd, Lowercase, StripAccents, Strip, Replace, Prepend };

    Kind kind = Kind::Nfc;
    std::string content;           // Replace, Prepend
    std::optional<Regex> pattern;  // Replace
    bool stripsLeft = true;        // Strip
    bool stripsRight = true;
};

AlignedText normalize(const std::vector<NormalizerStep>& steps, AlignedText text);

}  // namespace wb::core
