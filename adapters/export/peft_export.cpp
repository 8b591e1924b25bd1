// SPDX-License-Identifier: Apache-2.0
#include "adapters/export/exporters.h"
#include "adapters/peft.h"
#include "kernels/base/error.h"

namespace wb::adapters {

void writePeftExport(const ExportSource& source, const std::filesystem::path& folder) {
    if (source.adapter == nullptr) {
        throw Error{ErrorCode::Unsupported,
                    "this run tuned the whole model, so there is no adapter; export as safetensors"};
    }
    writePeftAdapter(source.context, *source.adapter,
                     {.lora = source.adapter->config(), .baseModel = source.baseModel, .sourceJson = {}}, folder);
}

}  // namespace wb::adapters
