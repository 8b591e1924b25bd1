// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/text/prompt_template.h"
#include "core/text/tokenizer.h"

namespace wb::app {

// A prompt ready for a model.
struct ModelPrompt {
    std::string text;  // as rendered
    std::vector<core::TokenId> ids;
    std::vector<std::string> stop;  // what the template says ends an answer
    std::string expected;           // the data's own answer, if the prompt came from a file with answers
};

// How prompts are rendered: no template (the text as it is, special tokens parsed), or one.
class PromptRenderer {
public:
    // An empty `templateName` means no template. Throws as resolveTemplate.
    PromptRenderer(const core::Tokenizer& tokenizer, const std::string& templateName,
                   const std::filesystem::path& modelFolder);

    // `system` goes before the prompt where the template knows of one; throws InvalidArgument where it does not.
    ModelPrompt render(const std::string& text, const std::string& system = {}) const;
    ModelPrompt render(const core::PromptColumns& columns) const;

    // Every prompt of a file: rows of data (.jsonl, .json, .csv ...) or one prompt a line (.txt).
    // Throws as loading data does.
    std::vector<ModelPrompt> readFile(const std::filesystem::path& file) const;

private:
    ModelPrompt finish(const core::RenderedChat& rendered) const;

    const core::Tokenizer& m_tokenizer;
    std::filesystem::path m_modelFolder;
    std::string m_templateName;
    std::optional<core::PromptTemplate> m_template;
};

}  // namespace wb::app
