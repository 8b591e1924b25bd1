// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QIcon>
#include <QString>

namespace wb::app {

// Which token tints the strokes; resolved when painted, so icons follow a theme switch.
enum class IconTint { Text, Muted, OnAccent, Base, Tuned, Warn, Error, Proof };

// A line icon of resources/icons by file name without ".svg".
QIcon lineIcon(const QString& name, IconTint tint = IconTint::Text);

// The same at one size for labels; uses the application's palette now.
QPixmap linePixmap(const QString& name, IconTint tint, int size, qreal devicePixelRatio = 1);

}  // namespace wb::app
