// SPDX-License-Identifier: Apache-2.0
#include "core/format/safetensors.h"

#include "kernels/base/error.h"
#include "tests/fuzz/memory_file.h"

// Any bytes either open, and then every tensor can be read to its last byte, or throw an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const wb::test::MemoryFile memory(data, size);
    try {
        const auto file = wb::core::SafetensorsFile::open(memory.path());
        unsigned sum = 0;
        for (const wb::core::TensorEntry& entry : file.tensors()) {
            for (const std::byte byte : file.bytes(entry)) sum += static_cast<unsigned>(byte);
        }
        asm volatile("" : : "r"(sum));  // keeps the reads
    } catch (const wb::Error&) {
    }
    return 0;
}
