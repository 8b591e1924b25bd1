// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/cuda_libraries.h"

#include "tests/support/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cstdlib>

namespace wb::kernels {
namespace {

namespace fs = std::filesystem;

// Every test is a process of its own.
class CudaLibrariesTest : public ::testing::Test {
protected:
    void SetUp() override {
        for (const char* name : {"CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV", "CONDA_PREFIX"}) ::unsetenv(name);
        ::setenv("PATH", "/usr/bin", 1);
    }
    fs::path makeFolder(const char* relative) const {
        fs::create_directories(m_folder / relative);
        return m_folder / relative;
    }

    test::TemporaryFolder m_folder;
};

TEST_F(CudaLibrariesTest, findsTheToolkitThatTheUserNamed) {
    const fs::path expected = makeFolder("toolkit/lib64");
    ::setenv("CUDA_HOME", (m_folder / "toolkit").c_str(), 1);
    ASSERT_FALSE(cudaLibraryFolders().empty());
    EXPECT_EQ(cudaLibraryFolders().front(), expected);
}

TEST_F(CudaLibrariesTest, findsThePackagesOfThePythonInThePath) {
    const fs::path expected = makeFolder("env/lib/python3.12/site-packages/nvidia/cu13/lib");
    ::setenv("PATH", ("/usr/bin:" + makeFolder("env/bin").string()).c_str(), 1);
    EXPECT_THAT(cudaLibraryFolders(), ::testing::Contains(expected));
}

TEST_F(CudaLibrariesTest, loadsTheFirstThatIsALibrary) {
    test::writeText(makeFolder("broken/lib64") / "libmath-of-a-test.so.13", "not a shared object");
    fs::copy_file(FAKE_NVML, makeFolder("whole/lib64") / "libmath-of-a-test.so.13");
    ::setenv("CUDA_HOME", (m_folder / "broken").c_str(), 1);
    EXPECT_FALSE(loadCudaLibrary("libmath-of-a-test.so.13"));
    ::setenv("CUDA_PATH", (m_folder / "whole").c_str(), 1);
    EXPECT_TRUE(loadCudaLibrary("libmath-of-a-test.so.13"));
    EXPECT_FALSE(loadCudaLibrary("libnobody-has-this.so.13"));
}

}  // namespace
}  // namespace wb::kernels
