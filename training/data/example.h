// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/prompt_template.h"

namespace wb::training {

// One row of data as its file wrote it, before any template.
struct Example {
    int64_t sourceLine = 0;                   // 1-based line of the file on which the row starts
    core::PromptColumns columns;              // every text column of the row; one column "text" for plain text
    std::vector<core::ChatMessage> messages;  // the conversation; empty unless the format has one
    std::string toolsJson;                    // JSON array of tool definitions, empty if none
};

// A row that could not become an example, or one that did with something worth knowing.
struct BadLine {
    int64_t line = 0;    // 1-based line of the file on which the row starts
    std::string reason;  // what is wrong, for people

    bool operator==(const BadLine&) const = default;
};

}  // namespace wb::training
