// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/sentencepiece_model.h"

#include "core/text/tokenizer/byte_alphabet.h"
#include "core/text/tokenizer/character_map.h"
#include "core/text/utf8.h"
#include "kernels/base/byte_reader.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>

namespace wb::core {
namespace {

enum class WireType : uint32_t { Varint = 0, Fixed64 = 1, Length = 2, Fixed32 = 5 };

// One field of a message: its number and its value in the form of its wire type.
struct Field {
    uint32_t number = 0;
    WireType type = WireType::Varint;
    uint64_t varint = 0;
    float fixed32 = 0.0F;
    std::span<const std::byte> bytes;
};

uint64_t readVarint(ByteReader& reader) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const auto byte = reader.read<uint8_t>();
        value |= static_cast<uint64_t>(byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0) return value;
    }
    reader.fail("a number of more than ten bytes");
}

Field readField(ByteReader& reader) {
    const uint64_t key = readVarint(reader);
    Field field;
    field.number = static_cast<uint32_t>(key >> 3);
    field.type = static_cast<WireType>(key & 7U);
    if ((key >> 3) == 0 || (key >> 3) > 0x1fffffff) reader.fail(fmt::format("field number {}", key >> 3));
    switch (field.type) {
        case WireType::Varint: field.varint = readVarint(reader); return field;
        case WireType::Fixed64: reader.take(8); return field;
        case WireType::Fixed32: field.fixed32 = reader.read<float>(); return field;
        case WireType::Length: {
            const uint64_t length = readVarint(reader);
            if (length > reader.remaining()) {
                reader.fail(fmt::format("field {} of {} bytes, {} are left", field.number, length, reader.remaining()));
            }
            field.bytes = reader.take(static_cast<size_t>(length));
            return field;
        }
    }
    reader.fail(fmt::format("wire type {}; this is no SentencePiece model", key & 7U));
}

void expectType(const Field& field, WireType type, const ByteReader& reader, const char* what) {
    if (field.type != type) reader.fail(fmt::format("{} has wire type {}", what, static_cast<uint32_t>(field.type)));
}

int32_t intOf(const Field& field, const ByteReader& reader, const char* what) {
    expectType(field, WireType::Varint, reader, what);
    return static_cast<int32_t>(field.varint);  // protobuf writes negative ones as 64-bit two's complement
}

std::string_view textOf(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

SentencePiece parsePiece(std::span<const std::byte> bytes, const std::string& source, size_t id) {
    ByteReader reader(bytes, fmt::format("{}: piece {}", source, id));
    SentencePiece piece;
    while (reader.remaining() > 0) {
        const Field field = readField(reader);
        if (field.number == 1) {
            expectType(field, WireType::Length, reader, "text");
            piece.text = textOf(field.bytes);
        } else if (field.number == 2) {
            expectType(field, WireType::Fixed32, reader, "score");
            piece.score = field.fixed32;
        } else if (field.number == 3) {
            const int32_t type = intOf(field, reader, "type");
            if (type < 1 || type > 6) reader.fail(fmt::format("type {}", type));
            piece.type = static_cast<PieceType>(type);
        }
    }
    if (piece.text.empty()) reader.fail("the text is empty");
    if (piece.text.find('\0') != std::string::npos) reader.fail("the text holds a zero byte");
    if (!std::isfinite(piece.score)) reader.fail("the score is not a number");
    return piece;
}

void parseTrainerSpec(std::span<const std::byte> bytes, const std::string& source, SentencePieceModel& model) {
    ByteReader reader(bytes, source + ": trainer settings");
    while (reader.remaining() > 0) {
        const Field field = readField(reader);
        switch (field.number) {
            case 3: {
                const int32_t kind = intOf(field, reader, "model type");
                if (kind < 1 || kind > 4) reader.fail(fmt::format("model type {}", kind));
                model.kind = static_cast<SentencePieceKind>(kind);
                break;
            }
            case 35: model.hasByteFallback = intOf(field, reader, "byte fallback") != 0; break;
            case 40: model.unkId = intOf(field, reader, "unknown id"); break;
            case 41: model.bosId = intOf(field, reader, "begin id"); break;
            case 42: model.eosId = intOf(field, reader, "end id"); break;
            case 43: model.padId = intOf(field, reader, "padding id"); break;
            default: break;
        }
    }
}

void parseNormalizerSpec(std::span<const std::byte> bytes, const std::string& source, SentencePieceModel* model) {
    ByteReader reader(bytes, source + ": normaliser settings");
    while (reader.remaining() > 0) {
        const Field field = readField(reader);
        if (field.number == 2) {
            expectType(field, WireType::Length, reader, "character map");
            CharacterMap(field.bytes, source);  // checks; the library reads it
            if (model != nullptr) model->characterMap = textOf(field.bytes);
        }
        if (model == nullptr) continue;
        if (field.number == 3) model->addsDummyPrefix = intOf(field, reader, "dummy prefix") != 0;
        if (field.number == 4) model->removesExtraWhitespace = intOf(field, reader, "white space rule") != 0;
    }
}

void checkModel(const SentencePieceModel& model, const std::string& source) {
    const auto fail = [&](const std::string& what) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: {}", source, what)};
    };
    const auto size = static_cast<int32_t>(model.pieces.size());
    if (size == 0) fail("is no SentencePiece model: it has no pieces");
    const auto countOf = [&](PieceType type) { return std::ranges::count(model.pieces, type, &SentencePiece::type); };
    if (const auto unknowns = countOf(PieceType::Unknown); unknowns != 1)
        fail(fmt::format("{} pieces of the unknown kind, one is needed", unknowns));
    for (int32_t id = 0; id < size; ++id) {
        const SentencePiece& piece = model.pieces[static_cast<size_t>(id)];
        if (piece.type == PieceType::Byte && !byteOfName(piece.text)) {
            fail(
                fmt::format("piece {} '{}' is of the byte kind and names no byte", id, replaceInvalidUtf8(piece.text)));
        }
    }
    for (const int32_t id : {model.unkId, model.bosId, model.eosId, model.padId}) {
        if (id >= size) fail(fmt::format("a special id {} lies outside the vocabulary of {}", id, size));
    }
}

