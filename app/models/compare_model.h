// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QTimer>
#include <QVector>
#include <optional>

#include "app/models/engine_client.h"
#include "app/models/token_view.h"

namespace wb::app {

struct CompareOutput {
    QVector<TokenView> tokens;
    double score = 0.0;
    QString finishReason;
    bool isFinished = false;

    QString text() const;
};

struct ComparePane {
    core::PaneSpec spec;
    std::optional<core::Provenance> provenance;
    QString promptText;
    QVector<CompareOutput> outputs;
    double firstTokenMs = 0.0;
    double tokensPerSecond = 0.0;
    qint64 tokenCount = 0;
    bool isFinished = false;
};

// Which tokens of two outputs are in both: the longest common subsequence of their texts.
struct TokenDiff {
    QVector<bool> leftIsCommon;
    QVector<bool> rightIsCommon;
    int firstDivergence = -1;  // index of the first token that differs, -1 if none does
};
TokenDiff diffTokens(const QVector<TokenView>& left, const QVector<TokenView>& right);

// Base and tuned answering one prompt together over the engine protocol. GUI thread only.
class CompareModel : public QObject {
    Q_OBJECT

public:
    CompareModel(EngineClient& engine, QObject* parent = nullptr);

    // The columns; the base first. Clears what was shown.
    void setPanes(const std::vector<core::PaneSpec>& panes);
    const QVector<ComparePane>& panes() const { return m_panes; }

    void run(const core::PromptSpec& prompt, const core::GenerationSettings& settings);
    // Both panes go on from this token of this output.
    void continueFrom(int pane, int output, int token);
    void cancel();
    // A fresh engine; the panes keep what they show.
    void restartEngine();

    bool isRunning() const { return !m_requestId.isEmpty(); }
    bool hasResult() const;
    // "Loading model", "Prefill", "Writing": what the request is at.
    QString phase() const { return m_phase; }
    // Outputs that have both panes.
    int comparedOutputs() const;
    TokenDiff diff(int output) const;
    const std::vector<core::KernelRow>& kernels() const { return m_kernels; }
    double kernelSeconds() const { return m_kernelSeconds; }
    const core::GenerationSettings& settings() const { return m_settings; }
    const Problem& problem() const { return m_problem; }

signals:
    // Something changed; at most ten times a second while streaming.
    void updated();
    void finished();
    // The request was refused; what was shown stays.
    void failed(const wb::app::Problem& problem);
    // The engine is gone; restartEngine() is the way on.
    void engineDied(const wb::app::Problem& problem);

private:
    void take(const core::Reply& reply);
    void takeToken(const core::TokenReply& token);
    void takeBeams(const core::BeamsReply& beams);
    void takeOutput(const core::OutputFinishedReply& output);
    void takeScored(const core::ScoredReply& scored);
    void takePaneFinished(const core::PaneFinishedReply& pane);
    CompareOutput* outputAt(int64_t pane, int64_t output);
    void start();
    void end();
    void schedule();

    EngineClient& m_engine;
    QTimer m_timer;
    QString m_requestId;
    QString m_phase;
    core::PromptSpec m_prompt;
    core::GenerationSettings m_settings;
    QVector<ComparePane> m_panes;
    QVector<TokenView> m_prefix;  // of a continuation: what both panes go on from
    std::vector<core::KernelRow> m_kernels;
    double m_kernelSeconds = 0.0;
    Problem m_problem;
};

}  // namespace wb::app
