// SPDX-License-Identifier: Apache-2.0
#include "app/engine/comparison_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "app/engine/generation_json.h"
#include "core/run/version.h"
#include "core/text/sequence_diff.h"

namespace wb::app {
namespace {

using Json = nlohmann::ordered_json;
using inference::GenerationOutput;

// Base is blue, tuned is orange everywhere; the pair stays apart for colour-blind eyes.
constexpr std::string_view kStyle = R"(
:root { --surface:#f7f7f5; --raised:#fff; --line:#d8d8d4; --text:#1d1f21; --muted:#5d6166; --base:#2166ac; --tuned:#b35806; }
@media (prefers-color-scheme: dark) {
  :root { --surface:#1b1d1f; --raised:#25282b; --line:#3b3f43; --text:#e6e6e3; --muted:#a2a7ad; --base:#74add1; --tuned:#f4a45c; } }
* { box-sizing:border-box } body { margin:0 auto; max-width:1200px; padding:24px; background:var(--surface); color:var(--text);
  font:14px/1.5 system-ui,sans-serif; font-variant-numeric:tabular-nums }
h1 { font-size:24px; font-weight:600; margin:0 0 4px } h2 { font-size:17px; font-weight:600; margin:32px 0 8px }
p.note { color:var(--muted); margin:0 0 16px } pre { white-space:pre-wrap; overflow-wrap:anywhere; margin:0; font:13px/1.6 ui-monospace,monospace }
.prompt { background:var(--raised); border:1px solid var(--line); border-radius:6px; padding:12px; margin-bottom:8px }
.panes { display:grid; grid-template-columns:repeat(auto-fit,minmax(320px,1fr)); gap:16px }
.pane { background:var(--raised); border:1px solid var(--line); border-top:3px solid var(--hue); border-radius:6px; padding:12px; min-width:0 }
.pane h3 { margin:0; font-size:14px; color:var(--hue) } .meta { color:var(--muted); font-size:12px; margin-bottom:8px; overflow-wrap:anywhere }
.output { border-top:1px solid var(--line); padding-top:8px; margin-top:8px } .output:first-of-type { border-top:0; margin-top:0 }
.t { border-radius:2px } .only { text-decoration:underline; text-decoration-color:var(--hue); text-decoration-thickness:2px }
.first { outline:1px solid var(--hue) } table { border-collapse:collapse; width:100%; font-size:13px }
th,td { text-align:right; padding:4px 8px; border-bottom:1px solid var(--line) } th { color:var(--muted); font-weight:500 }
th:first-child,td:first-child,td.text,th.text { text-align:left } .scroll { overflow-x:auto }
)";

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : validUtf8(text)) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            default: out += c;
        }
    }
    return out;
}

// The less likely a token was, the stronger its tint: probability 1 has none, 1/1000 and below the full one.
double tintOf(double logprob) {
    return std::clamp(-logprob / std::log(1000.0), 0.0, 1.0) * 0.55;
}

struct OutputMarks {
    std::vector<bool> isCommon;
    std::optional<size_t> firstDivergence;
};

std::string outputHtml(const GenerationOutput& output, const OutputMarks& marks, const std::vector<double>& other) {
    std::string html = "<div class=\"output\"><pre>";
    for (size_t i = 0; i < output.pieces.size(); ++i) {
        if (output.pieces[i].empty()) continue;
        const bool isOnlyHere = i < marks.isCommon.size() && !marks.isCommon[i];
        const std::string title =
            i < other.size() ? fmt::format("log-prob {:.3f}, under the other {:.3f}", output.logprobs[i], other[i])
                             : fmt::format("log-prob {:.3f}", output.logprobs[i]);
        html += fmt::format(
            "<span class=\"t{}{}\" style=\"background:color-mix(in srgb,var(--hue) {:.0f}%,transparent)\" "
            "title=\"{}\">{}</span>",
            isOnlyHere ? " only" : "", marks.firstDivergence == i ? " first" : "", 100 * tintOf(output.logprobs[i]),
            title, escaped(output.pieces[i]));
    }
    const double sum = std::accumulate(output.logprobs.begin(), output.logprobs.end(), 0.0);
    const double otherSum = std::accumulate(other.begin(), other.end(), 0.0);
    const auto count = static_cast<double>(std::max<size_t>(output.ids.size(), 1));
    html += fmt::format("</pre><div class=\"meta\">score {:.3f}, ends by {}, {} tokens, {:.3f} per token", output.score,
                        inference::finishReasonName(output.reason), output.ids.size(), sum / count);
    if (!other.empty()) html += fmt::format(", {:.3f} under the other", otherSum / count);
    return html + "</div></div>";
}

std::vector<OutputMarks> marksOf(const std::vector<PaneResult>& panes) {
    std::vector<OutputMarks> marks(panes.size());
    if (panes.size() != 2) return marks;
    const auto& left = panes[0].generation.outputs;
    const auto& right = panes[1].generation.outputs;
    if (left.empty() || right.empty()) return marks;
    const core::SequenceDiff diff = core::diffSequences(left.front().pieces, right.front().pieces);
    marks[0] = {diff.leftIsCommon, diff.firstDivergence};
    marks[1] = {diff.rightIsCommon, diff.firstDivergence};
    return marks;
}

