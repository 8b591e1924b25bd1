// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/train/film_strip.h"

#include <QComboBox>
#include <QPainter>
#include <QScrollArea>
#include <QScrollBar>
#include <QTextLayout>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

constexpr int kMaxFrames = 40;
constexpr int kFrameWidth = 208;

// Wrapped text that takes the height it is given; what does not fit is in the tooltip.
class WrappedText : public QWidget {
public:
    explicit WrappedText(const QString& text) : m_text(text) {
        setToolTip(text);
        setAccessibleName(text);
        setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    }
    QSize minimumSizeHint() const override { return {80, fontMetrics().height()}; }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setPen(palette().color(QPalette::WindowText));
        QTextLayout layout(QString(m_text).replace(QLatin1Char('\n'), QChar::LineSeparator), font());
        layout.beginLayout();
        // Whole lines only; the last one says that there is more.
        for (qreal y = 0;;) {
            QTextLine line = layout.createLine();
            if (!line.isValid()) break;
            line.setLineWidth(width());
            const bool isLastThatFits = y + 2 * line.height() > height();
            const QString rest = m_text.mid(line.textStart());
            if (isLastThatFits && line.textLength() < rest.size()) {
                const QString shown = fontMetrics().elidedText(rest.simplified(), Qt::ElideRight, width());
                painter.drawText(QPointF(0, y + line.ascent()), shown);
                break;
            }
            line.draw(&painter, QPointF(0, y));
            y += line.height();
        }
        layout.endLayout();
    }

private:
    QString m_text;
};

}  // namespace

FilmStrip::FilmStrip(QWidget* parent) : QWidget(parent) {
    auto* layout = makeLayout<QVBoxLayout>(this, 0, 4);
    auto* header = new QHBoxLayout;
    header->setSpacing(metrics::kGrid);
    auto* title = makeLabel(tr("Samples"), QStringLiteral("strong"));
    m_choice = new QComboBox;
    m_choice->setAccessibleName(tr("Fixed prompt"));
    m_choice->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_choice->setMinimumContentsLength(10);
    header->addWidget(title);
    header->addWidget(m_choice, 1);
    layout->addLayout(header);
    m_empty = makeLabel(tr("At each evaluation the run answers a few fixed prompts; the answers line up here."),
                        QStringLiteral("muted"));
    m_empty->setWordWrap(true);
    m_empty->setAlignment(Qt::AlignTop);
    m_scroll = new QScrollArea;
    m_scroll->setWidgetResizable(true);
    m_scroll->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_scroll->setAccessibleName(tr("Sample outputs over the evaluations"));
    auto* holder = new QWidget;
    m_frames = makeLayout<QHBoxLayout>(holder, 0, metrics::kGrid);
    m_scroll->setWidget(holder);
    layout->addWidget(m_empty, 1);
    layout->addWidget(m_scroll, 1);
    // New frames make the strip longer a moment later: the newest shall be in sight.
    QScrollBar* bar = m_scroll->horizontalScrollBar();
    connect(bar, &QScrollBar::rangeChanged, bar, [bar](int, int maximum) { bar->setValue(maximum); });
    connect(m_choice, &QComboBox::currentIndexChanged, this, &FilmStrip::showReel);
    setReels({});
}

void FilmStrip::setReels(const QVector<SampleReel>& reels) {
    m_reels = reels;
    QStringList prompts;
    for (const SampleReel& reel : reels) prompts.append(firstWords(reel.prompt, 60));
    QStringList shown;
    for (int i = 0; i < m_choice->count(); ++i) shown.append(m_choice->itemText(i));
    if (prompts != shown) {
        const QSignalBlocker blocker(m_choice);
        const int index = std::max(0, m_choice->currentIndex());
        m_choice->clear();
        m_choice->addItems(prompts);
        m_choice->setCurrentIndex(std::min(index, m_choice->count() - 1));
    }
    m_choice->setVisible(!reels.isEmpty());
    m_empty->setVisible(reels.isEmpty());
    m_scroll->setVisible(!reels.isEmpty());
    showReel();
}

QWidget* FilmStrip::makeFrame(const QString& caption, const QString& text, const QString& role) {
    auto* frame = makeCard();
    frame->setFixedWidth(kFrameWidth);
    auto* layout = makeLayout<QVBoxLayout>(frame, metrics::kGrid, 2);
    layout->addWidget(makeLabel(caption, role));
    const QString trimmed = text.trimmed();
    layout->addWidget(new WrappedText(trimmed.isEmpty() ? tr("(nothing)") : trimmed), 1);
    return frame;
}

void FilmStrip::showReel() {
    const int index = m_choice->currentIndex();
    if (index < 0 || index >= m_reels.size()) return;
    const SampleReel& reel = m_reels[index];
    QString key = QString::number(reel.index) + reel.prompt;
    for (const SampleReel::Frame& frame : reel.frames) key += QStringLiteral("|%1:%2").arg(frame.step).arg(frame.text);
    if (key == m_shown) return;
    m_shown = key;
    m_choice->setToolTip(reel.prompt);
    while (QLayoutItem* item = m_frames->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    if (!reel.expected.isEmpty())
        m_frames->addWidget(makeFrame(tr("expected"), reel.expected, QStringLiteral("muted")));
    const qsizetype first = std::max<qsizetype>(0, reel.frames.size() - kMaxFrames);
    for (qsizetype i = first; i < reel.frames.size(); ++i) {
        const SampleReel::Frame& frame = reel.frames[i];
        const bool isBase = frame.step == 0;
        m_frames->addWidget(makeFrame(isBase ? tr("base, before step 1") : tr("step %1").arg(frame.step), frame.text,
                                      isBase ? QStringLiteral("base") : QStringLiteral("tuned")));
    }
    m_frames->addStretch(1);
    m_scroll->horizontalScrollBar()->setValue(m_scroll->horizontalScrollBar()->maximum());
}

}  // namespace wb::app
