// SPDX-License-Identifier: Apache-2.0
#include "tests/training/family_bench.h"

#include "tests/support/small_tokenizer.h"

#include <fmt/format.h>
#include <array>

namespace wb::test {

namespace fs = std::filesystem;

FamilyBench::FamilyBench(const std::string& golden) {
    const fs::path source = fs::path(WHETBENCH_SOURCE_DIR) / "tests/golden/models" / golden;
    fs::create_directories(modelFolder());
    for (const char* name : {"config.json", "generation_config.json", "model.safetensors"}) {
        if (fs::exists(source / name)) fs::copy_file(source / name, modelFolder() / name);
    }
    writeSmallTokenizer(smallTokenizerFor(modelFolder() / "config.json"), modelFolder());
    static constexpr std::array kNames{"Ada", "Ben", "Cleo", "Dan", "Eve"};
    static constexpr std::array kJobs{"baker", "smith", "nurse", "clerk", "cook", "judge"};
    std::string rows;
    for (size_t i = 0; i < 24; ++i) {
        const char* name = kNames[i % kNames.size()];
        const char* job = kJobs[i % kJobs.size()];
        rows += fmt::format("{{\"prompt\": \"{} {}?\", \"completion\": \"{} is a {}.\"}}\n", job, name, name, job);
    }
    writeText(m_folder / "rows.jsonl", rows);
}

core::Recipe FamilyBench::recipe(core::TuneMethod method) const {
    core::Recipe recipe;
    recipe.model = modelFolder().string();
    recipe.data = (m_folder / "rows.jsonl").string();
    recipe.templateName = "raw";
    recipe.method = method;
    recipe.loraRank = 2;
    recipe.loraAlpha = 4;
    recipe.validationFraction = 0.25;
    recipe.epochs = 1;
    recipe.batchSize = 6;
    recipe.learningRate = 1e-3;
    recipe.samplePrompts = 2;
    recipe.sampleMaxNewTokens = 4;
    recipe.device = "cpu";
    recipe.threads = 1;
    return recipe;
}

core::RunFolder FamilyBench::create(const core::Recipe& recipe) const {
    return core::RunFolder::create(m_folder / "library", recipe);
}

}  // namespace wb::test
