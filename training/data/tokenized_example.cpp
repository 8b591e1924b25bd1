// SPDX-License-Identifier: Apache-2.0
#include "training/data/tokenized_example.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "kernels/base/error.h"
#include "training/data/parallel_for.h"

namespace wb::training {
namespace {

constexpr size_t kRowsPerTask = 32;

bool isBlank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

// Whether the template asks for columns that this row has under their own names.
bool namesOwnColumns(const core::PromptTemplate& promptTemplate, const Example& example) {
    if (promptTemplate.kind() != core::TemplateKind::Columns) return false;
    const auto has = [&](const std::string& name) { return example.columns.contains(name); };
    const auto& prompt = promptTemplate.promptColumns();
    const auto& response = promptTemplate.responseColumns();
    return !(prompt.empty() && response.empty()) && std::all_of(prompt.begin(), prompt.end(), has) &&
           std::all_of(response.begin(), response.end(), has);
}

bool standsForItself(const Dataset& dataset, const Example& example, const core::PromptTemplate& promptTemplate) {
    return dataset.kind == DatasetKind::Text && !namesOwnColumns(promptTemplate, example);
}

core::PromptColumns mappedColumns(const ColumnMapping& mapping, const Example& example) {
    core::PromptColumns columns;
    std::string& prompt = columns["prompt"];
    for (const std::string& name : mapping.prompt) {
        const auto found = example.columns.find(name);
        if (found == example.columns.end() || found->second.empty()) continue;
        if (!prompt.empty()) prompt += "\n\n";
        prompt += found->second;
    }
    if (const auto system = example.columns.find("system"); system != example.columns.end()) columns.insert(*system);
    const auto response = example.columns.find(mapping.response);
    columns["response"] = response != example.columns.end() ? response->second : std::string();
    return columns;
}

core::PromptColumns columnsFor(const Dataset& dataset, const Example& example,
                               const core::PromptTemplate& promptTemplate) {
    const bool isMapped = dataset.mapping.isKnown() && !namesOwnColumns(promptTemplate, example);
    return isMapped ? mappedColumns(dataset.mapping, example) : example.columns;
}

// Not every chat template writes tool calls. Where it leaves them out, they become the text of their message, so that
// an answer that is a call is still taught.
std::vector<core::ChatMessage> messagesFor(const Example& example, const core::PromptTemplate& promptTemplate) {
    const bool hasCalls = std::any_of(example.messages.begin(), example.messages.end(),
                                      [](const core::ChatMessage& message) { return !message.toolCallsJson.empty(); });
    if (!hasCalls) return example.messages;
    std::vector<core::ChatMessage> bare = example.messages;
    for (core::ChatMessage& message : bare) message.toolCallsJson.clear();
    if (promptTemplate.renderRow(bare, example.toolsJson).text !=
        promptTemplate.renderRow(example.messages, example.toolsJson).text)
        return example.messages;
    for (size_t i = 0; i < bare.size(); ++i) {
        const std::string& calls = example.messages[i].toolCallsJson;
        if (calls.empty()) continue;
        if (!bare[i].content.empty()) bare[i].content += '\n';
        bare[i].content += calls;
    }
    return bare;
}

// Marks the ids whose bytes touch an answer.
void markTrained(TokenizedExample& result, const std::vector<core::TextSpan>& spans, core::TrainOn trainOn) {
    result.trained.assign(result.ids.size(), trainOn == core::TrainOn::All ? 1 : 0);
    size_t next = 0;  // first span that may still touch an id: both lists are sorted
    for (size_t i = 0; trainOn == core::TrainOn::Response && i < result.ids.size(); ++i) {
        const core::ByteRange bytes = result.bytes[i];
        if (bytes.begin == bytes.end) continue;
        while (next < spans.size() && spans[next].end <= bytes.begin) ++next;
        for (size_t s = next; s < spans.size() && spans[s].begin < bytes.end; ++s)
            if (spans[s].kind == core::SpanKind::Assistant) result.trained[i] = 1;
    }
    if (!result.trained.empty()) result.trained.front() = 0;
}

// The longest run of the prompt's ids that lie within one input: what a row can spare best. bytes: of those ids.
void findLongestInput(TokenizedExample& result, std::span<const core::ByteRange> bytes,
                      const core::RenderedChat& prompt) {
    size_t id = 0;
    for (const core::TextSpan& span : prompt.spans) {
        if (span.kind != core::SpanKind::Input) continue;
        while (id < bytes.size() && (bytes[id].begin < span.begin || bytes[id].begin == bytes[id].end)) ++id;
        const size_t begin = id;
        while (id < bytes.size() && bytes[id].begin < bytes[id].end && bytes[id].end <= span.end) ++id;
        if (static_cast<int64_t>(id - begin) <= result.inputEnd - result.inputBegin) continue;
        result.inputBegin = static_cast<int64_t>(begin);
        result.inputEnd = static_cast<int64_t>(id);
    }
}

// An answer that is context only (weight 0) ends untrained.
void appendEnd(TokenizedExample& result, core::TokenId end, core::TrainOn trainOn) {
    const size_t textSize = result.rendered.text.size();
    const bool isTrained = result.trained.back() != 0 || trainOn == core::TrainOn::All;
    result.ids.push_back(end);
    result.bytes.push_back({textSize, textSize});
    result.trained.push_back(isTrained ? 1 : 0);
}

bool hasInput(const core::RenderedChat& prompt) {
    return std::any_of(prompt.spans.begin(), prompt.spans.end(), [](const core::TextSpan& span) {
        return span.kind != core::SpanKind::Template && span.end > span.begin;
    });
}

}  // namespace

uint64_t textHash(std::string_view text) {
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return hash;
}

core::RenderedChat renderExample(const Dataset& dataset, const Example& example,
                                 const core::PromptTemplate& promptTemplate) {
    if (!example.messages.empty())
        return promptTemplate.renderRow(messagesFor(example, promptTemplate), example.toolsJson);
    if (!standsForItself(dataset, example, promptTemplate))
        return promptTemplate.renderRow(columnsFor(dataset, example, promptTemplate));
    core::RenderedChat rendered;
    rendered.text = example.columns.at("text");
    rendered.spans.push_back({0, rendered.text.size(), core::SpanKind::Assistant, 0});
    return rendered;
}

core::RenderedChat renderExamplePrompt(const Dataset& dataset, const Example& example,
                                       const core::PromptTemplate& promptTemplate) {
    if (!example.messages.empty())
        return promptTemplate.renderPrompt(messagesFor(example, promptTemplate), example.toolsJson);
    if (standsForItself(dataset, example, promptTemplate)) return {};
    return promptTemplate.renderPrompt(columnsFor(dataset, example, promptTemplate));
}

std::string responseText(const Dataset& dataset, const Example& example, const core::PromptTemplate& promptTemplate) {
    if (!example.messages.empty()) {
        const auto last = std::find_if(example.messages.rbegin(), example.messages.rend(),
                                       [](const core::ChatMessage& message) { return message.role == "assistant"; });
        if (last == example.messages.rend()) return {};
        return last->content.empty() ? last->toolCallsJson : last->content;
    }
    if (standsForItself(dataset, example, promptTemplate)) return example.columns.at("text");
    const core::PromptColumns columns = columnsFor(dataset, example, promptTemplate);
    if (const auto mapped = columns.find("response"); dataset.mapping.isKnown() && mapped != columns.end())
        return mapped->second;
    std::string text;
    for (const std::string& name : promptTemplate.responseColumns()) {
        const auto found = columns.find(name);
        if (found != columns.end()) text += (text.empty() ? "" : "\n") + found->second;
    }
    return text;
}

ExampleTokenizer::ExampleTokenizer(const Dataset& dataset, const core::PromptTemplate& promptTemplate,
                                   const core::Tokenizer& tokenizer)
    : m_dataset(dataset), m_template(promptTemplate), m_tokenizer(tokenizer), m_encoder(tokenizer) {}

TokenizedExample ExampleTokenizer::tokenize(const Example& example, const TokenizeOptions& options) const {
    TokenizedExample result;
    result.rendered = renderExample(m_dataset, example, m_template);
    const core::RenderedChat prompt = renderExamplePrompt(m_dataset, example, m_template);
    const std::string& text = result.rendered.text;
    if (text.compare(0, prompt.text.size(), prompt.text) != 0)
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("template '{}' writes the prompt of this row differently when an answer follows, so the "
                        "model would be asked something else than it was taught",
                        m_template.name())};