bool isTiktokenFile(std::string_view text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const size_t space = line.find(' ');
    if (space == std::string_view::npos || space == 0 || line.size() > 200) return false;
    const auto isBase64 = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
               c == '=';
    };
    const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
    const std::string_view rank = line.substr(space + 1);
    return !rank.empty() && std::ranges::all_of(line.substr(0, space), isBase64) && std::ranges::all_of(rank, isDigit);
}

// Writing: the few forms a ModelProto needs.
void putVarint(std::string& out, uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(static_cast<uint8_t>(value | 0x80U));
    out += static_cast<char>(static_cast<uint8_t>(value));
}

void putInt(std::string& out, uint32_t number, int32_t value) {
    putVarint(out, number << 3);
    putVarint(out, static_cast<uint64_t>(static_cast<int64_t>(value)));
}

void putText(std::string& out, uint32_t number, std::string_view text) {
    putVarint(out, (number << 3) | static_cast<uint32_t>(WireType::Length));
    putVarint(out, text.size());
    out += text;
}

}  // namespace

SentencePieceModel parseSentencePieceModel(std::span<const std::byte> bytes, std::string_view sourceName) {
    constexpr size_t kMaxPieces = size_t{1} << 22;
    const std::string source(sourceName);
    if (isTiktokenFile(textOf(bytes))) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: is a tiktoken rank file; use the tokenizer.json of the same model", source)};
    }
    SentencePieceModel model;
    ByteReader reader(bytes, source);
    while (reader.remaining() > 0) {
        const Field field = readField(reader);
        if (field.number == 1) {
            expectType(field, WireType::Length, reader, "piece");
            if (model.pieces.size() == kMaxPieces) reader.fail(fmt::format("more than {} pieces", kMaxPieces));
            model.pieces.push_back(parsePiece(field.bytes, source, model.pieces.size()));
        } else if (field.number == 2) {
            expectType(field, WireType::Length, reader, "trainer settings");
            parseTrainerSpec(field.bytes, source, model);
        } else if (field.number == 3 || field.number == 5) {
            expectType(field, WireType::Length, reader, "normaliser settings");
            parseNormalizerSpec(field.bytes, source, field.number == 3 ? &model : nullptr);
        }
    }
    checkModel(model, source);
    return model;
}

std::string serialiseSentencePieceModel(const SentencePieceModel& model) {
    std::string out;
    for (const SentencePiece& piece : model.pieces) {
        std::string message;
        putText(message, 1, piece.text);
        putVarint(message, (2U << 3) | static_cast<uint32_t>(WireType::Fixed32));
        message.append(reinterpret_cast<const char*>(&piece.score), sizeof(piece.score));
        putInt(message, 3, static_cast<int32_t>(piece.type));
        putText(out, 1, message);
    }
    std::string trainer;
    putInt(trainer, 3, static_cast<int32_t>(model.kind));
    putInt(trainer, 35, model.hasByteFallback ? 1 : 0);
    putInt(trainer, 40, model.unkId);
    putInt(trainer, 41, model.bosId);
    putInt(trainer, 42, model.eosId);
    putInt(trainer, 43, model.padId);
    putText(out, 2, trainer);
    std::string normalizer;
    putText(normalizer, 1, model.characterMap.empty() ? "identity" : "precompiled");
    if (!model.characterMap.empty()) putText(normalizer, 2, model.characterMap);
    putInt(normalizer, 3, model.addsDummyPrefix ? 1 : 0);
    putInt(normalizer, 4, model.removesExtraWhitespace ? 1 : 0);
    putInt(normalizer, 5, 1);
    putText(out, 3, normalizer);
    return out;
}

std::string_view withoutDummyPrefixSuffix() {
    // Field 3 (normaliser settings) of two bytes: field 3 (dummy prefix) = 0. Messages that occur twice are merged.
    static constexpr char kSuffix[] = {0x1a, 0x02, 0x18, 0x00};
    return {kSuffix, sizeof(kSuffix)};
}

}  // namespace wb::core
