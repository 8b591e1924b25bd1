// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/segment_switch.h"

#include <QButtonGroup>

#include "app/gui/widgets/ui.h"

namespace wb::app {

SegmentSwitch::SegmentSwitch(const QString& accessibleName, const QVector<QPair<QString, QString>>& segments,
                             QWidget* parent)
    : QWidget(parent), m_group(new QButtonGroup(this)) {
    setAccessibleName(accessibleName);
    auto* layout = makeLayout<QHBoxLayout>(this, 0, 0);
    for (int i = 0; i < segments.size(); ++i) {
        auto* button = makeButton(segments[i].first, {}, QStringLiteral("segment"));
        button->setCheckable(true);
        button->setChecked(i == 0);
        button->setToolTip(segments[i].second);
        if (i == 0) button->setProperty("end", QStringLiteral("first"));
        if (i + 1 == segments.size()) button->setProperty("end", QStringLiteral("last"));
        m_group->addButton(button, i);
        layout->addWidget(button);
    }
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
    connect(m_group, &QButtonGroup::idClicked, this, &SegmentSwitch::chosen);
}

int SegmentSwitch::current() const {
    return m_group->checkedId();
}

void SegmentSwitch::setCurrent(int index) {
    m_group->button(index)->setChecked(true);
}

}  // namespace wb::app
