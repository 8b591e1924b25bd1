// SPDX-License-Identifier: Apache-2.0
// Low-rank updates of the vocabulary tables, for adapters read from files. A table is looked up row by row and its
// product is fused with the loss, so the update is not applied beside it: the adapter gets a table of its own.
#pragma once

#include "core/autograd/parameter.h"

namespace wb::adapters {

// own = table + scale * update, over the first rows of the vocabulary; with a magnitude (DoRA) each row of the head,
// each column of the embedding is scaled to the length magnitude.
struct TableUpdate {
    core::Tensor a;          // head: [rank, C], embedding: [rank, V]
    core::Tensor b;          // head: [V, rank], embedding: [C, rank]
    core::Tensor magnitude;  // head: [V], embedding: [C]; absent for plain LoRA
    float scale = 1.0F;
};

// `table` holds the starting values and is updated in place, [V or more, C].
void applyToHead(const kernels::Context& context, const TableUpdate& update, const core::Tensor& table);
void applyToEmbedding(const kernels::Context& context, const TableUpdate& update, const core::Tensor& table);

}  // namespace wb::adapters
