// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>

namespace wb::core::jinja {
namespace {

constexpr int kMaxParseDepth = 60;        // brackets in brackets: each level is a dozen calls
constexpr int kMaxExpressionDepth = 250;  // of the tree: a long chain of + or filters is deep, too

bool isComparison(const Token& token) {
    if (token.type != TokenType::Operator) return false;
    constexpr std::string_view kOperators[] = {"==", "!=", "<", "<=", ">", ">="};
    return std::find(std::begin(kOperators), std::end(kOperators), token.text) != std::end(kOperators);
}

std::vector<ExpressionPtr> listOf(ExpressionPtr first, ExpressionPtr second = nullptr) {
    std::vector<ExpressionPtr> list;
    list.push_back(std::move(first));
    if (second) list.push_back(std::move(second));
    return list;
}

}  // namespace

class ExpressionParser::DepthGuard {
public:
    explicit DepthGuard(ExpressionParser& parser) : m_parser(parser) {
        if (++m_parser.m_depth > kMaxParseDepth)
            m_parser.m_stream.failHere(fmt::format("expressions are nested more than {} deep", kMaxParseDepth));
    }
    ~DepthGuard() { --m_parser.m_depth; }
    DepthGuard(const DepthGuard&) = delete;
    DepthGuard& operator=(const DepthGuard&) = delete;

private:
    ExpressionParser& m_parser;
};

void ExpressionParser::updateDepth(Expression& expression) const {
    for (const auto& child : expression.children)
        if (child) expression.depth = std::max(expression.depth, child->depth + 1);
    for (const auto& [name, child] : expression.named) expression.depth = std::max(expression.depth, child->depth + 1);
    for (const auto* child : {expression.unpackedList.get(), expression.unpackedMap.get()})
        if (child) expression.depth = std::max(expression.depth, child->depth + 1);
    if (expression.depth > kMaxExpressionDepth)
        m_stream.failAt(expression.at,
                        fmt::format("this expression is more than {} operations deep; split it with {{% set %}}",
                                    kMaxExpressionDepth));
}

ExpressionPtr ExpressionParser::make(ExpressionKind kind, Position at, std::vector<ExpressionPtr> children) const {
    auto expression = std::make_unique<Expression>();
    expression->kind = kind;
    expression->at = at;
    expression->children = std::move(children);
    updateDepth(*expression);
    return expression;
}

ExpressionPtr ExpressionParser::parseExpression(ConditionalExpressions conditionals) {
    const DepthGuard guard{*this};
    return conditionals == ConditionalExpressions::Allow ? parseConditional() : parseOr();
}

ExpressionPtr ExpressionParser::parseConditional() {
    ExpressionPtr value = parseOr();
    while (m_stream.isName("if")) {
        const Position at = m_stream.take().at;
        std::vector<ExpressionPtr> children = listOf(parseOr());
        children.push_back(std::move(value));
        children.push_back(m_stream.skipName("else") ? parseExpression() : nullptr);
        value = make(ExpressionKind::Conditional, at, std::move(children));
    }
    return value;
}

ExpressionPtr ExpressionParser::parseOr() {
    ExpressionPtr left = parseAnd();
    while (m_stream.isName("or")) {
        const Position at = m_stream.take().at;
        left = make(ExpressionKind::Or, at, listOf(std::move(left), parseAnd()));
    }
    return left;
}

ExpressionPtr ExpressionParser::parseAnd() {
    ExpressionPtr left = parseNot();
    while (m_stream.isName("and")) {
        const Position at = m_stream.take().at;
        left = make(ExpressionKind::And, at, listOf(std::move(left), parseNot()));
    }
    return left;
}

ExpressionPtr ExpressionParser::parseNot() {
    if (!m_stream.isName("not")) return parseComparison();
    const DepthGuard guard{*this};
    const Position at = m_stream.take().at;
    return make(ExpressionKind::Not, at, listOf(parseNot()));
}

ExpressionPtr ExpressionParser::parseComparison() {
    ExpressionPtr first = parseSum();
    const Position at = m_stream.current().at;
    std::vector<ExpressionPtr> children;
    std::vector<std::string> operators;
    while (true) {
        const bool isNotIn =
            m_stream.isName("not") && m_stream.next().type == TokenType::Name && m_stream.next().text == "in";
        if (!isNotIn && !isComparison(m_stream.current()) && !m_stream.isName("in")) break;
        operators.push_back(isNotIn ? "not in" : m_stream.current().text);
        m_stream.take();
        if (isNotIn) m_stream.take();
        children.push_back(parseSum());
    }
    if (operators.empty()) return first;
    children.insert(children.begin(), std::move(first));
    auto comparison = make(ExpressionKind::Comparison, at, std::move(children));
    comparison->operators = std::move(operators);
    return comparison;
}

ExpressionPtr ExpressionParser::parseSum() {
    ExpressionPtr left = parseConcat();
    while (m_stream.isOperator("+") || m_stream.isOperator("-")) {
        const Token op = m_stream.take();
        left = make(ExpressionKind::Binary, op.at, listOf(std::move(left), parseConcat()));
        left->name = op.text;
    }
    return left;
}

ExpressionPtr ExpressionParser::parseConcat() {
    ExpressionPtr first = parseProduct();
    if (!m_stream.isOperator("~")) return first;
    const Position at = m_stream.current().at;
    std::vector<ExpressionPtr> parts = listOf(std::move(first));
    while (m_stream.skipOperator("~")) parts.push_back(parseProduct());
    return make(ExpressionKind::Concat, at, std::move(parts));
}

ExpressionPtr ExpressionParser::parseProduct() {
    ExpressionPtr left = parsePower();
    while (m_stream.isOperator("*") || m_stream.isOperator("/") || m_stream.isOperator("//") ||
           m_stream.isOperator("%")) {
        const Token op = m_stream.take();
        left = make(ExpressionKind::Binary, op.at, listOf(std::move(left), parsePower()));
        left->name = op.text;
    }
    return left;
}

ExpressionPtr ExpressionParser::parsePower() {
    ExpressionPtr left = parseUnary();
    while (m_stream.isOperator("**")) {
        const Token op = m_stream.take();
        left = make(ExpressionKind::Binary, op.at, listOf(std::move(left), parseUnary()));
        left->name = op.text;
    }
    return left;
}

ExpressionPtr ExpressionParser::parseUnary(bool withFilters) {
    const DepthGuard guard{*this};
    ExpressionPtr value;
    if (m_stream.isOperator("-") || m_stream.isOperator("+")) {
        const Token op = m_stream.take();
        value = make(op.text == "-" ? ExpressionKind::Negate : ExpressionKind::Plus, op.at, listOf(parseUnary(false)));
    } else {
        value = parsePrimary();
    }
    value = parsePostfixOf(std::move(value));
    return withFilters ? parseFiltersAndTests(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::parsePrimary() {
    const Token& token = m_stream.current();
    const Position at = token.at;
    switch (token.type) {
        case TokenType::Name: {
            const std::string name = m_stream.take().text;
            auto value = make(ExpressionKind::Constant, at);
            if (name == "true" || name == "True" || name == "false" || name == "False") {
                value->constant = Value::boolean(name == "true" || name == "True");
            } else if (name == "none" || name == "None") {
                value->constant = Value::none();
            } else {
                value->kind = ExpressionKind::Name;
                value->name = name;
                m_specialNames.varargs = m_specialNames.varargs || name == "varargs";
                m_specialNames.kwargs = m_specialNames.kwargs || name == "kwargs";
                m_specialNames.caller = m_specialNames.caller || name == "caller";
            }
            return value;
        }
        case TokenType::String: {
            std::string text = m_stream.take().text;
            while (m_stream.is(TokenType::String)) text += m_stream.take().text;
            auto value = make(ExpressionKind::Constant, at);
            value->constant = Value::text(std::move(text));
            return value;
        }
        case TokenType::Integer:
        case TokenType::Float: return parseNumber();
        default: break;
    }
    if (m_stream.skipOperator("(")) {
        ExpressionPtr inner = m_stream.isOperator(")") ? make(ExpressionKind::Tuple, at) : parseTuple();
        m_stream.expectOperator(")");
        return inner;
    }
    if (m_stream.isOperator("[")) return parseListLiteral();
    if (m_stream.isOperator("{")) return parseMapLiteral();
    m_stream.failHere(fmt::format("expected an expression, found {}", TokenStream::describe(token)));
}

ExpressionPtr ExpressionParser::parseNumber() {
    const Token token = m_stream.take();
    auto value = make(ExpressionKind::Constant, token.at);
    const char* end = token.text.data() + token.text.size();
    int64_t integer = 0;
    double number = 0;
    const auto status = token.type == TokenType::Integer ? std::from_chars(token.text.data(), end, integer).ec
                                                         : std::from_chars(token.text.data(), end, number).ec;
    if (status != std::errc{}) m_stream.failAt(token.at, fmt::format("the number {} is too large", token.text));
    value->constant = token.type == TokenType::Integer ? Value::integer(integer) : Value::number(number);
    return value;
}

ExpressionPtr ExpressionParser::parseListLiteral() {
    const Position at = m_stream.take().at;
    std::vector<ExpressionPtr> items;
    while (!m_stream.isOperator("]")) {
        if (!items.empty()) m_stream.expectOperator(",");
        if (m_stream.isOperator("]")) break;
        items.push_back(parseExpression());
    }
    m_stream.expectOperator("]");
    return make(ExpressionKind::List, at, std::move(items));
}

ExpressionPtr ExpressionParser::parseMapLiteral() {
    const Position at = m_stream.take().at;
    std::vector<ExpressionPtr> items;
    while (!m_stream.isOperator("}")) {
        if (!items.empty()) m_stream.expectOperator(",");
        if (m_stream.isOperator("}")) break;
        items.push_back(parseExpression());
        m_stream.expectOperator(":");
        items.push_back(parseExpression());
    }
    m_stream.expectOperator("}");
    return make(ExpressionKind::Map, at, std::move(items));
}

bool ExpressionParser::atTupleEnd() const {
    return m_stream.is(TokenType::VariableEnd) || m_stream.is(TokenType::BlockEnd) || m_stream.isOperator(")");
}

ExpressionPtr ExpressionParser::parseTuple(ConditionalExpressions conditionals) {
    const Position at = m_stream.current().at;
    ExpressionPtr first = parseExpression(conditionals);
    if (!m_stream.isOperator(",")) return first;
    std::vector<ExpressionPtr> items = listOf(std::move(first));
    while (m_stream.skipOperator(",")) {
        if (atTupleEnd()) break;
        items.push_back(parseExpression(conditionals));
    }
    return make(ExpressionKind::Tuple, at, std::move(items));
}

ExpressionPtr ExpressionParser::parsePostfixOf(ExpressionPtr expression) {
    while (true) {
        if (m_stream.isOperator(".") || m_stream.isOperator("[")) {
            expression = parseSubscript(std::move(expression));
        } else if (m_stream.isOperator("(")) {
            auto call = make(ExpressionKind::Call, m_stream.current().at, listOf(std::move(expression)));
            parseCallArguments(*call);
            expression = std::move(call);
        } else {
            return expression;
        }
    }
}

ExpressionPtr ExpressionParser::parseSubscript(ExpressionPtr object) {
    const Token token = m_stream.take();
    if (token.text == "[") {
        ExpressionPtr result = parseSubscriptIndex(std::move(object), token.at);
        m_stream.expectOperator("]");
        return result;
    }
    if (m_stream.is(TokenType::Integer)) {
        auto index = parseNumber();
        return make(ExpressionKind::Subscript, token.at, listOf(std::move(object), std::move(index)));
    }
    auto attribute = make(ExpressionKind::Attribute, token.at, listOf(std::move(object)));
    attribute->name = m_stream.expectName();
    return attribute;
}

ExpressionPtr ExpressionParser::parseSubscriptIndex(ExpressionPtr object, Position at) {
    std::vector<ExpressionPtr> parts = listOf(std::move(object));
    bool isSlice = false;
    parts.push_back(m_stream.isOperator(":") ? nullptr : parseTuple());
    while (parts.size() < 4 && m_stream.skipOperator(":")) {
        isSlice = true;
        parts.push_back(m_stream.isOperator(":") || m_stream.isOperator("]") ? nullptr : parseExpression());
    }
    if (isSlice) parts.resize(4);
    return make(isSlice ? ExpressionKind::Slice : ExpressionKind::Subscript, at, std::move(parts));
}

void ExpressionParser::parseCallArguments(Expression& call) {
    m_stream.expectOperator("(");
    bool isFirst = true;
    while (!m_stream.isOperator(")")) {
        if (!isFirst) m_stream.expectOperator(",");
        isFirst = false;
        if (m_stream.isOperator(")")) break;
        if (m_stream.isOperator("*") || m_stream.isOperator("**")) {
            ExpressionPtr& unpacked = m_stream.isOperator("*") ? call.unpackedList : call.unpackedMap;
            if (unpacked || call.unpackedMap) m_stream.failHere("only one * and one ** in this order can be unpacked");
            m_stream.take();
            unpacked = parseExpression();
            continue;
        }
        const bool isNamed =
            m_stream.is(TokenType::Name) && m_stream.next().type == TokenType::Operator && m_stream.next().text == "=";
        if (isNamed) {
            std::string name = m_stream.take().text;
            m_stream.take();
            call.named.emplace_back(std::move(name), parseExpression());
        } else {
            if (!call.named.empty() || call.unpackedList || call.unpackedMap)
                m_stream.failHere("a positional argument follows a named or unpacked one");
            call.children.push_back(parseExpression());
        }
    }
    m_stream.expectOperator(")");
    updateDepth(call);
}

ExpressionPtr ExpressionParser::parseFiltersAndTests(ExpressionPtr input) {
    while (true) {
        if (m_stream.isOperator("|")) {
            input = parseFilter(std::move(input));
        } else if (m_stream.isName("is")) {
            input = parseTest(std::move(input));
        } else if (m_stream.isOperator("(")) {
            input = parsePostfixOf(std::move(input));
        } else {
            return input;
        }
    }
}

ExpressionPtr ExpressionParser::parseFilterChain() {
    ExpressionPtr chain = parseFilter(nullptr);
    while (m_stream.isOperator("|")) chain = parseFilter(std::move(chain));
    return chain;
}

// At the "|", or at the name where the chain of a filter block begins.
ExpressionPtr ExpressionParser::parseFilter(ExpressionPtr input) {
    m_stream.skipOperator("|");
    const Position at = m_stream.current().at;
    std::string name = m_stream.expectName();
    while (m_stream.skipOperator(".")) name.append(".").append(m_stream.expectName());
    std::vector<ExpressionPtr> children;
    children.push_back(std::move(input));
    auto filter = make(ExpressionKind::Filter, at, std::move(children));
    filter->filter = findFilter(name);
    if (!filter->filter)
        m_stream.failAt(at, fmt::format("the filter '{}' is not supported", name), ErrorCode::Unsupported);
    filter->name = std::move(name);
    if (m_stream.isOperator("(")) parseCallArguments(*filter);
    return filter;
}

bool ExpressionParser::startsTestArgument() const {
    switch (m_stream.current().type) {
        case TokenType::Name:
            return !m_stream.isName("else") && !m_stream.isName("or") && !m_stream.isName("and") &&
                   !m_stream.isName("if");
        case TokenType::String:
        case TokenType::Integer:
        case TokenType::Float: return true;
        default: return m_stream.isOperator("[") || m_stream.isOperator("{");
    }
}

ExpressionPtr ExpressionParser::parseTest(ExpressionPtr input) {
    m_stream.take();
    const bool isNegated = m_stream.skipName("not");
    const Position at = m_stream.current().at;
    const std::string name = m_stream.expectName();
    auto test = make(ExpressionKind::Test, at, listOf(std::move(input)));
    test->test = findTest(name);
    if (!test->test) m_stream.failAt(at, fmt::format("the test '{}' is not supported", name), ErrorCode::Unsupported);
    test->name = name;
    if (m_stream.isOperator("(")) {
        parseCallArguments(*test);
    } else if (startsTestArgument()) {
        if (m_stream.isName("is")) m_stream.failHere("tests cannot be chained with 'is'");
        test->children.push_back(parsePostfixOf(parsePrimary()));
        updateDepth(*test);
    }
    return isNegated ? make(ExpressionKind::Not, at, listOf(std::move(test))) : std::move(test);
}

}  // namespace wb::core::jinja
