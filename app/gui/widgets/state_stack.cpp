// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/gui/widgets/state_stack.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QProgressBar>

#include "app/gui/theme/icons.h"
#include "app/gui/theme/theme.h"
#include "app/gui/widgets/ui.h"

namespace wb::app {

namespace {

constexpr int kTextWidth = 520;
constexpr int kIconSize = 32;

// A column of at most kTextWidth in the middle of the page.
QVBoxLayout* centredColumn(QWidget* page) {
    auto* outer = makeLayout<QHBoxLayout>(page, metrics::kMargin, 0);
    auto* column = new QWidget(page);
    column->setMaximumWidth(kTextWidth);
    outer->addStretch(1);
    outer->addWidget(column, 4);
    outer->addStretch(1);
    auto* layout = makeLayout<QVBoxLayout>(column, 0, metrics::kGrid);
    layout->addStretch(2);
    return layout;
}

QLabel* centredLabel(const QString& role) {
    auto* label = makeLabel({}, role);
    label->setAlignment(Qt::AlignCenter);
    label->setWordWrap(true);
    return label;
}

QHBoxLayout* centredRow(std::initializer_list<QWidget*> widgets) {
    auto* row = new QHBoxLayout;
    row->setSpacing(metrics::kGrid);
    row->addStretch(1);
    for (QWidget* widget : widgets) row->addWidget(widget);
    row->addStretch(1);
    return row;
}

}  // namespace

QString problemAsText(const Problem& problem) {
    return QStringList{problem.what, problem.advice, problem.details}.join(QLatin1Char('\n')).trimmed();
}

StateStack::StateStack(QWidget* content, QWidget* parent) : QStackedWidget(parent) {
    addWidget(content);
    addWidget(makeEmptyPage());
    addWidget(makeLoadingPage());
    addWidget(makeErrorPage());
}

QWidget* StateStack::makeEmptyPage() {
    auto* page = new QWidget;
    page->setObjectName(QStringLiteral("emptyState"));
    auto* layout = centredColumn(page);
    m_emptyIcon = new IconLabel(QString(), IconTint::Muted, kIconSize);
    m_emptyHeadline = centredLabel(QStringLiteral("section"));
    m_emptyText = centredLabel(QStringLiteral("muted"));
    m_emptyButton = makeButton({}, {}, QStringLiteral("primary"));
    m_emptyButton->setObjectName(QStringLiteral("emptyAction"));
    layout->addLayout(centredRow({m_emptyIcon}));
    layout->addWidget(m_emptyHeadline);
    layout->addWidget(m_emptyText);
    layout->addSpacing(metrics::kGrid);
    layout->addLayout(centredRow({m_emptyButton}));
    layout->addStretch(3);
    connect(m_emptyButton, &QPushButton::clicked, this, [this] {
        if (m_emptyAction) m_emptyAction();
    });
    return page;
}

QWidget* StateStack::makeLoadingPage() {
    auto* page = new QWidget;
    page->setObjectName(QStringLiteral("loadingState"));
    auto* layout = centredColumn(page);
    m_loadingText = centredLabel({});
    m_loadingBar = new QProgressBar;
    m_loadingBar->setTextVisible(false);
    m_loadingBar->setAccessibleName(tr("Progress"));
    layout->addWidget(m_loadingText);
    layout->addWidget(m_loadingBar);
    layout->addStretch(3);
    return page;
}

QWidget* StateStack::makeErrorPage() {
    auto* page = new QWidget;
    page->setObjectName(QStringLiteral("errorState"));
    auto* layout = centredColumn(page);
    auto* icon = new IconLabel(QStringLiteral("error"), IconTint::Error, kIconSize);
    m_errorWhat = centredLabel({});
    m_errorWhat->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_errorWhat->setObjectName(QStringLiteral("errorWhat"));
    m_errorAdvice = centredLabel(QStringLiteral("muted"));
    m_errorButton = makeButton({}, {}, QStringLiteral("primary"));
    m_errorButton->setObjectName(QStringLiteral("errorAction"));
    m_errorButton->setAccessibleName(tr("Way on"));
    m_copyButton = makeButton(tr("Copy details"), QStringLiteral("copy"));
    layout->addLayout(centredRow({icon}));
    layout->addWidget(m_errorWhat);
    layout->addWidget(m_errorAdvice);
    layout->addSpacing(metrics::kGrid);
    layout->addLayout(centredRow({m_copyButton, m_errorButton}));
    layout->addStretch(3);
    connect(m_copyButton, &QPushButton::clicked, this,
            [this] { QGuiApplication::clipboard()->setText(m_errorDetails); });
    connect(m_errorButton, &QPushButton::clicked, this, [this] {
        if (m_errorAction) m_errorAction();
    });
    return page;
}

void StateStack::setEmpty(const QString& icon, const QString& headline, const QString& text, const QString& actionText,
                          std::function<void()> action) {
    m_emptyIcon->setIcon(icon, IconTint::Muted);
    m_emptyHeadline->setText(headline);
    m_emptyText->setText(text);
    m_emptyButton->setText(actionText);
    m_emptyButton->setAccessibleName(actionText);
    m_emptyButton->setVisible(!actionText.isEmpty());
    m_emptyAction = std::move(action);
}

void StateStack::switchTo(State state) {
    m_state = state;
    setCurrentIndex(static_cast<int>(state));
}

void StateStack::showEmpty() {
    switchTo(State::Empty);
}

void StateStack::showContent() {
    switchTo(State::Content);
}

void StateStack::showLoading(const QString& what, qint64 done, qint64 total) {
    m_loadingText->setText(what);
    m_loadingBar->setRange(0, total > 0 ? 1000 : 0);
    if (total > 0) m_loadingBar->setValue(static_cast<int>(1000 * done / total));
    switchTo(State::Loading);
}

void StateStack::showError(const Problem& problem, const QString& actionText, std::function<void()> action) {
    m_errorWhat->setText(problem.what);
    m_errorAdvice->setText(problem.advice);
    m_errorDetails = problemAsText(problem);
    m_errorButton->setText(actionText);
    m_errorButton->setAccessibleName(actionText);
    m_errorButton->setVisible(!actionText.isEmpty());
    m_errorAction = std::move(action);
    switchTo(State::Error);
}

MessageBar::MessageBar(QWidget* parent) : QFrame(parent) {
    setProperty("role", QStringLiteral("banner"));
    auto* layout = makeLayout<QHBoxLayout>(this, metrics::kGrid, metrics::kGrid);
    auto* icon = new IconLabel(QStringLiteral("error"), IconTint::Error, metrics::kIcon);
    m_text = makeLabel({});
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_text->setObjectName(QStringLiteral("messageText"));
    m_action = makeButton({});
    m_action->setObjectName(QStringLiteral("messageAction"));
    m_action->setAccessibleName(tr("Way on"));
    auto* copy = makeButton(tr("Copy details"));
    auto* close = makeIconButton(QStringLiteral("close"), tr("Close this message"));
    layout->addWidget(icon);
    layout->addWidget(m_text, 1);
    layout->addWidget(m_action);
    layout->addWidget(copy);
    layout->addWidget(close);
    connect(copy, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(m_details); });
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    connect(m_action, &QPushButton::clicked, this, [this] {
        hide();
        if (m_run) m_run();
    });
    hide();
}

void MessageBar::showProblem(const Problem& problem, const QString& actionText, std::function<void()> action) {
    m_text->setText(problem.advice.isEmpty() ? problem.what : problem.what + QLatin1Char('\n') + problem.advice);
    m_details = problemAsText(problem);
    m_action->setText(actionText);
    m_action->setVisible(!actionText.isEmpty());
    m_run = std::move(action);
    show();
}

}  // namespace wb::app
