// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer/aligned_text.h"
#include "core/text/tokenizer/regex.h"

#include <optional>
#include <string>
#include <vector>

namespace wb::core {

// One step of cutting a text into words, which the model never merges across.
struct PreTokenizerStep {
    enum class Kind {
        Split,   // at matches of `pattern`
        Prefix,  // puts `content` in front of each word that does not begin with it, see `when`
    };
    // What becomes of a match.
    enum class Behavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };
    enum class When { Always, AtStartOfInput };

    Kind kind = Kind::Split;
    std::optional<Regex> pattern;
    Behavior behavior = Behavior::Isolated;
    bool isInverted = false;  // what lies between matches counts as match
    std::string content;
    When when = When::Always;
};

// A text and its words, in order; they need not cover it.
struct Words {
    AlignedText text;
    std::vector<ByteRange> ranges;
};

Words preTokenize(const std::vector<PreTokenizerStep>& steps, AlignedText text);

// The splitting rules of known models by the name that GGUF files use for them ("gpt-2", "qwen2", "llama-bpe", ...).
// Throws Unsupported naming the known ones.
std::vector<PreTokenizerStep> splitRulesNamed(std::string_view name, std::string_view sourceName);

}  // namespace wb::core
