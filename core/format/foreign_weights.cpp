// SPDX-License-Identifier: Apache-2.0
#include "core/format/foreign_weights.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <string>

namespace wb::core {
namespace {

constexpr std::string_view kPickleAdvice =
    "a pickle file can run any program when it is opened, so it is refused; load it where you trust it and save it "
    "again "
    "as safetensors (in transformers: model.save_pretrained(folder, safe_serialization=True)), or get the safetensors "
    "files of the same model";

[[noreturn]] void refuse(std::string_view sourceName, std::string_view form, std::string_view advice) {
    throw Error{ErrorCode::Unsupported, fmt::format("{}: is {}: {}", sourceName, form, advice)};
}

bool isPickle(std::string_view head, std::string_view name) {
    // Protocol 2 to 5 begin with 0x80 and the number, then an opcode; a safetensors file of header length 0x80.. has
    // '{' at byte 8, which no pickle of a checkpoint has there by accident.
    const bool hasProtocol = head.size() >= 3 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
    const bool looksLikeSafetensors = head.size() > 8 && head[8] == '{';
    if (hasProtocol && !looksLikeSafetensors) return true;
    const bool hasPickleName = name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".pth") ||
                               name.ends_with(".ckpt") || name.ends_with(".pkl");
    return hasPickleName && !looksLikeSafetensors && !head.starts_with("GGUF");
}

}  // namespace

void refuseForeignWeights(std::span<const std::byte> bytes, std::string_view sourceName, WeightContainer expected) {
    const std::string_view head(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 64));
    if (head.starts_with("version https://git-lfs")) {
        refuse(sourceName, "a Git LFS pointer, not the weights themselves",
               "run 'git lfs pull' in the folder it came from, or download the file");
    }
    if (head.starts_with("PK\x03\x04")) refuse(sourceName, "a zip archive, as torch.save writes it", kPickleAdvice);
    if (head.starts_with("\x89HDF\r\n\x1a\n")) {
        refuse(sourceName, "an HDF5 file (Keras or TensorFlow)", "get the safetensors files of the same model");
    }
    if (expected == WeightContainer::Safetensors && head.starts_with("GGUF")) {
        refuse(sourceName, "a GGUF file where safetensors was expected", "open the .gguf file itself as the model");
    }
    if (expected == WeightContainer::Gguf && head.size() > 8 && head[8] == '{') {
        refuse(sourceName, "a safetensors file where GGUF was expected", "open its folder as the model");
    }
    if (isPickle(head, sourceName)) refuse(sourceName, "a pickle file, as torch.save writes it", kPickleAdvice);
}

}  // namespace wb::core
