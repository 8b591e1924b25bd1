// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wb::training {

// One element of a JSON array, unparsed, so that a broken one does not spoil its neighbours.
struct JsonElement {
    int64_t line = 0;  // on which it starts
    std::string_view text;
    std::string problem;  // not empty: what follows could not be divided; the last element
};

struct JsonRows {
    std::vector<JsonElement> elements;
    std::string listName;  // the rows are the list of this name in one big object; empty for a plain array
    std::string problem;   // there is no list of rows at all
};

// Finds the rows of a JSON text: the elements of an array, or of the longest list directly inside one object.
// Only brackets, commas and quotes are looked at. Borrows the text.
JsonRows findJsonRows(std::string_view text);

}  // namespace wb::training
