// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/decoders.h"

#include "core/text/text_assembler.h"
#include "core/text/tokenizer/byte_alphabet.h"

#include <algorithm>
#include <array>
#include <functional>

namespace wb::core {
namespace {

using Kind = DecoderStep::Kind;

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string result;
    if (from.empty()) return std::string(text);
    for (size_t found = text.find(from); found != std::string_view::npos; found = text.find(from)) {
        result.append(text.substr(0, found)).append(to);
        text.remove_prefix(found + from.size());
    }
    return result.append(text);
}

std::string replaced(std::string_view text, const Regex& pattern, std::string_view to) {
    std::string result;
    size_t position = 0;
    for (const ByteRange& match : pattern.findAll(text)) {
        result.append(text.substr(position, match.begin - position)).append(to);
        position = match.end;
    }
    return result.append(text.substr(position));
}

// The clean-up of the reference, in its order.
std::string cleanedUp(std::string text) {
    static constexpr std::array<std::array<std::string_view, 2>, 11> kRules{{{" .", "."},
                                                                             {" ?", "?"},
                                                                             {" !", "!"},
                                                                             {" ,", ","},
                                                                             {" ' ", "'"},
                                                                             {" n't", "n't"},
                                                                             {" 'm", "'m"},
                                                                             {" do not", " don't"},
                                                                             {" 's", "'s"},
                                                                             {" 've", "'ve"},
                                                                             {" 're", "'re"}}};
    for (const auto& [from, to] : kRules) text = replaced(text, from, to);
    return text;
}

std::string wordPieceText(const DecoderStep& step, std::string_view token, bool isFirst) {
    std::string text;
    if (!isFirst && token.starts_with(step.symbol) && !step.symbol.empty())
        text = token.substr(step.symbol.size());
    else
        text.append(isFirst ? "" : " ").append(token);
    return step.cleansUp ? cleanedUp(std::move(text)) : text;
}

std::string stripped(const DecoderStep& step, std::string_view token) {
    for (size_t i = 0; i < step.stripsLeft && token.starts_with(step.symbol); ++i)
        token.remove_prefix(step.symbol.size());
    for (size_t i = 0; i < step.stripsRight && token.ends_with(step.symbol); ++i)
        token.remove_suffix(step.symbol.size());
    return std::string(token);
}

// One step at work. Before a step that fuses, each call of push() brings a whole token; behind it, the next part of the
// one token there is. Steps that must see that token as a whole hold it back until finish().
class Stage {
public:
    using Emit = std::function<void(std::string)>;

    Stage(const DecoderStep& step, bool isFused) : m_step(step), m_isFused(isFused) {}

    void push(std::string token, const Emit& emit) {
        if (m_isFused && !streams()) {
            m_held += token;
            return;
        }
        work(std::move(token), emit);
    }

    void finish(const Emit& emit) {
        if (m_isFused && !streams() && !m_held.empty()) work(std::move(m_held), emit);
        switch (m_step.kind) {
            case Kind::ByteLevel: return emit(m_bytes.flush());
            case Kind::ByteFallback: return emit(m_run.flush());
            case Kind::BpeSuffix:
                if (m_hasToken) emit(replaced(m_held, m_step.symbol, ""));
                return;
            default: return;  // what Strip holds goes
        }
    }

private:
    bool streams() const {
        return m_step.kind == Kind::Fuse || m_step.kind == Kind::Metaspace || m_step.kind == Kind::Strip;
    }

    void work(std::string token, const Emit& emit) {
        const bool isFirst = !m_hasToken || m_isFused;
        const bool hadToken = m_hasToken;
        m_hasToken = true;
        switch (m_step.kind) {
            case Kind::Fuse: return emit(std::move(token));
            case Kind::ByteLevel:
                return emit(m_bytes.push(alphabetBytes(token).value_or(token), TextAssembler::TokenKind::Text));
            case Kind::Metaspace:
                return emit(replaced(token, m_step.symbol, isFirst && m_step.dropsFirstSpace ? "" : " "));
            case Kind::WordPiece: return emit(wordPieceText(m_step, token, isFirst));
            case Kind::ByteFallback: return pushByteOrText(token, emit);
            case Kind::Strip: return m_isFused ? stripFused(std::move(token), emit) : emit(stripped(m_step, token));
            case Kind::Replace: return emit(replaced(token, *m_step.pattern, m_step.content));
            case Kind::BpeSuffix:
                if (hadToken) emit(replaced(m_held, m_step.symbol, " "));
                m_held = std::move(token);
                return;
            case Kind::JoinWords: return emit((isFirst ? "" : " ") + token);
        }
    }

