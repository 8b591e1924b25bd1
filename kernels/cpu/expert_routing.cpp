// SPDX-License-Identifier: Apache-2.0
// p = softmax(logits);  weights = p of the k highest, perhaps normalised.  A few dozen logits a row next to matrix
// products of thousands of columns: plain loops in double are enough, and they are their own oracle.
#include "kernels/expert_routing.h"

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/storage.h"

#include <cmath>
#include <limits>

namespace wb::kernels::cpu {
namespace {

using reference::narrow;
using reference::Sum;
using reference::widen;
using reference::withStorage;

// The highest logit that `ids` does not hold yet; the first of equals, and some expert even among NaNs.
template <class T>
int32_t bestOfRest(const T* logits, int64_t numExperts, const int32_t* ids, int64_t chosen) {
    int32_t best = -1;
    for (int32_t e = 0; e < numExperts; ++e) {
        if (std::find(ids, ids + chosen, e) != ids + chosen) continue;
        if (best < 0 || widen(logits[e]) > widen(logits[best])) best = e;
    }
    return best;
}

// Softmax of a row over the experts, or over those of `ids` alone.
struct RowSoftmax {
    double highest = -std::numeric_limits<double>::infinity();
    double sum = 0;

    template <class T>
    RowSoftmax(const T* logits, int64_t numExperts, const int32_t* ids, int64_t chosen, RoutingWeights normalisation) {
        const bool isOfChosen = normalisation == RoutingWeights::Normalised;
        const int64_t count = isOfChosen ? chosen : numExperts;
        const auto at = [&](int64_t i) { return widen(logits[isOfChosen ? ids[i] : i]); };
        for (int64_t i = 0; i < count; ++i) highest = std::max(highest, at(i));
        for (int64_t i = 0; i < count; ++i) sum += std::exp(at(i) - highest);
    }
    template <class T>
    double operator()(T logit) const {
        return std::exp(widen(logit) - highest) / sum;
    }
};

template <class T>
void forwardRow(const RouteExpertsForwardArgs& args, int64_t t) {
    const int64_t numExperts = args.logits.shape[1];
    const int64_t chosen = args.weights.shape[1];
    const T* logits = args.logits.as<T>() + t * numExperts;
    int32_t* ids = args.ids.as<int32_t>() + t * chosen;
    for (int64_t j = 0; j < chosen; ++j) ids[j] = bestOfRest(logits, numExperts, ids, j);
    const RowSoftmax softmax(logits, numExperts, ids, chosen, args.normalisation);
    for (int64_t j = 0; j < chosen; ++j) {
        args.weights.as<Sum<T>>()[t * chosen + j] = narrow<Sum<T>>(softmax(logits[ids[j]]));
    }
}

template <class T>
void backwardRow(const RouteExpertsBackwardArgs& args, int64_t t) {
    const int64_t numExperts = args.logits.shape[1];
    const int64_t chosen = args.dWeights.shape[1];
    const T* logits = args.logits.as<T>() + t * numExperts;
    const int32_t* ids = args.ids.as<int32_t>() + t * chosen;
    const Sum<T>* dWeights = args.dWeights.as<Sum<T>>() + t * chosen;
    T* dLogits = args.dLogits.as<T>() + t * numExperts;
    const RowSoftmax softmax(logits, numExperts, ids, chosen, args.normalisation);
    double projection = 0;
    for (int64_t j = 0; j < chosen; ++j) projection += widen(dWeights[j]) * softmax(logits[ids[j]]);
    const bool reachesAll = args.normalisation == RoutingWeights::Softmax;
    for (int64_t e = 0; e < numExperts; ++e) {
        dLogits[e] = narrow<T>(reachesAll ? -softmax(logits[e]) * projection : 0.0);
    }
    for (int64_t j = 0; j < chosen; ++j) {
        dLogits[ids[j]] = narrow<T>(softmax(logits[ids[j]]) * (widen(dWeights[j]) - projection));
    }
}

}  // namespace

void routeExpertsForward(const Context& context, const RouteExpertsForwardArgs& args) {
    withStorage(args.logits.dtype, [&]<class T>() {
        parallelFor(context, args.logits.shape[0], 8 * args.logits.shape[1], [&](int64_t begin, int64_t end) {
            for (int64_t t = begin; t < end; ++t) forwardRow<T>(args, t);
        });
    });
}

void routeExpertsBackward(const Context& context, const RouteExpertsBackwardArgs& args) {
    withStorage(args.logits.dtype, [&]<class T>() {
        parallelFor(context, args.logits.shape[0], 8 * args.logits.shape[1], [&](int64_t begin, int64_t end) {
            for (int64_t t = begin; t < end; ++t) backwardRow<T>(args, t);
        });
    });
}

}  // namespace wb::kernels::cpu
