// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/compare/parameter_row.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QSpinBox>
#include <algorithm>

#include "app/gui/theme/theme.h"
#include "app/gui/widgets/flow_layout.h"
#include "app/gui/widgets/ui.h"

namespace wb::app {

ParameterRow::ParameterRow(QWidget* parent) : QWidget(parent) {
    new FlowLayout(this, metrics::kGap - 4, metrics::kGrid);
    m_tokens = addInteger(tr("New tokens"), tr("Most tokens an answer may have"), 1, 4096, 64);
    m_temperature = addReal(tr("Temperature"), tr("0 always takes the likeliest token"), 0, 2, 0.1, 0);
    m_topK = addInteger(tr("Top k"), tr("Draw from the k likeliest tokens; 0 is off"), 0, 1000, 0);
    m_topP = addReal(tr("Top p"), tr("Draw from the tokens that make up this probability; 1 is off"), 0.01, 1, 0.05, 1);
    m_beams = addInteger(tr("Beams"), tr("Sequences searched at the same time; 1 is no search"), 1, 32, 1);
    m_returned = addInteger(tr("Show"), tr("Best sequences of the search that are shown"), 1, 32, 1);
    m_seed = addInteger(tr("Seed"), tr("Same seed, same draw in both panes"), 0, 1'000'000, 42);
    m_attention = new QComboBox;
    m_attention->addItems(
        {QStringLiteral("auto"), QStringLiteral("flash"), QStringLiteral("memory_efficient"), QStringLiteral("math")});
    addLabelled(tr("Attention"), tr("Attention backend; the kernel lane tells why it was chosen"), m_attention);
    connect(m_beams, &QSpinBox::valueChanged, this, [this](int beams) {
        m_returned->setMaximum(beams);
        m_temperature->setEnabled(beams == 1);
        m_temperature->setToolTip(beams == 1 ? tr("0 always takes the likeliest token")
                                             : tr("Beam search takes no temperature"));
    });
    m_returned->setMaximum(1);
    connect(m_attention, &QComboBox::textActivated, this, &ParameterRow::attentionChosen);
}

void ParameterRow::addLabelled(const QString& text, const QString& tip, QWidget* editor) {
    auto* label = makeLabel(text, QStringLiteral("muted"));
    label->setBuddy(editor);
    editor->setAccessibleName(text);
    editor->setToolTip(tip);
    auto* pair = new QWidget;
    auto* row = makeLayout<QHBoxLayout>(pair, 0, 6);
    row->addWidget(label);
    row->addWidget(editor);
    layout()->addWidget(pair);
}

QSpinBox* ParameterRow::addInteger(const QString& label, const QString& tip, int low, int high, int value) {
    auto* box = new QSpinBox;
    box->setRange(low, high);
    box->setValue(value);
    box->setMinimumWidth(64);
    addLabelled(label, tip, box);
    return box;
}

QDoubleSpinBox* ParameterRow::addReal(const QString& label, const QString& tip, double low, double high, double step,
                                      double value) {
    auto* box = new QDoubleSpinBox;
    box->setRange(low, high);
    box->setSingleStep(step);
    box->setDecimals(2);
    box->setValue(value);
    box->setMinimumWidth(68);
    addLabelled(label, tip, box);
    return box;
}

core::GenerationSettings ParameterRow::settings() const {
    core::GenerationSettings out;
    out.maxNewTokens = m_tokens->value();
    out.numBeams = m_beams->value();
    out.numReturn = std::min(m_returned->value(), m_beams->value());
    out.temperature = out.numBeams > 1 ? 0 : m_temperature->value();
    out.topK = m_topK->value();
    out.topP = m_topP->value();
    out.seed = m_seed->value();
    out.attention = m_attention->currentText().toStdString();
    return out;
}

}  // namespace wb::app
