// SPDX-License-Identifier: Apache-2.0
#include "training/data/byte_stream.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"

namespace wb::training {
namespace {

constexpr size_t kBlockBytes = 256 * 1024;
constexpr std::string_view kUtf8Bom = "\xEF\xBB\xBF";

struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePointer = std::unique_ptr<std::FILE, FileCloser>;

class PlainStream : public ByteStream {
public:
    PlainStream(FilePointer file, std::string name) : m_file(std::move(file)), m_name(std::move(name)) {}

    size_t read(char* out, size_t capacity) override {
        const size_t count = std::fread(out, 1, capacity, m_file.get());
        if (count == 0 && std::ferror(m_file.get()) != 0)
            throw Error{ErrorCode::Io, fmt::format("{}: cannot be read: {}", m_name, std::strerror(errno))};
        return count;
    }

private:
    FilePointer m_file;
    std::string m_name;
};

class GzipStream : public ByteStream {
public:
    GzipStream(std::unique_ptr<ByteStream> packed, std::string name)
        : m_packed(std::move(packed)), m_name(std::move(name)), m_block(kBlockBytes) {
        constexpr int kGzipWindow = 15 + 16;  // largest window, gzip header
        if (inflateInit2(&m_zlib, kGzipWindow) != Z_OK)
            throw Error{ErrorCode::OutOfMemory, m_name + ": zlib did not start"};
    }
    ~GzipStream() override { inflateEnd(&m_zlib); }
    GzipStream(const GzipStream&) = delete;
    GzipStream& operator=(const GzipStream&) = delete;

    size_t read(char* out, size_t capacity) override {
        m_zlib.next_out = reinterpret_cast<Bytef*>(out);
        m_zlib.avail_out = static_cast<uInt>(std::min<size_t>(capacity, 1U << 30));
        const uInt wanted = m_zlib.avail_out;
        while (m_zlib.avail_out == wanted && !m_isFinished) step();
        return wanted - m_zlib.avail_out;
    }

private:
    void step() {
        if (m_zlib.avail_in == 0) {
            m_zlib.avail_in = static_cast<uInt>(m_packed->read(m_block.data(), m_block.size()));
            m_zlib.next_in = reinterpret_cast<Bytef*>(m_block.data());
            if (m_zlib.avail_in == 0) {
                if (m_isInsideMember)
                    throw Error{ErrorCode::CorruptFile,
                                m_name + ": the gzip file ends early: copy or download it again"};
                m_isFinished = true;
                return;
            }
        }
        m_isInsideMember = true;
        const int code = inflate(&m_zlib, Z_NO_FLUSH);
        if (code == Z_STREAM_END) {  // a gzip file may hold several members
            inflateReset(&m_zlib);
            m_isInsideMember = false;
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: broken gzip data after {} unpacked bytes: {}", m_name, m_zlib.total_out,
                                    m_zlib.msg != nullptr ? m_zlib.msg : "no reason given")};
        }
    }

    std::unique_ptr<ByteStream> m_packed;
    std::string m_name;
    std::vector<char> m_block;
    z_stream m_zlib{};
    bool m_isInsideMember = false;
    bool m_isFinished = false;
};

class ZstdStream : public ByteStream {
public:
    ZstdStream(std::unique_ptr<ByteStream> packed, std::string name)
        : m_packed(std::move(packed)), m_name(std::move(name)), m_block(kBlockBytes), m_zstd(ZSTD_createDStream()) {
        if (m_zstd == nullptr) throw Error{ErrorCode::OutOfMemory, m_name + ": zstd did not start"};
    }
    ~ZstdStream() override { ZSTD_freeDStream(m_zstd); }
    ZstdStream(const ZstdStream&) = delete;
    ZstdStream& operator=(const ZstdStream&) = delete;

    size_t read(char* out, size_t capacity) override {
        ZSTD_outBuffer unpacked{out, capacity, 0};
        while (unpacked.pos == 0) {
            if (m_input.pos == m_input.size && !m_hasPending) {
                m_input = {m_block.data(), m_packed->read(m_block.data(), m_block.size()), 0};
                if (m_input.size == 0) {
                    if (m_isInsideFrame)
                        throw Error{ErrorCode::CorruptFile,
                                    m_name + ": the zstd file ends early: copy or download it again"};
                    return 0;
                }
            }
            const size_t code = ZSTD_decompressStream(m_zstd, &unpacked, &m_input);
            if (ZSTD_isError(code) != 0)
                throw Error{ErrorCode::CorruptFile,
                            fmt::format("{}: broken zstd data: {}", m_name, ZSTD_getErrorName(code))};
            m_isInsideFrame = code != 0;
            m_hasPending = code != 0 && unpacked.pos == unpacked.size;
        }
        return unpacked.pos;
    }

private:
    std::unique_ptr<ByteStream> m_packed;
    std::string m_name;
    std::vector<char> m_block;
    ZSTD_DStream* m_zstd;
    ZSTD_inBuffer m_input{nullptr, 0, 0};
    bool m_isInsideFrame = false;
    bool m_hasPending = false;  // output was full: more may come without new input
};

bool startsWith(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

std::unique_ptr<ByteStream> openByteStream(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    std::error_code problem;
    if (std::filesystem::is_directory(path, problem))
        throw Error{ErrorCode::InvalidArgument, fmt::format("{} is a folder: name a data file in it", path.string())};
    FilePointer file(std::fopen(path.c_str(), "rb"));
    if (file == nullptr) {
        const ErrorCode code = errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Io;
        throw Error{code, fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(errno))};
    }
    std::array<char, 4> magic{};
    const size_t count = std::fread(magic.data(), 1, magic.size(), file.get());
    std::rewind(file.get());
    const std::string_view head(magic.data(), count);
    if (startsWith(head, "\xFF\xFE") || startsWith(head, "\xFE\xFF"))
        throw Error{ErrorCode::InvalidArgument, name + ": the text is in UTF-16: save the file as UTF-8"};
    auto plain = std::make_unique<PlainStream>(std::move(file), name);
    if (startsWith(head, "\x1F\x8B")) return std::make_unique<GzipStream>(std::move(plain), name);
    if (startsWith(head, "\x28\xB5\x2F\xFD")) return std::make_unique<ZstdStream>(std::move(plain), name);
    return plain;
}

std::string readWholeFile(const std::filesystem::path& path, int64_t maxBytes) {
    const std::unique_ptr<ByteStream> stream = openByteStream(path);
    std::string text;
    while (true) {
        const size_t used = text.size();
        text.resize(used + kBlockBytes);
        const size_t count = stream->read(text.data() + used, kBlockBytes);
        text.resize(used + count);
        if (count == 0) break;
        if (static_cast<int64_t>(text.size()) > maxBytes)
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("{}: more than {} bytes, the limit for this kind of file: split it, or write it as "
                                    "JSONL, which has no limit",
                                    path.filename().string(), maxBytes)};
    }
    if (startsWith(text, kUtf8Bom)) text.erase(0, kUtf8Bom.size());
    return text;
}

std::string innerExtension(const std::filesystem::path& path) {
    const auto lower = [](std::string text) {
        std::transform(text.begin(), text.end(), text.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        return text;
    };
    const std::string extension = lower(path.extension().string());
    if (extension == ".gz" || extension == ".zst") return lower(path.stem().extension().string());
    return extension;
}

}  // namespace wb::training
