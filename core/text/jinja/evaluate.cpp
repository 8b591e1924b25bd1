// SPDX-License-Identifier: Apache-2.0
// The expressions of the interpreter.
#include <fmt/format.h>

#include <algorithm>

#include "core/text/jinja/interpreter.h"
#include "core/text/jinja/interpreter_guards.h"

namespace wb::core::jinja {

Value Interpreter::evaluate(const Expression& expression) {
    const DepthGuard guard{m_depth};
    m_runtime.spendSteps(1);
    m_at = expression.at;
    return evaluateKind(expression);
}

Value Interpreter::evaluateKind(const Expression& expression) {
    const auto child = [&](size_t i) { return evaluate(*expression.children[i]); };
    // Evaluating a child moves the place that an error names; this brings it back to the operation.
    const auto here = [&] { m_at = expression.at; };
    switch (expression.kind) {
        case ExpressionKind::Constant: return expression.constant;
        case ExpressionKind::Name: return evaluateName(expression.name);
        case ExpressionKind::List: return Value::list(evaluateAll(expression, 0));
        case ExpressionKind::Tuple: return Value::tuple(evaluateAll(expression, 0));
        case ExpressionKind::Map: return evaluateMap(expression);
        case ExpressionKind::Attribute: {
            const Value object = child(0);
            here();
            return getAttribute(object, expression.name);
        }
        case ExpressionKind::Subscript: {
            const Value object = child(0);
            const Value index = child(1);
            here();
            return getItem(m_runtime, object, index);
        }
        case ExpressionKind::Slice: {
            const Value object = child(0);
            const Value start = evaluateOr(expression.children[1], Value::none());
            const Value stop = evaluateOr(expression.children[2], Value::none());
            const Value step = evaluateOr(expression.children[3], Value::none());
            here();
            return getSlice(m_runtime, object, start, stop, step);
        }
        case ExpressionKind::Call: return evaluateCall(expression);
        case ExpressionKind::Filter: return evaluateFilter(expression);
        case ExpressionKind::Test: {
            const Value input = child(0);
            Arguments arguments = evaluateArguments(expression, 1);
            here();
            return Value::boolean(expression.test->holds(m_runtime, input, arguments));
        }
        case ExpressionKind::Negate: {
            const Value value = child(0);
            here();
            return negate(value);
        }
        case ExpressionKind::Plus: return applyBinary(m_runtime, "+", Value::integer(0), child(0));
        case ExpressionKind::Not: return Value::boolean(!child(0).truthy());
        case ExpressionKind::And: {
            Value left = child(0);
            return left.truthy() ? child(1) : left;
        }
        case ExpressionKind::Or: {
            Value left = child(0);
            return left.truthy() ? left : child(1);
        }
        case ExpressionKind::Binary: {
            const Value left = child(0);
            const Value right = child(1);
            here();
            return applyBinary(m_runtime, expression.name, left, right);
        }
        case ExpressionKind::Comparison: return evaluateComparison(expression);
        case ExpressionKind::Concat: return evaluateConcat(expression);
        case ExpressionKind::Conditional:
            if (child(0).truthy()) return child(1);
            return evaluateOr(expression.children[2], Value::undefined("the value of an 'if' without 'else'"));
    }
    return {};
}

Value Interpreter::evaluateName(const std::string& name) {
    if (const Value* value = m_scope->find(name)) return *value;
    for (const GlobalEntry& entry : globalEntries()) {
        if (entry.name != name) continue;
        auto callable = std::make_shared<Callable>();
        callable->function = entry.function;
        callable->name = name;
        return Value::Data{CallablePtr{std::move(callable)}};
    }
    return Value::undefined(name);
}

std::vector<Value> Interpreter::evaluateAll(const Expression& expression, size_t first) {
    std::vector<Value> values;
    for (size_t i = first; i < expression.children.size(); ++i) values.push_back(evaluate(*expression.children[i]));
    m_at = expression.at;
    return values;
}

Value Interpreter::evaluateOr(const ExpressionPtr& expression, Value absent) {
    return expression ? evaluate(*expression) : std::move(absent);
}

Value Interpreter::evaluateMap(const Expression& expression) {
    std::vector<std::pair<Value, Value>> entries;
    for (size_t i = 0; i + 1 < expression.children.size(); i += 2) {
        Value key = evaluate(*expression.children[i]);
        Value value = evaluate(*expression.children[i + 1]);
        m_at = expression.at;
        setEntry(m_runtime, entries, std::move(key), std::move(value));
    }
    return Value::map(std::move(entries));
}

Value Interpreter::evaluateComparison(const Expression& expression) {
    Value left = evaluate(*expression.children[0]);
    for (size_t i = 0; i < expression.operators.size(); ++i) {
        Value right = evaluate(*expression.children[i + 1]);
        m_at = expression.at;
        const std::string& op = expression.operators[i];
        bool holds = false;
        if (op == "==" || op == "!=") {
            holds = valuesEqual(m_runtime, left, right) == (op == "==");
        } else if (op == "in" || op == "not in") {
            holds = containsValue(m_runtime, right, left) == (op == "in");
        } else {
            const int order = compareValues(m_runtime, left, right);
            holds = op == "<" ? order < 0 : op == "<=" ? order <= 0 : op == ">" ? order > 0 : order >= 0;
        }
        if (!holds) return Value::boolean(false);
        left = std::move(right);
    }
    return Value::boolean(true);
}

Value Interpreter::evaluateConcat(const Expression& expression) {
    Text out;
    for (const auto& part : expression.children) {
        const Value value = evaluate(*part);
        m_at = expression.at;
        out.append(toText(m_runtime, value));
        m_runtime.checkTextSize(out.size());
    }
    m_runtime.chargeText(out.size());
    return Value{std::move(out)};
}

Arguments Interpreter::evaluateArguments(const Expression& call, size_t first) {
    Arguments arguments;
    arguments.positional = evaluateAll(call, first);
    for (const auto& [name, value] : call.named) arguments.named.emplace_back(name, evaluate(*value));
    unpackArguments(call, arguments);
    m_at = call.at;
    return arguments;
}

void Interpreter::unpackArguments(const Expression& call, Arguments& arguments) {
    if (call.unpackedList)
        for (Value& item : iterate(m_runtime, evaluate(*call.unpackedList)))
            arguments.positional.push_back(std::move(item));
    if (!call.unpackedMap) return;
    const Value values = evaluate(*call.unpackedMap);
    if (!values.asMap()) fail(fmt::format("** needs a map, not {}", values.typeName()));
    for (const auto& [key, value] : values.asMap()->entries) {
        if (!key.asText()) fail("**: the names of arguments must be texts");
        const std::string& name = key.asText()->bytes();
        if (arguments.find(SIZE_MAX, name)) fail(fmt::format("the argument '{}' is given twice", name));
        arguments.named.emplace_back(name, value);
    }
}

Value Interpreter::evaluateFilter(const Expression& filter, const Value* blockInput) {
    Value input;
    if (filter.children[0] && filter.children[0]->kind == ExpressionKind::Filter) {
        const DepthGuard guard{m_depth};
        input = evaluateFilter(*filter.children[0], blockInput);
    } else if (filter.children[0]) {
        input = evaluate(*filter.children[0]);
    } else if (blockInput) {
        input = *blockInput;
    }
    Arguments arguments = evaluateArguments(filter, 1);
    m_runtime.spendSteps(1);
    return filter.filter->apply(m_runtime, input, arguments);
}

Value Interpreter::evaluateCall(const Expression& call, const Value* caller) {
    const Expression& callee = *call.children[0];
    if (callee.kind == ExpressionKind::Attribute) {
        const Value object = evaluate(*callee.children[0]);
        if (hasMethod(object, callee.name)) {
            Arguments arguments = evaluateArguments(call, 1);
            return callMethod(m_runtime, object, callee.name, arguments);
        }
        m_at = callee.at;
        if (isChangingMethod(object, callee.name))
            fail(fmt::format("a {} cannot be changed in place by '{}'; write {{% set x = x + [item] %}} or the like",
                             object.typeName(), callee.name));
        const Value attribute = getAttribute(object, callee.name);
        if (attribute.isUndefined())
            fail(fmt::format("a value of type {} has no method '{}'", object.typeName(), callee.name));
        Arguments arguments = evaluateArguments(call, 1);
        if (caller) arguments.named.emplace_back("caller", *caller);
        return this->call(attribute, arguments);
    }
    const Value function = evaluate(callee);
    Arguments arguments = evaluateArguments(call, 1);
    if (caller) arguments.named.emplace_back("caller", *caller);
    return this->call(function, arguments);
}

Value Interpreter::call(const Value& callee, Arguments& arguments) {
    if (const auto* undefined = callee.as<Undefined>()) fail(fmt::format("'{}' is undefined", undefined->name));
    if (const auto* loop = callee.as<LoopPtr>()) return callLoop(*loop, arguments);
    const auto* callable = callee.as<CallablePtr>();
    if (!callable) fail(fmt::format("a value of type {} cannot be called", callee.typeName()));
    const CallablePtr keepAlive = *callable;
    if (keepAlive->macro) return callMacro(*keepAlive->macro, arguments);
    if (keepAlive->function) return keepAlive->function(m_runtime, arguments);
    return callMethod(m_runtime, keepAlive->self, keepAlive->name, arguments);
}

Value Interpreter::callMacro(const Macro& macro, Arguments& arguments) {
    const DepthGuard guard{m_depth};
    const Position callPlace = m_at;
    const ScopeGuard scope{m_scope, macro.scope};
    const OutputGuard output{m_out};
    bindSurplus(*macro.signature, arguments);
    bindParameters(*macro.signature, arguments);
    run(*macro.body);
    m_at = callPlace;
    return Value{std::move(output.text())};
}

void Interpreter::bindParameters(const Signature& signature, const Arguments& arguments) {
    const size_t count = signature.parameters.size();
    const size_t firstDefault = count - signature.defaults.size();
    for (size_t i = 0; i < count; ++i) {
        const std::string& name = signature.parameters[i];
        if (const Value* given = arguments.find(i, name)) {
            m_scope->set(name, *given);
        } else {
            m_scope->set(name,
                         i < firstDefault ? Value::undefined(name) : evaluate(*signature.defaults[i - firstDefault]));
        }
    }
}

// Arguments that no parameter takes: varargs and kwargs if the macro speaks of them, the caller of a call block.
void Interpreter::bindSurplus(const Signature& signature, const Arguments& arguments) {
    const auto& parameters = signature.parameters;
    std::vector<Value> surplus;
    for (size_t i = parameters.size(); i < arguments.positional.size(); ++i) surplus.push_back(arguments.positional[i]);
    if (!surplus.empty() && !signature.usesVarargs)
        fail(fmt::format("the macro '{}' takes {} argument(s), {} given", signature.name, parameters.size(),
                         arguments.positional.size()));
    const Value* caller = nullptr;
    std::vector<std::pair<Value, Value>> named;
    for (const auto& [name, value] : arguments.named) {
        const auto known = std::find(parameters.begin(), parameters.end(), name);
        const bool isParameter = known != parameters.end();
        if (isParameter && static_cast<size_t>(known - parameters.begin()) >= arguments.positional.size()) continue;
        if (name == "caller" && signature.usesCaller && !isParameter) {
            caller = &value;
        } else if (!isParameter && signature.usesKwargs) {
            named.emplace_back(Value::text(name), value);
        } else {
            fail(isParameter ? fmt::format("the macro '{}' is given '{}' twice", signature.name, name)
                             : fmt::format("the macro '{}' has no parameter '{}'", signature.name, name));
        }
    }
    if (signature.usesVarargs) m_scope->set("varargs", Value::tuple(std::move(surplus)));
    if (signature.usesKwargs) m_scope->set("kwargs", Value::map(std::move(named)));
    if (signature.usesCaller) m_scope->set("caller", caller ? *caller : Value::undefined("caller"));
}

}  // namespace wb::core::jinja
