// SPDX-License-Identifier: Apache-2.0
#include "core/run/sha256.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "core/run/atomic_file.h"
#include "kernels/base/error.h"

namespace wb::core {

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : m_state(std::make_unique<State>()) {
    WB_CHECK(m_state->context != nullptr && EVP_DigestInit_ex(m_state->context, EVP_sha256(), nullptr) == 1,
             "libcrypto has no SHA-256");
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
    WB_CHECK(EVP_DigestUpdate(m_state->context, bytes.data(), bytes.size()) == 1,
             "a finished hash takes no more bytes");
}

void Sha256::update(std::string_view text) {
    update(std::as_bytes(std::span(text)));
}

std::string Sha256::finish() {
    std::array<unsigned char, 32> digest{};
    WB_CHECK(EVP_DigestFinal_ex(m_state->context, digest.data(), nullptr) == 1, "a hash can be finished once");
    std::string text;
    for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
    return text;
}

std::string sha256OfFile(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throwSystemError("cannot open", file, errno);
    Sha256 hash;
    std::vector<std::byte> buffer(size_t{1} << 20);
    while (true) {
        const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        const int errorNumber = errno;
        if (count <= 0) {
            ::close(descriptor);
            if (count < 0) throwSystemError("cannot read", file, errorNumber);
            return hash.finish();
        }
        hash.update(std::span(buffer).first(static_cast<size_t>(count)));
    }
}

}  // namespace wb::core
