// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"

namespace wb::core {

// Training text and prompt of a chat template. What the template itself does not say - where the part begins that a
// model has to write, and which marker ends it - is found out once by rendering a small conversation.
class ChatPrompt {
public:
    // Throws InvalidArgument if the template cannot render a question and an answer.
    ChatPrompt(ChatTemplate chatTemplate, std::string bosToken, std::string eosToken, std::string_view name);

    RenderedChat renderRow(const std::vector<ChatMessage>& messages, std::string_view toolsJson) const;
    // A last assistant message is left out.
    RenderedChat renderPrompt(const std::vector<ChatMessage>& messages, std::string_view toolsJson) const;

    const std::string& source() const { return m_template.source(); }
    const std::string& bosToken() const { return m_bosToken; }
    const std::string& eosToken() const { return m_eosToken; }
    const std::string& endMarker() const { return m_endMarker; }  // "<|im_end|>", empty if the template has none
    bool writesBos() const { return m_writesBos; }

private:
    // How the template is made to stop where the answer begins.
    enum class PromptEnd {
        GenerationPrompt,  // by add_generation_prompt
        AnswerBegin,       // by cutting a training text: the template writes no usable generation prompt
    };

    RenderedChat render(const std::vector<ChatMessage>& messages, bool addGenerationPrompt,
                        std::string_view toolsJson) const;
    void probePrompt();
    void probeEndMarker();
    void markAnswer(RenderedChat& chat, const std::vector<ChatMessage>& messages, size_t message,
                    std::string_view toolsJson) const;
    size_t answerBegin(const RenderedChat& chat, const std::vector<ChatMessage>& messages, size_t message,
                       std::string_view toolsJson) const;
    size_t answerEnd(const RenderedChat& chat, size_t message, size_t begin) const;
    RenderedChat renderPromptBefore(const std::vector<ChatMessage>& messages, size_t count,
                                    std::string_view toolsJson) const;

    ChatTemplate m_template;
    std::string m_bosToken;
    std::string m_eosToken;
    std::string m_name;
    std::string m_lead;  // what the template writes between the prompt and the answer, " " for example
    std::string m_endMarker;
    PromptEnd m_promptEnd = PromptEnd::GenerationPrompt;
    bool m_writesBos = false;
};

}  // namespace wb::core
