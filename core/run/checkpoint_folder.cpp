// SPDX-License-Identifier: Apache-2.0
#include "core/run/checkpoint_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>
#include <string_view>

#include "core/run/atomic_file.h"
#include "core/run/json_codec.h"
#include "core/run/sha256.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifestName = "manifest.json";
constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kTemporaryPrefix = "tmp-";
constexpr int kManifestVersion = 1;
constexpr size_t kMaxManifestBytes = size_t{64} << 20;

struct ManifestFile {
    std::string name;  // relative to the checkpoint, with '/'
    int64_t bytes = 0;
    std::string sha256;
};

struct Manifest {
    int version = kManifestVersion;
    int64_t step = 0;
    std::vector<ManifestFile> files;
    std::vector<std::pair<std::string, std::string>> attributes;
};

template <class V>
void visitFields(V& visit, codec::Same<V, ManifestFile>& f) {
    visit("name", f.name);
    visit("bytes", f.bytes);
    visit("sha256", f.sha256);
}

template <class V>
void visitFields(V& visit, codec::Same<V, Manifest>& m) {
    visit("v", m.version);
    visit("step", m.step);
    visit("files", m.files);
    visit("attributes", m.attributes);
}

std::vector<fs::path> filesUnder(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

// Folders of `folder`, itself last, so that names are durable before what holds them.
void syncTree(const fs::path& folder) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_directory()) syncFolder(entry.path());
    }
    syncFolder(folder);
}

std::optional<int64_t> stepOfName(const std::string& name) {
    if (!name.starts_with(kPrefix)) return std::nullopt;
    int64_t step = 0;
    const char* begin = name.data() + kPrefix.size();
    const char* end = name.data() + name.size();
    const auto [last, error] = std::from_chars(begin, end, step);
    if (error != std::errc{} || last != end || step < 0) return std::nullopt;
    return step;
}

Manifest readManifest(const fs::path& folder) {
    const fs::path file = folder / kManifestName;
    Manifest manifest;
    try {
        const codec::Json json = codec::parseObject(readWholeFile(file, kMaxManifestBytes));
        codec::decode(json, manifest, "manifest");
    } catch (const Error& error) {
        if (error.code() == ErrorCode::NotFound || error.code() == ErrorCode::Io) throw;
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: {}", file.string(), error.what())};
    }
    if (manifest.version > kManifestVersion) {
        throw Error{ErrorCode::Unsupported, fmt::format("{}: written by a newer version ({}, this one reads {})",
                                                        file.string(), manifest.version, kManifestVersion)};
    }
    return manifest;
}

CheckpointInfo infoOf(const Manifest& manifest, const fs::path& folder) {
    CheckpointInfo info{.path = folder, .step = manifest.step};
    for (const auto& file : manifest.files) info.bytes += file.bytes;
    info.attributes = {manifest.attributes.begin(), manifest.attributes.end()};
    return info;
}

// A name from a manifest must stay inside the checkpoint.
bool isInside(const std::string& name) {
    const fs::path path(name);
    return !name.empty() && path.is_relative() && std::ranges::find(path, fs::path("..")) == path.end();
}

void removeTree(const fs::path& folder) {
    std::error_code error;
    fs::remove_all(folder, error);
    if (error) throwSystemError("cannot remove", folder, error.value());
}

// Out of sight by one rename first: a crash half-way leaves a temporary, not half a checkpoint.
void removeCheckpoint(const fs::path& folder) {
    const fs::path hidden =
        folder.parent_path() / fmt::format("{}removed-{}", kTemporaryPrefix, folder.filename().string());
    removeTree(hidden);
    if (::rename(folder.c_str(), hidden.c_str()) != 0) throwSystemError("cannot remove", folder, errno);
    removeTree(hidden);
}

std::vector<fs::path> entriesOf(const fs::path& folder) {
    std::vector<fs::path> entries;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry.path());
    return entries;
}

}  // namespace

std::string checkpointName(int64_t step) {
    return fmt::format("{}{:06}", kPrefix, step);
}

CheckpointWriter::CheckpointWriter(const fs::path& checkpointsFolder, int64_t step)
    : m_checkpoints(checkpointsFolder),
      m_temporary(checkpointsFolder / (std::string(kTemporaryPrefix) + checkpointName(step))),
      m_step(step) {
    removeTree(m_temporary);
    std::error_code error;
    fs::create_directories(m_temporary, error);
    if (error) throwSystemError("cannot create", m_temporary, error.value());
}

CheckpointWriter::~CheckpointWriter() {
    if (m_isCommitted) return;
    std::error_code ignored;
    fs::remove_all(m_temporary, ignored);
}

