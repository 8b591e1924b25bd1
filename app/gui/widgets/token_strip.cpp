// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/token_strip.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>

#include "app/gui/theme/theme.h"

namespace wb::app {

namespace {

constexpr int kPadding = 12;
constexpr int kChipPadding = 4;
constexpr int kChipGap = 3;

}  // namespace

TokenStrip::TokenStrip(Mode mode, QWidget* parent) : QAbstractScrollArea(parent), m_mode(mode) {
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFont(mode == Mode::Chips ? monospaceFont() : bodyFont());
    viewport()->setMouseTracking(true);
    viewport()->setAutoFillBackground(false);
    setAccessibleName(tr("Tokens"));
}

QString TokenStrip::text() const {
    QString out;
    for (const TokenView& token : m_tokens) out += token.text;
    return out;
}

void TokenStrip::setTokens(QVector<TokenView> tokens) {
    // Streaming appends: what is laid out already stays where it is.
    int kept = 0;
    const int common = static_cast<int>(std::min({tokens.size(), m_tokens.size(), m_boxes.size()}));
    while (kept < common && tokens[kept].text == m_tokens[kept].text && tokens[kept].id == m_tokens[kept].id) ++kept;
    const bool isExtension = kept > 0 && kept == m_tokens.size();
    m_tokens = std::move(tokens);
    if (!isExtension) m_hovered = m_current = -1;
    relayout(isExtension ? kept : 0);
    if (!isExtension) verticalScrollBar()->setValue(0);
    viewport()->update();
}

void TokenStrip::setTint(TintOf tintOf) {
    m_tintOf = std::move(tintOf);
    viewport()->update();
}

void TokenStrip::setDetails(DetailsOf detailsOf) {
    m_detailsOf = std::move(detailsOf);
}

void TokenStrip::setMark(int index, const QString& text) {
    if (m_mark == index && m_markText == text) return;
    m_mark = index;
    m_markText = text;
    viewport()->update();
}

void TokenStrip::setPlaceholder(const QString& text) {
    m_placeholder = text;
    viewport()->update();
}

void TokenStrip::setFitsContent(bool fits) {
    m_fitsContent = fits;
    setVerticalScrollBarPolicy(fits ? Qt::ScrollBarAlwaysOff : Qt::ScrollBarAsNeeded);
    relayout(0);
}

void TokenStrip::wheelEvent(QWheelEvent* event) {
    if (m_fitsContent) return event->ignore();
    QAbstractScrollArea::wheelEvent(event);
}

QString TokenStrip::shownText(int index) const {
    const TokenView& token = m_tokens[index];
    if (m_mode == Mode::Chips) return visibleText(token.text);
    QString out = token.text;
    if (m_startsLine.value(index) && out.startsWith(QLatin1Char(' '))) out.remove(0, 1);
    return out.replace(QLatin1Char('\n'), QChar(0x21b5)).replace(QLatin1Char('\t'), QStringLiteral("    "));
}

void TokenStrip::placeChip(int index, int& x, int& y, int width) {
    const TokenView& token = m_tokens[index];
    const int wanted = fontMetrics().horizontalAdvance(shownText(index)) + 2 * kChipPadding;
    const int w = std::min(wanted, width);
    if (x + w > kPadding + width && x > kPadding) x = kPadding, y += m_lineHeight;
    m_boxes[index] = QRect(x, y, w, m_lineHeight - kChipGap);
    x += w + kChipGap;
    if (token.text.contains(QLatin1Char('\n'))) x = kPadding, y += m_lineHeight;
}

void TokenStrip::placeFlow(int index, int& x, int& y, int width) {
    const TokenView& token = m_tokens[index];
    m_startsLine[index] = false;
    const auto advance = [this](int i) { return fontMetrics().horizontalAdvance(shownText(i)); };
    const auto startsWithBlank = [this](int i) {
        return m_tokens[i].text.startsWith(QLatin1Char(' ')) || m_tokens[i].text.startsWith(QLatin1Char('\n'));
    };
    // A word of several tokens moves to the next line as a whole.
    const bool startsWord = index == 0 || startsWithBlank(index) || m_tokens[index - 1].text.endsWith(QLatin1Char(' '));
    int word = advance(index);
    if (startsWord)
        for (int next = index + 1; next < m_tokens.size() && word < width && !startsWithBlank(next); ++next)
            word += advance(next);
    const int needed = startsWord && word < width ? word : advance(index);
    if (x + needed > kPadding + width && x > kPadding) {
        x = kPadding;
        y += m_lineHeight;
        m_startsLine[index] = true;
    }
    m_boxes[index] = QRect(x, y, std::min(advance(index), width), m_lineHeight);
    x += advance(index);
    const auto breaks = static_cast<int>(std::min<qsizetype>(2, token.text.count(QLatin1Char('\n'))));
    if (breaks > 0) x = kPadding, y += m_lineHeight * breaks;
}

void TokenStrip::relayout(int from) {
    m_lineHeight = fontMetrics().height() + (m_mode == Mode::Chips ? 8 : 6);
    const int width = std::max(40, viewport()->width() - 2 * kPadding);
    m_boxes.resize(m_tokens.size());
    m_startsLine.resize(m_tokens.size());
    // The last word may have grown: lay out again from its start.
    while (m_mode == Mode::Flow && from > 0 && from < m_tokens.size() &&
           !m_tokens[from].text.startsWith(QLatin1Char(' ')))
        --from;
    int x = kPadding;
    int y = kPadding;
    if (from > 0) {
        const QRect last = m_boxes[from - 1];
        x = last.right() + 1 + (m_mode == Mode::Chips ? kChipGap : 0);
        y = last.top();
        const qsizetype breaks = m_tokens[from - 1].text.count(QLatin1Char('\n'));
        if (breaks > 0)
            x = kPadding,
            y += m_lineHeight * (m_mode == Mode::Chips ? 1 : static_cast<int>(std::min<qsizetype>(2, breaks)));
    }
    for (int i = from; i < m_tokens.size(); ++i)
        m_mode == Mode::Chips ? placeChip(i, x, y, width) : placeFlow(i, x, y, width);
    m_contentHeight = m_tokens.isEmpty() ? 0 : m_boxes.last().bottom() + kPadding;
    if (m_fitsContent) setFixedHeight(std::max(m_contentHeight, m_lineHeight + 2 * kPadding));
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(m_lineHeight);
    verticalScrollBar()->setRange(0, std::max(0, m_contentHeight - viewport()->height()));
}

void TokenStrip::paintChip(QPainter& painter, int index, const QRect& box) const {
    const Tokens& theme = tokensOf(palette());
    const TokenView& token = m_tokens[index];
    const bool isTrained = token.role == TokenView::Role::Trained;
    const bool isCut = token.role == TokenView::Role::Cut;
    painter.setPen(index == m_current ? QPen(theme.accent, 1.5) : Qt::NoPen);
    painter.setBrush(isTrained ? blended(theme.tuned, theme.raised, 0.22) : theme.sunken);
    if (isCut) painter.setBrush(theme.raised);
    painter.drawRoundedRect(box, 3, 3);
    if (isCut) {
        painter.setBrush(QBrush(blended(theme.textMuted, theme.raised, 0.4), Qt::BDiagPattern));
        painter.drawRoundedRect(box, 3, 3);
    }
    QFont font = this->font();
    font.setStrikeOut(isCut);
    font.setItalic(token.isSpecial);
    painter.setFont(font);
    painter.setPen(isTrained ? theme.text : theme.textMuted);
    painter.drawText(box, Qt::AlignCenter, shownText(index));
}

void TokenStrip::paintFlow(QPainter& painter, int index, const QRect& box) const {
    const Tokens& theme = tokensOf(palette());
    const QColor tint = m_tintOf ? m_tintOf(m_tokens[index], index) : QColor();
    if (tint.isValid()) painter.fillRect(box.adjusted(0, 1, 0, -1), tint);
    if (index == m_current || index == m_hovered) {
        painter.setPen(QPen(theme.accent, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(box.adjusted(0, 1, -1, -2));
    }
    painter.setPen(theme.text);
    painter.drawText(box, Qt::AlignVCenter | Qt::AlignLeft | Qt::TextDontClip, shownText(index));
}

void TokenStrip::paintEvent(QPaintEvent* event) {
    QPainter painter(viewport());
    painter.setRenderHint(QPainter::Antialiasing);
    const Tokens& theme = tokensOf(palette());
    if (m_tokens.isEmpty()) {
        painter.setPen(theme.textMuted);
        painter.setFont(bodyFont());
        const QRect area = viewport()->rect().adjusted(kPadding, kPadding, -kPadding, -kPadding);
        painter.drawText(area, Qt::AlignTop | Qt::AlignLeft | Qt::TextWordWrap, m_placeholder);
        return;
    }
    const int scroll = verticalScrollBar()->value();
    const QRect visible = event->rect().translated(0, scroll);
    const auto first = std::lower_bound(m_boxes.begin(), m_boxes.end(), visible.top(),
                                        [](const QRect& box, int top) { return box.bottom() < top; });
    for (auto it = first; it != m_boxes.end() && it->top() <= visible.bottom(); ++it) {
        const int index = static_cast<int>(it - m_boxes.begin());
        const QRect box = it->translated(0, -scroll);
        m_mode == Mode::Chips ? paintChip(painter, index, box) : paintFlow(painter, index, box);
        if (index != m_mark) continue;
        painter.setPen(QPen(theme.error, 2));
        painter.drawLine(box.left(), box.top(), box.left(), box.bottom());
        painter.setBrush(theme.error);
        painter.drawPolygon(
            QPolygon({{box.left() - 3, box.top() - 1}, {box.left() + 4, box.top() - 1}, {box.left(), box.top() + 4}}));
    }
}

int TokenStrip::tokenAt(const QPoint& position) const {
    const QPoint at = position + QPoint(0, verticalScrollBar()->value());
    for (int i = 0; i < m_boxes.size(); ++i)
        if (m_boxes[i].contains(at)) return i;
    return -1;
}

void TokenStrip::showDetails(int index, const QPoint& globalPosition) {
    if (!m_detailsOf || index < 0 || index >= m_tokens.size()) return QToolTip::hideText();
    QString details = m_detailsOf(m_tokens[index], index);
    if (index == m_mark && !m_markText.isEmpty())
        details.prepend(QStringLiteral("<b>%1</b><br>").arg(m_markText.toHtmlEscaped()));
    setAccessibleDescription(details);
    QToolTip::showText(globalPosition, details, viewport());
}

void TokenStrip::setCurrent(int index, bool withDetails) {
    m_current = std::clamp(index, -1, static_cast<int>(m_tokens.size()) - 1);
    if (m_current >= 0) {
        const QRect box = m_boxes[m_current];
        auto* bar = verticalScrollBar();
        if (box.top() < bar->value()) bar->setValue(box.top() - kPadding);
        if (box.bottom() > bar->value() + viewport()->height())
            bar->setValue(box.bottom() - viewport()->height() + kPadding);
        const QPoint below = box.bottomLeft() - QPoint(0, bar->value());
        if (withDetails) showDetails(m_current, viewport()->mapToGlobal(below));
    }
    viewport()->update();
}

void TokenStrip::mouseMoveEvent(QMouseEvent* event) {
    const int index = tokenAt(event->position().toPoint());
    if (index == m_hovered) return;
    m_hovered = index;
    showDetails(index, event->globalPosition().toPoint() + QPoint(8, 8));
    viewport()->update();
}

void TokenStrip::mousePressEvent(QMouseEvent* event) {
    const int index = tokenAt(event->position().toPoint());
    setCurrent(index, false);
    if (index >= 0 && event->button() == Qt::LeftButton) emit tokenActivated(index);
}

void TokenStrip::leaveEvent(QEvent*) {
    m_hovered = -1;
    viewport()->update();
}

void TokenStrip::focusOutEvent(QFocusEvent* event) {
    m_current = -1;
    QAbstractScrollArea::focusOutEvent(event);
    viewport()->update();
}

void TokenStrip::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
        case Qt::Key_Right: return setCurrent(m_current + 1, true);
        case Qt::Key_Left: return setCurrent(std::max(0, m_current - 1), true);
        case Qt::Key_Home: return setCurrent(0, true);
        case Qt::Key_End: return setCurrent(static_cast<int>(m_tokens.size()) - 1, true);
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (m_current >= 0) emit tokenActivated(m_current);
            return;
        default: QAbstractScrollArea::keyPressEvent(event);
    }
}

void TokenStrip::resizeEvent(QResizeEvent*) {
    relayout(0);
}

void TokenStrip::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange) relayout(0);
    if (event->type() == QEvent::PaletteChange) viewport()->update();
}

}  // namespace wb::app
