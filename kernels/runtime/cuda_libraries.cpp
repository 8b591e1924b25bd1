// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/cuda_libraries.h"

#include <dlfcn.h>
#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace wb::kernels {
namespace {

namespace fs = std::filesystem;

void addIfFolder(std::vector<fs::path>& folders, const fs::path& folder) {
    std::error_code error;
    if (fs::is_directory(folder, error) && std::ranges::find(folders, folder) == folders.end())
        folders.push_back(folder);
}

// The prefixes of Python installations: "/opt/env" of "/opt/env/bin".
std::vector<fs::path> pythonPrefixes() {
    std::vector<fs::path> prefixes;
    for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
        if (const char* value = std::getenv(name)) addIfFolder(prefixes, value);
    }
    const char* path = std::getenv("PATH");
    std::istringstream parts(path == nullptr ? "" : path);
    for (std::string part; std::getline(parts, part, ':');) {
        if (!part.empty()) addIfFolder(prefixes, fs::path(part).parent_path());
    }
    return prefixes;
}

// Of the wheels of CUDA 13, which share a folder, and of those that have one each.
void addPackages(std::vector<fs::path>& folders, const fs::path& prefix) {
    std::error_code error;
    for (fs::directory_iterator entry(prefix / "lib", error), end; !error && entry != end; entry.increment(error)) {
        if (!entry->path().filename().string().starts_with("python3")) continue;
        for (const char* site : {"site-packages", "dist-packages"}) {
            for (const char* package : {"cu13", "cublas"})
                addIfFolder(folders, entry->path() / site / "nvidia" / package / "lib");
        }
    }
}

}  // namespace

std::vector<fs::path> cudaLibraryFolders() {
    std::vector<fs::path> folders;
    for (const char* name : {"CUDA_HOME", "CUDA_PATH"}) {
        if (const char* value = std::getenv(name)) addIfFolder(folders, fs::path(value) / "lib64");
    }
    addIfFolder(folders, "/usr/local/cuda/lib64");
    for (const fs::path& prefix : pythonPrefixes()) addPackages(folders, prefix);
    return folders;
}

bool loadCudaLibrary(const std::string& name) {
    for (const fs::path& folder : cudaLibraryFolders()) {
        const fs::path file = folder / name;
        std::error_code error;
        if (fs::exists(file, error) && ::dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return true;
    }
    return false;
}

}  // namespace wb::kernels
