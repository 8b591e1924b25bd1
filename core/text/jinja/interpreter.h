// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/ast.h"
#include "core/text/jinja/parser.h"

namespace wb::core::jinja {

struct Scope;
using ScopePtr = std::shared_ptr<Scope>;

// Variables of one block; a name that is not found is looked for in the parent.
struct Scope {
    std::vector<std::pair<std::string, Value>> variables;
    ScopePtr parent;

    const Value* find(std::string_view name) const;
    void set(std::string_view name, Value value);
};

struct Macro {
    std::shared_ptr<const Signature> signature;
    std::shared_ptr<const Body> body;
    ScopePtr scope;  // where it was defined
};

// Runs a parsed template once. Throws Error with the place in the template.
class Interpreter {
public:
    Interpreter(const ParsedTemplate& parsed, Runtime& runtime, std::vector<std::pair<std::string, Value>> variables);
    ~Interpreter();

    Text render();

private:
    enum class Flow { Next, Break, Continue };
    class DepthGuard;
    class ScopeGuard;

    Flow run(const Body& body);
    Flow runStatement(const Statement& statement);
    Flow runIf(const Statement& statement);
    Flow runFor(const Statement& statement);
    // One walk of a for statement over `items`; `depth` counts recursive walks.
    Flow runLoop(const Statement& statement, std::vector<Value> items, int64_t depth);
    Value callLoop(const LoopPtr& loop, const Arguments& arguments);
    Flow runLoopBody(const Statement& statement, const LoopPtr& loop);
    Flow runWith(const Statement& statement);
    void runSetBlock(const Statement& statement);
    void runCallBlock(const Statement& statement);
    void runGeneration(const Statement& statement);
    std::vector<Value> filterItems(const Statement& statement, std::vector<Value> items);
    void assign(const Target& target, Value value);
    void emit(const Text& text);
    Text capture(const Body& body);
    Value defineMacro(const Statement& statement);

    Value evaluate(const Expression& expression);
    Value evaluateKind(const Expression& expression);
    Value evaluateName(const std::string& name);
    Value evaluateComparison(const Expression& expression);
    Value evaluateConcat(const Expression& expression);
    Value evaluateMap(const Expression& expression);
    Value evaluateCall(const Expression& call, const Value* caller = nullptr);
    Value evaluateFilter(const Expression& filter, const Value* blockInput = nullptr);
    std::vector<Value> evaluateAll(const Expression& expression, size_t first);
    Value evaluateOr(const ExpressionPtr& expression, Value absent);
    Arguments evaluateArguments(const Expression& call, size_t first);
    Value call(const Value& callee, Arguments& arguments);
    Value callMacro(const Macro& macro, Arguments& arguments);
    void bindParameters(const Signature& signature, const Arguments& arguments);
    void bindSurplus(const Signature& signature, const Arguments& arguments);
    void unpackArguments(const Expression& call, Arguments& arguments);

    const ParsedTemplate& m_parsed;
    Runtime& m_runtime;
    ScopePtr m_scope;
    std::vector<ScopePtr> m_macroScopes;  // emptied at the end: a macro and its scope own each other
    Text* m_out = nullptr;
    Position m_at;
    int m_depth = 0;
};

}  // namespace wb::core::jinja
