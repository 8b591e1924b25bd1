// SPDX-License-Identifier: Apache-2.0
// Private to the safetensors reader.
#pragma once

#include "core/format/safetensors.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// Parses the JSON header without building a tree, so that a hostile one costs no more memory than its own size in
// entries. Checks each tensor by itself: known type, sane shape, begin <= end, size of the range equal to shape times
// type. Throws CorruptFile.
void parseSafetensorsHeader(std::string_view header, const std::string& sourceName, std::vector<TensorEntry>& tensors,
                            std::map<std::string, std::string>& metadata);

}  // namespace wb::core
