// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QChartView>
#include <QVector>
#include <QWidget>
#include <functional>
#include <optional>

class QLabel;
class QLineSeries;
class QTimer;
class QToolButton;
class QValueAxis;

namespace wb::app {

// Series that stand for no variant are drawn in grey.
constexpr int kNeutralSeries = -1;

struct PlotSeries {
    QString name;
    int variant = kNeutralSeries;  // see variantColor; resolved when drawn, so that a theme switch needs no new data
    QVector<QPointF> points;       // sorted by x
    bool isOnRightAxis = false;
    bool isDashed = false;
    bool isFaint = false;      // the raw points behind a smoothed line
    bool hasMarks = false;     // a dot at each point: for sparse series
    bool marksLowest = false;  // ring and value at the smallest y
};

// A number of an axis as people read it, with its unit where the axis names none.
using PlotFormat = std::function<QString(double)>;

class PlotCanvas;
class PlotLegend;

// The colour a series is drawn with under this palette.
QColor plotColor(const PlotSeries& series, const QPalette& palette);

// Line charts with zoom, crosshair, export. New data is drawn at most ten times a second, decimated to the pixels
// there are. Follows the palette. GUI thread only.
class PlotView : public QWidget {
    Q_OBJECT

public:
    explicit PlotView(const QString& title, QWidget* parent = nullptr);

    // An empty right title hides that axis.
    void setAxisTitles(const QString& x, const QString& left, const QString& right = {});
    // What stands in the middle while no series has points.
    void setEmptyText(const QString& text);
    void setSeries(QVector<PlotSeries> series);
    void setLogarithmic(bool isLogarithmic);
    // Ticks then stand where points do: for few, chosen positions such as sequence lengths.
    void setLogarithmicX(bool isLogarithmic);
    // How ticks of logarithmic axes, the crosshair and the legend write numbers.
    void setFormats(PlotFormat x, PlotFormat y);
    // Shown in place of the title, which stays the name of exports and for assistive technology.
    void setHeading(const QString& heading);
    void resetZoom();

    // The legend, without values, for a page that shows it once for several charts with the same series.
    QWidget* takeLegend();
    void hideLegend();

    const QVector<PlotSeries>& series() const { return m_series; }
    const QString& title() const { return m_title; }
    // Times the chart was rebuilt, for the test that it happens at most ten times a second.
    int rebuilds() const { return m_rebuilds; }

    // Throw nothing; return false if the file cannot be written.
    bool exportPng(const QString& file);
    bool exportSvg(const QString& file);
    bool exportCsv(const QString& file) const;

protected:
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    friend class PlotCanvas;
    friend class PlotLegend;

    void schedule();
    void rebuild();
    void restyle();
    void applyRange();
    void applyLogRange(QValueAxis& axis, double low, double high, double padding);
    void applyMargins();
    static void moveAxis(QValueAxis& axis, double low, double high, double step);
    // Where a point of a series lies on the axes: logarithmic axes carry decimal logarithms.
    QPointF placed(const PlotSeries& series, const QPointF& point) const;
    bool isDrawn(const PlotSeries& series, const QPointF& point) const;
    QVector<QPointF> placedPoints(const PlotSeries& series) const;
    QVector<double> xTicks() const;  // of logarithmic axes, in the units of the data
    QVector<double> yTicks() const;
    // The number of the data at a position of the axis; the nearest tick where the axis is logarithmic.
    double crosshairX(double axisX) const;
    QString xText(double x) const;
    QString yText(double y) const;
    void showMenu();
    void exportWith(const QString& suffix, const QString& filter);
    QRectF dataBounds(bool onRightAxis) const;
    void zoomBy(double factor, double centre);
    void panBy(double delta);

    QString m_title;
    QString m_xTitle;
    QString m_leftTitle;
    QString m_rightTitle;
    QString m_emptyText;
    QLabel* m_titleLabel = nullptr;
    PlotLegend* m_legend = nullptr;
    QToolButton* m_menuButton = nullptr;
    PlotCanvas* m_canvas = nullptr;
    QChart* m_chart = nullptr;
    QValueAxis* m_xAxis = nullptr;
    QValueAxis* m_leftAxis = nullptr;
    QValueAxis* m_rightAxis = nullptr;
    QVector<QLineSeries*> m_lines;
    QVector<PlotSeries> m_series;
    QTimer* m_timer = nullptr;
    PlotFormat m_xFormat;
    PlotFormat m_yFormat;
    std::optional<QPair<double, double>> m_zoom;  // range of the x axis chosen by the user
    bool m_isLogarithmic = false;
    bool m_isLogarithmicX = false;
    bool m_styleIsStale = true;
    int m_rebuilds = 0;
};

}  // namespace wb::app
