// SPDX-License-Identifier: Apache-2.0
#include "training/data/token_stream.h"

#include "core/text/span_encoding.h"
#include "training/data/parallel_for.h"

namespace wb::training {
namespace {

constexpr size_t kChunkBytes = 32 * 1024;  // encoded at once by one thread

struct Chunk {
    size_t document;
    std::string_view text;
    bool isFirst;
};

// Where a chunk may end: before a line break, so that no word is cut; else before a space; else between code points.
size_t chunkEnd(std::string_view text) {
    if (text.size() <= kChunkBytes) return text.size();
    const std::string_view head = text.substr(0, kChunkBytes);
    for (const char* breaks : {"\n", " "}) {
        const size_t found = head.find_last_of(breaks);
        if (found != std::string_view::npos && found > kChunkBytes / 2) return found;
    }
    size_t end = kChunkBytes;
    while ((static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return end;
}

}  // namespace

TokenStream tokenizeDocuments(const std::vector<std::string_view>& documents, const core::Tokenizer& tokenizer,
                              int threads) {
    std::vector<Chunk> chunks;
    for (size_t d = 0; d < documents.size(); ++d) {
        for (std::string_view rest = documents[d]; !rest.empty();) {
            const size_t end = chunkEnd(rest);
            chunks.push_back({d, rest.substr(0, end), rest.size() == documents[d].size()});
            rest.remove_prefix(end);
        }
    }
    const core::SpanEncoder encoder(tokenizer);
    std::vector<std::vector<core::TokenId>> encoded(chunks.size());
    parallelFor(chunks.size(), threads, [&](size_t i) {
        encoded[i] = chunks[i].isFirst ? tokenizer.encode(chunks[i].text, core::SpecialTokens::None).ids
                                       : encoder.encodeTextContinuation(chunks[i].text).ids;
    });

    TokenStream stream;
    size_t total = 2 * documents.size();
    for (const auto& ids : encoded) total += ids.size();
    stream.ids.reserve(total);
    const core::SpecialIds& roles = tokenizer.specialIds();
    for (size_t i = 0; i < chunks.size(); ++i) {
        if (chunks[i].isFirst) {
            stream.documentStarts.push_back(static_cast<int64_t>(stream.ids.size()));
            if (roles.addBos && roles.bos) stream.ids.push_back(*roles.bos);
        }
        stream.ids.insert(stream.ids.end(), encoded[i].begin(), encoded[i].end());
        encoded[i] = {};
        const bool isLast = i + 1 == chunks.size() || chunks[i + 1].isFirst;
        if (isLast && roles.eos) stream.ids.push_back(*roles.eos);
        if (isLast)
            stream.documentLengths.push_back(static_cast<int64_t>(stream.ids.size()) - stream.documentStarts.back());
    }
    return stream;
}

}  // namespace wb::training
