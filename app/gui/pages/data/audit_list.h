// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QScrollArea>

#include "app/models/data_model.h"

class QVBoxLayout;

namespace wb::app {

// One line per finding: count, what it means, and its fix.
class AuditList : public QScrollArea {
    Q_OBJECT

public:
    explicit AuditList(QWidget* parent = nullptr);
    // `isComplete`: lengths and answers were looked at too; only then an empty list is a proof.
    void setLines(const QVector<AuditLine>& lines, bool isComplete);

signals:
    void showRequested(const QVector<qint64>& lines);
    void fixRequested(wb::app::AuditLine::Kind kind, wb::app::AuditLine::Fix fix);

private:
    QWidget* makeLine(const AuditLine& line);

    QVBoxLayout* m_layout = nullptr;
};

}  // namespace wb::app
