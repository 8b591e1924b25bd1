// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/plugin_loader.h"

#include "tests/support/temporary_folder.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace wb::kernels {
namespace {

constexpr const char* kPluginFile = "libwhetbench_cuda.so";

// The loader decides once per process: each case asks in a process of its own.
[[noreturn]] void printReason(const std::filesystem::path& folder) {
    ::setenv("WHETBENCH_PLUGIN_DIR", folder.c_str(), 1);
    const PluginStatus& status = cudaPlugin();
    std::fprintf(stderr, "plugin %s: %s, %zu devices\n", status.plugin == nullptr ? "refused" : "loaded",
                 status.reason.c_str(), acceleratorDevices().size());
    std::exit(0);
}

class PluginLoaderTest : public ::testing::Test {
protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

    test::TemporaryFolder m_folder;
};

TEST_F(PluginLoaderTest, refusesAFileThatIsNoLibrary) {
    test::writeText(m_folder / kPluginFile, "not a shared object");
    EXPECT_EXIT(printReason(m_folder.path()), ::testing::ExitedWithCode(0), "refused: .*does not load.*0 devices");
}

TEST_F(PluginLoaderTest, refusesALibraryThatIsNoPlugin) {
    Dl_info info{};
    ASSERT_NE(::dladdr(reinterpret_cast<void*>(static_cast<double (*)(double)>(&std::cosh)), &info), 0);
    std::filesystem::create_symlink(info.dli_fname, m_folder / kPluginFile);
    EXPECT_EXIT(printReason(m_folder.path()), ::testing::ExitedWithCode(0),
                "refused: .*(is not a Whetbench plugin|does not load).*0 devices");
}

}  // namespace
}  // namespace wb::kernels
