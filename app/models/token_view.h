// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QVector>
#include <cmath>

namespace wb::app {

struct TokenAlternative {
    QString text;
    int id = 0;
    double logprob = 0.0;
};

// One token as a strip shows it.
struct TokenView {
    enum class Role { Context, Trained, Cut };

    int id = 0;
    QString text;  // what it contributes to the text
    Role role = Role::Context;
    bool isSpecial = false;
    qint64 begin = 0;  // bytes of the rendered text
    qint64 end = 0;
    double logprob = NAN;       // under the model that wrote it
    double otherLogprob = NAN;  // under the other pane's model
    QVector<TokenAlternative> top;
    QVector<TokenAlternative> otherTop;
};

// White space made visible: space as a middle dot, new line as a return arrow, tab as an arrow.
QString visibleText(const QString& text);

}  // namespace wb::app
