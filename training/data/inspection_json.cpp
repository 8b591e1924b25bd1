// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "training/data/inspection.h"

namespace wb::training {
namespace {

using Json = nlohmann::ordered_json;

Json badLinesJson(const std::vector<BadLine>& lines) {
    Json list = Json::array();
    for (const BadLine& bad : lines) list.push_back({{"line", bad.line}, {"reason", bad.reason}});
    return list;
}

Json pairsJson(const std::vector<LinePair>& pairs) {
    Json list = Json::array();
    for (const LinePair& pair : pairs) list.push_back({pair.first, pair.second});
    return list;
}

Json guessJson(const FormatGuess& guess) {
    return {{"name", guess.name}, {"title", guess.title}, {"share", guess.share}, {"reason", guess.reason}};
}

Json mappingJson(const ColumnMapping& mapping) {
    if (!mapping.isKnown()) return nullptr;
    return {{"prompt", mapping.prompt}, {"response", mapping.response}};
}

Json templateJson(const DataInspection& inspection) {
    if (!inspection.promptTemplate) return nullptr;
    const core::PromptTemplate& promptTemplate = *inspection.promptTemplate;
    return {{"name", promptTemplate.name()}, {"hash", promptTemplate.hash()}, {"describes", promptTemplate.describe()}};
}

const char* spanName(core::SpanKind kind) {
    switch (kind) {
        case core::SpanKind::Template: return "template";
        case core::SpanKind::Input: return "input";
        case core::SpanKind::Assistant: return "assistant";
    }
    return "";
}

Json sampleJson(const InspectedRow& row) {
    Json spans = Json::array();
    for (const core::TextSpan& span : row.tokens.rendered.spans)
        spans.push_back({{"begin", span.begin}, {"end", span.end}, {"kind", spanName(span.kind)}});
    Json tokens = Json::array();
    for (size_t i = 0; i < row.tokens.ids.size(); ++i)
        tokens.push_back(
            {{"id", row.tokens.ids[i]}, {"text", row.tokenTexts[i]}, {"trained", row.tokens.trained[i] != 0}});
    Json json{{"line", row.line},
              {"text", row.tokens.rendered.text},
              {"spans", std::move(spans)},
              {"prompt_tokens", row.tokens.promptLength},
              {"tokens", std::move(tokens)}};
    for (size_t i = 0; i < row.tokens.sourceIds.size(); ++i)
        json["source_tokens"].push_back({{"id", row.tokens.sourceIds[i]}, {"text", row.sourceTexts[i]}});
    return json;
}

Json histogramJson(const std::vector<HistogramBin>& bins) {
    Json list = Json::array();
    for (const HistogramBin& bin : bins) list.push_back({{"begin", bin.begin}, {"end", bin.end}, {"rows", bin.rows}});
    return list;
}

Json lengthJson(const LengthStatistics& length) {
    return {{"p50", length.p50}, {"p95", length.p95}, {"p99", length.p99}, {"max", length.max}, {"mean", length.mean}};
}

}  // namespace

std::string inspectionJson(const DataInspection& inspection) {
    const Dataset& data = inspection.dataset;
    const DataAudit& audit = inspection.audit;
    Json alternatives = Json::array();
    for (const FormatGuess& guess : data.alternatives) alternatives.push_back(guessJson(guess));
    Json samples = Json::array();
    for (const InspectedRow& row : inspection.samples) samples.push_back(sampleJson(row));
    const auto refused = static_cast<int64_t>(audit.badLines.size() - data.badLines.size());
    const Json answer = {
        {"file", data.path.string()},
        {"format", data.format.name},
        {"format_title", data.format.title},
        {"format_reason", data.format.reason},
        {"alternatives", std::move(alternatives)},
        {"columns", data.columnNames},
        {"mapping", mappingJson(data.mapping)},
        {"notes", data.notes},
        {"rows", data.rows},
        {"examples", static_cast<int64_t>(data.examples.size()) - refused},
        {"blank_lines", data.blankLines},
        {"bad_lines", badLinesJson(audit.badLines)},
        {"warnings", badLinesJson(data.warnings)},
        {"template", templateJson(inspection)},
        {"template_problem", inspection.templateProblem},
        {"tokenizer", inspection.tokenizerKind},
        {"length_unit", inspection.countsBytes() ? "bytes" : "tokens"},
        {"length", lengthJson(audit.length)},
        {"histogram", histogramJson(audit.histogram)},
        {"max_length", audit.maxLength},
        {"truncated_rows", audit.truncatedLines.size()},
        {"truncated_lines", audit.truncatedLines},
        {"shortened_rows", audit.shortenedLines.size()},
        {"shortened_lines", audit.shortenedLines},
        {"zero_target_rows", audit.zeroTargetLines.size()},
        {"zero_target_lines", audit.zeroTargetLines},
        {"duplicate_rows", audit.duplicates.size()},
        {"duplicates", pairsJson(audit.duplicates)},
        {"conflicting_rows", audit.conflicts.size()},
        {"conflicts", pairsJson(audit.conflicts)},
        {"empty_responses", audit.emptyResponseLines},
        {"split",
         {{"train", inspection.split.train.size()},
          {"validation", inspection.split.validation.size()},
          {"kept_together", inspection.split.keptTogether},
          {"leaks", audit.leaks.size()}}},
        {"total_tokens", audit.totalTokens},
        {"trained_tokens", audit.labelTokens},
        {"teaching_rows", inspection.teachingRows},
        {"ready", inspection.isReady()},
        {"long_rows",
         {{"policy", "shorten"},
          {"shortens_rows", audit.shortenedLines.size()},
          {"saves_zero_target_rows", inspection.savedByShortening()},
          {"ready_depends_on_it", inspection.isReady() && inspection.savedByShortening() > 0}}},
        {"summary", inspection.summary()},
        {"samples", std::move(samples)},
    };
    // Token texts may be half a character.
    return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace wb::training
