// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "core/text/jinja/ast.h"
#include "core/text/jinja/token_stream.h"

namespace wb::core::jinja {

enum class ConditionalExpressions { Allow, Stop };  // whether "a if b else c" belongs to the expression

// Expressions of Jinja 3.1, by recursive descent with its precedences.
class ExpressionParser {
public:
    explicit ExpressionParser(TokenStream& stream) : m_stream(stream) {}

    ExpressionPtr parseExpression(ConditionalExpressions conditionals = ConditionalExpressions::Allow);
    // One expression, or a tuple of several with commas between them.
    ExpressionPtr parseTuple(ConditionalExpressions conditionals = ConditionalExpressions::Allow);
    // "| name(...) | name" over an input that is not written here: the first child of the innermost filter is null.
    ExpressionPtr parseFilterChain();
    ExpressionPtr parsePostfixOf(ExpressionPtr expression);
    ExpressionPtr parsePrimary();

    ExpressionPtr make(ExpressionKind kind, Position at, std::vector<ExpressionPtr> children = {}) const;

    // Names with a meaning inside a macro that were read so far. The parser sets them back where a macro begins.
    struct SpecialNames {
        bool varargs = false;
        bool kwargs = false;
        bool caller = false;
    };
    SpecialNames& specialNames() { return m_specialNames; }

private:
    class DepthGuard;

    ExpressionPtr parseConditional();
    ExpressionPtr parseOr();
    ExpressionPtr parseAnd();
    ExpressionPtr parseNot();
    ExpressionPtr parseComparison();
    ExpressionPtr parseSum();
    ExpressionPtr parseConcat();
    ExpressionPtr parseProduct();
    ExpressionPtr parsePower();
    ExpressionPtr parseUnary(bool withFilters = true);
    ExpressionPtr parseFiltersAndTests(ExpressionPtr input);
    ExpressionPtr parseFilter(ExpressionPtr input);
    ExpressionPtr parseTest(ExpressionPtr input);
    ExpressionPtr parseSubscript(ExpressionPtr object);
    ExpressionPtr parseSubscriptIndex(ExpressionPtr object, Position at);
    ExpressionPtr parseListLiteral();
    ExpressionPtr parseMapLiteral();
    ExpressionPtr parseNumber();
    void parseCallArguments(Expression& call);
    void updateDepth(Expression& expression) const;
    bool atTupleEnd() const;
    bool startsTestArgument() const;

    TokenStream& m_stream;
    SpecialNames m_specialNames;
    int m_depth = 0;
};

}  // namespace wb::core::jinja
