// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace wb::core {

// SHA-256 of bytes that arrive in pieces.
class Sha256 {
public:
    Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    ~Sha256();

    void update(std::span<const std::byte> bytes);
    void update(std::string_view text);
    // 64 lower-case hex digits; the object takes no more bytes afterwards.
    std::string finish();

private:
    struct State;
    std::unique_ptr<State> m_state;
};

// Throws NotFound or Io.
std::string sha256OfFile(const std::filesystem::path& file);

}  // namespace wb::core
