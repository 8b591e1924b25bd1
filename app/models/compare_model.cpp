// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/compare_model.h"

#include <algorithm>

namespace wb::app {

namespace {

constexpr int kUpdateMs = 100;
constexpr int64_t kMaxPanes = 16;
constexpr int64_t kMaxOutputs = 256;
// Beyond it the table of the common subsequence would cost more than a frame.
constexpr qsizetype kMaxDiffTokens = 1500;

QVector<TokenAlternative> alternatives(const std::vector<core::Alternative>& list) {
    QVector<TokenAlternative> out;
    for (const core::Alternative& item : list)
        out.append({QString::fromStdString(item.text), item.tokenId, item.logprob});
    return out;
}

QString phaseText(const std::string& phase) {
    QString text = QString::fromStdString(phase);
    if (!text.isEmpty()) text[0] = text[0].toUpper();
    return text;
}

}  // namespace

QString CompareOutput::text() const {
    QString out;
    for (const TokenView& token : tokens) out += token.text;
    return out;
}

TokenDiff diffTokens(const QVector<TokenView>& left, const QVector<TokenView>& right) {
    TokenDiff out;
    out.leftIsCommon.fill(false, left.size());
    out.rightIsCommon.fill(false, right.size());
    const auto same = [&](qsizetype i, qsizetype j) { return left[i].text == right[j].text; };
    qsizetype prefix = 0;
    while (prefix < left.size() && prefix < right.size() && same(prefix, prefix)) {
        out.leftIsCommon[prefix] = out.rightIsCommon[prefix] = true;
        ++prefix;
    }
    if (prefix < left.size() || prefix < right.size()) out.firstDivergence = static_cast<int>(prefix);
    const qsizetype rows = std::min(left.size() - prefix, kMaxDiffTokens);
    const qsizetype columns = std::min(right.size() - prefix, kMaxDiffTokens);
    // length[i][j]: longest common subsequence of left[prefix + i ..] and right[prefix + j ..].
    QVector<int> length((rows + 1) * (columns + 1), 0);
    const auto at = [&](qsizetype i, qsizetype j) -> int& { return length[i * (columns + 1) + j]; };
    for (qsizetype i = rows - 1; i >= 0; --i)
        for (qsizetype j = columns - 1; j >= 0; --j)
            at(i, j) = same(prefix + i, prefix + j) ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
    for (qsizetype i = 0, j = 0; i < rows && j < columns;) {
        if (same(prefix + i, prefix + j)) {
            out.leftIsCommon[prefix + i++] = out.rightIsCommon[prefix + j++] = true;
        } else if (at(i + 1, j) >= at(i, j + 1)) {
            ++i;
        } else {
            ++j;
        }
    }
    return out;
}

CompareModel::CompareModel(EngineClient& engine, QObject* parent) : QObject(parent), m_engine(engine) {
    m_timer.setSingleShot(true);
    connect(&m_timer, &QTimer::timeout, this, &CompareModel::updated);
    connect(&m_engine, &EngineClient::replied, this, &CompareModel::take);
    connect(&m_engine, &EngineClient::died, this, [this](const Problem& problem) {
        m_problem = problem;
        m_requestId.clear();
        m_phase.clear();
        emit engineDied(problem);
    });
}

void CompareModel::setPanes(const std::vector<core::PaneSpec>& panes) {
    if (isRunning()) cancel();
    m_panes.clear();
    for (const core::PaneSpec& spec : panes) m_panes.append(ComparePane{.spec = spec});
    m_kernels.clear();
    emit updated();
}

bool CompareModel::hasResult() const {
    return std::any_of(m_panes.begin(), m_panes.end(), [](const ComparePane& pane) { return !pane.outputs.isEmpty(); });
}

void CompareModel::run(const core::PromptSpec& prompt, const core::GenerationSettings& settings) {
    m_prompt = prompt;
    m_settings = settings;
    m_settings.continuationIds.clear();
    m_prefix.clear();
    start();
}

void CompareModel::continueFrom(int pane, int output, int token) {
    if (isRunning() || pane >= m_panes.size() || output >= m_panes[pane].outputs.size()) return;
    const QVector<TokenView> tokens = m_panes[pane].outputs[output].tokens;
    m_prefix = tokens.mid(0, token + 1);
    m_settings.continuationIds.clear();
    for (TokenView& kept : m_prefix) {
        m_settings.continuationIds.push_back(kept.id);
        kept.role = TokenView::Role::Context;
        kept.logprob = kept.otherLogprob = NAN;
    }
    start();
}

void CompareModel::start() {
    if (isRunning()) cancel();
    core::CompareRequest request;
    for (ComparePane& pane : m_panes) {
        pane = ComparePane{.spec = pane.spec};
        request.panes.push_back(pane.spec);
    }
    request.prompt = m_prompt;
    request.settings = m_settings;
    request.scoreUnderOther = m_panes.size() > 1;
    m_kernels.clear();
    m_problem = {};
    m_phase = tr("Starting");
    m_requestId = m_engine.send(request);
    emit updated();
}

void CompareModel::cancel() {
    if (!isRunning()) return;
    m_engine.send(core::CancelRequest{m_requestId.toStdString()});
}

void CompareModel::restartEngine() {
    m_requestId.clear();
    m_problem = {};
    m_engine.restart();
    emit updated();
}

void CompareModel::schedule() {
    if (!m_timer.isActive()) m_timer.start(kUpdateMs);
}

void CompareModel::end() {
    m_requestId.clear();
    m_phase.clear();
    m_timer.stop();
    emit updated();
}

CompareOutput* CompareModel::outputAt(int64_t pane, int64_t output) {
    if (pane < 0 || pane >= std::min<int64_t>(m_panes.size(), kMaxPanes) || output < 0 || output >= kMaxOutputs)
        return nullptr;
    QVector<CompareOutput>& outputs = m_panes[pane].outputs;
    while (outputs.size() <= output) outputs.append(CompareOutput{.tokens = m_prefix});
    return &outputs[output];
}

void CompareModel::take(const core::Reply& reply) {
    if (!isRunning() || QString::fromStdString(reply.id) != m_requestId) return;
    if (const auto* progress = std::get_if<core::ProgressReply>(&reply.body)) {
        m_phase = phaseText(progress->phase);
    } else if (const auto* started = std::get_if<core::PaneStartedReply>(&reply.body)) {
        if (started->pane < 0 || started->pane >= m_panes.size()) return;
        m_panes[started->pane].provenance = started->provenance;
        m_panes[started->pane].promptText = QString::fromStdString(started->promptText);
        m_phase = tr("Writing");
    } else if (const auto* token = std::get_if<core::TokenReply>(&reply.body)) {
        takeToken(*token);
    } else if (const auto* beams = std::get_if<core::BeamsReply>(&reply.body)) {
        takeBeams(*beams);
    } else if (const auto* output = std::get_if<core::OutputFinishedReply>(&reply.body)) {
        takeOutput(*output);
    } else if (const auto* scored = std::get_if<core::ScoredReply>(&reply.body)) {
        takeScored(*scored);
    } else if (const auto* pane = std::get_if<core::PaneFinishedReply>(&reply.body)) {
        takePaneFinished(*pane);
    } else if (const auto* kernels = std::get_if<core::KernelsReply>(&reply.body)) {
        m_kernels = kernels->rows;
        m_kernelSeconds = kernels->seconds;
    } else if (const auto* error = std::get_if<core::ErrorReply>(&reply.body)) {
        m_problem = {QString::fromStdString(error->message), QString::fromStdString(error->hint),
                     QString::fromStdString(error->code)};
        end();
        emit failed(m_problem);
        return;
    } else if (std::holds_alternative<core::FinishedReply>(reply.body)) {
        end();
        emit finished();
        return;
    }
    schedule();
}

void CompareModel::takeToken(const core::TokenReply& token) {
    CompareOutput* output = outputAt(token.pane, token.output);
    if (!output) return;
    TokenView view;
    view.id = token.tokenId;
    view.text = QString::fromStdString(token.text);
    view.logprob = token.logprob;
    view.role = TokenView::Role::Trained;
    view.top = alternatives(token.top);
    output->tokens.append(view);
}

void CompareModel::takeBeams(const core::BeamsReply& beams) {
    if (beams.pane < 0 || beams.pane >= m_panes.size()) return;
    QVector<CompareOutput> ranked;
    for (const core::OutputResult& beam : beams.beams) {
        CompareOutput output{.tokens = m_prefix};
        TokenView whole;
        whole.text = QString::fromStdString(beam.text);
        whole.role = TokenView::Role::Trained;
        output.tokens.append(whole);
        output.score = beam.score;
        ranked.append(output);
        if (ranked.size() == kMaxOutputs) break;
    }
    m_panes[beams.pane].outputs = ranked;
}

void CompareModel::takeOutput(const core::OutputFinishedReply& finished) {
    CompareOutput* output = outputAt(finished.pane, finished.output);
    if (!output) return;
    output->tokens = m_prefix;
    for (size_t i = 0; i < finished.result.tokenIds.size(); ++i) {
        TokenView token;
        token.id = finished.result.tokenIds[i];
        token.role = TokenView::Role::Trained;
        if (i < finished.pieces.size()) token.text = QString::fromStdString(finished.pieces[i]);
        if (i < finished.result.logprobs.size()) token.logprob = finished.result.logprobs[i];
        if (i < finished.top.size()) token.top = alternatives(finished.top[i]);
        output->tokens.append(token);
    }
    output->score = finished.result.score;
    output->finishReason = QString::fromStdString(finished.result.finishReason);
    output->isFinished = true;
}

void CompareModel::takeScored(const core::ScoredReply& scored) {
    CompareOutput* output = outputAt(scored.pane, scored.output);
    if (!output) return;
    const qsizetype first = m_prefix.size();
    for (size_t i = 0; i < scored.logprobs.size() && first + static_cast<qsizetype>(i) < output->tokens.size(); ++i) {
        TokenView& token = output->tokens[first + static_cast<qsizetype>(i)];
        token.otherLogprob = scored.logprobs[i];
        if (i < scored.top.size()) token.otherTop = alternatives(scored.top[i]);
    }
}

void CompareModel::takePaneFinished(const core::PaneFinishedReply& finished) {
    if (finished.pane < 0 || finished.pane >= m_panes.size()) return;
    ComparePane& pane = m_panes[finished.pane];
    pane.firstTokenMs = finished.firstTokenMs;
    pane.tokensPerSecond = finished.tokensPerSecond;
    pane.tokenCount = finished.tokens;
    pane.isFinished = true;
}

int CompareModel::comparedOutputs() const {
    if (m_panes.size() < 2) return 0;
    return static_cast<int>(std::min(m_panes[0].outputs.size(), m_panes[1].outputs.size()));
}

TokenDiff CompareModel::diff(int output) const {
    if (output < 0 || output >= comparedOutputs()) return {};
    return diffTokens(m_panes[0].outputs[output].tokens, m_panes[1].outputs[output].tokens);
}

}  // namespace wb::app
