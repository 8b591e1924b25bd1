// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf.h"

#include "core/format/gguf_config.h"
#include "core/format/model_folder.h"
#include "core/text/tokenizer/gguf_tokenizer.h"
#include "kernels/base/error.h"
#include "tests/fuzz/memory_file.h"

#include <functional>
#include <vector>

namespace {

void ignoringErrors(const std::function<void()>& action) {
    try {
        action();
    } catch (const wb::Error&) {
    }
}

}  // namespace

// Any bytes either open, and then tensors, config and tokenizer can be used, or throw an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const wb::test::MemoryFile memory(data, size);
    ignoringErrors([&] {
        const auto file = wb::core::GgufFile::open(memory.path());
        unsigned sum = 0;
        for (const wb::core::GgufTensor& tensor : file.tensors()) {
            for (const std::byte byte : tensor.bytes) sum += static_cast<unsigned>(byte);
        }
        asm volatile("" : : "r"(sum));  // keeps the reads
        ignoringErrors([&] { wb::core::modelConfigFromGguf(file); });
        ignoringErrors([&] {
            const auto model = wb::core::ModelSource::open(memory.path());
            for (const wb::core::ModelTensor& tensor : model.tensors()) {
                std::vector<float> values(static_cast<size_t>(tensor.count()));
                model.readTensorAsFloat(tensor.name, values);
            }
        });
        ignoringErrors([&] {
            const auto tokenizer = wb::core::makeGgufTokenizer(file);
            tokenizer->decode(tokenizer->encode("The edge of 12 <s> knives.", wb::core::SpecialTokens::Parse).ids);
        });
    });
    return 0;
}