    if (options.answer) {
        fillPair(result, prompt, options);
    } else {
        fillSequence(result, prompt, example, options);
    }
    result.isEmptyResponse = isBlank(responseText(m_dataset, example, m_template));
    result.contentHash = textHash(text);
    result.promptHash = hasInput(prompt) ? textHash(prompt.text) : result.contentHash;
    cutExample(result, options.maxLength);
    return result;
}

void ExampleTokenizer::fillSequence(TokenizedExample& result, const core::RenderedChat& prompt, const Example& example,
                                    const TokenizeOptions& options) const {
    core::Encoding ids = m_encoder.encodePrompt(prompt);
    result.promptLength = static_cast<int64_t>(ids.ids.size());
    const core::Encoding rest =
        m_encoder.encodeContinuation(result.rendered, {prompt.text.size(), result.rendered.text.size()});
    result.ids = std::move(ids.ids);
    result.bytes = std::move(ids.offsets);
    findLongestInput(result, result.bytes, prompt);
    result.ids.insert(result.ids.end(), rest.ids.begin(), rest.ids.end());
    result.bytes.insert(result.bytes.end(), rest.offsets.begin(), rest.offsets.end());
    markTrained(result, result.rendered.spans, options.trainOn);

    const bool isText = standsForItself(m_dataset, example, m_template);
    const auto& eos = m_tokenizer.specialIds().eos;
    if ((m_template.encoding().appendsEos || isText) && eos && !result.ids.empty())
        appendEnd(result, *eos, options.trainOn);
}

