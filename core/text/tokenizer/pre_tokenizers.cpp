// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/pre_tokenizers.h"

#include "core/text/tokenizer/normalizers.h"
#include "core/text/tokenizer/unicode_classes.h"
#include "core/text/utf8.h"

namespace wb::core {
namespace {

using Behavior = PreTokenizerStep::Behavior;
using Kind = PreTokenizerStep::Kind;

// Takes the segments of one word in order (matches and what lies between them) and appends the words they form.
class WordJoiner {
public:
    WordJoiner(const PreTokenizerStep& step, size_t offset, std::vector<ByteRange>& words)
        : m_step(step), m_offset(offset), m_words(words), m_numBefore(words.size()) {}

    void add(size_t begin, size_t end, bool isPatternMatch) {
        if (begin >= end) return;
        const bool isMatch = isPatternMatch != m_step.isInverted;
        const bool isJoined = m_words.size() > m_numBefore && joins(isMatch);
        m_wasMatch = isMatch;
        if (isJoined)
            m_words.back().end = m_offset + end;
        else if (!isMatch || m_step.behavior != Behavior::Removed)
            m_words.push_back({m_offset + begin, m_offset + end});
    }

private:
    bool joins(bool isMatch) const {
        switch (m_step.behavior) {
            case Behavior::Contiguous: return isMatch == m_wasMatch;
            case Behavior::MergedWithPrevious: return isMatch && !m_wasMatch;
            case Behavior::MergedWithNext: return !isMatch && m_wasMatch;
            case Behavior::Removed:
            case Behavior::Isolated: return false;
        }
        return false;
    }

