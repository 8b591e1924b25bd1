// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QMetaObject>
#include <QObject>
#include <QString>
#include <QThreadPool>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

namespace wb::app {

// Asked between pieces of work: true once a newer request has replaced this one or its owner is gone.
using IsStale = std::function<bool()>;

// Runs work of one kind on the thread pool; only the latest request is answered, on the GUI thread. Work must capture
// values only. GUI thread only.
class JobTracker : public QObject {
    Q_OBJECT

public:
    explicit JobTracker(QObject* parent = nullptr) : QObject(parent), m_shared(std::make_shared<Shared>()) {
        // More threads than cores: a long reading of data must not keep the events of a run waiting.
        constexpr int kMinThreads = 8;
        QThreadPool* pool = QThreadPool::globalInstance();
        if (pool->maxThreadCount() < kMinThreads) pool->setMaxThreadCount(kMinThreads);
        m_shared->owner = this;
    }
    ~JobTracker() override {
        const std::lock_guard lock(m_shared->mutex);
        m_shared->owner = nullptr;
        ++m_shared->latest;
    }

    bool isBusy() const { return m_isBusy; }
    // What runs is abandoned: neither `done` nor `failed` will be called.
    void cancel() {
        ++m_shared->latest;
        m_isBusy = false;
    }

    // done(result) or failed(message) is called once unless a newer run() or cancel() comes first.
    template <class Work, class Done>
    void run(Work work, Done done, std::function<void(const QString&)> failed) {
        const quint64 ticket = ++m_shared->latest;
        m_isBusy = true;
        QThreadPool::globalInstance()->start([=, shared = m_shared, this]() mutable {
            try {
                auto result = std::make_shared<decltype(work(IsStale{}))>(
                    work([shared, ticket] { return shared->latest.load() != ticket; }));
                post(shared, ticket, [this, done, result]() mutable { finish(), done(std::move(*result)); });
            } catch (const std::exception& error) {
                const QString message = QString::fromUtf8(error.what());
                post(shared, ticket, [this, failed, message] { finish(), failed(message); });
            }
        });
    }

private:
    struct Shared {
        std::mutex mutex;
        JobTracker* owner = nullptr;  // guarded by mutex; null once destroyed
        std::atomic<quint64> latest = 0;
    };

    template <class Call>
    static void post(const std::shared_ptr<Shared>& shared, quint64 ticket, Call call) {
        const std::lock_guard lock(shared->mutex);
        if (!shared->owner) return;
        QMetaObject::invokeMethod(
            shared->owner,
            [shared, ticket, call]() mutable {
                if (shared->latest.load() == ticket) call();
            },
            Qt::QueuedConnection);
    }
    void finish() { m_isBusy = false; }

    std::shared_ptr<Shared> m_shared;
    bool m_isBusy = false;
};

}  // namespace wb::app
