// SPDX-License-Identifier: Apache-2.0
#include "training/data/byte_tokenizer.h"

#include <fmt/format.h>

#include "kernels/base/error.h"

namespace wb::training {

core::Encoding ByteTokenizer::encode(std::string_view text, core::SpecialTokens) const {
    core::Encoding encoding;
    encoding.ids.reserve(text.size());
    encoding.offsets.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        encoding.ids.push_back(static_cast<unsigned char>(text[i]));
        encoding.offsets.push_back({i, i + 1});
    }
    return encoding;
}

std::string ByteTokenizer::decode(std::span<const core::TokenId> ids) const {
    std::string text;
    for (const core::TokenId id : ids) text += tokenBytes(id);
    return text;
}

std::string ByteTokenizer::tokenBytes(core::TokenId id) const {
    if (id < 0 || id > 255) throw Error{ErrorCode::InvalidArgument, fmt::format("{} is no byte", id)};
    return std::string(1, static_cast<char>(id));
}

std::string ByteTokenizer::tokenName(core::TokenId id) const {
    return fmt::format("<0x{:02X}>", id);
}

std::optional<core::TokenId> ByteTokenizer::findToken(std::string_view name) const {
    for (core::TokenId id = 0; id < 256; ++id)
        if (tokenName(id) == name) return id;
    return std::nullopt;
}

}  // namespace wb::training
