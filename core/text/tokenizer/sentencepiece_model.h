// SPDX-License-Identifier: Apache-2.0
// The protobuf of a SentencePiece model, as far as it has to be looked into or written here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

enum class PieceType : int32_t { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };

struct SentencePiece {
    std::string text;
    float score = 0.0F;
    PieceType type = PieceType::Normal;
};

enum class SentencePieceKind : int32_t { Unigram = 1, Bpe = 2, Word = 3, Character = 4 };

struct SentencePieceModel {
    std::vector<SentencePiece> pieces;  // the id is the index
    SentencePieceKind kind = SentencePieceKind::Unigram;
    bool hasByteFallback = false;
    int32_t unkId = 0;
    int32_t bosId = 1;
    int32_t eosId = 2;
    int32_t padId = -1;
    bool addsDummyPrefix = true;
    bool removesExtraWhitespace = true;
    std::string characterMap;  // see CharacterMap; empty for none
};

// Parses and checks a serialised ModelProto: wire format, lengths, piece texts and types, ids, and that the character
// map's trie cannot lead outside itself. The library trusts all of these. Throws CorruptFile naming the offset and the
// check, Unsupported for a tiktoken rank file, which goes by the same name.
SentencePieceModel parseSentencePieceModel(std::span<const std::byte> bytes, std::string_view sourceName);

// A ModelProto of these pieces and settings.
std::string serialiseSentencePieceModel(const SentencePieceModel& model);

// Bytes that, appended to a serialised ModelProto, turn its dummy prefix off.
std::string_view withoutDummyPrefixSuffix();

}  // namespace wb::core
