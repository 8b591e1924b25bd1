// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace wb::kernels::cpu::reference {
namespace {

template <class T, class Weight>
void rowLoss(const LmHeadLossArgs& args, const Weight* weight, int64_t t, std::vector<double>& logits) {
    const int64_t hiddenSize = args.hidden.shape[1];
    const auto vocabulary = static_cast<int64_t>(logits.size());
    const T* hidden = args.hidden.as<T>() + t * hiddenSize;
    const double cap = static_cast<double>(args.softCap);
    for (int64_t v = 0; v < vocabulary; ++v) {
        double sum = 0;
        for (int64_t c = 0; c < hiddenSize; ++c) sum += widen(hidden[c]) * widen(weight[v * hiddenSize + c]);
        sum *= static_cast<double>(args.logitScale);
        if (args.bias.isPresent()) sum += widen(args.bias.as<T>()[v]);
        logits[static_cast<size_t>(v)] = cap > 0 ? cap * std::tanh(sum / cap) : sum;
    }
    const auto best = std::ranges::max_element(logits);
    const auto label = static_cast<size_t>(args.labels.as<int32_t>()[t]);
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit - *best);
    const double logSumExp = *best + std::log(sum);
    args.losses.as<Sum<T>>()[t] = static_cast<Sum<T>>(logSumExp - logits[label]);
    if (args.predictions.isPresent()) {
        args.predictions.as<int32_t>()[t] = static_cast<int32_t>(best - logits.begin());
    }
    for (size_t v = 0; v < logits.size(); ++v) {
        const double z = logits[v];
        const double slope = cap > 0 ? 1.0 - (z / cap) * (z / cap) : 1.0;
        logits[v] = static_cast<double>(args.gradScale) * slope * (std::exp(z - logSumExp) - (v == label ? 1.0 : 0.0));
    }
    for (int64_t v = 0; args.dBias.isPresent() && v < vocabulary; ++v) {
        args.dBias.as<Sum<T>>()[v] += static_cast<Sum<T>>(logits[static_cast<size_t>(v)]);
    }
    for (double& logit : logits) logit *= static_cast<double>(args.logitScale);
    for (int64_t c = 0; args.dHidden.isPresent() && c < hiddenSize; ++c) {
        double gradient = 0;
        for (int64_t v = 0; v < vocabulary; ++v) {
            gradient += logits[static_cast<size_t>(v)] * widen(weight[v * hiddenSize + c]);
        }
        args.dHidden.as<T>()[t * hiddenSize + c] = narrow<T>(gradient);
    }
    for (int64_t v = 0; args.dWeight.isPresent() && v < vocabulary; ++v) {
        Sum<T>* dRow = args.dWeight.as<Sum<T>>() + v * hiddenSize;
        for (int64_t c = 0; c < hiddenSize; ++c) {
            dRow[c] += static_cast<Sum<T>>(logits[static_cast<size_t>(v)] * widen(hidden[c]));
        }
    }
}

}  // namespace

void lmHeadLoss(const Context& context, const LmHeadLossArgs& args) {
    withStorage(args.hidden.dtype, [&]<class T>() {
        const int64_t hiddenSize = args.hidden.shape[1];
        std::vector<double> logits(static_cast<size_t>(args.vocabularySize));
        if (args.dWeight.isPresent() && args.weightWrite == Write::Replace) {
            std::fill_n(args.dWeight.as<Sum<T>>(), args.vocabularySize * hiddenSize, Sum<T>{0});
        }
        for (int64_t t = 0; t < args.hidden.shape[0]; ++t) {
            if (args.labels.as<int32_t>()[t] != kIgnoredLabel) {
                withElements<T>(context, args.weight, [&](const auto* weight) { rowLoss<T>(args, weight, t, logits); });
                continue;
            }
            args.losses.as<Sum<T>>()[t] = 0;
            if (args.predictions.isPresent()) args.predictions.as<int32_t>()[t] = -1;
            if (args.dHidden.isPresent()) {
                std::fill_n(args.dHidden.as<T>() + t * hiddenSize, hiddenSize, narrow<T>(0.0));
            }
        }
    });
}

}  // namespace wb::kernels::cpu::reference
