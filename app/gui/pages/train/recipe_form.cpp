// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/pages/train/recipe_form.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QGridLayout>
#include <QLineEdit>
#include <QStyle>
#include <QUndoStack>

#include "app/gui/pages/train/recipe_edit.h"
#include "app/gui/theme/icons.h"
#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"
#include "app/models/recipe_model.h"
#include "core/run/recipe_fields.h"

namespace wb::app {

namespace {

// What a run cannot do without comes before the six settings that matter.
const QStringList kFirstKeys{QStringLiteral("model"), QStringLiteral("data"), QStringLiteral("method")};

constexpr int kRowHeight = 28;

bool isBasic(const core::RecipeField& field) {
    return field.isBasic || kFirstKeys.contains(fromView(field.key));
}

QString labelOf(const core::RecipeField& field) {
    return fromView(field.label);
}

}  // namespace

RecipeForm::RecipeForm(RecipeModel& model, QUndoStack& undo, QWidget* parent)
    : QWidget(parent), m_model(model), m_undo(undo) {
    auto* layout = makeLayout<QVBoxLayout>(this, 0, metrics::kGrid);
    auto* grid = new QGridLayout;
    grid->setHorizontalSpacing(metrics::kGrid);
    grid->setVerticalSpacing(1);
    grid->setColumnStretch(1, 1);
    for (const QString& key : kFirstKeys)
        if (const auto* field = core::findRecipeField(key.toStdString())) addField(*grid, *field);
    for (const core::RecipeField& field : core::recipeFields())
        if (field.isBasic && !kFirstKeys.contains(fromView(field.key))) addField(*grid, field);
    layout->addLayout(grid);
    addGroups(*layout);
    layout->addStretch(1);
    connect(&model, &RecipeModel::textChanged, this, &RecipeForm::show);
    for (const QString& key : m_fields.keys()) show(key);
}

void RecipeForm::addGroups(QVBoxLayout& layout) {
    QString current;
    QGridLayout* grid = nullptr;
    for (const core::RecipeField& field : core::recipeFields()) {
        if (isBasic(field)) continue;
        const QString group = fromView(field.group);
        if (group != current) {
            current = group;
            auto* fold = makeButton(group, QStringLiteral("chevron-right"), QStringLiteral("fold"));
            fold->setCheckable(true);
            fold->setAccessibleName(tr("Show settings of group %1").arg(group));
            auto* body = new QWidget;
            body->hide();
            grid = new QGridLayout(body);
            grid->setContentsMargins(0, 0, 0, metrics::kGrid);
            grid->setHorizontalSpacing(metrics::kGrid);
            grid->setVerticalSpacing(1);
            grid->setColumnStretch(1, 1);
            connect(fold, &QPushButton::toggled, body, [fold, body](bool isOpen) {
                body->setVisible(isOpen);
                fold->setIcon(lineIcon(isOpen ? QStringLiteral("chevron-down") : QStringLiteral("chevron-right")));
            });
            layout.addWidget(fold);
            layout.addWidget(body);
        }
        addField(*grid, field);
    }
}

void RecipeForm::addField(QGridLayout& grid, const core::RecipeField& field) {
    const QString key = fromView(field.key);
    const int row = grid.rowCount();
    auto* label = makeLabel(labelOf(field));
    label->setFixedWidth(kLabelWidth);
    label->setWordWrap(true);
    QWidget* editor = makeEditor(field);
    label->setBuddy(m_fields[key].editor);
    auto* help = makeLabel({});
    help->setWordWrap(true);
    QFont small = bodyFont();
    small.setPointSizeF(8.5);
    help->setFont(small);
    help->setContentsMargins(0, 0, 0, 7);
    m_fields[key].help = help;
    m_fields[key].helpText = fromView(field.help);
    grid.setRowMinimumHeight(row, kRowHeight);  // a check box alone would crowd its help
    grid.addWidget(label, row, 0, Qt::AlignLeft | Qt::AlignVCenter);
    grid.addWidget(editor, row, 1);
    grid.addWidget(help, row + 1, 0, 1, 2);
}

QWidget* RecipeForm::makeEditor(const core::RecipeField& field) {
    const QString key = fromView(field.key);
    const QString name = labelOf(field);
    QString tip = fromView(field.help);
    if (const std::string allowed = core::allowedText(field); !allowed.empty())
        tip += tr("\nAllowed: %1").arg(QString::fromStdString(allowed));
    if (field.type == core::FieldType::Path) return makePathEditor(field, key);
    if (field.type == core::FieldType::Flag) {
        auto* box = new QCheckBox;
        box->setAccessibleName(name);
        box->setToolTip(tip);
        connect(box, &QCheckBox::toggled, this,
                [this, key](bool isOn) { edit(key, isOn ? QStringLiteral("true") : QStringLiteral("false")); });
        return m_fields[key].editor = box;
    }
    if (field.type == core::FieldType::Choice) {
        auto* box = new QComboBox;
        for (const std::string_view choice : field.choices) box->addItem(fromView(choice));
        box->setAccessibleName(name);
        box->setToolTip(tip);
        box->setFocusPolicy(Qt::StrongFocus);
        connect(box, &QComboBox::textActivated, this, [this, key](const QString& text) { edit(key, text); });
        return m_fields[key].editor = box;
    }
    auto* line = new QLineEdit;
    line->setPlaceholderText(RecipeModel::placeholder(field));
    line->setAccessibleName(name);
    line->setToolTip(tip);
    connect(line, &QLineEdit::textEdited, this, [this, key](const QString& text) { edit(key, text); });
    m_fields[key].editor = line;
    if (field.unit.empty()) return line;
    auto* holder = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(holder, 0, metrics::kGrid);
    layout->addWidget(line, 1);
    layout->addWidget(makeLabel(fromView(field.unit), QStringLiteral("muted")));
    return holder;
}

QWidget* RecipeForm::makePathEditor(const core::RecipeField& field, const QString& key) {
    auto* holder = new QWidget;
    auto* layout = makeLayout<QHBoxLayout>(holder, 0, 4);
    auto* line = new QLineEdit;
    line->setAccessibleName(labelOf(field));
    line->setPlaceholderText(field.automatic.empty() ? tr("none") : RecipeModel::placeholder(field));
    line->setToolTip(QStringLiteral("%1\n%2").arg(fromView(field.help), line->placeholderText()));
    auto* button = makeIconButton(QStringLiteral("folder"), tr("Choose: %1").arg(labelOf(field)));
    layout->addWidget(line, 1);
    layout->addWidget(button);
    connect(line, &QLineEdit::textEdited, this, [this, key](const QString& text) { edit(key, text); });
    connect(button, &QToolButton::clicked, this, [this, key] { browse(key); });
    return m_fields[key].editor = line, holder;
}

void RecipeForm::browse(const QString& key) {
    auto* dialog = new QFileDialog(this, tr("Choose"), m_model.text(key));
    const bool wantsFolder = key == QLatin1String("model") || key == QLatin1String("tokenizer");
    dialog->setFileMode(wantsFolder ? QFileDialog::Directory : QFileDialog::ExistingFile);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QFileDialog::fileSelected, this, [this, key](const QString& path) { edit(key, path); });
    dialog->open();
}

