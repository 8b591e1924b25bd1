// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/interpreter.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text/jinja/interpreter_guards.h"

namespace wb::core::jinja {

const Value* Scope::find(std::string_view name) const {
    for (const Scope* scope = this; scope; scope = scope->parent.get())
        for (const auto& [variable, value] : scope->variables)
            if (variable == name) return &value;
    return nullptr;
}

void Scope::set(std::string_view name, Value value) {
    for (auto& [variable, current] : variables) {
        if (variable == name) {
            current = std::move(value);
            return;
        }
    }
    variables.emplace_back(std::string{name}, std::move(value));
}

Interpreter::Interpreter(const ParsedTemplate& parsed, Runtime& runtime,
                         std::vector<std::pair<std::string, Value>> variables)
    : m_parsed(parsed), m_runtime(runtime), m_scope(std::make_shared<Scope>()) {
    m_scope->variables = std::move(variables);
}

Interpreter::~Interpreter() {
    for (const ScopePtr& scope : m_macroScopes) {
        scope->variables.clear();
        scope->parent.reset();
    }
}

Text Interpreter::render() {
    Text out;
    m_out = &out;
    try {
        run(m_parsed.body);
    } catch (const Failure& failure) {
        throw makeError(failure.code, m_parsed.sourceName, m_at, failure.message);
    }
    return out;
}

Interpreter::Flow Interpreter::run(const Body& body) {
    const DepthGuard guard{m_depth};
    for (const Statement& statement : body) {
        m_runtime.spendSteps(1);
        m_at = statement.at;
        const Flow flow = runStatement(statement);
        if (flow != Flow::Next) return flow;
    }
    return Flow::Next;
}

Interpreter::Flow Interpreter::runStatement(const Statement& statement) {
    switch (statement.kind) {
        case StatementKind::Data: emit(*statement.text); break;
        case StatementKind::Output: {
            const Value value = evaluate(*statement.expressions[0]);
            if (const Text* text = value.asText()) {
                emit(*text);
            } else {
                emit(toText(m_runtime, value));
            }
            break;
        }
        case StatementKind::If: return runIf(statement);
        case StatementKind::For: return runFor(statement);
        case StatementKind::With: return runWith(statement);
        case StatementKind::Set: assign(statement.targets[0], evaluate(*statement.expressions[0])); break;
        case StatementKind::SetBlock: runSetBlock(statement); break;
        case StatementKind::MacroBlock: m_scope->set(statement.signature->name, defineMacro(statement)); break;
        case StatementKind::CallBlock: runCallBlock(statement); break;
        case StatementKind::FilterBlock: {
            const Value input{capture(statement.bodies[0])};
            emit(toText(m_runtime, evaluateFilter(*statement.expressions[0], &input)));
            break;
        }
        case StatementKind::Generation: runGeneration(statement); break;
        case StatementKind::Break: return Flow::Break;
        case StatementKind::Continue: return Flow::Continue;
    }
    return Flow::Next;
}

Interpreter::Flow Interpreter::runIf(const Statement& statement) {
    for (size_t i = 0; i < statement.expressions.size(); ++i)
        if (evaluate(*statement.expressions[i]).truthy()) return run(statement.bodies[i]);
    if (statement.bodies.size() > statement.expressions.size()) return run(statement.bodies.back());
    return Flow::Next;
}

std::vector<Value> Interpreter::filterItems(const Statement& statement, std::vector<Value> items) {
    std::vector<Value> kept;
    const ScopeGuard scope{m_scope};
    for (Value& item : items) {
        assign(statement.targets[0], item);
        if (evaluate(*statement.expressions[1]).truthy()) kept.push_back(std::move(item));
    }
    return kept;
}

Interpreter::Flow Interpreter::runFor(const Statement& statement) {
    return runLoop(statement, iterate(m_runtime, evaluate(*statement.expressions[0])), 1);
}

Interpreter::Flow Interpreter::runLoop(const Statement& statement, std::vector<Value> items, int64_t depth) {
    auto loop = std::make_shared<Loop>();
    loop->items = std::move(items);
    loop->depth = depth;
    if (statement.isRecursive) {
        loop->recursive = &statement;
        loop->scope = m_scope;
    }
    if (statement.expressions[1]) loop->items = filterItems(statement, std::move(loop->items));
    // As in Jinja2, `else` follows unless some round came to its end: rounds that `break` or `continue` leave do not
    // count.
    bool hasFinishedRound = false;
    for (; loop->index < loop->items.size(); ++loop->index) {
        const Flow flow = runLoopBody(statement, loop);
        if (flow == Flow::Break) break;
        hasFinishedRound = hasFinishedRound || flow == Flow::Next;
    }
    if (hasFinishedRound || statement.bodies.size() < 2) return Flow::Next;
    const ScopeGuard scope{m_scope};
    return run(statement.bodies[1]);
}

Value Interpreter::callLoop(const LoopPtr& loop, const Arguments& arguments) {
    if (!loop->recursive) fail("only the loop of a 'for ... recursive' can be called");
    arguments.expect("loop", 1);
    const DepthGuard guard{m_depth};
    const Position callPlace = m_at;
    const LoopPtr keepAlive = loop;
    std::vector<Value> items = iterate(m_runtime, arguments.require("loop", 0, "items"));
    const ScopeGuard scope{m_scope, keepAlive->scope};
    const OutputGuard output{m_out};
    runLoop(*keepAlive->recursive, std::move(items), keepAlive->depth + 1);
    m_at = callPlace;
    return Value{std::move(output.text())};
}

Interpreter::Flow Interpreter::runLoopBody(const Statement& statement, const LoopPtr& loop) {
    const ScopeGuard scope{m_scope};
    m_runtime.spendSteps(1);
    assign(statement.targets[0], loop->items[loop->index]);
    m_scope->set("loop", Value::Data{loop});
    return run(statement.bodies[0]);
}

Interpreter::Flow Interpreter::runWith(const Statement& statement) {
    std::vector<Value> values;
    for (const auto& expression : statement.expressions) values.push_back(evaluate(*expression));
    const ScopeGuard scope{m_scope};
    for (size_t i = 0; i < values.size(); ++i) assign(statement.targets[i], std::move(values[i]));
    return run(statement.bodies[0]);
}

void Interpreter::runSetBlock(const Statement& statement) {
    Value value{capture(statement.bodies[0])};
    if (statement.expressions[0]) value = evaluateFilter(*statement.expressions[0], &value);
    assign(statement.targets[0], std::move(value));
}

void Interpreter::runCallBlock(const Statement& statement) {
    const Value caller = defineMacro(statement);
    emit(toText(m_runtime, evaluateCall(*statement.expressions[0], &caller)));
}

void Interpreter::runGeneration(const Statement& statement) {
    const size_t begin = m_out->size();
    const ScopeGuard scope{m_scope};
    run(statement.bodies[0]);
    m_out->markGenerated(begin);
}

void Interpreter::assign(const Target& target, Value value) {
    if (!target.parts.empty()) {
        std::vector<Value> items = iterate(m_runtime, value);
        if (items.size() != target.parts.size())
            fail(fmt::format("cannot unpack {} value(s) into {} names", items.size(), target.parts.size()));
        for (size_t i = 0; i < items.size(); ++i) assign(target.parts[i], std::move(items[i]));
        return;
    }
    if (target.attribute.empty()) {
        m_scope->set(target.name, std::move(value));
        return;
    }
    const Value* object = m_scope->find(target.name);
    const auto* space = object ? object->as<NamespacePtr>() : nullptr;
    if (!space) fail(fmt::format("'{}' is not a namespace; its attributes cannot be set", target.name));
    const NamespacePtr keepAlive = *space;
    checkAttributeName(target.attribute);
    keepAlive->set(target.attribute, std::move(value));
}

void Interpreter::emit(const Text& text) {
    m_runtime.chargeText(text.size());
    m_runtime.checkTextSize(m_out->size() + text.size());
    m_out->append(text);
}

Text Interpreter::capture(const Body& body) {
    const ScopeGuard scope{m_scope};
    const OutputGuard output{m_out};
    run(body);
    return std::move(output.text());
}

Value Interpreter::defineMacro(const Statement& statement) {
    m_runtime.spendSteps(100);  // its scope lives until the end
    auto macro = std::make_shared<Macro>();
    macro->signature = statement.signature;
    macro->body = statement.sharedBody;
    macro->scope = m_scope;
    if (m_macroScopes.empty() || m_macroScopes.back() != m_scope) m_macroScopes.push_back(m_scope);
    auto callable = std::make_shared<Callable>();
    callable->macro = std::move(macro);
    callable->name = statement.signature->name;
    return Value::Data{CallablePtr{std::move(callable)}};
}

}  // namespace wb::core::jinja