std::string paneHtml(const std::string& name, size_t index, const PaneResult& result, const OutputMarks& marks) {
    const core::Provenance& provenance = result.provenance;
    const double rate = static_cast<double>(result.generation.tokens) / std::max(result.generation.seconds, 1e-9);
    std::string html = fmt::format("<section class=\"pane\" style=\"--hue:var({})\"><h3>{}</h3>",
                                   index == 0 ? "--base" : "--tuned", escaped(name));
    html += fmt::format("<div class=\"meta\">{}, seed {}; first token {:.0f} ms, {:.0f} tok/s<br>model {} in {}",
                        escaped(provenance.sampler), provenance.seed, result.generation.firstTokenSeconds * 1e3, rate,
                        provenance.modelHash.substr(0, 16), provenance.weights);
    if (!provenance.adapterHash.empty()) html += fmt::format(", adapter {}", provenance.adapterHash.substr(0, 16));
    html += "</div>";
    for (size_t i = 0; i < result.generation.outputs.size(); ++i) {
        const bool hasOther = i < result.underOthers.size() && !result.underOthers[i].empty();
        html += outputHtml(result.generation.outputs[i], i == 0 ? marks : OutputMarks{},
                           hasOther ? result.underOthers[i].front().logprobs : std::vector<double>{});
    }
    return html + "</section>";
}

std::string kernelTable(const std::vector<kernels::KernelSummary>& kernels) {
    std::string html =
        "<h2>Kernels</h2><p class=\"note\">Everything that ran for this comparison, measured while it ran.</p><div "
        "class=\"scroll\"><table>"
        "<tr><th>op</th><th class=\"text\">backend</th><th>calls</th><th>time</th><th>GFLOP/s</th><th>GB/s</th><th "
        "class=\"text\">why this backend</th></tr>";
    for (const kernels::KernelSummary& row : kernels) {
        const double seconds = std::max(row.seconds, 1e-9);
        html += fmt::format(
            "<tr><td>{}</td><td class=\"text\">{}</td><td>{}</td><td>{:.1f} ms</td><td>{:.1f}</td><td>{:.1f}</td><td "
            "class=\"text\">{}</td></tr>",
            escaped(row.name), escaped(row.backend), row.calls, row.seconds * 1e3, row.flops / seconds * 1e-9,
            row.bytes / seconds * 1e-9, escaped(row.reason));
    }
    return html + "</table></div>";
}

Json paneJson(const std::string& name, const PaneResult& result) {
    Json underOther = Json::array();
    for (const auto& scores : result.underOthers)
        underOther.push_back(scores.empty() ? Json(nullptr) : Json(scores.front().logprobs));
    return {{"name", name},
            {"provenance", toJson(result.provenance)},
            {"outputs", toJson(result.generation.outputs)},
            {"logprobs_under_other", underOther},
            {"first_token_seconds", result.generation.firstTokenSeconds},
            {"seconds", result.generation.seconds},
            {"tokens_per_second",
             static_cast<double>(result.generation.tokens) / std::max(result.generation.seconds, 1e-9)}};
}

}  // namespace

Json comparisonJson(const Comparison& comparison) {
    Json prompts = Json::array();
    for (const ComparedPrompt& compared : comparison.prompts) {
        Json panes = Json::array();
        for (size_t i = 0; i < compared.panes.size(); ++i)
            panes.push_back(paneJson(comparison.paneNames[i], compared.panes[i]));
        prompts.push_back({{"prompt", validUtf8(compared.prompt.text)},
                           {"prompt_ids", compared.prompt.ids},
                           {"expected", validUtf8(compared.prompt.expected)},
                           {"panes", std::move(panes)}});
    }
    return {{"prompts", std::move(prompts)}, {"kernels", toJson(comparison.kernels)}};
}

std::string comparisonHtml(const Comparison& comparison) {
    std::string html = fmt::format(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width\">"
        "<title>Whetbench comparison</title><style>{}</style><h1>Base and tuned</h1>"
        "<p class=\"note\">Made by Whetbench {}. A tint marks a token the model was unsure of, an underline one that "
        "only this side "
        "has, a frame the first difference. Point at a token for its log-probability under both.</p>",
        kStyle, core::engineVersion());
    for (size_t i = 0; i < comparison.prompts.size(); ++i) {
        const ComparedPrompt& compared = comparison.prompts[i];
        html +=
            fmt::format("<h2>Prompt {}</h2><div class=\"prompt\"><pre>{}</pre>", i + 1, escaped(compared.prompt.text));
        if (!compared.prompt.expected.empty()) {
            html += fmt::format("<div class=\"meta\">expected: {}</div>", escaped(compared.prompt.expected));
        }
        html += "</div><div class=\"panes\">";
        const std::vector<OutputMarks> marks = marksOf(compared.panes);
        for (size_t pane = 0; pane < compared.panes.size(); ++pane) {
            html += paneHtml(comparison.paneNames[pane], pane, compared.panes[pane], marks[pane]);
        }
        html += "</div>";
    }
    return html + kernelTable(comparison.kernels) + "</html>\n";
}

}  // namespace wb::app
