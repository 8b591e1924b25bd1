// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/token_view.h"

namespace wb::app {

QString visibleText(const QString& text) {
    QString out = text;
    out.replace(QLatin1Char(' '), QChar(0x00b7));
    out.replace(QLatin1Char('\n'), QChar(0x21b5));
    out.replace(QLatin1Char('\t'), QChar(0x2192));
    for (QChar& c : out)
        if (c.category() == QChar::Other_Control) c = QChar(0xfffd);
    return out.isEmpty() ? QString(QChar(0x2205)) : out;
}

}  // namespace wb::app
