// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/engine/model_host.h"
#include "app/engine/model_paths.h"
#include "core/text/prompt_template.h"
#include "core/text/span_encoding.h"
#include "core/text/tokenizer.h"

namespace wb::app {

// A prompt ready for a model.
struct ModelPrompt {
    std::string text;  // as rendered
    std::vector<core::TokenId> ids;
    std::vector<std::string> stop;           // what the template says ends an answer
    std::string expected;                    // the data's own answer, if the prompt came from a file with answers
    std::vector<core::TokenId> answerIds{};  // encoder-decoders: what the decoder goes on from
};

class PromptRenderer;

// Which template a command renders prompts with, and why.
struct TemplateChoice {
    enum class Origin { Asked, Run, None };
    std::string name;  // as PromptRenderer takes it
    Origin origin = Origin::None;

    // "plain, as the run was trained", "none: prompts are taken as they are".
    std::string describe(const PromptRenderer& renderer) const;
};

// What was asked for ("none" for no template); else what the run was trained with that the adapter comes from: a tuned
// model answers as it was taught only if it is asked that way.
TemplateChoice chooseTemplate(const std::string& asked, const std::optional<TunedSource>& tuned);
nlohmann::ordered_json toJson(const TemplateChoice& choice, const PromptRenderer& renderer);

// How prompts are rendered: no template (the text as it is, special tokens parsed), or one.
class PromptRenderer {
public:
    // An empty `templateName` means no template. Throws as resolveTemplate.
    PromptRenderer(const LoadedModel& loaded, const std::string& templateName);

    // Of the template that was found, "model" or "plain" where "auto" was asked for; empty if there is none.
    std::string templateName() const { return m_template ? m_template->name() : std::string(); }

    // `system` goes before the prompt where the template knows of one; throws InvalidArgument where it does not.
    ModelPrompt render(const std::string& text, const std::string& system = {}) const;
    ModelPrompt render(const core::PromptColumns& columns) const;

    // Every prompt of a file: rows of data (.jsonl, .json, .csv ...) or one prompt a line (.txt).
    // Throws as loading data does.
    std::vector<ModelPrompt> readFile(const std::filesystem::path& file) const;

private:
    ModelPrompt finish(const core::RenderedChat& rendered) const;

    const core::Tokenizer& m_tokenizer;
    core::PromptReader m_reader;
    std::filesystem::path m_modelFolder;
    std::string m_templateName;
    std::optional<core::PromptTemplate> m_template;
};

}  // namespace wb::app
