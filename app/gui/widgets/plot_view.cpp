// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/plot_view.h"

#include <QChart>
#include <QClipboard>
#include <QEvent>
#include <QFile>
#include <QFileDialog>
#include <QGraphicsLayout>
#include <QGuiApplication>
#include <QLabel>
#include <QLegend>
#include <QLineSeries>
#include <QMenu>
#include <QSvgGenerator>
#include <QTextStream>
#include <QTimer>
#include <QValueAxis>
#include <algorithm>
#include <cmath>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/plot_canvas.h"
#include "app/gui/widgets/plot_legend.h"
#include "app/gui/widgets/ui.h"
#include "app/models/series.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

constexpr int kRebuildMs = 100;  // ten repaints a second at most
constexpr double kMarkRoom = 8;  // pixels between the outermost marks and the border

QFont smallFont() {
    QFont small = bodyFont();
    small.setPointSizeF(8.5);
    return small;
}

}  // namespace

QColor plotColor(const PlotSeries& series, const QPalette& palette) {
    const Tokens& theme = tokensOf(palette);
    return series.variant >= 0 ? variantColor(theme, series.variant) : blended(theme.text, theme.raised, 0.7);
}

PlotView::PlotView(const QString& title, QWidget* parent) : QWidget(parent), m_title(title), m_chart(new QChart) {
    auto* layout = makeLayout<QVBoxLayout>(this, 0, 0);
    auto* header = new QHBoxLayout;
    header->setContentsMargins(metrics::kGrid, metrics::kGrid / 2, metrics::kGrid / 2, 0);
    header->setSpacing(metrics::kGap);
    m_titleLabel = makeLabel(title, QStringLiteral("strong"));
    m_legend = new PlotLegend(*this);
    m_menuButton = makeIconButton(QStringLiteral("more"), tr("Chart options: %1").arg(title));
    connect(m_menuButton, &QToolButton::clicked, this, &PlotView::showMenu);
    header->addWidget(m_titleLabel);
    header->addWidget(m_legend, 1);
    header->addWidget(m_menuButton);
    layout->addLayout(header);

    m_canvas = new PlotCanvas(m_chart, *this);
    layout->addWidget(m_canvas, 1);
    m_chart->legend()->hide();
    m_chart->layout()->setContentsMargins(0, 0, 0, 0);
    m_chart->setBackgroundVisible(false);  // the canvas paints the ground: ticks of logarithmic axes lie on it
    m_xAxis = new QValueAxis(this);
    m_rightAxis = new QValueAxis(this);
    m_leftAxis = new QValueAxis(this);
    m_chart->addAxis(m_xAxis, Qt::AlignBottom);
    m_chart->addAxis(m_leftAxis, Qt::AlignLeft);
    m_chart->addAxis(m_rightAxis, Qt::AlignRight);
    m_rightAxis->hide();
    m_timer = new QTimer(this);
    m_timer->setSingleShot(true);
    connect(m_timer, &QTimer::timeout, this, &PlotView::rebuild);
    setMinimumHeight(120);
    restyle();
}

void PlotView::setAxisTitles(const QString& x, const QString& left, const QString& right) {
    m_xTitle = x;
    m_leftTitle = left;
    m_rightTitle = right;
    m_rightAxis->setVisible(!right.isEmpty());
    m_styleIsStale = true;
    schedule();
}

void PlotView::setEmptyText(const QString& text) {
    m_emptyText = text;
}

void PlotView::setSeries(QVector<PlotSeries> series) {
    m_series = std::move(series);
    schedule();
}

void PlotView::setLogarithmic(bool isLogarithmic) {
    if (m_isLogarithmic == isLogarithmic) return;
    m_isLogarithmic = isLogarithmic;
    m_styleIsStale = true;
    schedule();
}

void PlotView::setLogarithmicX(bool isLogarithmic) {
    if (m_isLogarithmicX == isLogarithmic) return;
    m_isLogarithmicX = isLogarithmic;
    m_zoom.reset();
    m_styleIsStale = true;
    schedule();
}

void PlotView::setFormats(PlotFormat x, PlotFormat y) {
    m_xFormat = std::move(x);
    m_yFormat = std::move(y);
    schedule();
}

void PlotView::setHeading(const QString& heading) {
    m_titleLabel->setText(heading);
}

QWidget* PlotView::takeLegend() {
    m_legend->setParent(nullptr);
    m_legend->setShowsValues(false);  // of which chart?
    return m_legend;
}

void PlotView::hideLegend() {
    m_legend->hide();
}

