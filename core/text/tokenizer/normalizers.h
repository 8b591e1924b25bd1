// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer/aligned_text.h"
#include "core/text/tokenizer/character_map.h"
#include "core/text/tokenizer/regex.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wb::core {

// One step of what happens to a text before it is cut into words.
struct NormalizerStep {
    enum class Kind {
        Nfc,
        Nfd,
        Nfkc,
        Nfkd,
        Lowercase,
        StripAccents,          // drops all combining marks
        StripNonSpacingMarks,  // BERT drops fewer
        Strip,                 // white space at the ends
        Replace,
        Prepend,
        CleanNmt,      // the first part of SentencePiece's "nmt" rules
        CleanBert,     // drops control characters, makes white space spaces
        PadCjk,        // spaces around ideographs
        Precompiled,   // a SentencePiece character map
        ByteAlphabet,  // bytes as printable characters
    };

    Kind kind = Kind::Nfc;
    std::string content;           // Replace, Prepend
    std::optional<Regex> pattern;  // Replace
    bool stripsLeft = true;        // Strip
    bool stripsRight = true;
    std::shared_ptr<const CharacterMap> characterMap;  // Precompiled
};

AlignedText normalize(const std::vector<NormalizerStep>& steps, AlignedText text);

// Writes each byte of a text as its character of the byte alphabet.
AlignedText toByteAlphabet(const AlignedText& text);

}  // namespace wb::core
