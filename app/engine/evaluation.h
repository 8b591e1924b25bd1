// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "app/engine/model_host.h"

namespace wb::app {

// How well a variant answers prompt/response data.
struct DataEvaluation {
    double meanNll = 0;  // nats per answer token
    double perplexity = 0;
    double tokenAccuracy = 0;  // answer tokens that are the most likely one
    int64_t tokens = 0;
    double exactMatch = 0;  // greedy answers equal to the expected ones, white space at the ends aside
    int64_t rows = 0;
    double seconds = 0;
};

struct EvaluationOptions {
    std::string templateName = "auto";
    std::string format = "auto";
    int64_t maxRows = 0;       // 0: all
    int64_t maxNewTokens = 0;  // 0: the longest expected answer and a little more
    int64_t maxBatchTokens = 4096;
};

// Scores and answers every row of a file. Throws what loading data throws; rows that cannot be used are reported by
// InvalidArgument, never left out.
DataEvaluation evaluateData(ModelHost& host, const Variant& variant, const std::filesystem::path& file,
                            const EvaluationOptions& options);

}  // namespace wb::app