double PlotView::crosshairX(double axisX) const {
    const QVector<double> ticks = xTicks();
    if (ticks.isEmpty()) return axisX;
    return *std::min_element(ticks.begin(), ticks.end(), [axisX](double a, double b) {
        return std::abs(std::log10(a) - axisX) < std::abs(std::log10(b) - axisX);
    });
}

QString PlotView::xText(double x) const {
    return m_xFormat ? m_xFormat(x) : QString::number(x, 'f', 0);
}

QString PlotView::yText(double y) const {
    return m_yFormat ? m_yFormat(y) : formatMetric(y);
}

bool PlotView::isDrawn(const PlotSeries& series, const QPointF& point) const {
    return std::isfinite(point.y()) && !(m_isLogarithmicX && point.x() <= 0) &&
           !(m_isLogarithmic && !series.isOnRightAxis && point.y() <= 0);
}

QPointF PlotView::placed(const PlotSeries& series, const QPointF& point) const {
    return {m_isLogarithmicX ? std::log10(point.x()) : point.x(),
            m_isLogarithmic && !series.isOnRightAxis ? std::log10(point.y()) : point.y()};
}

QVector<QPointF> PlotView::placedPoints(const PlotSeries& series) const {
    if (!m_isLogarithmicX && !(m_isLogarithmic && !series.isOnRightAxis)) return series.points;
    QVector<QPointF> out;
    for (const QPointF& point : series.points)
        if (isDrawn(series, point)) out.append(placed(series, point));
    return out;
}

void PlotView::resetZoom() {
    m_zoom.reset();
    rebuild();
}

void PlotView::schedule() {
    if (!m_timer->isActive()) m_timer->start(kRebuildMs);
}

// In the units of the axes.
QRectF PlotView::dataBounds(bool onRightAxis) const {
    double xMin = INFINITY, xMax = -INFINITY, yMin = INFINITY, yMax = -INFINITY;
    for (const PlotSeries& series : m_series) {
        for (const QPointF& end : {series.points.value(0), series.points.value(series.points.size() - 1)}) {
            if (series.points.isEmpty() || (m_isLogarithmicX && end.x() <= 0)) continue;
            const double x = m_isLogarithmicX ? std::log10(end.x()) : end.x();
            xMin = std::min(xMin, x);
            xMax = std::max(xMax, x);
        }
    }
    if (m_zoom) std::tie(xMin, xMax) = std::pair(m_zoom->first, m_zoom->second);
    for (const PlotSeries& series : m_series) {
        if (series.isOnRightAxis != onRightAxis) continue;
        for (const QPointF& point : series.points) {
            if (!isDrawn(series, point)) continue;
            const QPointF at = placed(series, point);
            if (at.x() < xMin || at.x() > xMax) continue;
            yMin = std::min(yMin, at.y());
            yMax = std::max(yMax, at.y());
        }
    }
    if (!(xMax > xMin)) {
        // A single point stands in the middle of a logarithmic axis and at the beginning of any other.
        xMin = std::isfinite(xMin) ? xMin - (m_isLogarithmicX ? 0.5 : 0) : 0;
        xMax = xMin + 1;
    }
    if (!(yMax >= yMin)) yMin = m_isLogarithmic && !onRightAxis ? -1 : 0, yMax = yMin + 1;
    return {QPointF(xMin, yMin), QPointF(xMax, yMax)};
}

// An axis makes its ticks whenever one of its values changes: between the old step and the new range there could be
// thousands of them, so the step is out of the way while the range moves.
void PlotView::moveAxis(QValueAxis& axis, double low, double high, double step) {
    axis.setTickType(QValueAxis::TicksDynamic);
    axis.setTickAnchor(0);
    axis.setTickInterval(std::max(axis.max() - axis.min(), high - low) + step);
    axis.setRange(low, high);
    axis.setTickInterval(step);
}

void PlotView::applyLogRange(QValueAxis& axis, double low, double high, double padding) {
    axis.setTickType(QValueAxis::TicksFixed);  // the canvas paints the ticks
    axis.setTickCount(2);
    axis.setRange(low - padding, high + padding);
}

