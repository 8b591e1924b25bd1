// SPDX-License-Identifier: Apache-2.0
#include "app/engine/bench_configs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/format/hf_config.h"
#include "kernels/base/error.h"

namespace wb::app {
namespace {

constexpr BenchConfig kConfigs[] = {
    {"30m", "Llama type, 8 layers of 512, 32 M parameters, head of its own", R"({
  "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 512, "intermediate_size": 1408,
  "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64, "vocab_size": 8192,
  "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu",
  "tie_word_embeddings": false, "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2
})"},
    {"135m", "the shape of SmolLM2-135M: 30 layers of 576, 135 M parameters, tied head", R"({
  "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 576, "intermediate_size": 1536,
  "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64, "vocab_size": 49152,
  "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 100000.0, "hidden_act": "silu",
  "tie_word_embeddings": true, "initializer_range": 0.041666666666666664, "bos_token_id": 1, "eos_token_id": 2
})"},
    {"gpt2", "the shape of GPT-2: 12 layers of 768, 124 M parameters, tied head", R"({
  "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 768, "n_layer": 12, "n_head": 12,
  "n_positions": 1024, "n_ctx": 1024, "vocab_size": 50257, "layer_norm_epsilon": 1e-05,
  "activation_function": "gelu_new", "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
  "initializer_range": 0.02, "bos_token_id": 50256, "eos_token_id": 50256
})"},
    {"1b", "the shape of Llama 3.2 1B: 16 layers of 2048, 1.24 B parameters, tied head", R"({
  "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 2048, "intermediate_size": 8192,
  "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256,
  "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "hidden_act": "silu",
  "tie_word_embeddings": true, "initializer_range": 0.02, "bos_token_id": 128000, "eos_token_id": 128001
})"},
    {"7b", "the shape of Llama 2 7B: 32 layers of 4096, 6.74 B parameters, head of its own", R"({
  "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 11008,
  "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 128, "vocab_size": 32000,
  "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu",
  "tie_word_embeddings": false, "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2
})"},
    {"tiny-llama", "Llama type, 2 layers of 32, to see that a command works", R"({
  "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 32, "intermediate_size": 64,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 128,
  "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu",
  "tie_word_embeddings": true, "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2
})"},
    {"tiny-gpt2", "GPT-2 type, 2 layers of 32, to see that a command works", R"({
  "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 32, "n_layer": 2, "n_head": 2,
  "n_positions": 256, "n_ctx": 256, "vocab_size": 97, "layer_norm_epsilon": 1e-05,
  "activation_function": "gelu_new", "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
  "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 1
})"},
};

}  // namespace

std::span<const BenchConfig> benchConfigs() {
    return kConfigs;
}

core::ModelConfig findBenchConfig(const std::string& nameOrPath) {
    const auto known = std::ranges::find(kConfigs, nameOrPath, &BenchConfig::name);
    if (known != std::end(kConfigs)) return core::parseModelConfig(known->json, known->name);
    if (!std::filesystem::exists(nameOrPath)) {
        std::string names;
        for (const BenchConfig& config : kConfigs) names += fmt::format("{}{}", names.empty() ? "" : ", ", config.name);
        throw Error{ErrorCode::NotFound,
                    fmt::format("--config {}: no such file, and no shape of that name ({})", nameOrPath, names)};
    }
    return core::readModelConfig(nameOrPath);
}

}  // namespace wb::app