void ExampleTokenizer::fillPair(TokenizedExample& result, const core::RenderedChat& prompt,
                                const TokenizeOptions& options) const {
    if (prompt.text.empty())
        throw Error{ErrorCode::InvalidArgument,
                    "this row has no prompt for the model's encoder to read: give it a prompt and a response"};
    const core::AnswerFrame& frame = *options.answer;
    core::Encoding source = m_encoder.encodePrompt(prompt, core::PromptReader::Encoder);
    result.sourceIds = std::move(source.ids);
    result.sourceBytes = std::move(source.offsets);
    findLongestInput(result, result.sourceBytes, prompt);
    const auto isBehind = [&](const core::ByteRange& range) { return range.begin == prompt.text.size(); };
    result.sourceTail = std::find_if_not(result.sourceBytes.rbegin(), result.sourceBytes.rend(), isBehind) -
                        result.sourceBytes.rbegin();

    const size_t begin = prompt.text.size();
    result.promptLength = 1;
    result.ids = {frame.start};
    if (frame.first) result.ids.push_back(*frame.first);
    result.bytes.assign(result.ids.size(), {begin, begin});
    const core::Encoding answer = m_encoder.encodeAlone(result.rendered, {begin, result.rendered.text.size()});
    result.ids.insert(result.ids.end(), answer.ids.begin(), answer.ids.end());
    result.bytes.insert(result.bytes.end(), answer.offsets.begin(), answer.offsets.end());
    markTrained(result, result.rendered.spans, options.trainOn);
    if (frame.end) appendEnd(result, *frame.end, options.trainOn);
    // The model writes its first token like the others.
    if (frame.first) result.trained[1] = result.trained.back();
}

int64_t TokenizedExample::decoderRows() const {
    const auto count = static_cast<int64_t>(ids.size());
    return isPair() && count > 0 ? count - 1 : count;
}

int64_t TokenizedExample::longestSide() const {
    return std::max(static_cast<int64_t>(sourceIds.size()), decoderRows());
}

TokenizedExample tokenizeExample(const Dataset& dataset, const Example& example,
                                 const core::PromptTemplate& promptTemplate, const core::Tokenizer& tokenizer,
                                 const TokenizeOptions& options) {
    return ExampleTokenizer(dataset, promptTemplate, tokenizer).tokenize(example, options);
}

