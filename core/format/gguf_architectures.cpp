// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_architectures.h"

#include "core/format/gguf_settings.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace wb::core {
namespace {

using enum GgufLayout;

constexpr std::array kLlamaTensors{
    GgufTensorName{"token_embd", "model.embed_tokens"},
    GgufTensorName{"output_norm", "model.norm"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_norm", "model.layers.#.input_layernorm"},
    GgufTensorName{"blk.#.attn_q", "model.layers.#.self_attn.q_proj", RotaryPairs},
    GgufTensorName{"blk.#.attn_k", "model.layers.#.self_attn.k_proj", RotaryPairs},
    GgufTensorName{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"},
    GgufTensorName{"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
    GgufTensorName{"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"},
    GgufTensorName{"blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"},
    GgufTensorName{"blk.#.ffn_up", "model.layers.#.mlp.up_proj"},
    GgufTensorName{"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
};

// Qwen2 and its successors rotate halves in llama.cpp too, so rows stay as they are.
constexpr std::array kQwenTensors{
    GgufTensorName{"token_embd", "model.embed_tokens"},
    GgufTensorName{"output_norm", "model.norm"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_norm", "model.layers.#.input_layernorm"},
    GgufTensorName{"blk.#.attn_q", "model.layers.#.self_attn.q_proj"},
    GgufTensorName{"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
    GgufTensorName{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"},
    GgufTensorName{"blk.#.attn_q_norm", "model.layers.#.self_attn.q_norm"},
    GgufTensorName{"blk.#.attn_k_norm", "model.layers.#.self_attn.k_norm"},
    GgufTensorName{"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
    GgufTensorName{"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"},
    GgufTensorName{"blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"},
    GgufTensorName{"blk.#.ffn_up", "model.layers.#.mlp.up_proj"},
    GgufTensorName{"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
};

// Which norm a name means depends on the generation: Gemma 1 calls the one before the feed-forward what Gemma 2 and 3
// call the one after attention.
constexpr std::array kGemmaTensors{
    GgufTensorName{"token_embd", "model.embed_tokens"},
    GgufTensorName{"output_norm", "model.norm", PlusOne},
    GgufTensorName{"blk.#.attn_norm", "model.layers.#.input_layernorm", PlusOne},
    GgufTensorName{"blk.#.attn_q", "model.layers.#.self_attn.q_proj"},
    GgufTensorName{"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
    GgufTensorName{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"},
    GgufTensorName{"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
    GgufTensorName{"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm", PlusOne},
    GgufTensorName{"blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"},
    GgufTensorName{"blk.#.ffn_up", "model.layers.#.mlp.up_proj"},
    GgufTensorName{"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
};

constexpr std::array kGemma2Tensors{
    GgufTensorName{"token_embd", "model.embed_tokens"},
    GgufTensorName{"output_norm", "model.norm", PlusOne},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_norm", "model.layers.#.input_layernorm", PlusOne},
    GgufTensorName{"blk.#.attn_q", "model.layers.#.self_attn.q_proj"},
    GgufTensorName{"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
    GgufTensorName{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"},
    GgufTensorName{"blk.#.attn_q_norm", "model.layers.#.self_attn.q_norm", PlusOne},
    GgufTensorName{"blk.#.attn_k_norm", "model.layers.#.self_attn.k_norm", PlusOne},
    GgufTensorName{"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
    GgufTensorName{"blk.#.post_attention_norm", "model.layers.#.post_attention_layernorm", PlusOne},
    GgufTensorName{"blk.#.ffn_norm", "model.layers.#.pre_feedforward_layernorm", PlusOne},
    GgufTensorName{"blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"},
    GgufTensorName{"blk.#.ffn_up", "model.layers.#.mlp.up_proj"},
    GgufTensorName{"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
    GgufTensorName{"blk.#.post_ffw_norm", "model.layers.#.post_feedforward_layernorm", PlusOne},
};

constexpr std::array kOlmo2Tensors{
    GgufTensorName{"token_embd", "model.embed_tokens"},
    GgufTensorName{"output_norm", "model.norm"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_q", "model.layers.#.self_attn.q_proj"},
    GgufTensorName{"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
    GgufTensorName{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"},
    GgufTensorName{"blk.#.attn_q_norm", "model.layers.#.self_attn.q_norm"},
    GgufTensorName{"blk.#.attn_k_norm", "model.layers.#.self_attn.k_norm"},
    GgufTensorName{"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
    GgufTensorName{"blk.#.post_attention_norm", "model.layers.#.post_attention_layernorm"},
    GgufTensorName{"blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"},
    GgufTensorName{"blk.#.ffn_up", "model.layers.#.mlp.up_proj"},
    GgufTensorName{"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
    GgufTensorName{"blk.#.post_ffw_norm", "model.layers.#.post_feedforward_layernorm"},
};

constexpr std::array kPhi2Tensors{
    GgufTensorName{"token_embd", "model.embed_tokens"},
    GgufTensorName{"output_norm", "model.final_layernorm"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_norm", "model.layers.#.input_layernorm"},
    GgufTensorName{"blk.#.attn_q", "model.layers.#.self_attn.q_proj"},
    GgufTensorName{"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
    GgufTensorName{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"},
    GgufTensorName{"blk.#.attn_output", "model.layers.#.self_attn.dense"},
    GgufTensorName{"blk.#.ffn_up", "model.layers.#.mlp.fc1"},
    GgufTensorName{"blk.#.ffn_down", "model.layers.#.mlp.fc2"},
};

constexpr std::array kPhi3Tensors{
    GgufTensorName{"token_embd", "model.embed_tokens"},
    GgufTensorName{"output_norm", "model.norm"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_norm", "model.layers.#.input_layernorm"},
    GgufTensorName{"blk.#.attn_qkv", "model.layers.#.self_attn.qkv_proj"},
    GgufTensorName{"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
    GgufTensorName{"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"},
    GgufTensorName{"blk.#.ffn_up", "model.layers.#.mlp.gate_up_proj"},
    GgufTensorName{"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
};

constexpr std::array kStarcoder2Tensors{
    GgufTensorName{"token_embd", "model.embed_tokens"},
    GgufTensorName{"output_norm", "model.norm"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_norm", "model.layers.#.input_layernorm"},
    GgufTensorName{"blk.#.attn_q", "model.layers.#.self_attn.q_proj"},
    GgufTensorName{"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
    GgufTensorName{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"},
    GgufTensorName{"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
    GgufTensorName{"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"},
    GgufTensorName{"blk.#.ffn_up", "model.layers.#.mlp.c_fc"},
    GgufTensorName{"blk.#.ffn_down", "model.layers.#.mlp.c_proj"},
};

constexpr std::array kGpt2Tensors{
    GgufTensorName{"token_embd", "transformer.wte"},
    GgufTensorName{"position_embd", "transformer.wpe"},
    GgufTensorName{"output_norm", "transformer.ln_f"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_norm", "transformer.h.#.ln_1"},
    GgufTensorName{"blk.#.attn_qkv", "transformer.h.#.attn.c_attn", Transposed},
    GgufTensorName{"blk.#.attn_output", "transformer.h.#.attn.c_proj", Transposed},
    GgufTensorName{"blk.#.ffn_norm", "transformer.h.#.ln_2"},
    GgufTensorName{"blk.#.ffn_up", "transformer.h.#.mlp.c_fc", Transposed},
    GgufTensorName{"blk.#.ffn_down", "transformer.h.#.mlp.c_proj", Transposed},
};

constexpr std::array kGptNeoXTensors{
    GgufTensorName{"token_embd", "gpt_neox.embed_in"},
    GgufTensorName{"output_norm", "gpt_neox.final_layer_norm"},
    GgufTensorName{"output", "embed_out"},
    GgufTensorName{"blk.#.attn_norm", "gpt_neox.layers.#.input_layernorm"},
    GgufTensorName{"blk.#.attn_qkv", "gpt_neox.layers.#.attention.query_key_value", GroupedHeads},
    GgufTensorName{"blk.#.attn_output", "gpt_neox.layers.#.attention.dense"},
    GgufTensorName{"blk.#.ffn_norm", "gpt_neox.layers.#.post_attention_layernorm"},
    GgufTensorName{"blk.#.ffn_up", "gpt_neox.layers.#.mlp.dense_h_to_4h"},
    GgufTensorName{"blk.#.ffn_down", "gpt_neox.layers.#.mlp.dense_4h_to_h"},
};

// The 40B kind has two norms side by side: the feed-forward's keeps the name of the only one of the 7B kind.
constexpr std::array kFalconTensors{
    GgufTensorName{"token_embd", "transformer.word_embeddings"},
    GgufTensorName{"output_norm", "transformer.ln_f"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"blk.#.attn_norm", "transformer.h.#.input_layernorm"},
    GgufTensorName{"blk.#.attn_norm", "transformer.h.#.ln_mlp"},
    GgufTensorName{"blk.#.attn_norm_2", "transformer.h.#.ln_attn"},
    GgufTensorName{"blk.#.attn_qkv", "transformer.h.#.self_attention.query_key_value", GroupedHeads},
    GgufTensorName{"blk.#.attn_output", "transformer.h.#.self_attention.dense"},
    GgufTensorName{"blk.#.ffn_up", "transformer.h.#.mlp.dense_h_to_4h"},
    GgufTensorName{"blk.#.ffn_down", "transformer.h.#.mlp.dense_4h_to_h"},
};

constexpr std::array kT5Tensors{
    GgufTensorName{"token_embd", "shared"},
    GgufTensorName{"output", "lm_head"},
    GgufTensorName{"enc.output_norm", "encoder.final_layer_norm"},
    GgufTensorName{"enc.blk.#.attn_norm", "encoder.block.#.layer.0.layer_norm"},
    GgufTensorName{"enc.blk.#.attn_q", "encoder.block.#.layer.0.SelfAttention.q"},
    GgufTensorName{"enc.blk.#.attn_k", "encoder.block.#.layer.0.SelfAttention.k"},
    GgufTensorName{"enc.blk.#.attn_v", "encoder.block.#.layer.0.SelfAttention.v"},
    GgufTensorName{"enc.blk.#.attn_o", "encoder.block.#.layer.0.SelfAttention.o"},
    GgufTensorName{"enc.blk.#.attn_rel_b", "encoder.block.#.layer.0.SelfAttention.relative_attention_bias"},
    GgufTensorName{"enc.blk.#.ffn_norm", "encoder.block.#.layer.1.layer_norm"},
    GgufTensorName{"enc.blk.#.ffn_gate", "encoder.block.#.layer.1.DenseReluDense.wi_0"},
    GgufTensorName{"enc.blk.#.ffn_up", "encoder.block.#.layer.1.DenseReluDense.wi_1"},
    GgufTensorName{"enc.blk.#.ffn_up", "encoder.block.#.layer.1.DenseReluDense.wi"},
    GgufTensorName{"enc.blk.#.ffn_down", "encoder.block.#.layer.1.DenseReluDense.wo"},
    GgufTensorName{"dec.output_norm", "decoder.final_layer_norm"},
    GgufTensorName{"dec.blk.#.attn_norm", "decoder.block.#.layer.0.layer_norm"},
    GgufTensorName{"dec.blk.#.attn_q", "decoder.block.#.layer.0.SelfAttention.q"},
    GgufTensorName{"dec.blk.#.attn_k", "decoder.block.#.layer.0.SelfAttention.k"},
    GgufTensorName{"dec.blk.#.attn_v", "decoder.block.#.layer.0.SelfAttention.v"},
    GgufTensorName{"dec.blk.#.attn_o", "decoder.block.#.layer.0.SelfAttention.o"},
    GgufTensorName{"dec.blk.#.attn_rel_b", "decoder.block.#.layer.0.SelfAttention.relative_attention_bias"},
    GgufTensorName{"dec.blk.#.cross_attn_norm", "decoder.block.#.layer.1.layer_norm"},
    GgufTensorName{"dec.blk.#.cross_attn_q", "decoder.block.#.layer.1.EncDecAttention.q"},
    GgufTensorName{"dec.blk.#.cross_attn_k", "decoder.block.#.layer.1.EncDecAttention.k"},
    GgufTensorName{"dec.blk.#.cross_attn_v", "decoder.block.#.layer.1.EncDecAttention.v"},
    GgufTensorName{"dec.blk.#.cross_attn_o", "decoder.block.#.layer.1.EncDecAttention.o"},
    GgufTensorName{"dec.blk.#.ffn_norm", "decoder.block.#.layer.2.layer_norm"},
    GgufTensorName{"dec.blk.#.ffn_gate", "decoder.block.#.layer.2.DenseReluDense.wi_0"},
    GgufTensorName{"dec.blk.#.ffn_up", "decoder.block.#.layer.2.DenseReluDense.wi_1"},
    GgufTensorName{"dec.blk.#.ffn_up", "decoder.block.#.layer.2.DenseReluDense.wi"},
    GgufTensorName{"dec.blk.#.ffn_down", "decoder.block.#.layer.2.DenseReluDense.wo"},
};

constexpr std::array kUsualSizes{
    GgufSize{"context_length", "max_position_embeddings", &ModelConfig::maxPositions},
    GgufSize{"embedding_length", "hidden_size", &ModelConfig::hiddenSize},
    GgufSize{"block_count", "num_hidden_layers", &ModelConfig::numLayers},
    GgufSize{"feed_forward_length", "intermediate_size", &ModelConfig::intermediateSize},
    GgufSize{"attention.head_count", "num_attention_heads", &ModelConfig::numHeads},
    GgufSize{"attention.head_count_kv", "num_key_value_heads", &ModelConfig::numKvHeads, true},
    GgufSize{"attention.key_length", "head_dim", &ModelConfig::headDim, true},
};

constexpr std::array kGpt2Sizes{
    GgufSize{"context_length", "n_positions", &ModelConfig::maxPositions},
    GgufSize{"embedding_length", "n_embd", &ModelConfig::hiddenSize},
    GgufSize{"block_count", "n_layer", &ModelConfig::numLayers},
    GgufSize{"feed_forward_length", "n_inner", &ModelConfig::intermediateSize},
    GgufSize{"attention.head_count", "n_head", &ModelConfig::numHeads},
};

constexpr std::array kFalconSizes{
    GgufSize{"context_length", "max_position_embeddings", &ModelConfig::maxPositions},
    GgufSize{"embedding_length", "hidden_size", &ModelConfig::hiddenSize},
    GgufSize{"block_count", "num_hidden_layers", &ModelConfig::numLayers},
    GgufSize{"feed_forward_length", "ffn_hidden_size", &ModelConfig::intermediateSize},
    GgufSize{"attention.head_count", "num_attention_heads", &ModelConfig::numHeads},
    GgufSize{"attention.head_count_kv", "num_kv_heads", &ModelConfig::numKvHeads, true},
};

constexpr std::array kT5Sizes{
    GgufSize{"context_length", "n_positions", &ModelConfig::maxPositions},
    GgufSize{"embedding_length", "d_model", &ModelConfig::hiddenSize},
    GgufSize{"feed_forward_length", "d_ff", &ModelConfig::intermediateSize},
    GgufSize{"block_count", "num_layers", &ModelConfig::numEncoderLayers},
    GgufSize{"decoder_block_count", "num_decoder_layers", &ModelConfig::numLayers, true},
    GgufSize{"attention.head_count", "num_heads", &ModelConfig::numHeads},
    GgufSize{"attention.key_length", "d_kv", &ModelConfig::headDim},
};

constexpr std::string_view kRmsKey = "attention.layer_norm_rms_epsilon";
constexpr std::string_view kLayerNormKey = "attention.layer_norm_epsilon";

constexpr std::string_view kRmsJson = "rms_norm_eps";

constexpr std::string_view kLayerNormJson = "layer_norm_eps";

// Those without a function for writing are read only.
constexpr std::array kArchitectures{
    GgufArchitecture{"llama", "llama", "LlamaForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kLlamaTensors,
                     readLlamaSettings, writeLlamaSettings},
    GgufArchitecture{"qwen2", "qwen2", "Qwen2ForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kQwenTensors,
                     readQwenSettings, writeQwenSettings},
    GgufArchitecture{"qwen3", "qwen3", "Qwen3ForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kQwenTensors,
                     readQwenSettings},
    GgufArchitecture{"gemma", "gemma", "GemmaForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kGemmaTensors,
                     readGemmaSettings, writeGemmaSettings},
    GgufArchitecture{"gemma2", "gemma2", "Gemma2ForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kGemma2Tensors,
                     readGemma2Settings, writeGemma2Settings},
    GgufArchitecture{"gemma3", "gemma3_text", "Gemma3ForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kGemma2Tensors,
                     readGemma3Settings, writeGemma3Settings},
    GgufArchitecture{"granite", "granite", "GraniteForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kLlamaTensors,
                     readGraniteSettings},
    GgufArchitecture{"olmo2", "olmo2", "Olmo2ForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kOlmo2Tensors,
                     readOlmo2Settings},
    GgufArchitecture{"phi2", "phi", "PhiForCausalLM", kUsualSizes, kLayerNormKey, kLayerNormJson, kPhi2Tensors,
                     readPhi2Settings},
    GgufArchitecture{"phi3", "phi3", "Phi3ForCausalLM", kUsualSizes, kRmsKey, kRmsJson, kPhi3Tensors, readPhi3Settings},
    GgufArchitecture{"starcoder2", "starcoder2", "Starcoder2ForCausalLM", kUsualSizes, kLayerNormKey, "norm_epsilon",
                     kStarcoder2Tensors, readStarcoder2Settings},
    GgufArchitecture{"gpt2", "gpt2", "GPT2LMHeadModel", kGpt2Sizes, kLayerNormKey, "layer_norm_epsilon", kGpt2Tensors,
                     readGpt2Settings, writeGpt2Settings},
    GgufArchitecture{"gptneox", "gpt_neox", "GPTNeoXForCausalLM", kUsualSizes, kLayerNormKey, kLayerNormJson,
                     kGptNeoXTensors, readGptNeoXSettings},
    GgufArchitecture{"falcon", "falcon", "FalconForCausalLM", kFalconSizes, kLayerNormKey, "layer_norm_epsilon",
                     kFalconTensors, readFalconSettings},
    GgufArchitecture{"t5", "t5", "T5ForConditionalGeneration", kT5Sizes, kRmsKey, "layer_norm_epsilon", kT5Tensors,
                     readT5Settings, writeT5Settings},
};

// "model.layers.#.x" matches "model.layers.12.x" with "12"; absent if it does not match.
std::optional<std::string_view> layerNumber(std::string_view pattern, std::string_view name) {
    const size_t hash = pattern.find('#');
    if (hash == std::string_view::npos) return pattern == name ? std::optional(std::string_view()) : std::nullopt;
    const std::string_view before = pattern.substr(0, hash);
    const std::string_view after = pattern.substr(hash + 1);
    constexpr size_t kMaxDigits = 6;
    if (name.size() <= before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after)) return {};
    const std::string_view number = name.substr(before.size(), name.size() - before.size() - after.size());
    const bool isNumber = std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
    return isNumber && number.size() <= kMaxDigits ? std::optional(number) : std::nullopt;
}

std::string withNumber(std::string_view pattern, std::string_view number) {
    std::string name(pattern);
    if (const size_t hash = name.find('#'); hash != std::string::npos) name.replace(hash, 1, number);
    return name;
}

GgufLayout layoutOfBias(GgufLayout layout) {
    return layout == RotaryPairs || layout == GroupedHeads ? layout : Same;
}

template <std::string_view GgufArchitecture::*Member>
const GgufArchitecture* findArchitecture(std::string_view value) {
    const auto found = std::ranges::find(kArchitectures, value, Member);
    return found == kArchitectures.end() ? nullptr : &*found;
}

}  // namespace

const GgufArchitecture& ggufArchitectureNamed(std::string_view name, std::string_view sourceName) {
    if (const GgufArchitecture* found = findArchitecture<&GgufArchitecture::name>(name)) return *found;
    std::vector<std::string_view> known;
    for (const GgufArchitecture& architecture : kArchitectures) known.push_back(architecture.name);
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: models of architecture '{}' are not supported; supported are {}", sourceName, name,
                            fmt::join(known, ", "))};
}

const GgufArchitecture& ggufArchitectureFor(std::string_view modelType) {
    const std::string_view stored = modelType == "mistral" ? "llama" : modelType;
    const GgufArchitecture* found = findArchitecture<&GgufArchitecture::modelType>(stored);
    if (found != nullptr && found->writeSettings != nullptr) return *found;
    std::vector<std::string_view> known{"mistral"};
    for (const GgufArchitecture& architecture : kArchitectures) {
        if (architecture.writeSettings != nullptr) known.push_back(architecture.modelType);
    }
    throw Error{ErrorCode::Unsupported,
                fmt::format("models of type '{}' are not written as GGUF; those that are: {}. Export as safetensors",
                            modelType, fmt::join(known, ", "))};
}

GgufPlace ggufPlaceOf(const GgufArchitecture& architecture, std::string_view huggingFaceName) {
    const size_t dot = huggingFaceName.rfind('.');
    if (dot == std::string_view::npos) return {};
    const std::string_view stem = huggingFaceName.substr(0, dot);
    const std::string_view suffix = huggingFaceName.substr(dot);
    if (suffix != ".weight" && suffix != ".bias") return {};
    for (const GgufTensorName& row : architecture.tensors) {
        const auto number = layerNumber(row.huggingFace, stem);
        if (!number) continue;
        return {withNumber(row.gguf, *number) + std::string(suffix),
                suffix == ".bias" ? layoutOfBias(row.layout) : row.layout};
    }
    return {};
}

}  // namespace wb::core
