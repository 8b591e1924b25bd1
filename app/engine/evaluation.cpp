// SPDX-License-Identifier: Apache-2.0
#include "app/engine/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/text/answer_frame.h"
#include "inference/generation_session.h"
#include "kernels/base/error.h"
#include "training/data/prepare.h"
#include "training/data/templated_dataset.h"
#include "training/data/tokenized_example.h"
#include "training/steps.h"

namespace wb::app {
namespace {

// Rows that generate together: enough to keep the cores busy, few enough for the cache.
constexpr size_t kRowsPerBatch = 32;
constexpr int64_t kSpareTokens = 8;

std::string trimmed(const std::string& text) {
    constexpr const char* kSpace = " \t\r\n";
    const size_t begin = text.find_first_not_of(kSpace);
    return begin == std::string::npos ? std::string() : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

struct Question {
    std::vector<core::TokenId> promptIds;
    std::string expected;
    int64_t answerTokens = 0;
};

class DataEvaluator {
public:
    DataEvaluator(ModelHost& host, const Variant& variant, const std::filesystem::path& file,
                  const EvaluationOptions& options)
        : m_host(host), m_variant(variant), m_options(options) {
        training::LoadOptions load;
        load.format = options.format;
        load.maxRows = options.maxRows;
        const training::TemplatedDataset loaded =
            training::loadWithTemplate(file, options.templateName, variant.loaded->path, load);
        if (!loaded.dataset.badLines.empty()) {
            const training::BadLine& bad = loaded.dataset.badLines.front();
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("{}: {} unusable row(s), the first at line {}: {}; mend the file, a score "
                                    "over part of it would mislead",
                                    file.string(), loaded.dataset.badLines.size(), bad.line, bad.reason)};
        }
        m_stops = loaded.promptTemplate.stopStrings();
        const core::SpanEncoder encoder(*variant.loaded->tokenizer);
        for (const training::Example& example : loaded.dataset.examples) addRow(loaded, example, encoder);
    }

    DataEvaluation run() {
        const auto start = std::chrono::steady_clock::now();
        const int64_t budget = std::max(m_options.maxBatchTokens, m_sequences.longest());
        const training::EvaluationResult scored =
            training::evaluate(*m_variant.loaded->model, m_host.context(), m_variant.adapter, m_sequences, budget);
        DataEvaluation evaluation;
        evaluation.meanNll = scored.loss;
        evaluation.perplexity = std::exp(evaluation.meanNll);
        evaluation.tokenAccuracy = scored.tokenAccuracy;
        evaluation.tokens = scored.labelTokens;
        evaluation.rows = static_cast<int64_t>(m_questions.size());
        evaluation.exactMatch =
            static_cast<double>(countExact()) / static_cast<double>(std::max<size_t>(m_questions.size(), 1));
        evaluation.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return evaluation;
    }

private:
    void addRow(const training::TemplatedDataset& loaded, const training::Example& example,
                const core::SpanEncoder& encoder) {
        const core::ModelSource& source = m_variant.loaded->source;
        const core::Tokenizer& tokenizer = *m_variant.loaded->tokenizer;
        const training::TokenizedExample row = training::tokenizeExample(
            loaded.dataset, example, loaded.promptTemplate, tokenizer,
            {.answer = core::answerFrameOf(source.config(), source.generationConfig(), tokenizer)});
        const std::optional<int64_t> limit = m_variant.loaded->model->positionLimit();
        if (limit && row.longestSide() > *limit) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("the row at line {} has {} tokens, the model takes {}; shorten it or leave it out",
                                    example.sourceLine, row.longestSide(), *limit)};
        }
        training::addRow(m_sequences, row, static_cast<int32_t>(m_questions.size()));
        const core::RenderedChat prompt = training::renderExamplePrompt(loaded.dataset, example, loaded.promptTemplate);
        m_questions.push_back({encoder.encodePrompt(prompt, core::promptReaderOf(source.config())).ids,
                               trimmed(training::responseText(loaded.dataset, example, loaded.promptTemplate)),
                               static_cast<int64_t>(row.ids.size()) - row.promptLength});
    }

    int64_t newTokens(const Question& question) const {
        if (m_options.maxNewTokens > 0) return m_options.maxNewTokens;
        const auto longest = std::ranges::max(m_questions, {}, &Question::answerTokens).answerTokens;
        const core::LanguageModel& model = *m_variant.loaded->model;
        const std::optional<int64_t> limit = model.positionLimit();
        if (!limit) return longest + kSpareTokens;
        // An encoder-decoder's answer has all positions but that of its start token.
        const int64_t before = model.isEncoderDecoder() ? 1 : static_cast<int64_t>(question.promptIds.size());
        return std::max<int64_t>(std::min(longest + kSpareTokens, *limit - before), 1);
    }

    int64_t countExact() {
        int64_t exact = 0;
        for (size_t begin = 0; begin < m_questions.size(); begin += kRowsPerBatch) {
            const size_t end = std::min(begin + kRowsPerBatch, m_questions.size());
            std::vector<inference::GenerationRequest> requests;
            for (size_t i = begin; i < end; ++i) {
                inference::GenerationRequest request{m_questions[i].promptIds, m_variant.adapter, {}};
                request.options.maxNewTokens = newTokens(m_questions[i]);
                request.options.stop = m_stops;
                addModelRules(request.options, *m_variant.loaded);
                requests.push_back(std::move(request));
            }
            inference::GenerationSession session(m_host.context(), *m_variant.loaded->model,
                                                 *m_variant.loaded->tokenizer, std::move(requests));
            session.run();
            for (size_t i = begin; i < end; ++i) {
                exact += trimmed(session.result(i - begin).outputs.front().text) == m_questions[i].expected ? 1 : 0;
            }
        }
        return exact;
    }

    ModelHost& m_host;
    const Variant& m_variant;
    const EvaluationOptions& m_options;
    std::vector<std::string> m_stops;
    training::SequenceSet m_sequences;
    std::vector<Question> m_questions;
};

}  // namespace

DataEvaluation evaluateData(ModelHost& host, const Variant& variant, const std::filesystem::path& file,
                            const EvaluationOptions& options) {
    return DataEvaluator(host, variant, file, options).run();
}

}  // namespace wb::app
