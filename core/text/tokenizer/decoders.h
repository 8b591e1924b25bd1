// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/regex.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// One step of how the names of tokens become text.
struct DecoderStep {
    enum class Kind {
        ByteLevel,     // characters of the byte alphabet are bytes, all of them together one text
        Metaspace,     // `symbol` is a space; in the first token it is nothing if `dropsFirstSpace`
        WordPiece,     // a space before each token but the first, unless it begins with `symbol`, which goes
        ByteFallback,  // a run of "<0xHH>" tokens is the text of these bytes
        Fuse,          // the following steps see one token
        Strip,         // up to `stripsLeft` and `stripsRight` times `symbol` at the ends of each token
        Replace,       // matches of `pattern` by `content`
        BpeSuffix,     // `symbol` is a space, and nothing in the last token
        JoinWords,     // a space before each token but the first
    };

    Kind kind = Kind::Fuse;
    std::string symbol;
    std::string content;
    std::optional<Regex> pattern;
    bool dropsFirstSpace = true;
    bool cleansUp = false;  // WordPiece: takes the space before punctuation and English contractions away
    size_t stripsLeft = 0;
    size_t stripsRight = 0;
};

// The text of one sequence, token by token. Borrows the steps.
std::unique_ptr<TextStream> decodeWith(const Tokenizer& tokenizer, const std::vector<DecoderStep>& steps);

// What a token gives in the middle of a text, before bytes are put together to characters.
std::string bytesInside(const std::vector<DecoderStep>& steps, std::string_view name);

}  // namespace wb::core
