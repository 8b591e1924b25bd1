// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/units.h"

#include <QDir>
#include <QFileInfo>
#include <QLocale>
#include <array>
#include <cmath>

namespace wb::app {

namespace {

const QString kAbsent = QStringLiteral("–");

// One decimal below 100, none above: three figures at most, as on an instrument.
QString threeFigures(double value) {
    return QString::number(value, 'f', std::abs(value) < 99.95 ? 1 : 0);
}

}  // namespace

QString formatBytes(double bytes) {
    if (!std::isfinite(bytes) || bytes < 0) return kAbsent;
    static const std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit + 1 < units.size()) {
        bytes /= 1000;
        ++unit;
    }
    const QString number = unit == 0 ? QString::number(bytes, 'f', 0) : threeFigures(bytes);
    return QStringLiteral("%1 %2").arg(number, QLatin1String(units[unit]));
}

QString formatCount(qint64 count) {
    if (count >= 1'000'000'000) return QStringLiteral("%1 B").arg(threeFigures(static_cast<double>(count) / 1e9));
    if (count >= 1'000'000) return QStringLiteral("%1 M").arg(threeFigures(static_cast<double>(count) / 1e6));
    return QLocale(QLocale::English).toString(count);
}

QString formatTokenRate(double perSecond) {
    if (!std::isfinite(perSecond) || perSecond <= 0) return kAbsent;
    if (perSecond >= 9999.5) return QStringLiteral("%1k tok/s").arg(threeFigures(perSecond / 1000));
    return QStringLiteral("%1 tok/s")
        .arg(perSecond < 10 ? threeFigures(perSecond) : QString::number(perSecond, 'f', 0));
}

QString formatDuration(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) return kAbsent;
    if (seconds > 0 && seconds < 0.9995e-3)
        return QStringLiteral("%1 µs").arg(seconds * 1e6, 0, 'f', seconds < 9.95e-6 ? 1 : 0);
    if (seconds < 0.9995) return QStringLiteral("%1 ms").arg(seconds * 1000, 0, 'f', seconds < 0.01 ? 1 : 0);
    if (seconds < 9.95) return QStringLiteral("%1 s").arg(seconds, 0, 'f', 1);
    const auto whole = static_cast<qint64>(std::llround(seconds));
    if (whole < 60) return QStringLiteral("%1 s").arg(whole);
    if (whole < 3600) return QStringLiteral("%1 min %2 s").arg(whole / 60).arg(whole % 60, 2, 10, QLatin1Char('0'));
    return QStringLiteral("%1 h %2 min").arg(whole / 3600).arg(whole % 3600 / 60, 2, 10, QLatin1Char('0'));
}

QString formatMetric(double value) {
    if (!std::isfinite(value)) return kAbsent;
    if (value == 0) return QStringLiteral("0");
    const double size = std::abs(value);
    if (size != 0 && (size < 1e-3 || size >= 1e6)) return QString::number(value, 'e', 1);
    if (size >= 1000) return QString::number(value, 'f', 0);
    return QString::number(value, 'f', size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

QString formatPercent(double fraction) {
    if (!std::isfinite(fraction)) return kAbsent;
    const double percent = fraction * 100;
    const bool isSmall = percent != 0 && std::abs(percent) < 9.95;
    return QStringLiteral("%1 %").arg(percent, 0, 'f', isSmall ? 1 : 0);
}

QString formatLearningRate(double value) {
    if (!std::isfinite(value)) return kAbsent;
    if (value == 0) return QStringLiteral("0");
    const int exponent = static_cast<int>(std::floor(std::log10(std::abs(value))));
    const double mantissa = value / std::pow(10.0, exponent);
    return QStringLiteral("%1e%2").arg(QString::number(mantissa, 'g', 3)).arg(exponent);
}

QString formatRate(double perSecond, const QString& unit) {
    if (!std::isfinite(perSecond) || perSecond <= 0) return kAbsent;
    static const std::array<const char*, 5> prefixes{"", "k", "M", "G", "T"};
    size_t prefix = 0;
    while (perSecond >= 999.5 && prefix + 1 < prefixes.size()) {
        perSecond /= 1000;
        ++prefix;
    }
    return QStringLiteral("%1 %2%3/s").arg(threeFigures(perSecond), QLatin1String(prefixes[prefix]), unit);
}

QString withoutZeros(const QString& text) {
    return QString(text).replace(QStringLiteral(".0 "), QStringLiteral(" "));
}

QString firstWords(const QString& text, int count) {
    const QString line = text.left(count * 4).simplified();
    return line.size() <= count && text.size() <= count * 4 ? line : line.left(count - 1).trimmed() + QChar(0x2026);
}

QString shortHash(const QString& hash) {
    const auto colon = hash.lastIndexOf(QLatin1Char(':'));
    return hash.mid(colon + 1, 8);
}

QString shownPath(const QString& path) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    const QString here = QDir::currentPath() + QLatin1Char('/');
    if (absolute.startsWith(here) && here.size() > 1) return absolute.mid(here.size());
    const QString home = QDir::homePath() + QLatin1Char('/');
    return absolute.startsWith(home) ? QStringLiteral("~/") + absolute.mid(home.size()) : absolute;
}

QString typedPath(const QString& text) {
    const QString trimmed = text.trimmed();
    return trimmed.startsWith(QStringLiteral("~/")) ? QDir::homePath() + trimmed.mid(1)
                                                    : QFileInfo(trimmed).absoluteFilePath();
}

}  // namespace wb::app
