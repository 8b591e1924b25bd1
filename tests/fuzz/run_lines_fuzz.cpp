// SPDX-License-Identifier: Apache-2.0
// What a run folder and a pipe may bring: the first byte chooses event line, request, reply or recipe, the rest is it.
// Whatever is accepted must be written and read back as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/run/events.h"
#include "core/run/protocol.h"
#include "core/run/recipe.h"
#include "kernels/base/error.h"

namespace {

using namespace wb::core;

// Compared as text: a NaN is equal to nothing.
template <class Parse>
void checkRoundTrip(std::string_view line, const Parse& parse) {
    const std::string written = toJsonLine(parse(line));
    if (written.find('\n') != std::string::npos) std::abort();
    if (toJsonLine(parse(written)) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const bool isLine = text.find('\n') == std::string_view::npos;
    try {
        if (data[0] % 4 == 0 && isLine) checkRoundTrip(text, parseEvent);
        if (data[0] % 4 == 1 && isLine) checkRoundTrip(text, parseRequest);
        if (data[0] % 4 == 2 && isLine) {
            const Reply reply = parseReply(text);
            if (!std::holds_alternative<UnknownReply>(reply.body)) checkRoundTrip(text, parseReply);
        }
        if (data[0] % 4 == 3) {
            const Recipe recipe = recipeFromToml(text, "recipe.toml");
            if (recipeFromToml(recipeToToml(recipe), "again") != recipe) std::abort();
        }
    } catch (const wb::Error& error) {
        // Only these two say that the text is at fault; anything else is a defect.
        if (error.code() != wb::ErrorCode::CorruptFile && error.code() != wb::ErrorCode::InvalidArgument) std::abort();
    }
    return 0;
}
