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
        Split,          // at matches of `pattern`, or where there is none at each character of `isMember`
        SplitWords,     // keeps runs of word characters and runs of other characters, drops white space
        Prefix,         // puts `content` in front of each word that does not begin with it, see `when`
        ReplaceSpaces,  // by `content`
        ByteAlphabet,   // bytes as printable characters
    };
    // What becomes of a match.
    enum class Behavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };
    enum class When { Always, AtStartOfInput };

    Kind kind = Kind::Split;
    std::optional<Regex> pattern;
    bool (*isMember)(char32_t) = nullptr;
    char32_t delimiter = 0;  // the one member if there is no `isMember`
    Behavior behavior = Behavior::Isolated;
    bool isInverted = false;  // what lies between matches counts as match
    std::string content;
    When when = When::Always;
};

// Steps of one purpose each, see PreTokenizerStep.
PreTokenizerStep splitAt(Regex pattern, PreTokenizerStep::Behavior behavior = PreTokenizerStep::Behavior::Isolated);
PreTokenizerStep splitAt(bool (*isMember)(char32_t), PreTokenizerStep::Behavior behavior);
PreTokenizerStep splitAt(char32_t delimiter, PreTokenizerStep::Behavior behavior);
PreTokenizerStep prefixWith(std::string content, PreTokenizerStep::When when = PreTokenizerStep::When::Always);
PreTokenizerStep replaceSpaces(std::string content);
PreTokenizerStep stepOf(PreTokenizerStep::Kind kind);

// A text and its words, in order; they need not cover it.
struct Words {
    AlignedText text;
    std::vector<ByteRange> ranges;
};

Words preTokenize(const std::vector<PreTokenizerStep>& steps, AlignedText text);

}  // namespace wb::core
