// SPDX-License-Identifier: Apache-2.0
#include "core/text/sequence_diff.h"

#include <algorithm>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wextra"
#include <dtl/dtl.hpp>
#pragma GCC diagnostic pop

namespace wb::core {

SequenceDiff diffSequences(const std::vector<std::string>& left, const std::vector<std::string>& right) {
    SequenceDiff result{std::vector<bool>(left.size(), false), std::vector<bool>(right.size(), false), std::nullopt};
    dtl::Diff<std::string> diff(left, right);
    diff.compose();
    size_t atLeft = 0;
    size_t atRight = 0;
    for (const auto& [text, info] : diff.getSes().getSequence()) {
        if (info.type == dtl::SES_DELETE) {
            ++atLeft;
        } else if (info.type == dtl::SES_ADD) {
            ++atRight;
        } else {
            result.leftIsCommon[atLeft++] = true;
            result.rightIsCommon[atRight++] = true;
        }
    }
    const auto [first, second] = std::ranges::mismatch(left, right);
    if (first != left.end() || second != right.end())
        result.firstDivergence = static_cast<size_t>(first - left.begin());
    return result;
}

}  // namespace wb::core
