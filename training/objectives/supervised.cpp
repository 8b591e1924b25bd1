// SPDX-License-Identifier: Apache-2.0
// Supervised fine-tuning: rows of prompt and response under a template, loss on the response by default.
#include "training/data/templated_dataset.h"
#include "training/objectives/objectives.h"

namespace wb::training {

ObjectiveData prepareSupervised(const ObjectiveInput& input) {
    const core::Recipe& recipe = input.recipe;
    LoadOptions load;
    load.format = recipe.format;
    TemplatedDataset loaded = loadWithTemplate(recipe.data, recipe.templateName, input.modelFolder, load);
    PrepareOptions options = prepareOptionsOf(input);
    std::optional<TemplatedDataset> validation;
    if (!recipe.validationData.empty()) {
        validation = loadWithTemplate(recipe.validationData, recipe.templateName, input.modelFolder, load);
        options.validation = &validation->dataset;
    }
    PreparedData prepared = prepareExamples(loaded.dataset, loaded.promptTemplate, input.tokenizer, options);
    return {std::move(loaded.dataset), std::move(loaded.promptTemplate), std::move(prepared)};
}

}  // namespace wb::training
