// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStackedWidget>
#include <functional>

#include "app/models/whet_command.h"

class QLabel;
class QProgressBar;
class QPushButton;

namespace wb::app {

class IconLabel;

// The states every page has: its content, empty (what it is for, one button), loading (what, how far), error (what
// happened, what to do now, Copy details).
class StateStack : public QStackedWidget {
    Q_OBJECT

public:
    enum class State { Content, Empty, Loading, Error };

    explicit StateStack(QWidget* content, QWidget* parent = nullptr);

    // What the page says while there is nothing to show. An empty `actionText` hides the button.
    void setEmpty(const QString& icon, const QString& headline, const QString& text, const QString& actionText = {},
                  std::function<void()> action = {});
    void showEmpty();
    void showContent();
    // total 0: unknown, a moving bar.
    void showLoading(const QString& what, qint64 done = 0, qint64 total = 0);
    void showError(const Problem& problem, const QString& actionText, std::function<void()> action);

    State state() const { return m_state; }

private:
    QWidget* makeEmptyPage();
    QWidget* makeLoadingPage();
    QWidget* makeErrorPage();
    void switchTo(State state);

    State m_state = State::Content;
    IconLabel* m_emptyIcon = nullptr;
    QLabel* m_emptyHeadline = nullptr;
    QLabel* m_emptyText = nullptr;
    QPushButton* m_emptyButton = nullptr;
    QLabel* m_loadingText = nullptr;
    QProgressBar* m_loadingBar = nullptr;
    QLabel* m_errorWhat = nullptr;
    QLabel* m_errorAdvice = nullptr;
    QPushButton* m_errorButton = nullptr;
    QPushButton* m_copyButton = nullptr;
    QString m_errorDetails;
    std::function<void()> m_emptyAction;
    std::function<void()> m_errorAction;
};

// One line over a page's content for what can be recovered from: text, an optional action, Copy details, close.
class MessageBar : public QFrame {
    Q_OBJECT

public:
    explicit MessageBar(QWidget* parent = nullptr);
    void showProblem(const Problem& problem, const QString& actionText = {}, std::function<void()> action = {});

private:
    QLabel* m_text = nullptr;
    QPushButton* m_action = nullptr;
    QString m_details;
    std::function<void()> m_run;
};

// What "Copy details" puts on the clipboard.
QString problemAsText(const Problem& problem);

}  // namespace wb::app
