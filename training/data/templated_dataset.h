// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "core/text/prompt_template.h"
#include "training/data/dataset.h"

namespace wb::training {

// What PromptTemplate's "auto" may look at for this data set.
core::TemplateRequest templateRequest(const Dataset& dataset);

// The template of a request, and the file read with the columns that template asks for. `nameOrPath` as in
// TemplateRequest; plain text needs none and gets "raw", which leaves it as it is. Throws what loadDataset and
// resolveTemplate throw.
struct TemplatedDataset {
    Dataset dataset;
    core::PromptTemplate promptTemplate;
};
TemplatedDataset loadWithTemplate(const std::filesystem::path& path, const std::string& nameOrPath,
                                  const std::filesystem::path& modelFolder, LoadOptions options = {});

}  // namespace wb::training
