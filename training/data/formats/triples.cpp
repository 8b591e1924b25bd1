// SPDX-License-Identifier: Apache-2.0
// {"tripleset": [["subject", "relation", "object"]], "annotations": [{"source", "text"}]} as DART writes it.
// Every annotation becomes an example with the columns triples ("subject | relation | object", one per line) and text.
#include <fmt/format.h>

#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

std::optional<std::string> joinTriples(const RowValue& list, std::string& text) {
    if (!list.isList() || list.items.empty()) return "'tripleset' is no list, or an empty one";
    for (const RowValue& triple : list.items) {
        if (!triple.isList() || triple.items.size() != 3) return "an entry of 'tripleset' is not a list of three texts";
        if (!text.empty()) text += '\n';
        for (size_t i = 0; i < 3; ++i) {
            if (!triple.items[i].isText()) return "an entry of 'tripleset' is not a list of three texts";
            if (i > 0) text += " | ";
            text += triple.items[i].text;
        }
    }
    return std::nullopt;
}

class TriplesReader : public FormatReader {
public:
    TriplesReader() {
        m_mapping = {{"triples"}, "text"};
        m_notes.emplace_back(
            "every annotation is one row; triples are written 'subject | relation | object', one per line");
    }

    void read(const RowValue& row, RowSink& sink) const override {
        const RowValue* tripleset = row.find("tripleset");
        const RowValue* annotations = row.find("annotations");
        if (tripleset == nullptr || annotations == nullptr)
            return sink.reject("'tripleset' or 'annotations' is missing");
        std::string triples;
        if (const auto problem = joinTriples(*tripleset, triples)) return sink.reject(*problem);
        if (!annotations->isList() || annotations->items.empty())
            return sink.reject("'annotations' is no list, or an empty one");
        for (const RowValue& annotation : annotations->items) {
            if (const auto problem = columnProblem(annotation, "text", EmptyText::Refused)) {
                sink.reject("annotation: " + *problem);
                continue;
            }
            Example example;
            example.columns["triples"] = triples;
            example.columns["text"] = *annotation.findText("text");
            sink.accept(std::move(example));
        }
    }
};

}  // namespace

std::unique_ptr<FormatReader> makeTriplesReader() {
    return std::make_unique<TriplesReader>();
}

}  // namespace wb::training
