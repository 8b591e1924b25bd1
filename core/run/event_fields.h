// SPDX-License-Identifier: Apache-2.0
// Private to the codecs of this folder: fields that events and protocol replies share.
#pragma once

#include "core/run/events.h"
#include "core/run/json_codec.h"

namespace wb::core {

template <class V>
void visitFields(V& visit, codec::Same<V, MemoryByOwner>& m) {
    visit("weights", m.weights);
    visit("gradients", m.gradients);
    visit("optimizer", m.optimizer);
    visit("activations", m.activations);
    visit("kv_cache", m.kvCache);
    visit("workspace", m.workspace);
}

template <class V>
void visitFields(V& visit, codec::Same<V, KernelRow>& k) {
    visit("name", k.name);
    visit("backend", k.backend);
    visit("reason", k.reason);
    visit("model", k.model);
    visit("calls", k.calls);
    visit("seconds", k.seconds);
    visit("flops", k.flops);
    visit("bytes", k.bytes);
}

template <class V>
void visitFields(V& visit, codec::Same<V, PlanMade>& p) {
    visit("peak_bytes", p.peakBytes);
    visit("available_bytes", p.availableBytes);
    visit("fits", p.fits);
    visit("by_owner", p.byOwner);
}

}  // namespace wb::core