void RecipeForm::edit(const QString& key, const QString& text) {
    if (m_isShowing) return;
    const core::RecipeField* field = core::findRecipeField(key.toStdString());
    const bool isDefault = text.toStdString() == core::valueText(field->defaultValue());
    const QString wanted = isDefault ? QString() : text.trimmed();
    if (wanted == m_model.text(key)) return;
    m_undo.push(new RecipeEdit(m_model, key, labelOf(*field), wanted));
}

void RecipeForm::show(const QString& key) {
    const Field field = m_fields.value(key);
    if (!field.editor) return;
    m_isShowing = true;
    const QString typed = m_model.text(key);
    const QString fallback =
        QString::fromStdString(core::valueText(core::findRecipeField(key.toStdString())->defaultValue()));
    if (auto* line = qobject_cast<QLineEdit*>(field.editor); line && line->text().trimmed() != typed) {
        line->setText(typed);
        line->setCursorPosition(static_cast<int>(typed.size()));  // of a long path the end tells most
    }
    if (auto* box = qobject_cast<QComboBox*>(field.editor)) box->setCurrentText(typed.isEmpty() ? fallback : typed);
    if (auto* box = qobject_cast<QCheckBox*>(field.editor))
        box->setChecked((typed.isEmpty() ? fallback : typed) == QLatin1String("true"));
    m_isShowing = false;

    const QString problem = m_model.problem(key);
    field.help->setText(problem.isEmpty() ? field.helpText : problem);
    setRole(field.help, problem.isEmpty() ? QStringLiteral("muted") : QStringLiteral("error"));
    field.editor->setProperty("invalid", !problem.isEmpty());
    field.editor->style()->unpolish(field.editor);
    field.editor->style()->polish(field.editor);
}

}  // namespace wb::app
