// SPDX-License-Identifier: Apache-2.0
// Chat templates come with models from anywhere: any bytes must parse and render, or throw an Error, within the limits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/prompt_template.h"
#include "kernels/base/error.h"

namespace {

void requireCoveringSpans(const wb::core::RenderedChat& chat) {
    size_t position = 0;
    for (const auto& span : chat.spans) {
        if (span.begin != position || span.end <= span.begin) std::abort();
        position = span.end;
    }
    if (position != chat.text.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // The first byte cuts the rest into the template and what the user says.
    if (size == 0) return 0;
    const std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
    const size_t border = bytes.size() - bytes.size() * (data[0] % 64) / 128;
    const std::string_view source = bytes.substr(0, border);
    const std::string content{bytes.substr(border)};
    const std::vector<wb::core::ChatMessage> messages{
        {"system", "Be brief."},
        {"user", content},
        {"assistant", " a ", 1.0F, R"([{"function":{"name":"f","arguments":{"x":[1,2.5,null,true,"é"]}}}])"},
        {"tool", content},
        {"assistant", content}};
    try {
        auto chatTemplate = wb::core::ChatTemplate::parse(source, "fuzz");
        requireCoveringSpans(chatTemplate.render(messages, {.addGenerationPrompt = true,
                                                            .bosToken = "<s>",
                                                            .eosToken = "</s>",
                                                            .toolsJson = R"([{"name":"f","parameters":{}}])",
                                                            .unixTime = 0}));
        const auto prompt = wb::core::PromptTemplate::fromChatTemplate(std::move(chatTemplate), "<s>", "</s>");
        requireCoveringSpans(prompt.renderRow(messages));
    } catch (const wb::Error&) {
    }
    return 0;
}
