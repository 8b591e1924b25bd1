// SPDX-License-Identifier: Apache-2.0
#include "adapters/export/exporters.h"
#include "adapters/merge.h"
#include "core/model/model_folder_writer.h"

namespace wb::adapters {

void writeSafetensorsExport(const ExportSource& source, const std::filesystem::path& folder) {
    requireWholeWeights(source.model);
    if (source.adapter != nullptr) mergeAdapter(source.context, *source.adapter);
    core::writeModelFolder(source.context, source.model, source.companions, folder);
}

}  // namespace wb::adapters
