// SPDX-License-Identifier: Apache-2.0
// A golden model as a folder that can be tuned: its weights, a small tokenizer, and rows to learn.
#pragma once

#include "tests/training/training_fixture.h"

#include <string>

namespace wb::test {

class FamilyBench {
public:
    // `golden`: a folder of tests/golden/models.
    explicit FamilyBench(const std::string& golden);

    const std::filesystem::path& folder() const { return m_folder.path(); }
    std::filesystem::path modelFolder() const { return m_folder / "model"; }

    // 24 short rows in batches of 6, so three steps an epoch with six rows of validation; one epoch.
    core::Recipe recipe(core::TuneMethod method) const;
    core::RunFolder create(const core::Recipe& recipe) const;

private:
    TemporaryFolder m_folder;
};

}  // namespace wb::test
