// SPDX-License-Identifier: Apache-2.0
// What a network is made of, as plain data: the names, sizes and arithmetic of every part, in forward order. A family
// (core/model/architectures) turns a config.json into this; the modules of core/model allocate and run it; file readers
// take the expected tensors from it. No tensors here, so that programs without an engine can describe a model.
#pragma once

#include "core/model/mixture_config.h"
#include "kernels/base/activation.h"
#include "kernels/base/rotary_layout.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wb::core {

// A weight matrix [out, in] with an optional bias [out]: "<name>.weight", "<name>.bias". An empty name: there is none.
struct ProjectionConfig {
    std::string name;
    int64_t in = 0;
    int64_t out = 0;
    bool hasBias = false;
    bool isTransposedInFile = false;  // files hold [in, out] (GPT-2's Conv1D); memory always holds [out, in]

    bool exists() const { return !name.empty(); }
};

enum class NormKind { Rms, Layer };

// Normalises rows of `size` values. An empty name with a size: a norm without weights; size 0: there is none.
struct NormConfig {
    std::string name;
    int64_t size = 0;
    NormKind kind = NormKind::Rms;
    float eps = 1e-5F;
    float weightOffset = 0.0F;  // Gemma scales by 1 + weight
    bool hasBias = false;

    bool exists() const { return size > 0; }
};

// Where each head's values begin among the columns of a fused projection.
struct FusedHeads {
    std::vector<int32_t> query;
    std::vector<int32_t> key;
    std::vector<int32_t> value;
};

struct AttentionConfig {
    int64_t numHeads = 0;
    int64_t numKvHeads = 0;
    int64_t headDim = 0;
    ProjectionConfig query, key, value;  // either these,
    ProjectionConfig fused;              // or one projection and the place of the heads in it
    FusedHeads heads;
    ProjectionConfig output;
    NormConfig queryNorm, keyNorm;  // over each head, or over all heads of a token: the size tells
    float scale = 0.0F;             // of the scores; 0: 1 / sqrt(headDim)
    float softCap = 0.0F;           // of the scores; 0: none
    int64_t window = 0;             // keys a query sees, itself included; 0: all
    bool isCausal = true;
    int32_t rotary = -1;  // index into StackConfig::rotary; -1: no rotation
    kernels::RotaryLayout rotaryLayout = kernels::RotaryLayout::Half;
    std::vector<float> alibiSlopes;  // [numHeads], empty: none
};

// activation(gate x) * up x, or activation(up x) without a gate; then down. With `mixture` that takes the place of all.
struct FeedForwardConfig {
    kernels::Activation activation = kernels::Activation::Silu;
    ProjectionConfig gate;
    ProjectionConfig up;
    ProjectionConfig gateUp;  // gate and up as one projection, gate first
    ProjectionConfig down;
    std::optional<MixtureConfig> mixture;
};

// A sub-layer adds its output to the residual stream: x += outputNorm(f(inputNorm(x))) * residualScale; with sumNorm
// (Vaswani et al. 2017) x = sumNorm(x + f(x)). Norms that do not exist are left out.
struct SubLayerNorms {
    NormConfig input;
    NormConfig output;
    NormConfig sum;
};

struct BlockConfig {
    int64_t hidden = 0;
    AttentionConfig attention;
    SubLayerNorms attentionNorms;
    std::optional<AttentionConfig> crossAttention;  // over the encoder's output
    SubLayerNorms crossNorms;
    FeedForwardConfig feedForward;
    SubLayerNorms feedForwardNorms;  // in a parallel block without an input norm: the feed-forward reads attention's
    bool isParallel = false;         // attention and feed-forward read the same residual stream
    float residualScale = 1.0F;
};

// The frequencies of a computed position table.
enum class SineTable {
    Halves,  // frequencies 10000^(-i / (hidden / 2 - 1)): M2M100
    Pairs    // frequencies 10000^(-2 i / hidden) (Vaswani et al. 2017): Pegasus
};

// Positions added to the embeddings: a learned table [rows, hidden], or a computed one with all sines first.
struct PositionConfig {
    std::string name;    // "<name>.weight"; empty: computed
    int64_t rows = 0;    // 0: no such positions
    int64_t offset = 0;  // row of position 0
    SineTable sine = SineTable::Halves;

    bool exists() const { return rows > 0; }
};

// Frequencies in radians per position of the rotated pairs [R / 2], and what rotated values are multiplied with.
struct RotaryConfig {
    std::vector<float> frequencies;
    float magnitude = 1.0F;
};

// T5's relative positions (Raffel et al. 2020, arXiv:1910.10683): a table "<name>.weight" [buckets, heads] shared by
// all blocks of a stack.
struct RelativeBiasConfig {
    std::string name;
    int64_t buckets = 0;
    int64_t maxDistance = 0;
    int64_t numHeads = 0;
    bool isBidirectional = false;

    bool exists() const { return buckets > 0; }
};

// Embedding, blocks and final norm: a decoder, or an encoder.
struct StackConfig {
    std::string embedding;  // "<embedding>.weight"; in an encoder-decoder both stacks may name the same table
    float embeddingScale = 1.0F;
    ProjectionConfig projectIn;   // from the width of the embedding to that of the blocks, if they differ
    ProjectionConfig projectOut;  // and back, behind the blocks
    PositionConfig positions;
    NormConfig embeddingNorm;
    bool normsBeforePositions = false;  // embeddingNorm comes before positions are added, not after
    std::vector<RotaryConfig> rotary;
    RelativeBiasConfig relativeBias;
    std::vector<BlockConfig> blocks;
    NormConfig finalNorm;
};

struct HeadConfig {
    std::string name = "lm_head";  // "<name>.weight" [vocabulary, hidden]; empty: the decoder's embedding
    std::string bias;              // full name of the bias tensor [vocabulary]; empty: none
    bool isBiasConstant = false;   // stored as [1, vocabulary] or not at all, and not trained
    float hiddenScale = 1.0F;      // multiplies what the head reads (T5)
    float logitScale = 1.0F;
    float softCap = 0.0F;  // of the logits; 0: none
};

struct NetworkConfig {
    int64_t hidden = 0;
    int64_t embeddingSize = 0;  // width of the vocabulary tables
    int64_t vocabularySize = 0;
    std::optional<StackConfig> encoder;
    StackConfig decoder;
    HeadConfig head;
    std::string prefix;                // what files saved without the head leave out: "model.", "transformer."
    std::vector<std::string> aliases;  // names under which files may repeat a tied table, or keep a computed one
};

}  // namespace wb::core
