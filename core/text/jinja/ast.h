// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/lexer.h"
#include "core/text/jinja/value.h"

namespace wb::core::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<Expression>;
using Body = std::vector<Statement>;

enum class ExpressionKind {
    Constant,   // constant
    Name,       // name
    List,       // children
    Tuple,      // children
    Map,        // children: key, value, key, value ...
    Attribute,  // children: object; name
    Subscript,  // children: object, index
    Slice,      // children: object, start, stop, step (null where left out)
    Call,       // children: callee, positional arguments ...; named
    Filter,     // children: input, positional arguments ...; named; filter
    Test,       // children: input, positional arguments ...; named; test
    Negate,
    Plus,
    Not,
    And,
    Or,
    Binary,       // children: left, right; name is the operator
    Comparison,   // children: first, second ...; operators between them
    Concat,       // children
    Conditional,  // children: condition, value, alternative (null where left out)
};

struct Expression {
    ExpressionKind kind = ExpressionKind::Constant;
    Position at;
    int depth = 1;  // nesting, bounded by the parser because evaluation recurses
    std::string name;
    Value constant;
    std::vector<ExpressionPtr> children;
    std::vector<std::pair<std::string, ExpressionPtr>> named;
    ExpressionPtr unpackedList;  // "*items" of a call, null if none
    ExpressionPtr unpackedMap;   // "**items"
    std::vector<std::string> operators;
    const FilterEntry* filter = nullptr;
    const TestEntry* test = nullptr;
};

// What a set or for statement assigns to: a name, an attribute of a namespace, or several of those.
struct Target {
    std::string name;
    std::string attribute;      // of the namespace `name`, empty if none
    std::vector<Target> parts;  // if not empty, the value is unpacked into these
};

struct Signature {
    std::string name;
    std::vector<std::string> parameters;
    std::vector<ExpressionPtr> defaults;  // of the last parameters
    // What the body asks for by these names; a call may give surplus arguments or a caller only then.
    bool usesVarargs = false;
    bool usesKwargs = false;
    bool usesCaller = false;
};

enum class StatementKind {
    Data,         // text
    Output,       // expressions[0]
    If,           // expressions[i] guards bodies[i]; one body more is the else
    For,          // expressions: items, filter (null if none); target; bodies: each item, else
    Set,          // target, expressions[0]
    SetBlock,     // target, expressions[0]: filters over the body (null if none); bodies[0]
    MacroBlock,   // signature, bodies[0]
    CallBlock,    // expressions[0] is the call; signature is that of caller()
    FilterBlock,  // expressions[0]: filters over the body
    With,         // targets and expressions, bodies[0]
    Generation,   // bodies[0]
    Break,
    Continue,
};

struct Statement {
    StatementKind kind = StatementKind::Data;
    Position at;
    TextPtr text;
    std::vector<Target> targets;
    std::vector<ExpressionPtr> expressions;
    std::vector<Body> bodies;
    bool isRecursive = false;  // of a for loop
    std::shared_ptr<Signature> signature;
    std::shared_ptr<Body> sharedBody;  // of macros and callers, which outlive the statement's run
};

}  // namespace wb::core::jinja
