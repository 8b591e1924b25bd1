// SPDX-License-Identifier: Apache-2.0
// A checkpoint is complete or absent. It is written into tmp-step-NNNNNN, every file is fsynced, a manifest with sizes
// and hashes is put in last, and one rename makes it step-NNNNNN.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace wb::core {

struct CheckpointInfo {
    std::filesystem::path path;
    int64_t step = 0;
    int64_t bytes = 0;                              // of all files
    std::map<std::string, std::string> attributes;  // the writer's own words: "eval_loss", "weight_hash"
};

// "step-000120".
std::string checkpointName(int64_t step);

// Collects the files of one checkpoint. Without commit() the destructor removes what was written.
class CheckpointWriter {
public:
    // Makes the temporary folder, removing what a crash left of it. Throws Io.
    CheckpointWriter(const std::filesystem::path& checkpointsFolder, int64_t step);
    CheckpointWriter(const CheckpointWriter&) = delete;
    CheckpointWriter& operator=(const CheckpointWriter&) = delete;
    ~CheckpointWriter();

    // Write files here, sub-folders included.
    const std::filesystem::path& folder() const { return m_temporary; }

    // Makes it the checkpoint of its step, in place of an earlier one, and returns it. Throws Io; the earlier one then
    // still stands.
    CheckpointInfo commit(const std::map<std::string, std::string>& attributes = {});

private:
    std::filesystem::path m_checkpoints;
    std::filesystem::path m_temporary;
    int64_t m_step = 0;
    bool m_isCommitted = false;
};

// Reads the manifest only. Throws NotFound or CorruptFile.
CheckpointInfo readCheckpoint(const std::filesystem::path& folder);

// Reads the manifest and checks that every file is there with its size and hash.
// Throws NotFound or CorruptFile naming the file and both values.
CheckpointInfo verifyCheckpoint(const std::filesystem::path& folder);

// All checkpoints with a readable manifest, oldest first. Empty if the folder does not exist.
std::vector<CheckpointInfo> listCheckpoints(const std::filesystem::path& checkpointsFolder);

struct NewestCheckpoint {
    std::optional<CheckpointInfo> checkpoint;  // the newest that passes verifyCheckpoint
    std::vector<std::string> refused;          // what was wrong with the newer ones
};
NewestCheckpoint findNewestCheckpoint(const std::filesystem::path& checkpointsFolder);

// Removes what interrupted writes and removals left behind. Throws Io.
void removeUnfinished(const std::filesystem::path& checkpointsFolder);

// Removes all but the newest `keep` checkpoints and the one of `bestStep`, and what crashes left behind.
// Returns the removed steps. Throws Io.
std::vector<int64_t> pruneCheckpoints(const std::filesystem::path& checkpointsFolder, size_t keep,
                                      std::optional<int64_t> bestStep);

}  // namespace wb::core
