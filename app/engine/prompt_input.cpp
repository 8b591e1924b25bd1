// SPDX-License-Identifier: Apache-2.0
#include "app/engine/prompt_input.h"

#include "core/text/span_encoding.h"
#include "kernels/base/error.h"
#include "training/data/templated_dataset.h"
#include "training/data/tokenized_example.h"

namespace wb::app {

namespace fs = std::filesystem;

PromptRenderer::PromptRenderer(const core::Tokenizer& tokenizer, const std::string& templateName,
                               const fs::path& modelFolder)
    : m_tokenizer(tokenizer), m_modelFolder(modelFolder), m_templateName(templateName) {
    if (templateName.empty()) return;
    m_template = core::resolveTemplate({.nameOrPath = templateName,
                                        .modelFolder = modelFolder,
                                        .dataFile = {},
                                        .columnNames = {"prompt", "response"}});
}

ModelPrompt PromptRenderer::finish(const core::RenderedChat& rendered) const {
    return {rendered.text, core::SpanEncoder(m_tokenizer).encodePrompt(rendered).ids, m_template->stopStrings(), {}};
}

ModelPrompt PromptRenderer::render(const std::string& text, const std::string& system) const {
    if (!system.empty()) {
        if (!m_template || m_template->kind() != core::TemplateKind::Chat) {
            throw Error{ErrorCode::InvalidArgument,
                        "only a chat template has a place for a system message; leave it empty or choose one"};
        }
        return finish(m_template->renderPrompt(
            std::vector<core::ChatMessage>{{.role = "system", .content = system}, {.role = "user", .content = text}}));
    }
    if (m_template) return finish(m_template->renderPrompt(text));
    return {text, core::encodePrompt(m_tokenizer, text), {}, {}};
}

ModelPrompt PromptRenderer::render(const core::PromptColumns& columns) const {
    if (!m_template) {
        throw Error{ErrorCode::InvalidArgument, "columns need a template that says where they go; choose one"};
    }
    return finish(m_template->renderPrompt(columns));
}

std::vector<ModelPrompt> PromptRenderer::readFile(const fs::path& file) const {
    const training::TemplatedDataset loaded =
        training::loadWithTemplate(file, m_templateName.empty() ? "auto" : m_templateName, m_modelFolder);
    const core::SpanEncoder encoder(m_tokenizer);
    std::vector<ModelPrompt> prompts;
    for (const training::Example& example : loaded.dataset.examples) {
        if (loaded.dataset.kind == training::DatasetKind::Text) {
            prompts.push_back(render(example.columns.begin()->second));
            continue;
        }
        const core::RenderedChat prompt = training::renderExamplePrompt(loaded.dataset, example, loaded.promptTemplate);
        prompts.push_back({prompt.text, encoder.encodePrompt(prompt).ids, loaded.promptTemplate.stopStrings(),
                           training::responseText(loaded.dataset, example, loaded.promptTemplate)});
    }
    return prompts;
}

}  // namespace wb::app
