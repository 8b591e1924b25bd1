// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/compare/output_card.h"

#include <algorithm>
#include <cmath>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/token_strip.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

// Log-prob at which the tint is strongest: a token of 1 % probability.
constexpr double kUnsure = 4.6;
constexpr double kStrongest = 0.45;

QString percent(double logprob) {
    return formatPercent(std::exp(logprob));
}

QString topTable(const QString& name, const QVector<TokenAlternative>& top, int chosen) {
    if (top.isEmpty()) return {};
    QString rows;
    for (const TokenAlternative& item : top) {
        const QString text = visibleText(item.text).toHtmlEscaped();
        rows += QStringLiteral("<tr><td>%1</td><td align=right>&nbsp;&nbsp;%2</td></tr>")
                    .arg(item.id == chosen ? QStringLiteral("<b>%1</b>").arg(text) : text, percent(item.logprob));
    }
    return QStringLiteral(
               "<td valign=top><table><tr><td colspan=2><u>%1</u></td></tr>%2</table></td><td>&nbsp;&nbsp;&nbsp;</td>")
        .arg(name.toHtmlEscaped(), rows);
}

QString finishText(const QString& reason) {
    if (reason == QLatin1String("length")) return OutputCard::tr("ended at the token limit");
    if (reason == QLatin1String("stop")) return OutputCard::tr("ended by itself");
    if (reason == QLatin1String("stop_string")) return OutputCard::tr("ended at a stop text");
    if (reason == QLatin1String("cancelled")) return OutputCard::tr("stopped");
    return {};
}

}  // namespace

OutputCard::OutputCard(int variant, QWidget* parent) : QFrame(parent), m_variant(variant) {
    auto* layout = makeLayout<QVBoxLayout>(this, 0, 0);
    m_heading = makeLabel({}, QStringLiteral("muted"));
    m_heading->setContentsMargins(12, 8, 12, 0);
    m_strip = new TokenStrip(TokenStrip::Mode::Flow);
    m_strip->setFitsContent(true);
    layout->addWidget(m_heading);
    layout->addWidget(m_strip);
    m_strip->setTint([this](const TokenView& token, int index) { return tintOf(token, index); });
    m_strip->setDetails([this](const TokenView& token, int index) { return detailsOf(token, index); });
    connect(m_strip, &TokenStrip::tokenActivated, this, &OutputCard::tokenActivated);
}

void OutputCard::show(const Content& content) {
    m_view = content.view;
    m_isCommon = content.isCommon;
    m_ownName = content.ownName;
    m_otherName = content.otherName;
    QStringList heading;
    if (content.rank > 0)
        heading << tr("Beam %1").arg(content.rank) << tr("score %1").arg(content.output->score, 0, 'f', 3);
    if (const QString ended = finishText(content.output->finishReason); !ended.isEmpty()) heading << ended;
    m_heading->setText(heading.join(QStringLiteral("  ·  ")));
    m_heading->setVisible(!heading.isEmpty());
    setProperty("role", content.rank > 0 ? QStringLiteral("card") : QString());
    m_strip->setPlaceholder(content.isWaiting ? tr("Waiting for the first token.") : tr("An empty answer."));
    m_strip->setTokens(content.output->tokens);
    m_strip->setMark(content.firstDivergence, tr("First difference"));
    m_strip->setAccessibleName(tr("Answer of %1: %2").arg(m_ownName, firstWords(content.output->text(), 200)));
    m_strip->viewport()->update();
}

QColor OutputCard::tintOf(const TokenView& token, int index) const {
    const Tokens& theme = tokensOf(palette());
    const QColor own = variantColor(theme, m_variant);
    const QColor other = variantColor(theme, m_variant == 0 ? 1 : 0);
    if (token.role == TokenView::Role::Context) return theme.sunken;
    switch (m_view) {
        case CompareView::Plain: return {};
        case CompareView::Diff:
            return index < m_isCommon.size() && !m_isCommon[index] ? blended(own, theme.raised, 0.25) : QColor();
        case CompareView::Confidence: {
            if (std::isnan(token.logprob)) return {};
            const double doubt = std::clamp(-token.logprob / kUnsure, 0.0, 1.0);
            return doubt < 0.02 ? QColor() : blended(own, theme.raised, kStrongest * doubt);
        }
        case CompareView::Difference: {
            if (std::isnan(token.logprob) || std::isnan(token.otherLogprob)) return {};
            const double delta = std::clamp((token.logprob - token.otherLogprob) / kUnsure, -1.0, 1.0);
            return std::abs(delta) < 0.02
                       ? QColor()
                       : blended(delta > 0 ? own : other, theme.raised, kStrongest * std::abs(delta));
        }
    }
    return {};
}

QString OutputCard::detailsOf(const TokenView& token, int index) const {
    QString out = tr("<b>%1</b> &nbsp; token %2, id %3")
                      .arg(visibleText(token.text).toHtmlEscaped())
                      .arg(index + 1)
                      .arg(token.id);
    if (!std::isnan(token.logprob))
        out += tr("<br>%1: %2 (log-prob %3)")
                   .arg(m_ownName.toHtmlEscaped(), percent(token.logprob))
                   .arg(token.logprob, 0, 'f', 2);
    if (!std::isnan(token.otherLogprob))
        out += tr("<br>%1: %2 (log-prob %3)")
                   .arg(m_otherName.toHtmlEscaped(), percent(token.otherLogprob))
                   .arg(token.otherLogprob, 0, 'f', 2);
    const QString tables = topTable(m_ownName, token.top, token.id) + topTable(m_otherName, token.otherTop, token.id);
    if (!tables.isEmpty()) out += QStringLiteral("<table><tr>%1</tr></table>").arg(tables);
    return out + tr("<br><i>Click to let both go on from here</i>");
}

}  // namespace wb::app
