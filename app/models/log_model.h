// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractListModel>
#include <QDateTime>
#include <deque>

namespace wb::app {

// What the workbench did and what its child processes said, oldest first, bounded. GUI thread only.
class LogModel : public QAbstractListModel {
    Q_OBJECT

public:
    static constexpr int kMaxLines = 5000;

    explicit LogModel(QObject* parent = nullptr) : QAbstractListModel(parent) {}

    // `source`: "engine", "train", "workbench".
    void add(const QString& source, const QString& text);
    void clear();
    QString wholeText() const;

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

private:
    struct Line {
        QDateTime time;
        QString source;
        QString text;
    };
    static QString shown(const Line& line);

    std::deque<Line> m_lines;
};

}  // namespace wb::app