    const PreTokenizerStep& m_step;
    size_t m_offset;
    std::vector<ByteRange>& m_words;
    size_t m_numBefore;
    bool m_wasMatch = false;
};

void splitByPattern(const PreTokenizerStep& step, Words& words) {
    std::vector<ByteRange> result;
    result.reserve(words.text.text().size() / 4);
    std::vector<ByteRange> matches;
    for (const ByteRange& word : words.ranges) {
        const auto text = std::string_view(words.text.text()).substr(word.begin, word.end - word.begin);
        matches.clear();
        step.pattern->findAll(text, matches);
        WordJoiner joiner(step, word.begin, result);
        size_t position = 0;
        for (const ByteRange& match : matches) {
            joiner.add(position, match.begin, false);
            joiner.add(match.begin, match.end, true);
            position = match.end;
        }
        joiner.add(position, text.size(), false);
    }
    words.ranges = std::move(result);
}

template <class IsMember>
void splitByClass(const PreTokenizerStep& step, const IsMember& isMember, Words& words) {
    std::vector<ByteRange> result;
    result.reserve(words.text.text().size() / 4);
    for (const ByteRange& word : words.ranges) {
        const auto text = std::string_view(words.text.text()).substr(word.begin, word.end - word.begin);
        WordJoiner joiner(step, word.begin, result);
        size_t plainBegin = 0;
        for (size_t at = 0; at < text.size();) {
            const Utf8Step character = decodeUtf8(text.substr(at));
            const size_t next = at + character.bytes;
            if (isMember(character.codePoint)) {
                joiner.add(plainBegin, at, false);
                joiner.add(at, next, true);
                plainBegin = next;
            }
            at = next;
        }
        joiner.add(plainBegin, text.size(), false);
    }
    words.ranges = std::move(result);
}

void splitWords(Words& words) {
    enum class Class { Space, Word, Other };
    const auto classOf = [](char32_t c) {
        return isWhiteSpace(c) ? Class::Space : isWord(c) ? Class::Word : Class::Other;
    };
    std::vector<ByteRange> result;
    for (const ByteRange& word : words.ranges) {
        const auto text = std::string_view(words.text.text()).substr(word.begin, word.end - word.begin);
        Class last = Class::Space;
        for (size_t at = 0; at < text.size();) {
            const Utf8Step character = decodeUtf8(text.substr(at));
            const Class kind = classOf(character.codePoint);
            const size_t begin = word.begin + at;
            if (kind != Class::Space && kind == last)
                result.back().end = begin + character.bytes;
            else if (kind != Class::Space)
                result.push_back({begin, begin + character.bytes});
            last = kind;
            at += character.bytes;
        }
    }
    words.ranges = std::move(result);
}

// Writes each word anew: change(word, builder) puts what becomes of it into the builder.
template <class Change>
void rewriteWords(Words& words, const Change& change) {
    AlignedTextBuilder builder(words.text);
    for (ByteRange& word : words.ranges) {
        const size_t begin = builder.position();
        change(word, builder);
        word = {begin, builder.position()};
    }
    words.text = builder.finish();
}

void addPrefix(const PreTokenizerStep& step, Words& words) {
    const auto needsPrefix = [&](const ByteRange& word) {
        if (step.when == PreTokenizerStep::When::AtStartOfInput &&
            words.text.sourceOf(word.begin, word.end).begin != 0) {
            return false;
        }
        return words.text.text().compare(word.begin, step.content.size(), step.content) != 0;
    };
    // Most texts are one word here, which begins with a space or not.
    bool isNeeded = false;
    for (const ByteRange& word : words.ranges) isNeeded = isNeeded || needsPrefix(word);
    if (!isNeeded) return;
    rewriteWords(words, [&](const ByteRange& word, AlignedTextBuilder& builder) {
        if (needsPrefix(word)) builder.replace(word.begin, word.begin, step.content);
        builder.keep(word.begin, word.end);
    });
}

void replaceSpacesOf(const PreTokenizerStep& step, Words& words) {
    rewriteWords(words, [&](const ByteRange& word, AlignedTextBuilder& builder) {
        const std::string_view text = std::string_view(words.text.text()).substr(0, word.end);
        size_t kept = word.begin;
        for (size_t space = text.find(' ', kept); space != std::string_view::npos; space = text.find(' ', kept)) {
            builder.keep(kept, space);
            builder.replace(space, space + 1, step.content);
            kept = space + 1;
        }
        builder.keep(kept, word.end);
    });
}

void writeBytes(Words& words) {
    AlignedText alphabet = toByteAlphabet(words.text);
    // Bytes below 0x80 that are printable take one byte in the alphabet, all others two.
    std::vector<size_t> positions(words.text.text().size() + 1);
    size_t position = 0;
    for (size_t i = 0; i < words.text.text().size(); ++i) {
        positions[i] = position;
        position += decodeUtf8(std::string_view(alphabet.text()).substr(position)).bytes;
    }
    positions.back() = position;
    for (ByteRange& word : words.ranges) word = {positions[word.begin], positions[word.end]};
    words.text = std::move(alphabet);
}

void split(const PreTokenizerStep& step, Words& words) {
    if (step.pattern)
        splitByPattern(step, words);
    else if (step.isMember != nullptr)
        splitByClass(step, step.isMember, words);
    else
        splitByClass(
            step, [&](char32_t c) { return c == step.delimiter; }, words);
}

}  // namespace

PreTokenizerStep stepOf(PreTokenizerStep::Kind kind) {
    PreTokenizerStep step;
    step.kind = kind;
    return step;
}

PreTokenizerStep splitAt(Regex pattern, Behavior behavior) {
    PreTokenizerStep step = stepOf(Kind::Split);
    step.pattern = std::move(pattern);
    step.behavior = behavior;
    return step;
}

PreTokenizerStep splitAt(bool (*isMember)(char32_t), Behavior behavior) {
    PreTokenizerStep step = stepOf(Kind::Split);
    step.isMember = isMember;
    step.behavior = behavior;
    return step;
}

PreTokenizerStep splitAt(char32_t delimiter, Behavior behavior) {
    PreTokenizerStep step = stepOf(Kind::Split);
    step.delimiter = delimiter;
    step.behavior = behavior;
    return step;
}

PreTokenizerStep prefixWith(std::string content, PreTokenizerStep::When when) {
    PreTokenizerStep step = stepOf(Kind::Prefix);
    step.content = std::move(content);
    step.when = when;
    return step;
}

PreTokenizerStep replaceSpaces(std::string content) {
    PreTokenizerStep step = stepOf(Kind::ReplaceSpaces);
    step.content = std::move(content);
    return step;
}

Words preTokenize(const std::vector<PreTokenizerStep>& steps, AlignedText text) {
    Words words;
    words.text = std::move(text);
    if (!words.text.text().empty()) words.ranges.push_back({0, words.text.text().size()});
    for (const PreTokenizerStep& step : steps) {
        switch (step.kind) {
            case Kind::Split: split(step, words); break;
            case Kind::SplitWords: splitWords(words); break;
            case Kind::Prefix: addPrefix(step, words); break;
            case Kind::ReplaceSpaces: replaceSpacesOf(step, words); break;
            case Kind::ByteAlphabet: writeBytes(words); break;
        }
    }
    return words;
}

}  // namespace wb::core
