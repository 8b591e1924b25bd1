// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/log_model.h"

namespace wb::app {

void LogModel::add(const QString& source, const QString& text) {
    for (const QString& part : text.split(QLatin1Char('\n'), Qt::SkipEmptyParts)) {
        if (m_lines.size() >= kMaxLines) {
            beginRemoveRows({}, 0, 0);
            m_lines.pop_front();
            endRemoveRows();
        }
        const int row = rowCount();
        beginInsertRows({}, row, row);
        m_lines.push_back({QDateTime::currentDateTime(), source, part});
        endInsertRows();
    }
}

void LogModel::clear() {
    beginResetModel();
    m_lines.clear();
    endResetModel();
}

QString LogModel::shown(const Line& line) {
    return QStringLiteral("%1  %2  %3").arg(line.time.toString(QStringLiteral("hh:mm:ss")), line.source, line.text);
}

QString LogModel::wholeText() const {
    QStringList lines;
    for (const Line& line : m_lines) lines.append(shown(line));
    return lines.join(QLatin1Char('\n'));
}

int LogModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_lines.size());
}

QVariant LogModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const Line& line = m_lines[static_cast<size_t>(index.row())];
    if (role == Qt::DisplayRole) return shown(line);
    if (role == Qt::ToolTipRole) return line.text;
    return {};
}

}  // namespace wb::app
