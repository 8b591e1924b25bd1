// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/emulated_waits.h"

#include "kernels/runtime/plugin_loader.h"

#include <dlfcn.h>

namespace wb::kernels::testing {

std::optional<int64_t> emulatedWaits() {
    // The plugin's symbols are its own: its library is found by the address of its interface.
    Dl_info library{};
    if (cudaPlugin().plugin == nullptr || ::dladdr(cudaPlugin().plugin, &library) == 0) return std::nullopt;
    void* handle = ::dlopen(library.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (handle == nullptr) return std::nullopt;
    const auto count = reinterpret_cast<int64_t (*)()>(::dlsym(handle, "whetbenchEmulatedWaits"));
    ::dlclose(handle);
    if (count == nullptr) return std::nullopt;
    return count();
}

}  // namespace wb::kernels::testing