void PlotView::applyRange() {
    const auto setTicks = [](QValueAxis* axis, double low, double high, int wanted) {
        const double span = high > low ? high - low : std::max(std::abs(high), 1e-9);
        const double step = niceTickStep(span, wanted);
        const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
        axis->setLabelFormat(step < 1e-3 || step >= 1e6 ? QStringLiteral("%.2g") : QStringLiteral("%.%1f").arg(digits));
        const double bottom = std::floor(low / step) * step;
        moveAxis(*axis, bottom, std::max(std::ceil(high / step) * step, bottom + step), step);
    };
    const QRectF bounds = dataBounds(false);
    if (m_isLogarithmicX) {
        applyLogRange(*m_xAxis, bounds.left(), bounds.right(),
                      m_zoom ? 0 : bounds.width() * 2 * kMarkRoom / std::max(80.0, m_chart->plotArea().width()));
    } else {
        const double xStep = niceTickStep(bounds.width(), std::max(3, width() / 75));
        m_xAxis->setLabelFormat(QStringLiteral("%.0f"));
        moveAxis(*m_xAxis, bounds.left(), bounds.right(), std::max(xStep, 1.0));
    }
    const int rows = std::max(2, height() / 60);
    if (m_isLogarithmic)
        applyLogRange(*m_leftAxis, bounds.top(), bounds.bottom(),
                      std::max(0.04, bounds.height() * kMarkRoom / std::max(40.0, m_chart->plotArea().height())));
    else
        setTicks(m_leftAxis, bounds.top(), bounds.bottom(), rows);
    const QRectF right = dataBounds(true);
    setTicks(m_rightAxis, right.top(), right.bottom(), rows);
    applyMargins();
}

// Room for what the canvas paints in place of the axes' own labels.
void PlotView::applyMargins() {
    QMargins margins(0, 0, metrics::kGrid, 0);
    const QFontMetrics font(smallFont());
    if (m_isLogarithmic) {
        int width = 0;
        for (const double tick : yTicks()) width = std::max(width, font.horizontalAdvance(yText(tick)));
        margins.setLeft(width + metrics::kGrid);
        margins.setTop(font.height() / 2);
    }
    if (m_isLogarithmicX) margins.setBottom((m_xTitle.isEmpty() ? 1 : 2) * font.height() + metrics::kGrid);
    m_chart->setMargins(margins);
}

QVector<double> PlotView::yTicks() const {
    if (!m_isLogarithmic) return {};
    return logTicks(std::pow(10.0, m_leftAxis->min()), std::pow(10.0, m_leftAxis->max()), std::max(2, height() / 40));
}

QVector<double> PlotView::xTicks() const {
    QVector<double> out;
    if (!m_isLogarithmicX) return out;
    for (const PlotSeries& series : m_series)
        for (const QPointF& point : series.points)
            if (isDrawn(series, point)) out.append(point.x());
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

void PlotView::rebuild() {
    ++m_rebuilds;
    if (m_styleIsStale) restyle();
    while (m_lines.size() > m_series.size()) {
        m_chart->removeSeries(m_lines.last());
        delete m_lines.takeLast();
    }
    applyRange();
    const int pixels = std::max(50, static_cast<int>(m_chart->plotArea().width()));
    for (int i = 0; i < m_series.size(); ++i) {
        const PlotSeries& series = m_series[i];
        if (i == m_lines.size()) {
            m_lines.append(new QLineSeries(this));
            m_chart->addSeries(m_lines[i]);
            m_lines[i]->attachAxis(m_xAxis);
        }
        QLineSeries* line = m_lines[i];
        QValueAxis* wanted = series.isOnRightAxis ? m_rightAxis : m_leftAxis;
        if (!line->attachedAxes().contains(wanted)) {
            for (QAbstractAxis* axis : line->attachedAxes())
                if (axis != m_xAxis) line->detachAxis(axis);
            line->attachAxis(wanted);
        }
        QColor color = plotColor(series, palette());
        if (series.isFaint) color.setAlphaF(0.35F);
        line->setPen(QPen(color, series.isFaint ? 1.0 : 1.6, series.isDashed ? Qt::DashLine : Qt::SolidLine));
        line->setPointsVisible(series.hasMarks && series.points.size() <= 60);
        line->setMarkerSize(5);
        line->replace(decimateMinMax(placedPoints(series), m_xAxis->min(), m_xAxis->max(), pixels));
    }
    m_legend->refresh();
    m_canvas->viewport()->update();
}

void PlotView::restyle() {
    m_styleIsStale = false;
    const Tokens& theme = tokensOf(palette());
    m_canvas->setBackgroundBrush(theme.raised);
    const QFont small = smallFont();
    const QList<QValueAxis*> axes{m_xAxis, m_leftAxis, m_rightAxis};
    const QStringList titles{m_xTitle, m_leftTitle, m_rightTitle};
    for (int i = 0; i < axes.size(); ++i) {
        const bool isPainted = i == 0 ? m_isLogarithmicX : i == 1 && m_isLogarithmic;
        axes[i]->setLabelsVisible(!isPainted);
        axes[i]->setLineVisible(!isPainted);
        axes[i]->setLabelsColor(theme.textMuted);
        axes[i]->setLabelsFont(small);
        axes[i]->setTitleFont(small);
        axes[i]->setTitleBrush(theme.textMuted);
        axes[i]->setTitleText(titles[i]);
        axes[i]->setTitleVisible(!titles[i].isEmpty() && !isPainted);
        axes[i]->setLinePen(QPen(theme.line, 1));
        axes[i]->setGridLinePen(QPen(theme.sunken, 1));
        axes[i]->setGridLineVisible(i == 1 && !isPainted);
        axes[i]->setMinorGridLineVisible(false);
    }
    m_legend->update();
}

void PlotView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange) return;
    m_styleIsStale = true;
    schedule();
}

