// SPDX-License-Identifier: Apache-2.0
#include "training/data/templated_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "kernels/base/error.h"

namespace wb::training {
namespace {

bool isBuiltin(const core::PromptTemplate& promptTemplate) {
    const auto names = core::PromptTemplate::builtinNames();
    return std::find(names.begin(), names.end(), promptTemplate.name()) != names.end();
}

bool isJsonTemplate(const core::PromptTemplate& promptTemplate) {
    return promptTemplate.kind() == core::TemplateKind::Columns && !isBuiltin(promptTemplate);
}

void requireColumnsOf(const core::PromptTemplate& promptTemplate, LoadOptions& options) {
    options.promptColumns = promptTemplate.promptColumns();
    options.responseColumns = promptTemplate.responseColumns();
}

bool endsWith(const std::string& text, std::string_view end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

core::TemplateRequest templateRequest(const Dataset& dataset) {
    core::TemplateRequest request;
    request.dataFile = dataset.path;
    request.hasMessages = dataset.kind == DatasetKind::Conversation ||
                          (!dataset.examples.empty() && !dataset.examples.front().messages.empty());
    if (request.hasMessages) return request;
    if (!dataset.examples.empty())
        for (const auto& [name, value] : dataset.examples.front().columns) request.columnNames.push_back(name);
    if (dataset.mapping.isKnown()) {
        // Rows with a known meaning are handed to the template under these two names as well.
        for (const char* name : {"prompt", "response"})
            if (std::find(request.columnNames.begin(), request.columnNames.end(), name) == request.columnNames.end())
                request.columnNames.emplace_back(name);
    }
    return request;
}

TemplatedDataset loadWithTemplate(const std::filesystem::path& path, const std::string& nameOrPath,
                                  const std::filesystem::path& modelFolder, LoadOptions options) {
    if (endsWith(nameOrPath, ".json")) {
        core::PromptTemplate promptTemplate = core::PromptTemplate::fromJsonFile(nameOrPath);
        requireColumnsOf(promptTemplate, options);
        return {loadDataset(path, options), std::move(promptTemplate)};
    }
    Dataset dataset = loadDataset(path, options);
    if (dataset.kind == DatasetKind::Text && nameOrPath == "auto")
        return {std::move(dataset), core::PromptTemplate::builtin("raw")};
    core::TemplateRequest request = templateRequest(dataset);
    request.nameOrPath = nameOrPath;
    request.modelFolder = modelFolder;
    core::PromptTemplate promptTemplate = core::resolveTemplate(request);
    std::string reason;
    if (!request.hasMessages && dataset.kind != DatasetKind::Text &&
        !promptTemplate.accepts(request.columnNames, &reason))
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {}. Name the columns in a template.json, such as {{\"prompt\": \"{{question}}\", "
                                "\"completion\": \"{{answer}}\"}}, and give it with --template",
                                path.filename().string(), reason)};
    if (isJsonTemplate(promptTemplate) &&
        !request.hasMessages) {  // found beside the data: its columns decide which rows are good
        requireColumnsOf(promptTemplate, options);
        dataset = loadDataset(path, options);
    }
    return {std::move(dataset), std::move(promptTemplate)};
}

}  // namespace wb::training
