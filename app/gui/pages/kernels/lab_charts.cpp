// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/kernels/lab_charts.h"

#include <QComboBox>
#include <algorithm>
#include <limits>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/plot_view.h"
#include "app/gui/widgets/ui.h"
#include "app/models/units.h"

namespace wb::app {

namespace {

constexpr qint64 kUsualHeadDim = 64;
constexpr qint64 kLongestLength = std::numeric_limits<qint64>::max();

// Colours after those of base and tuned; the oracle is grey and dashed.
PlotSeries lineOf(const QString& backend) {
    PlotSeries series{.name = labBackendTitle(backend), .hasMarks = true};
    if (backend == QLatin1String("flash")) series.variant = 2;
    if (backend == QLatin1String("memory_efficient")) series.variant = 3;
    series.isDashed = backend == QLatin1String("math");
    return series;
}

PlotView* makePlot(const QString& title, const QString& xTitle, PlotFormat format) {
    auto* plot = new PlotView(title);
    plot->setAxisTitles(xTitle, {});
    plot->setLogarithmic(true);
    plot->setLogarithmicX(true);
    plot->setFormats([](double x) { return formatCount(static_cast<qint64>(x)); },
                     [format = std::move(format)](double y) { return withoutZeros(format(y)); });
    plot->setEmptyText(LabCharts::tr("No backend has run here."));
    return plot;
}

}  // namespace

LabCharts::LabCharts(QWidget* parent) : QWidget(parent) {
    auto* layout = makeLayout<QVBoxLayout>(this, 0, metrics::kGap);
    m_byLength = makeRow(LabAxis::Length, *layout);
    m_byHeadDim = makeRow(LabAxis::HeadDim, *layout);
    m_legend = m_byLength.time->takeLegend();
    for (PlotView* plot : {m_byLength.memory, m_byHeadDim.time, m_byHeadDim.memory}) plot->hideLegend();
}

LabCharts::Row LabCharts::makeRow(LabAxis axis, QBoxLayout& layout) {
    const bool isByLength = axis == LabAxis::Length;
    auto* card = makeCard();
    auto* column = makeLayout<QVBoxLayout>(card, metrics::kGrid, 4);
    auto* header = new QHBoxLayout;
    header->setContentsMargins(metrics::kGrid, metrics::kGrid / 2, metrics::kGrid, 0);
    header->setSpacing(metrics::kGrid);
    // Title and choice read as one sentence.
    auto* title = makeLabel(isByLength ? tr("By sequence length") : tr("By head dimension"), QStringLiteral("strong"));
    auto* label = makeLabel(isByLength ? tr("at head dimension") : tr("at sequence length"), QStringLiteral("muted"));
    Row row;
    row.held = new QComboBox;
    row.held->setAccessibleName(isByLength ? tr("Head dimension") : tr("Sequence length"));
    row.held->setObjectName(isByLength ? QStringLiteral("labHeadDim") : QStringLiteral("labLength"));
    row.held->setMinimumWidth(88);
    label->setBuddy(row.held);
    row.refusals = makeLabel({}, QStringLiteral("muted"));
    row.refusals->setWordWrap(true);
    row.refusals->setContentsMargins(metrics::kGrid, 0, metrics::kGrid, 0);
    row.refusals->hide();
    header->addWidget(title);
    header->addWidget(label);
    header->addWidget(row.held);
    header->addStretch(1);
    column->addLayout(header);
    column->addWidget(row.refusals);
    column->addLayout(makePlots(axis, row), 1);
    layout.addWidget(card, 1);
    connect(row.held, &QComboBox::currentIndexChanged, this, [this, axis] { draw(axis); });
    connect(row.held, &QComboBox::activated, this,
            [this, axis] { this->row(axis).chosen = this->row(axis).held->currentData().toLongLong(); });
    return row;
}

QLayout* LabCharts::makePlots(LabAxis axis, Row& row) {
    const bool isByLength = axis == LabAxis::Length;
    const QString xTitle = isByLength ? tr("sequence length (tokens)") : tr("head dimension");
    row.time =
        makePlot(isByLength ? tr("Time by sequence length") : tr("Time by head dimension"), xTitle, formatDuration);
    row.time->setHeading(tr("Time"));
    row.memory = makePlot(isByLength ? tr("Peak memory by sequence length") : tr("Peak memory by head dimension"),
                          xTitle, formatBytes);
    row.memory->setHeading(tr("Peak memory"));
    auto* plots = new QHBoxLayout;
    plots->setSpacing(metrics::kGap);
    plots->addWidget(row.time, 1);
    plots->addWidget(row.memory, 1);
    return plots;
}

PlotView& LabCharts::plot(LabAxis axis, LabQuantity quantity) {
    return quantity == LabQuantity::Seconds ? *row(axis).time : *row(axis).memory;
}

QComboBox& LabCharts::held(LabAxis axis) {
    return *row(axis).held;
}

QString LabCharts::refusals(LabAxis axis) const {
    return row(axis).refusals->text();
}

// Until the user chooses, the preferred value is held, or the largest below it.
void LabCharts::offer(Row& row, const QVector<qint64>& values, qint64 preferred) {
    QVector<qint64> present;
    for (int i = 0; i < row.held->count(); ++i) present.append(row.held->itemData(i).toLongLong());
    if (present == values) return;
    const QSignalBlocker blocker(row.held);
    row.held->clear();
    for (const qint64 value : values) row.held->addItem(formatCount(value), value);
    const auto above = std::upper_bound(values.begin(), values.end(), row.chosen.value_or(preferred));
    row.held->setCurrentIndex(std::max(0, static_cast<int>(above - values.begin()) - 1));
}

void LabCharts::show(const AttentionMeasurement& measurement, LabPass pass) {
    m_measurement = measurement;
    m_pass = pass;
    offer(m_byLength, measurement.headDims(), kUsualHeadDim);
    offer(m_byHeadDim, measurement.lengths(), kLongestLength);
    draw(LabAxis::Length);
    draw(LabAxis::HeadDim);
}

void LabCharts::draw(LabAxis axis) {
    const qint64 held = row(axis).held->currentData().toLongLong();
    for (const LabQuantity quantity : {LabQuantity::Seconds, LabQuantity::PeakBytes}) {
        QVector<PlotSeries> lines;
        for (const QString& backend : labBackends()) {
            PlotSeries series = lineOf(backend);
            series.points = m_measurement.line(backend, m_pass, axis, held, quantity);
            lines.append(series);
        }
        plot(axis, quantity).setSeries(lines);
    }
    const QStringList refusals = m_measurement.refusals(m_pass, axis, held);
    row(axis).refusals->setText(refusals.join(QLatin1Char('\n')));
    row(axis).refusals->setVisible(!refusals.isEmpty());
}

}  // namespace wb::app