CheckpointInfo CheckpointWriter::commit(const std::map<std::string, std::string>& attributes) {
    Manifest manifest{.step = m_step, .files = {}, .attributes = {attributes.begin(), attributes.end()}};
    for (const fs::path& file : filesUnder(m_temporary)) {
        syncFile(file);
        manifest.files.push_back({.name = file.lexically_relative(m_temporary).generic_string(),
                                  .bytes = static_cast<int64_t>(fs::file_size(file)),
                                  .sha256 = sha256OfFile(file)});
    }
    writeFileAtomically(m_temporary / kManifestName, codec::encode(manifest).dump(1) + "\n");
    syncTree(m_temporary);

    const fs::path target = m_checkpoints / checkpointName(m_step);
    if (::rename(m_temporary.c_str(), target.c_str()) != 0) {
        if (errno != ENOTEMPTY && errno != EEXIST) throwSystemError("cannot rename checkpoint to", target, errno);
        // The step was saved before: the two change places in one step, so that one of them always stands.
        if (::renameat2(AT_FDCWD, m_temporary.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) != 0) {
            removeCheckpoint(target);
            if (::rename(m_temporary.c_str(), target.c_str()) != 0) {
                throwSystemError("cannot rename checkpoint to", target, errno);
            }
        }
    }
    m_isCommitted = true;
    syncFolder(m_checkpoints);
    removeTree(m_temporary);
    return infoOf(manifest, target);
}

CheckpointInfo readCheckpoint(const fs::path& folder) {
    return infoOf(readManifest(folder), folder);
}

CheckpointInfo verifyCheckpoint(const fs::path& folder) {
    const Manifest manifest = readManifest(folder);
    for (const ManifestFile& entry : manifest.files) {
        const fs::path file = folder / entry.name;
        const auto corrupt = [&file](const std::string& what) {
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: {}", file.string(), what)};
        };
        if (!isInside(entry.name)) corrupt("the manifest names a file outside the checkpoint");
        std::error_code error;
        const auto size = fs::file_size(file, error);
        if (error) corrupt("the manifest names it, but it is not there");
        if (size != static_cast<uintmax_t>(entry.bytes)) {
            corrupt(fmt::format("has {} bytes, the manifest says {}", size, entry.bytes));
        }
        const std::string hash = sha256OfFile(file);
        if (hash != entry.sha256) corrupt(fmt::format("has SHA-256 {}, the manifest says {}", hash, entry.sha256));
    }
    return infoOf(manifest, folder);
}

std::vector<CheckpointInfo> listCheckpoints(const fs::path& checkpointsFolder) {
    std::vector<CheckpointInfo> checkpoints;
    for (const fs::path& entry : entriesOf(checkpointsFolder)) {
        if (!stepOfName(entry.filename().string())) continue;
        try {
            checkpoints.push_back(readCheckpoint(entry));
        } catch (const Error&) {
            continue;  // findNewestCheckpoint tells why
        }
    }
    std::ranges::sort(checkpoints, {}, &CheckpointInfo::step);
    return checkpoints;
}

NewestCheckpoint findNewestCheckpoint(const fs::path& checkpointsFolder) {
    std::vector<std::pair<int64_t, fs::path>> folders;
    for (const fs::path& entry : entriesOf(checkpointsFolder)) {
        if (const auto step = stepOfName(entry.filename().string())) folders.emplace_back(*step, entry);
    }
    std::ranges::sort(folders, std::ranges::greater{});
    NewestCheckpoint newest;
    for (const auto& [step, folder] : folders) {
        try {
            newest.checkpoint = verifyCheckpoint(folder);
            return newest;
        } catch (const Error& error) {
            newest.refused.emplace_back(error.what());
        }
    }
    return newest;
}

void removeUnfinished(const fs::path& checkpointsFolder) {
    for (const fs::path& entry : entriesOf(checkpointsFolder)) {
        if (entry.filename().string().starts_with(kTemporaryPrefix)) removeTree(entry);
    }
}

std::vector<int64_t> pruneCheckpoints(const fs::path& checkpointsFolder, size_t keep, std::optional<int64_t> bestStep) {
    removeUnfinished(checkpointsFolder);
    const std::vector<CheckpointInfo> checkpoints = listCheckpoints(checkpointsFolder);
    std::vector<int64_t> removed;
    for (size_t i = 0; i + keep < checkpoints.size(); ++i) {
        if (checkpoints[i].step == bestStep) continue;
        removeCheckpoint(checkpoints[i].path);
        removed.push_back(checkpoints[i].step);
    }
    return removed;
}

}  // namespace wb::core
