// SPDX-License-Identifier: Apache-2.0
#include "app/engine/prompt_input.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text/answer_frame.h"
#include "kernels/base/error.h"
#include "training/data/templated_dataset.h"
#include "training/data/tokenized_example.h"

namespace wb::app {

namespace fs = std::filesystem;

TemplateChoice chooseTemplate(const std::string& asked, const std::optional<TunedSource>& tuned) {
    using Origin = TemplateChoice::Origin;
    if (asked == "none") return {};
    if (!asked.empty()) return {asked, Origin::Asked};
    if (!tuned || !tuned->run) return {};
    const core::Recipe recipe = tuned->run->recipe();
    if (recipe.objective != core::Objective::Sft) return {};
    return {recipe.templateName, Origin::Run};
}

std::string TemplateChoice::describe(const PromptRenderer& renderer) const {
    const std::string found = renderer.templateName();
    const std::string text = found.empty() || found == name ? name : fmt::format("{} ({})", name, found);
    switch (origin) {
        case Origin::Asked: return text;
        case Origin::Run: return text + ", as the run was trained (--template none to leave it out)";
        default: return "none: prompts are taken as they are";
    }
}

nlohmann::ordered_json toJson(const TemplateChoice& choice, const PromptRenderer& renderer) {
    constexpr const char* kOrigins[] = {"option", "run", "none"};
    return {{"asked", choice.name},
            {"name", renderer.templateName()},
            {"from", kOrigins[static_cast<size_t>(choice.origin)]}};
}

PromptRenderer::PromptRenderer(const LoadedModel& loaded, const std::string& templateName)
    : m_tokenizer(*loaded.tokenizer),
      m_reader(core::promptReaderOf(loaded.source.config())),
      m_modelFolder(loaded.path),
      m_templateName(templateName) {
    if (templateName.empty()) return;
    m_template = core::resolveTemplate({.nameOrPath = templateName,
                                        .modelFolder = m_modelFolder,
                                        .dataFile = {},
                                        .columnNames = {"prompt", "response"}});
}

ModelPrompt PromptRenderer::finish(const core::RenderedChat& rendered) const {
    return {rendered.text,
            core::SpanEncoder(m_tokenizer).encodePrompt(rendered, m_reader).ids,
            m_template->stopStrings(),
            {}};
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
    return {text,
            m_reader == core::PromptReader::Encoder ? core::encodeWithSpecials(m_tokenizer, text)
                                                    : core::encodePrompt(m_tokenizer, text),
            {},
            {}};
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
        prompts.push_back({prompt.text, encoder.encodePrompt(prompt, m_reader).ids, loaded.promptTemplate.stopStrings(),
                           training::responseText(loaded.dataset, example, loaded.promptTemplate)});
    }
    return prompts;
}

}  // namespace wb::app
