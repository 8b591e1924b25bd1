// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>

#include "app/gui/pages/compare/compare_view_mode.h"
#include "app/models/compare_model.h"

class QLabel;

namespace wb::app {

class TokenStrip;

// One answer of one pane: rank and score with beams, the text with its tint.
class OutputCard : public QFrame {
    Q_OBJECT

public:
    // `variant` is the pane's place in the fixed list of colours.
    OutputCard(int variant, QWidget* parent = nullptr);

    struct Content {
        const CompareOutput* output = nullptr;
        int rank = 0;  // from 1; 0 hides rank and score
        CompareView view = CompareView::Plain;
        QVector<bool> isCommon;  // per token, for Diff
        int firstDivergence = -1;
        bool isWaiting = false;
        QString ownName;
        QString otherName;
    };
    void show(const Content& content);
    TokenStrip& strip() { return *m_strip; }

signals:
    void tokenActivated(int token);

private:
    QColor tintOf(const TokenView& token, int index) const;
    QString detailsOf(const TokenView& token, int index) const;

    int m_variant;
    CompareView m_view = CompareView::Plain;
    QVector<bool> m_isCommon;
    QString m_ownName;
    QString m_otherName;
    QLabel* m_heading = nullptr;
    TokenStrip* m_strip = nullptr;
};

}  // namespace wb::app
