// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace wb::core {

enum class WeightContainer { Safetensors, Gguf };

// Recognises files that carry (or stand for) weights in a form other than the expected one, by their first bytes and
// name, and throws Unsupported with the form's name and what to do: Git LFS pointers, pickle, zip archives of pickle,
// HDF5, and safetensors where GGUF was expected or the other way round. Returns if it is none of these.
void refuseForeignWeights(std::span<const std::byte> bytes, std::string_view sourceName, WeightContainer expected);

}  // namespace wb::core