void PlotView::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    schedule();
}

void PlotView::zoomBy(double factor, double centre) {
    const double low = centre - (centre - m_xAxis->min()) * factor;
    const double high = centre + (m_xAxis->max() - centre) * factor;
    if (high - low < (m_isLogarithmicX ? 0.1 : 2)) return;
    m_zoom.reset();
    const QRectF all = dataBounds(false);
    if (low > all.left() || high < all.right()) m_zoom = {std::max(low, all.left()), std::min(high, all.right())};
    rebuild();
}

void PlotView::panBy(double delta) {
    if (!m_zoom) return;
    m_zoom = {m_zoom->first + delta, m_zoom->second + delta};
    schedule();
}

void PlotView::showMenu() {
    QMenu menu(this);
    QAction* logarithmic = menu.addAction(tr("Logarithmic scale"));
    logarithmic->setCheckable(true);
    logarithmic->setChecked(m_isLogarithmic);
    QAction* reset = menu.addAction(tr("Show all"));
    menu.addSeparator();
    QAction* copy = menu.addAction(tr("Copy image"));
    QAction* png = menu.addAction(tr("Export PNG…"));
    QAction* svg = menu.addAction(tr("Export SVG…"));
    QAction* csv = menu.addAction(tr("Export CSV…"));
    const QAction* chosen = menu.exec(m_menuButton->mapToGlobal(QPoint(0, m_menuButton->height())));
    if (chosen == logarithmic) setLogarithmic(!m_isLogarithmic);
    if (chosen == reset) resetZoom();
    if (chosen == copy) QGuiApplication::clipboard()->setPixmap(m_canvas->grab());
    if (chosen == png) exportWith(QStringLiteral("png"), tr("PNG image (*.png)"));
    if (chosen == svg) exportWith(QStringLiteral("svg"), tr("SVG drawing (*.svg)"));
    if (chosen == csv) exportWith(QStringLiteral("csv"), tr("CSV table (*.csv)"));
}

void PlotView::exportWith(const QString& suffix, const QString& filter) {
    const QString proposal = m_title.toLower().replace(QLatin1Char(' '), QLatin1Char('-')) + QLatin1Char('.') + suffix;
    const QString file = QFileDialog::getSaveFileName(this, tr("Export chart"), proposal, filter);
    if (file.isEmpty()) return;
    const bool isWritten = suffix == QLatin1String("png")   ? exportPng(file)
                           : suffix == QLatin1String("svg") ? exportSvg(file)
                                                            : exportCsv(file);
    m_menuButton->setToolTip(isWritten ? tr("Written to %1").arg(file) : tr("%1 could not be written").arg(file));
}

bool PlotView::exportPng(const QString& file) {
    constexpr int kScale = 2;
    QImage image(m_canvas->size() * kScale, QImage::Format_ARGB32);
    image.setDevicePixelRatio(kScale);
    image.fill(tokensOf(palette()).raised);
    QPainter painter(&image);
    m_canvas->render(&painter);
    painter.end();
    return image.save(file, "PNG");
}

bool PlotView::exportSvg(const QString& file) {
    QSvgGenerator generator;
    generator.setFileName(file);
    generator.setSize(m_canvas->size());
    generator.setViewBox(QRect(QPoint(), m_canvas->size()));
    generator.setTitle(m_title);
    QPainter painter;
    if (!painter.begin(&generator)) return false;
    m_canvas->render(&painter);
    return painter.end();
}

bool PlotView::exportCsv(const QString& file) const {
    QFile out(file);
    if (!out.open(QIODevice::WriteOnly | QIODevice::Text)) return false;
    QTextStream text(&out);
    text.setRealNumberPrecision(9);
    text << "series," << m_xTitle << ",value\n";
    for (const PlotSeries& series : m_series)
        for (const QPointF& point : series.points)
            text << '"' << QString(series.name).replace(QLatin1Char('"'), QLatin1String("\"\"")) << "\"," << point.x()
                 << ',' << point.y() << '\n';
    text.flush();
    return text.status() == QTextStream::Ok && out.error() == QFileDevice::NoError;
}

}  // namespace wb::app
