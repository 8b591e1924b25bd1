// SPDX-License-Identifier: Apache-2.0
// One contract for self, cross, prefill and training attention over token-packed sequences, and one for attention over
// the paged key/value cache.
//
//   S = softCap(scale * q k^T) + bias;  P = softmax(S over the visible keys);  out = dropout(P) v
//   softCap(x) = cap * tanh(x / cap), off when cap = 0;  logSumExp[t, h] = log(sum over visible keys of exp(S))
//
// Visibility of key j for query i of a sequence with Tq queries and Tk keys: let p = i + (Tk - Tq) (bottom-right
// aligned). causal: j <= p. Left window l >= 0: j >= p - l. Right window r >= 0: j <= p + r. A row that sees no key
// gives out = 0, logSumExp = -infinity and zero gradients. Empty sequences are legal.
//
// Bias kinds:
//   None
//   DistanceTable  table [Hq, N]: S += table[h, clamp(j - p + N/2, 0, N-1)] (relative positions; T5 after bucketing)
//   Alibi          slopes [Hq]: S -= slope[h] * |p - j|  (Press et al. 2021, arXiv:2108.12409); no gradient
//   Dense          [Hq, Tq_total, Tk_max]: S += dense[h, row of q in the packed batch, j]; Tk_max: the longest sequence
// A bias is F32 (F64 for F64) or has the dtype of q.
//
// Dropout: Philox word offset + (h * Tq_total + row of q) * Tk_max + j of `seed` decides element (h, row, j);
// a kept probability is divided by 1 - p.
//
// Memory: `math` materialises P (the oracle); `memory_efficient` (Rabe and Staats 2021, arXiv:2112.05682: chunks
// through the matrix layer) and `flash` (Dao 2022, arXiv:2205.14135: fused tiles) are O(T). A device need not have all:
// what it lacks is refused with the reason, and `auto` never picks it.
//
// BF16 on the CPU: sums are F32. Where the processor's BF16 dot product is fast, flash also rounds P, dropout(P) and dS
// to BF16 for their products, which adds up to 2^-9 of an element's terms; elsewhere operands are widened.
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wb::kernels {

enum class AttentionBias { None, DistanceTable, Alibi, Dense };

struct AttentionOptions {
    float scale = 0;  // 0: 1 / sqrt(D)
    float softCap = 0;
    bool isCausal = false;
    int32_t windowLeft = -1;   // keys before p that are visible; -1: all
    int32_t windowRight = -1;  // keys after p that are visible; -1: all (causal: none)
    AttentionBias bias = AttentionBias::None;
    float dropout = 0;  // probability; element (h, row of q, j) has its own Philox draw
    uint64_t seed = 0;
    uint64_t offset = 0;
};

// q [Tq, Hq, D]; k, v [Tk, Hkv, D]; Hq a multiple of Hkv (grouped queries); F32/BF16/F64, all the same.
// cuSeqlensQ, cuSeqlensK [B + 1] I32 on the host: sequence b owns rows cu[b] .. cu[b + 1].
// out [Tq, Hq, D] dtype of q; logSumExp [Tq, Hq] F32 (F64 for F64), optional, needed by backward.
struct AttentionForwardArgs {
    ConstView q;
    ConstView k;
    ConstView v;
    ConstView bias;
    std::span<const int32_t> cuSeqlensQ;
    std::span<const int32_t> cuSeqlensK;
    View out;
    View logSumExp;
    AttentionOptions options;
    View workspace;  // scratch, set by dispatch
};
void attentionForward(const Context& context, const AttentionForwardArgs& args);

// Gradients of the above from out and logSumExp. dQ, dK, dV have the shapes and dtype of q, k, v and are overwritten;
// each may be absent. dBias has the shape of bias in F32/F64 and accumulates; for DistanceTable and Dense only.
struct AttentionBackwardArgs {
    ConstView q;
    ConstView k;
    ConstView v;
    ConstView bias;
    ConstView out;
    ConstView logSumExp;
    ConstView dOut;
    std::span<const int32_t> cuSeqlensQ;
    std::span<const int32_t> cuSeqlensK;
    View dQ;
    View dK;
    View dV;
    View dBias;
    AttentionOptions options;
    View workspace;  // scratch, set by dispatch
};
void attentionBackward(const Context& context, const AttentionBackwardArgs& args);

// Keys and values live in blocks of blockSize tokens: caches [numBlocks, blockSize, Hkv, D].
// Stores row t of k and v at slot slots[t] = block * blockSize + offset.   k, v [T, Hkv, D] dtype of the caches.
struct KvCacheStoreArgs {
    ConstView k;
    ConstView v;
    std::span<const int32_t> slots;
    View keyCache;
    View valueCache;
};
void kvCacheStore(const Context& context, const KvCacheStoreArgs& args);

// Attention of new queries over cached keys and values (which already include the new ones): decode and chunked
// prefill. Sequence b has cuSeqlensQ[b+1] - cuSeqlensQ[b] queries, sees keyLengths[b] keys, and finds key j in block
// blockTables[b * maxBlocks + j / blockSize]. Same formula as attentionForward with the causality and windows of
// the options; bias None, DistanceTable or Alibi. Not causal: cross-attention over keys of an encoder.
// A row has the same bits in any batch and any chunking of its prompt. Dropout must be 0.
struct PagedAttentionArgs {
    ConstView q;  // [Tq, Hq, D]
    ConstView keyCache;
    ConstView valueCache;
    ConstView bias;
    std::span<const int32_t> cuSeqlensQ;
    std::span<const int32_t> keyLengths;
    std::span<const int32_t> blockTables;
    int32_t maxBlocks = 0;
    int32_t maxKeyLength = 0;  // no sequence sees more keys, also where a recorded call runs again; 0: longest of now
    View out;                  // [Tq, Hq, D]
    AttentionOptions options;
    View workspace;  // scratch, set by dispatch
};
void pagedAttention(const Context& context, const PagedAttentionArgs& args);

// What the picker decided for a call and why, in words for people:
// "flash: 1.22x faster than memory_efficient at head dim 64, length 512 (measured table)" or "math: forced by
// --attention math". The picker measures nothing: on the CPU it reads kernels/cpu/attention_speeds.cpp. A cache is read
// by `decode`, or by `math` where that is asked for.
struct AttentionChoice {
    AttentionBackend backend = AttentionBackend::Math;
    std::string reason;
};

// The facts the picker looks at.
struct AttentionProblem {
    DType dtype = DType::F32;
    int64_t headDim = 0;
    int64_t maxKeyLength = 0;
    AttentionOptions options;
    bool isBackward = false;
    bool isPaged = false;  // keys and values lie in a block cache
};
AttentionChoice pickAttention(const Context& context, const AttentionProblem& problem);
// Why a backend cannot run a problem; empty if it can.
std::string attentionRefusal(const Context& context, AttentionBackend backend, const AttentionProblem& problem);

const char* attentionBackendName(AttentionBackend backend);  // "auto", "math", "memory_efficient", "flash", "decode"
AttentionBackend parseAttentionBackend(std::string_view name);

}  // namespace wb::kernels