    void pushByteOrText(const std::string& token, const Emit& emit) {
        if (const auto byte = byteOfName(token)) {
            m_run.push(std::string(1, static_cast<char>(*byte)), TextAssembler::TokenKind::Byte);
            return;
        }
        if (std::string run = m_run.flush(); !run.empty()) emit(std::move(run));
        emit(token);
    }

    void stripFused(std::string text, const Emit& emit) {
        while (m_numStripped < m_step.stripsLeft && text.starts_with(m_step.symbol)) {
            text.erase(0, m_step.symbol.size());
            ++m_numStripped;
        }
        if (!text.empty()) m_numStripped = m_step.stripsLeft;
        m_held += text;
        std::string_view rest = m_held;
        for (size_t i = 0; i < m_step.stripsRight && rest.ends_with(m_step.symbol); ++i)
            rest.remove_suffix(m_step.symbol.size());
        std::string certain(rest);
        m_held.erase(0, certain.size());
        emit(std::move(certain));
    }

    const DecoderStep& m_step;
    bool m_isFused;
    bool m_hasToken = false;
    size_t m_numStripped = 0;
    std::string m_held;
    TextAssembler m_bytes{{}};
    TextAssembler m_run{{.invalidBytes = DecodeRules::InvalidBytes::WholeRun}};
};

class StepwiseStream : public TextStream {
public:
    StepwiseStream(const Tokenizer& tokenizer, const std::vector<DecoderStep>& steps)
        : m_tokenizer(tokenizer), m_steps(steps) {
        begin();
    }

    std::string push(TokenId id) override {
        std::string text;
        feed(0, m_tokenizer.tokenName(id), text);
        return text;
    }

    std::string flush() override {
        std::string text;
        for (size_t i = 0; i < m_stages.size(); ++i) {
            m_stages[i].finish([&](std::string token) {
                if (!token.empty()) feed(i + 1, std::move(token), text);
            });
        }
        begin();
        return text;
    }

private:
    void begin() {
        m_stages.clear();
        bool isFused = false;
        for (const DecoderStep& step : m_steps) {
            m_stages.emplace_back(step, isFused);
            isFused = isFused || step.kind == Kind::Fuse || step.kind == Kind::ByteLevel;
        }
    }

    void feed(size_t stage, std::string token, std::string& text) {
        if (stage == m_stages.size()) {
            text += token;
            return;
        }
        m_stages[stage].push(std::move(token), [&](std::string next) { feed(stage + 1, std::move(next), text); });
    }

    const Tokenizer& m_tokenizer;
    const std::vector<DecoderStep>& m_steps;
    std::vector<Stage> m_stages;
};

}  // namespace

std::unique_ptr<TextStream> decodeWith(const Tokenizer& tokenizer, const std::vector<DecoderStep>& steps) {
    return std::make_unique<StepwiseStream>(tokenizer, steps);
}

std::string bytesInside(const std::vector<DecoderStep>& steps, std::string_view name) {
    std::string text(name);
    bool isFused = false;
    for (const DecoderStep& step : steps) {
        switch (step.kind) {
            case Kind::Fuse: isFused = true; break;
            case Kind::ByteLevel:
                text = alphabetBytes(text).value_or(text);
                isFused = true;
                break;
            case Kind::Metaspace:
            case Kind::BpeSuffix: text = replaced(text, step.symbol, " "); break;
            case Kind::WordPiece: text = wordPieceText(step, text, false); break;
            case Kind::ByteFallback:
                if (const auto byte = byteOfName(text)) text = std::string(1, static_cast<char>(*byte));
                break;
            case Kind::Strip:
                if (!isFused) text = stripped(step, text);
                break;
            case Kind::Replace: text = replaced(text, *step.pattern, step.content); break;
            case Kind::JoinWords: text.insert(0, " "); break;
        }
    }
    return text;
}

}  // namespace wb::core
