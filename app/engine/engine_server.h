// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "app/engine/command_context.h"
#include "app/engine/model_host.h"
#include "app/engine/request_queue.h"
#include "kernels/runtime/runtime.h"

namespace wb::app {

// Answers the requests of one client, one after the other, on the engine thread. Models stay loaded between requests.
class EngineServer {
public:
    // `send` gets each reply; it must be callable from the thread that reads requests, too.
    // `types`: how models are held; nothing: as suits each.
    EngineServer(const CommandContext& context, RequestQueue& queue, std::function<void(const core::Reply&)> send,
                 const WeightTypes& types);

    // Serves until the queue ends. Errors of a request become its reply; the server goes on.
    void run();

private:
    void serve(const core::Request& request);
    void answer(const std::string& id, const core::HelloRequest& hello);
    void answer(const std::string& id, const core::LoadRequest& load);
    void answer(const std::string& id, const core::GenerateRequest& generate);
    void answer(const std::string& id, const core::CompareRequest& compare);
    void answer(const std::string& id, const core::CancelRequest& cancel);
    void answer(const std::string& id, const core::PlanRequest& plan);
    void answer(const std::string& id, const core::ShutdownRequest& shutdown);
    void compare(const std::string& id, const std::vector<core::PaneSpec>& panes, const core::PromptSpec& prompt,
                 const core::GenerationSettings& settings, bool scoresUnderOther);
    Variant variantOf(const core::PaneSpec& pane);
    void reply(const std::string& id, core::ReplyBody body) { m_send({id, std::move(body)}); }

    const CommandContext& m_context;
    RequestQueue& m_queue;
    std::function<void(const core::Reply&)> m_send;
    kernels::Runtime m_runtime;
    ModelHost m_host;
};

}  // namespace wb::app
