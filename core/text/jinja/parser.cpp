// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/parser.h"

#include <algorithm>
#include <array>

#include "core/text/jinja/expression_parser.h"

namespace wb::core::jinja {
namespace {

constexpr int kMaxBlockDepth = 40;  // blocks in blocks; running them recurses
constexpr std::array<std::string_view, 6> kTagsOfOtherFiles = {"include", "import", "from", "extends", "block", "do"};

class Parser {
public:
    Parser(std::string_view source, std::string_view sourceName)
        : m_stream(tokenize(source, sourceName), sourceName), m_expressions(m_stream) {}

    Body parseAll() {
        Body body = parseBody({});
        if (!m_stream.is(TokenType::End)) m_stream.failHere("expected the end of the template");
        return body;
    }

    bool usesGeneration() const { return m_usesGeneration; }

private:
    // Statements up to a block tag whose name is one of `ends`; the stream is left at that name.
    Body parseBody(std::initializer_list<std::string_view> ends) {
        if (++m_depth > kMaxBlockDepth)
            m_stream.failHere(fmt::format("blocks are nested more than {} deep", kMaxBlockDepth));
        Body body;
        const Position begin = m_stream.current().at;
        while (true) {
            const Token token = m_stream.current();
            if (token.type == TokenType::End) {
                if (ends.size() == 0) break;
                m_stream.failAt(begin, fmt::format("a block that begins before this is never closed; expected '{}'",
                                                   *(ends.end() - 1)));
            }
            m_stream.take();
            if (token.type == TokenType::Data) {
                body.push_back(make(StatementKind::Data, token.at));
                body.back().text = std::make_shared<const Text>(token.text);
            } else if (token.type == TokenType::VariableBegin) {
                body.push_back(make(StatementKind::Output, token.at));
                body.back().expressions.push_back(m_expressions.parseTuple());
                m_stream.expectType(TokenType::VariableEnd);
            } else if (token.type == TokenType::BlockBegin) {
                const bool isEnd = m_stream.is(TokenType::Name) &&
                                   std::find(ends.begin(), ends.end(), m_stream.current().text) != ends.end();
                if (isEnd) break;
                body.push_back(parseStatement());
            } else {
                m_stream.failAt(token.at, fmt::format("unexpected {}", TokenStream::describe(token)));
            }
        }
        --m_depth;
        return body;
    }

    // A body with its closing tag: "{% endname %}".
    Body parseBodyUntil(std::string_view end) {
        Body body = parseBody({end});
        m_stream.take();
        closeTag();
        return body;
    }

    void closeTag() { m_stream.expectType(TokenType::BlockEnd); }

    static Statement make(StatementKind kind, Position at) {
        Statement statement;
        statement.kind = kind;
        statement.at = at;
        return statement;
    }

    Statement parseStatement() {
        const Position at = m_stream.current().at;
        const std::string tag = m_stream.expectName();
        if (tag == "if") return parseIf(at);
        if (tag == "for") return parseFor(at);
        if (tag == "set") return parseSet(at);
        if (tag == "macro") return parseMacro(at);
        if (tag == "call") return parseCall(at);
        if (tag == "filter") return parseFilterBlock(at);
        if (tag == "with") return parseWith(at);
        if (tag == "generation") return parseGeneration(at);
        if (tag == "break" || tag == "continue") {
            if (m_loops == 0) m_stream.failAt(at, fmt::format("'{}' outside of a loop", tag));
            closeTag();
            return make(tag == "break" ? StatementKind::Break : StatementKind::Continue, at);
        }
        if (tag.starts_with("end") || tag == "else" || tag == "elif")
            m_stream.failAt(at, fmt::format("'{}' closes no block that is open here", tag));
        if (std::find(kTagsOfOtherFiles.begin(), kTagsOfOtherFiles.end(), tag) != kTagsOfOtherFiles.end())
            m_stream.failAt(at, fmt::format("the statement '{}' is not supported in a chat template", tag),
                            ErrorCode::Unsupported);
        m_stream.failAt(at, fmt::format("the statement '{}' is not known", tag), ErrorCode::Unsupported);
    }

    Statement parseIf(Position at) {
        Statement statement = make(StatementKind::If, at);
        while (true) {
            statement.expressions.push_back(m_expressions.parseTuple(ConditionalExpressions::Stop));
            closeTag();
            statement.bodies.push_back(parseBody({"elif", "else", "endif"}));
            const std::string end = m_stream.take().text;
            if (end == "elif") continue;
            closeTag();
            if (end == "else") statement.bodies.push_back(parseBodyUntil("endif"));
            return statement;
        }
    }

    Statement parseFor(Position at) {
        Statement statement = make(StatementKind::For, at);
        statement.targets.push_back(parseTarget());
        if (!m_stream.skipName("in"))
            m_stream.failHere(fmt::format("expected 'in', found {}", TokenStream::describe(m_stream.current())));
        statement.expressions.push_back(m_expressions.parseTuple(ConditionalExpressions::Stop));
        statement.expressions.push_back(m_stream.skipName("if") ? m_expressions.parseExpression() : nullptr);
        statement.isRecursive = m_stream.skipName("recursive");
        closeTag();
        ++m_loops;
        statement.bodies.push_back(parseBody({"else", "endfor"}));
        --m_loops;
        const std::string end = m_stream.take().text;
        closeTag();
        if (end == "else") statement.bodies.push_back(parseBodyUntil("endfor"));
        return statement;
    }

