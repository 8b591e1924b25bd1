// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace wb::kernels {

// Folders that may hold CUDA's libraries where the loader does not look by itself, best first: CUDA_HOME, CUDA_PATH,
// /usr/local/cuda, and the nvidia packages of the Python installations that VIRTUAL_ENV, CONDA_PREFIX and PATH name.
// Only folders that exist.
std::vector<std::filesystem::path> cudaLibraryFolders();

// Loads a library such as "libcublasLt.so.13" from the first of these folders that has it, so that a later dlopen of
// something that needs it succeeds. False if none has.
bool loadCudaLibrary(const std::string& name);

}  // namespace wb::kernels
