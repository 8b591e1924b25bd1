// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <utility>

#include "core/text/jinja/interpreter.h"

// What the interpreter sets for the length of a block and puts back however the block ends.
namespace wb::core::jinja {

// Evaluation recurses with the template's nesting and its macro calls; the stack must hold it.
class Interpreter::DepthGuard {
public:
    explicit DepthGuard(int& depth) : m_depth(depth) {
        if (m_depth >= kMaxDepth) fail(fmt::format("the template recurses more than {} levels deep", kMaxDepth));
        ++m_depth;
    }
    ~DepthGuard() { --m_depth; }
    DepthGuard(const DepthGuard&) = delete;
    DepthGuard& operator=(const DepthGuard&) = delete;

private:
    static constexpr int kMaxDepth = 1000;
    int& m_depth;
};

// A new scope inside the current one, or inside `parent`.
class Interpreter::ScopeGuard {
public:
    explicit ScopeGuard(ScopePtr& current) : ScopeGuard(current, current) {}
    ScopeGuard(ScopePtr& current, const ScopePtr& parent) : m_current(current) {
        auto scope = std::make_shared<Scope>();
        scope->parent = parent;
        m_outer = std::exchange(m_current, std::move(scope));
    }
    ~ScopeGuard() { m_current = std::move(m_outer); }
    ScopeGuard(const ScopeGuard&) = delete;
    ScopeGuard& operator=(const ScopeGuard&) = delete;

private:
    ScopePtr& m_current;
    ScopePtr m_outer;
};

// Collects output in a text of its own.
class OutputGuard {
public:
    explicit OutputGuard(Text*& current) : m_current(current), m_outer(std::exchange(current, &m_text)) {}
    ~OutputGuard() { m_current = m_outer; }
    OutputGuard(const OutputGuard&) = delete;
    OutputGuard& operator=(const OutputGuard&) = delete;

    Text& text() const { return m_text; }

private:
    mutable Text m_text;
    Text*& m_current;
    Text* m_outer;
};

}  // namespace wb::core::jinja