    Target parseSingleTarget() {
        const Position at = m_stream.current().at;
        Target target;
        if (m_stream.skipOperator("(")) {
            if (++m_depth > kMaxBlockDepth) m_stream.failHere("this target is nested too deep");
            target = parseTarget();
            --m_depth;
            m_stream.expectOperator(")");
            return target;
        }
        target.name = m_stream.expectName();
        constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None", "loop"};
        if (std::find(std::begin(kReserved), std::end(kReserved), target.name) != std::end(kReserved))
            m_stream.failAt(at, fmt::format("'{}' cannot be assigned to", target.name));
        if (m_stream.skipOperator(".")) target.attribute = m_stream.expectName();
        return target;
    }

    Target parseTarget() {
        Target first = parseSingleTarget();
        if (!m_stream.isOperator(",")) return first;
        Target target;
        target.parts.push_back(std::move(first));
        while (m_stream.skipOperator(",")) {
            if (!m_stream.is(TokenType::Name) && !m_stream.isOperator("(")) break;
            if (m_stream.isName("in")) break;
            target.parts.push_back(parseSingleTarget());
        }
        return target;
    }

    Statement parseSet(Position at) {
        Statement statement = make(StatementKind::Set, at);
        statement.targets.push_back(parseTarget());
        if (m_stream.skipOperator("=")) {
            statement.expressions.push_back(m_expressions.parseTuple());
            closeTag();
            return statement;
        }
        statement.kind = StatementKind::SetBlock;
        statement.expressions.push_back(m_stream.isOperator("|") ? m_expressions.parseFilterChain() : nullptr);
        closeTag();
        statement.bodies.push_back(parseBodyUntil("endset"));
        return statement;
    }

    // "(a, b=1)"; the name is set by the caller.
    std::shared_ptr<Signature> parseSignature() {
        auto signature = std::make_shared<Signature>();
        m_stream.expectOperator("(");
        while (!m_stream.isOperator(")")) {
            if (!signature->parameters.empty()) m_stream.expectOperator(",");
            if (m_stream.isOperator(")")) break;
            signature->parameters.push_back(m_stream.expectName());
            if (m_stream.skipOperator("=")) {
                signature->defaults.push_back(m_expressions.parseExpression());
            } else if (!signature->defaults.empty()) {
                m_stream.failHere("a parameter without a default follows one with a default");
            }
        }
        m_stream.expectOperator(")");
        return signature;
    }

    // The body of something that is called: break and continue do not reach out of it.
    Body parseCallableBody(std::string_view end) {
        const int loops = std::exchange(m_loops, 0);
        Body body = parseBodyUntil(end);
        m_loops = loops;
        return body;
    }

    std::shared_ptr<Body> parseMacroBody(Signature& signature, std::string_view end) {
        const auto outer = std::exchange(m_expressions.specialNames(), {});
        auto body = std::make_shared<Body>(parseCallableBody(end));
        auto& names = m_expressions.specialNames();
        signature.usesVarargs = names.varargs;
        signature.usesKwargs = names.kwargs;
        signature.usesCaller = names.caller;
        names = {names.varargs || outer.varargs, names.kwargs || outer.kwargs, names.caller || outer.caller};
        return body;
    }

    Statement parseMacro(Position at) {
        Statement statement = make(StatementKind::MacroBlock, at);
        std::string name = m_stream.expectName();
        statement.signature = parseSignature();
        statement.signature->name = std::move(name);
        closeTag();
        statement.sharedBody = parseMacroBody(*statement.signature, "endmacro");
        return statement;
    }

    Statement parseCall(Position at) {
        Statement statement = make(StatementKind::CallBlock, at);
        statement.signature = m_stream.isOperator("(") ? parseSignature() : std::make_shared<Signature>();
        statement.signature->name = "caller";
        statement.expressions.push_back(m_expressions.parseExpression());
        if (statement.expressions.back()->kind != ExpressionKind::Call)
            m_stream.failAt(at, "a call block needs a call, as in {% call name() %}");
        closeTag();
        statement.sharedBody = parseMacroBody(*statement.signature, "endcall");
        return statement;
    }

    Statement parseFilterBlock(Position at) {
        Statement statement = make(StatementKind::FilterBlock, at);
        statement.expressions.push_back(m_expressions.parseFilterChain());
        closeTag();
        statement.bodies.push_back(parseBodyUntil("endfilter"));
        return statement;
    }

    Statement parseWith(Position at) {
        Statement statement = make(StatementKind::With, at);
        while (!m_stream.is(TokenType::BlockEnd)) {
            if (!statement.targets.empty()) m_stream.expectOperator(",");
            statement.targets.push_back(parseSingleTarget());
            m_stream.expectOperator("=");
            statement.expressions.push_back(m_expressions.parseExpression());
        }
        closeTag();
        statement.bodies.push_back(parseBodyUntil("endwith"));
        return statement;
    }

    Statement parseGeneration(Position at) {
        m_usesGeneration = true;
        Statement statement = make(StatementKind::Generation, at);
        closeTag();
        statement.bodies.push_back(parseCallableBody("endgeneration"));
        return statement;
    }

    TokenStream m_stream;
    ExpressionParser m_expressions;
    int m_depth = 0;
    int m_loops = 0;
    bool m_usesGeneration = false;
};

}  // namespace

ParsedTemplate parseTemplate(std::string_view source, std::string_view sourceName) {
    Parser parser{source, sourceName};
    ParsedTemplate parsed;
    parsed.sourceName = std::string{sourceName};
    parsed.body = parser.parseAll();
    parsed.usesGeneration = parser.usesGeneration();
    return parsed;
}

}  // namespace wb::core::jinja
