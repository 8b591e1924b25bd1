// SPDX-License-Identifier: Apache-2.0
// Plain language modelling: every token of running text is learnt from those before it.
#include "kernels/base/error.h"
#include "training/data/templated_dataset.h"
#include "training/objectives/objectives.h"

namespace wb::training {

ObjectiveData prepareLanguageModel(const ObjectiveInput& input) {
    const core::Recipe& recipe = input.recipe;
    if (input.answer) {
        throw Error{ErrorCode::Unsupported,
                    "objective lm is not supported for encoder-decoders: their decoder answers a prompt. Use objective "
                    "sft with rows of prompt and response"};
    }
    LoadOptions load;
    load.format = recipe.format;
    load.maxLineBytes = int64_t{1} << 30;  // running text may come without line breaks
    Dataset dataset = loadDataset(recipe.data, load);
    PrepareOptions options = prepareOptionsOf(input);
    std::optional<Dataset> validation;
    if (!recipe.validationData.empty()) {
        validation = loadDataset(recipe.validationData, load);
        options.validation = &*validation;
    }
    std::optional<core::PromptTemplate> rendering;
    if (dataset.kind != DatasetKind::Text) {
        core::TemplateRequest request = templateRequest(dataset);
        request.nameOrPath = recipe.templateName;
        request.modelFolder = input.modelFolder;
        rendering = core::resolveTemplate(request);
    }
    PreparedData prepared = prepareText(dataset, rendering ? &*rendering : nullptr, input.tokenizer, options);
    return {std::move(dataset), std::move(rendering), std::move(prepared)};
}

}  // namespace wb::training
