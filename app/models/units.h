// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers as people read them, always with a unit: "4.1 GB", "312 tok/s", "2 h 05 min".
#pragma once

#include <QString>

namespace wb::app {

QString formatBytes(double bytes);                          // decimal units: "512 B", "4.1 GB"
QString formatCount(qint64 count);                          // "1,234"; "1.2 M" above a million
QString formatTokenRate(double perSecond);                  // "312 tok/s", "12.4k tok/s"
QString formatDuration(double seconds);                     // "85 µs", "640 ms", "42 s", "3 min 05 s", "2 h 05 min"
QString formatMetric(double value);                         // four significant digits: "2.314", "1.2e-05"
QString formatPercent(double fraction);                     // "41 %"; "0.4 %" below one
QString formatLearningRate(double value);                   // "2e-4"
QString formatRate(double perSecond, const QString& unit);  // "12.3 GFLOP/s" with the unit's own prefix chosen by size

// A whole number without its zero decimal: "1 GB" for "1.0 GB". For the ticks of an axis.
QString withoutZeros(const QString& text);

// The first `count` characters on one line, with an ellipsis if something was cut.
QString firstWords(const QString& text, int count);

// The shortest unambiguous part of a hash for a chip: "sha256:" removed, eight characters.
QString shortHash(const QString& hash);

// A path as one would type it here: relative to the working folder or to the home folder where it lies inside.
QString shownPath(const QString& path);
// The absolute path that such a text means.
QString typedPath(const QString& text);

}  // namespace wb::app
