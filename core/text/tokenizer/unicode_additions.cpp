// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/unicode_additions.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::core {
namespace {

constexpr AddedCharacters kAdded[] = {
    {0x897, 0x897, CharacterKind::M},      {0xCF3, 0xCF3, CharacterKind::M},      {0xECE, 0xECE, CharacterKind::M},
    {0x1B4E, 0x1B4F, CharacterKind::P},    {0x1B7F, 0x1B7F, CharacterKind::P},    {0x1C89, 0x1C89, CharacterKind::Lu},
    {0x1C8A, 0x1C8A, CharacterKind::Ll},   {0x2427, 0x2429, CharacterKind::S},    {0x2FFC, 0x2FFF, CharacterKind::S},
    {0x31E4, 0x31E5, CharacterKind::S},    {0x31EF, 0x31EF, CharacterKind::S},    {0xA7CB, 0xA7CC, CharacterKind::Lu},
    {0xA7CD, 0xA7CD, CharacterKind::Ll},   {0xA7DA, 0xA7DA, CharacterKind::Lu},   {0xA7DB, 0xA7DB, CharacterKind::Ll},
    {0xA7DC, 0xA7DC, CharacterKind::Lu},   {0x105C0, 0x105F3, CharacterKind::Lo}, {0x10D40, 0x10D49, CharacterKind::Nd},
    {0x10D4A, 0x10D4D, CharacterKind::Lo}, {0x10D4E, 0x10D4E, CharacterKind::Lm}, {0x10D4F, 0x10D4F, CharacterKind::Lo},
    {0x10D50, 0x10D65, CharacterKind::Lu}, {0x10D69, 0x10D6D, CharacterKind::M},  {0x10D6E, 0x10D6E, CharacterKind::P},
    {0x10D6F, 0x10D6F, CharacterKind::Lm}, {0x10D70, 0x10D85, CharacterKind::Ll}, {0x10D8E, 0x10D8F, CharacterKind::S},
    {0x10EC2, 0x10EC4, CharacterKind::Lo}, {0x10EFC, 0x10EFF, CharacterKind::M},  {0x1123F, 0x11240, CharacterKind::Lo},
    {0x11241, 0x11241, CharacterKind::M},  {0x11380, 0x11389, CharacterKind::Lo}, {0x1138B, 0x1138B, CharacterKind::Lo},
    {0x1138E, 0x1138E, CharacterKind::Lo}, {0x11390, 0x113B5, CharacterKind::Lo}, {0x113B7, 0x113B7, CharacterKind::Lo},
    {0x113B8, 0x113C0, CharacterKind::M},  {0x113C2, 0x113C2, CharacterKind::M},  {0x113C5, 0x113C5, CharacterKind::M},
    {0x113C7, 0x113CA, CharacterKind::M},  {0x113CC, 0x113D0, CharacterKind::M},  {0x113D1, 0x113D1, CharacterKind::Lo},
    {0x113D2, 0x113D2, CharacterKind::M},  {0x113D3, 0x113D3, CharacterKind::Lo}, {0x113D4, 0x113D5, CharacterKind::P},
    {0x113D7, 0x113D8, CharacterKind::P},  {0x113E1, 0x113E2, CharacterKind::M},  {0x116D0, 0x116E3, CharacterKind::Nd},
    {0x11B00, 0x11B09, CharacterKind::P},  {0x11BC0, 0x11BE0, CharacterKind::Lo}, {0x11BE1, 0x11BE1, CharacterKind::P},
    {0x11BF0, 0x11BF9, CharacterKind::Nd}, {0x11F00, 0x11F01, CharacterKind::M},  {0x11F02, 0x11F02, CharacterKind::Lo},
    {0x11F03, 0x11F03, CharacterKind::M},  {0x11F04, 0x11F10, CharacterKind::Lo}, {0x11F12, 0x11F33, CharacterKind::Lo},
    {0x11F34, 0x11F3A, CharacterKind::M},  {0x11F3E, 0x11F42, CharacterKind::M},  {0x11F43, 0x11F4F, CharacterKind::P},
    {0x11F50, 0x11F59, CharacterKind::Nd}, {0x11F5A, 0x11F5A, CharacterKind::M},  {0x1342F, 0x1342F, CharacterKind::Lo},
    {0x13440, 0x13440, CharacterKind::M},  {0x13441, 0x13446, CharacterKind::Lo}, {0x13447, 0x13455, CharacterKind::M},
    {0x13460, 0x143FA, CharacterKind::Lo}, {0x16100, 0x1611D, CharacterKind::Lo}, {0x1611E, 0x1612F, CharacterKind::M},
    {0x16130, 0x16139, CharacterKind::Nd}, {0x16D40, 0x16D42, CharacterKind::Lm}, {0x16D43, 0x16D6A, CharacterKind::Lo},
    {0x16D6B, 0x16D6C, CharacterKind::Lm}, {0x16D6D, 0x16D6F, CharacterKind::P},  {0x16D70, 0x16D79, CharacterKind::Nd},
    {0x18CFF, 0x18CFF, CharacterKind::Lo}, {0x1B132, 0x1B132, CharacterKind::Lo}, {0x1B155, 0x1B155, CharacterKind::Lo},
    {0x1CC00, 0x1CCEF, CharacterKind::S},  {0x1CCF0, 0x1CCF9, CharacterKind::Nd}, {0x1CD00, 0x1CEB3, CharacterKind::S},
    {0x1D2C0, 0x1D2D3, CharacterKind::No}, {0x1DF25, 0x1DF2A, CharacterKind::Ll}, {0x1E030, 0x1E06D, CharacterKind::Lm},
    {0x1E08F, 0x1E08F, CharacterKind::M},  {0x1E4D0, 0x1E4EA, CharacterKind::Lo}, {0x1E4EB, 0x1E4EB, CharacterKind::Lm},
    {0x1E4EC, 0x1E4EF, CharacterKind::M},  {0x1E4F0, 0x1E4F9, CharacterKind::Nd}, {0x1E5D0, 0x1E5ED, CharacterKind::Lo},
    {0x1E5EE, 0x1E5EF, CharacterKind::M},  {0x1E5F0, 0x1E5F0, CharacterKind::Lo}, {0x1E5F1, 0x1E5FA, CharacterKind::Nd},
    {0x1E5FF, 0x1E5FF, CharacterKind::P},  {0x1F6DC, 0x1F6DC, CharacterKind::S},  {0x1F774, 0x1F776, CharacterKind::S},
    {0x1F77B, 0x1F77F, CharacterKind::S},  {0x1F7D9, 0x1F7D9, CharacterKind::S},  {0x1F8B2, 0x1F8BB, CharacterKind::S},
    {0x1F8C0, 0x1F8C1, CharacterKind::S},  {0x1FA75, 0x1FA77, CharacterKind::S},  {0x1FA87, 0x1FA89, CharacterKind::S},
    {0x1FA8F, 0x1FA8F, CharacterKind::S},  {0x1FAAD, 0x1FAAF, CharacterKind::S},  {0x1FABB, 0x1FABF, CharacterKind::S},
    {0x1FAC6, 0x1FAC6, CharacterKind::S},  {0x1FACE, 0x1FACF, CharacterKind::S},  {0x1FADA, 0x1FADC, CharacterKind::S},
    {0x1FADF, 0x1FADF, CharacterKind::S},  {0x1FAE8, 0x1FAE9, CharacterKind::S},  {0x1FAF7, 0x1FAF8, CharacterKind::S},
    {0x1FBCB, 0x1FBEF, CharacterKind::S},  {0x2B739, 0x2B739, CharacterKind::Lo}, {0x2EBF0, 0x2EE5D, CharacterKind::Lo},
    {0x31350, 0x323AF, CharacterKind::Lo},
};

std::string_view nameOf(CharacterKind kind) {
    switch (kind) {
        case CharacterKind::Lu: return "Lu";
        case CharacterKind::Ll: return "Ll";
        case CharacterKind::Lt: return "Lt";
        case CharacterKind::Lm: return "Lm";
        case CharacterKind::Lo: return "Lo";
        case CharacterKind::M: return "M";
        case CharacterKind::Nd: return "Nd";
        case CharacterKind::No: return "No";
        case CharacterKind::P: return "P";
        case CharacterKind::S: return "S";
    }
    return "";
}

}  // namespace

std::span<const AddedCharacters> addedCharacters() {
    return kAdded;
}

bool findAddedCharacter(char32_t c, CharacterKind& kind) {
    const auto* range = std::ranges::lower_bound(kAdded, c, {}, &AddedCharacters::last);
    if (range == std::end(kAdded) || c < range->first) return false;
    kind = range->kind;
    return true;
}

std::string addedRanges(std::string_view category) {
    std::string ranges;
    for (const AddedCharacters& range : kAdded) {
        if (!nameOf(range.kind).starts_with(category)) continue;
        ranges += fmt::format("\\x{{{:x}}}", static_cast<uint32_t>(range.first));
        if (range.first != range.last) ranges += fmt::format("-\\x{{{:x}}}", static_cast<uint32_t>(range.last));
    }
    return ranges;
}

}  // namespace wb::core