namespace {

// Tokens of the side that holds the prompt.
int64_t promptSide(const TokenizedExample& example) {
    return static_cast<int64_t>(example.isPair() ? example.sourceIds.size() : example.ids.size());
}

// Elements [begin, end) of every list that has some.
void dropRange(int64_t begin, int64_t end, auto&... lists) {
    const auto drop = [&](auto& list) {
        if (!list.empty()) list.erase(list.begin() + begin, list.begin() + end);
    };
    (drop(lists), ...);
}

bool anyTrained(const TokenizedExample& example, int64_t from) {
    return std::any_of(example.trained.begin() + from, example.trained.end(),
                       [](uint8_t isTrained) { return isTrained != 0; });
}

}  // namespace

bool canShorten(const TokenizedExample& example, int64_t maxLength) {
    const int64_t excess = promptSide(example) - maxLength;
    return maxLength > 0 && excess > 0 && excess < example.inputEnd - example.inputBegin;
}

bool shortenExample(TokenizedExample& example, int64_t maxLength) {
    if (!canShorten(example, maxLength)) return false;
    const int64_t excess = promptSide(example) - maxLength;
    const int64_t begin = example.inputEnd - excess;
    example.fullLength = std::max(example.fullLength, example.longestSide());
    if (example.isPair()) {
        dropRange(begin, example.inputEnd, example.sourceIds, example.sourceBytes);
    } else {
        dropRange(begin, example.inputEnd, example.ids, example.trained, example.bytes);
        example.promptLength -= excess;
    }
    example.inputEnd -= excess;
    example.isShortened = true;
    example.labelTokens = std::count(example.trained.begin(), example.trained.end(), uint8_t{1});
    return true;
}

void cutExample(TokenizedExample& example, int64_t maxLength) {
    example.fullLength = std::max(example.fullLength, example.longestSide());
    if (maxLength > 0 && promptSide(example) > maxLength && example.isPair()) {
        example.isTruncated = true;
        const int64_t tail = std::min(example.sourceTail, maxLength - 1);
        dropRange(maxLength - tail, promptSide(example) - tail, example.sourceIds, example.sourceBytes);
    }
    if (maxLength > 0 && example.decoderRows() > maxLength) {
        const auto length = static_cast<int64_t>(example.ids.size());
        const int64_t limit = maxLength + length - example.decoderRows();
        example.isTruncated = true;
        example.losesTarget = example.losesTarget || anyTrained(example, limit);
        dropRange(limit, length, example.ids, example.trained, example.bytes);
    }
    example.labelTokens = std::count(example.trained.begin(), example.trained.end(), uint8_t{1});
}

std::vector<TokenizedExample> tokenizeDataset(const Dataset& dataset, const core::PromptTemplate& promptTemplate,
                                              const core::Tokenizer& tokenizer, const TokenizeOptions& options,
                                              int threads, std::vector<BadLine>& badLines) {
    const ExampleTokenizer exampleTokenizer(dataset, promptTemplate, tokenizer);
    const size_t rows = dataset.examples.size();
    std::vector<TokenizedExample> result(rows);
    std::vector<std::string> problems(rows);
    parallelFor((rows + kRowsPerTask - 1) / kRowsPerTask, threads, [&](size_t task) {
        const size_t end = std::min(rows, (task + 1) * kRowsPerTask);
        for (size_t row = task * kRowsPerTask; row < end; ++row) {
            try {
                result[row] = exampleTokenizer.tokenize(dataset.examples[row], options);
                result[row].rendered = {};
                result[row].bytes = {};
                result[row].sourceBytes = {};
            } catch (const Error& error) {
                if (error.code() != ErrorCode::InvalidArgument) throw;
                problems[row] = error.what();
            }
        }
    });
    for (size_t row = 0; row < rows; ++row)
        if (!problems[row].empty()) badLines.push_back({dataset.examples[row].sourceLine, problems[row]});
    return result;
}

}  // namespace wb::training
