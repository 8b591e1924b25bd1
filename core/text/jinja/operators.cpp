// SPDX-License-Identifier: Apache-2.0
// Comparison and arithmetic of values, with Python's rules.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text/jinja/builtins.h"

namespace wb::core::jinja {
namespace {

[[noreturn]] void failOperands(std::string_view op, const Value& left, const Value& right) {
    for (const Value* side : {&left, &right})
        if (const auto* undefined = side->as<Undefined>()) fail(fmt::format("'{}' is undefined", undefined->name));
    fail(fmt::format("'{}' does not work between {} and {}", op, left.typeName(), right.typeName()));
}

Value concatLists(Runtime& runtime, const List& left, const List& right) {
    runtime.spendBytes((left.items.size() + right.items.size()) * sizeof(Value));
    std::vector<Value> items = left.items;
    items.insert(items.end(), right.items.begin(), right.items.end());
    return left.isTuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

// Only lists and tuples can be added and repeated.
const List* asPlainList(const Value& value) {
    const List* list = value.asList();
    return list && (list->isTuple() || list->kind == ListKind::List) ? list : nullptr;
}

Value add(Runtime& runtime, const Value& left, const Value& right) {
    const Text* leftText = left.asText();
    const Text* rightText = right.asText();
    if (leftText && rightText) {
        runtime.chargeText(leftText->size() + rightText->size());
        Text out = *leftText;
        out.append(*rightText);
        return Value{std::move(out)};
    }
    const List* leftList = asPlainList(left);
    const List* rightList = asPlainList(right);
    if (leftList && rightList && leftList->isTuple() == rightList->isTuple())
        return concatLists(runtime, *leftList, *rightList);
    failOperands("+", left, right);
}

Value repeat(Runtime& runtime, const Value& sequence, int64_t times) {
    const auto count = static_cast<size_t>(std::max<int64_t>(times, 0));
    if (const Text* text = sequence.asText()) {
        if (count > 0 && text->size() > runtime.maxTextBytes / count)
            fail(fmt::format("a text of {} bytes times {} is over the limit of {}", text->size(), count,
                             runtime.maxTextBytes));
        runtime.chargeText(text->size() * count);
        Text out;
        if (!text->empty())
            for (size_t i = 0; i < count; ++i) out.append(*text);
        return Value{std::move(out)};
    }
    const List& list = *sequence.asList();
    constexpr size_t kMaxItems = 1'000'000;
    if (count > 0 && list.items.size() > kMaxItems / count)
        fail(fmt::format("a list of {} items times {} is too long", list.items.size(), count));
    runtime.spendBytes(list.items.size() * count * sizeof(Value));
    std::vector<Value> items;
    if (!list.items.empty())
        for (size_t i = 0; i < count; ++i) items.insert(items.end(), list.items.begin(), list.items.end());
    return list.isTuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

int64_t floorDivide(int64_t left, int64_t right) {
    if (right == -1) {
        int64_t result = 0;
        if (__builtin_sub_overflow(int64_t{0}, left, &result)) fail("integer overflow");
        return result;
    }
    const int64_t quotient = left / right;
    return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

int64_t integerPower(int64_t base, int64_t exponent) {
    int64_t result = 1;
    while (exponent > 0) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) fail("integer overflow");
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail("integer overflow");
    }
    return result;
}

double floatPower(double base, double exponent) {
    if (base == 0.0 && exponent < 0.0) fail("zero cannot be raised to a negative power");
    if (base < 0.0 && std::isfinite(exponent) && exponent != std::floor(exponent))
        failUnsupported("'**' of a negative number with a fraction: complex numbers are not supported");
    const double result = std::pow(base, exponent);
    if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) fail("'**': the result is too large");
    return result;
}

Value integerBinary(std::string_view op, int64_t left, int64_t right) {
    int64_t result = 0;
    if (op == "/" || op == "//" || op == "%")
        if (right == 0) fail("division by zero");
    if (op == "/") return Value::number(static_cast<double>(left) / static_cast<double>(right));
    if (op == "//") return Value::integer(floorDivide(left, right));
    if (op == "%") return Value::integer(right == -1 ? 0 : left - floorDivide(left, right) * right);
    if (op == "**") {
        if (right < 0) return Value::number(floatPower(static_cast<double>(left), static_cast<double>(right)));
        return Value::integer(integerPower(left, right));
    }
    const bool overflows = op == "+"   ? __builtin_add_overflow(left, right, &result)
                           : op == "-" ? __builtin_sub_overflow(left, right, &result)
                                       : __builtin_mul_overflow(left, right, &result);
    if (overflows) fail("integer overflow");
    return Value::integer(result);
}

Value floatBinary(std::string_view op, double left, double right) {
    if ((op == "/" || op == "//" || op == "%") && right == 0.0) fail("division by zero");
    if (op == "+") return Value::number(left + right);
    if (op == "-") return Value::number(left - right);
    if (op == "*") return Value::number(left * right);
    if (op == "/") return Value::number(left / right);
    if (op == "**") return Value::number(floatPower(left, right));
    double rest = std::fmod(left, right);
    if (rest != 0.0 && (rest < 0.0) != (right < 0.0)) rest += right;
    if (op == "%") return Value::number(rest == 0.0 ? std::copysign(0.0, right) : rest);
    // Exact where rounding left / right first would cross a whole number.
    const double quotient = (left - rest) / right;
    if (quotient == 0.0) return Value::number(std::copysign(0.0, left / right));
    const double whole = std::floor(quotient);
    return Value::number(quotient - whole > 0.5 ? whole + 1.0 : whole);
}

int compareNumbers(double left, double right) {
    return left < right ? -1 : left > right ? 1 : 0;
}

bool listsEqual(Runtime& runtime, const List& left, const List& right) {
    const bool isSameKind = left.kind == right.kind || (left.isTuple() && right.isTuple());
    if (!isSameKind || left.items.size() != right.items.size()) return false;
    for (size_t i = 0; i < left.items.size(); ++i)
        if (!valuesEqual(runtime, left.items[i], right.items[i])) return false;
    return true;
}

bool mapsEqual(Runtime& runtime, const Map& left, const Map& right) {
    if (left.entries.size() != right.entries.size()) return false;
    for (const auto& wanted : left.entries) {
        const auto same = std::find_if(right.entries.begin(), right.entries.end(), [&](const auto& entry) {
            return valuesEqual(runtime, wanted.first, entry.first);
        });
        if (same == right.entries.end() || !valuesEqual(runtime, wanted.second, same->second)) return false;
    }
    return true;
}

}  // namespace

bool valuesEqual(Runtime& runtime, const Value& left, const Value& right) {
    runtime.spendSteps(1);
    if (const Text* text = left.asText()) return right.asText() && text->bytes() == right.asText()->bytes();
    const auto leftInteger = left.asInteger();
    const auto rightInteger = right.asInteger();
    if (leftInteger && rightInteger) return *leftInteger == *rightInteger;
    const auto leftNumber = left.asNumber();
    const auto rightNumber = right.asNumber();
    if (leftNumber || rightNumber) return leftNumber && rightNumber && *leftNumber == *rightNumber;
    if (left.isNone() || right.isNone()) return left.isNone() && right.isNone();
    if (left.isUndefined() || right.isUndefined()) return left.isUndefined() && right.isUndefined();
    if (const List* list = left.asList()) return right.asList() && listsEqual(runtime, *list, *right.asList());
    if (const Map* map = left.asMap()) return right.asMap() && mapsEqual(runtime, *map, *right.asMap());
    if (const auto* space = left.as<NamespacePtr>())
        return right.as<NamespacePtr>() && *space == *right.as<NamespacePtr>();
    if (const auto* generator = left.as<GeneratorPtr>())
        return right.as<GeneratorPtr>() && *generator == *right.as<GeneratorPtr>();
    if (const auto* loop = left.as<LoopPtr>()) return right.as<LoopPtr>() && *loop == *right.as<LoopPtr>();
    return false;
}

int compareValues(Runtime& runtime, const Value& left, const Value& right) {
    runtime.spendSteps(1);
    const auto leftInteger = left.asInteger();
    const auto rightInteger = right.asInteger();
    if (leftInteger && rightInteger) return *leftInteger < *rightInteger ? -1 : *leftInteger > *rightInteger ? 1 : 0;
    if (left.asNumber() && right.asNumber()) return compareNumbers(*left.asNumber(), *right.asNumber());
    if (left.asText() && right.asText()) return left.asText()->bytes().compare(right.asText()->bytes());
    const List* leftList = asPlainList(left);
    const List* rightList = asPlainList(right);
    if (leftList && rightList && leftList->isTuple() == rightList->isTuple()) {
        const size_t shared = std::min(leftList->items.size(), rightList->items.size());
        for (size_t i = 0; i < shared; ++i) {
            if (valuesEqual(runtime, leftList->items[i], rightList->items[i])) continue;
            return compareValues(runtime, leftList->items[i], rightList->items[i]);
        }
        return compareNumbers(static_cast<double>(leftList->items.size()),
                              static_cast<double>(rightList->items.size()));
    }
    failOperands("<", left, right);
}

bool containsValue(Runtime& runtime, const Value& container, const Value& item) {
    if (const Text* text = container.asText()) {
        const Text* part = item.asText();
        if (!part) failOperands("in", item, container);
        runtime.spendSteps(text->size() / 256);
        return text->bytes().find(part->bytes()) != std::string::npos;
    }
    if (const List* list = container.asList())
        return std::any_of(list->items.begin(), list->items.end(),
                           [&](const Value& candidate) { return valuesEqual(runtime, candidate, item); });
    if (container.asMap()) checkKey(item);
    if (const Map* map = container.asMap())
        return std::any_of(map->entries.begin(), map->entries.end(),
                           [&](const auto& entry) { return valuesEqual(runtime, entry.first, item); });
    if (container.isUndefined()) return false;
    if (const auto* generator = container.as<GeneratorPtr>()) {
        const GeneratorPtr keepAlive = *generator;
        while (keepAlive->next < keepAlive->items.size())
            if (valuesEqual(runtime, keepAlive->items[keepAlive->next++], item)) return true;
        return false;
    }
    failOperands("in", item, container);
}

Value applyBinary(Runtime& runtime, std::string_view op, const Value& left, const Value& right) {
    const auto leftInteger = left.asInteger();
    const auto rightInteger = right.asInteger();
    if (leftInteger && rightInteger) return integerBinary(op, *leftInteger, *rightInteger);
    if (left.asNumber() && right.asNumber()) return floatBinary(op, *left.asNumber(), *right.asNumber());
    if (op == "+") return add(runtime, left, right);
    if (op == "*") {
        if ((left.asText() || asPlainList(left)) && rightInteger) return repeat(runtime, left, *rightInteger);
        if ((right.asText() || asPlainList(right)) && leftInteger) return repeat(runtime, right, *leftInteger);
    }
    if (op == "%" && left.asText()) return Value{formatPercent(runtime, *left.asText(), right)};
    failOperands(op, left, right);
}

Value negate(const Value& value) {
    if (const auto integer = value.asInteger()) return integerBinary("-", 0, *integer);
    if (const auto number = value.asNumber()) return Value::number(-*number);
    if (const auto* undefined = value.as<Undefined>()) fail(fmt::format("'{}' is undefined", undefined->name));
    fail(fmt::format("'-' does not work on {}", value.typeName()));
}

}  // namespace wb::core::jinja
