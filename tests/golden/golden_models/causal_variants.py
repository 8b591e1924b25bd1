# SPDX-License-Identifier: Apache-2.0
"""Decoder-only models."""
import torch
from transformers import (
    CodeGenConfig,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTJConfig,
    GPTNeoConfig,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    OlmoConfig,
    OPTConfig,
    Phi3Config,
    PhiConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
    Qwen3MoeConfig,
    SmolLM3Config,
    StableLmConfig,
    Starcoder2Config,
)

from .variant import VOCABULARY, Variant

IDS = {"bos_token_id": 1, "eos_token_id": 2}
LLAMA = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    **IDS,
}
GQA = {"num_key_value_heads": 2}


def plain(settings):
    """For families with layer norms, whose configs know no epsilon of an RMS norm."""
    return {key: value for key, value in settings.items() if key != "rms_norm_eps"}


def llama(name, rope=None, layout="v4", buffers=None, **changes):
    def config():
        scaling = {"rope_parameters": {"rope_theta": 10000.0, **rope}} if rope else {}
        return LlamaConfig(**{**LLAMA, **changes, **scaling})

    return Variant(name, config, layout=layout, buffers=buffers)


def rotary_buffers(_weights):
    """The frequencies that the first Llama checkpoints stored."""
    return {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.ones(4) * 0.5 for layer in range(3)}


LLAMAS = [
    llama("llama", buffers=rotary_buffers),
    llama("llama_gqa", **GQA, rope={"rope_type": "default", "rope_theta": 500.0}),
    llama("llama_tied", **GQA, head_dim=12, tie_word_embeddings=True),
    llama("llama_biases", attention_bias=True, mlp_bias=True, hidden_act="gelu_pytorch_tanh"),
    llama("llama_rope_linear", **GQA, rope={"rope_type": "linear", "factor": 2.5}),
    llama(
        "llama_rope_llama3",
        **GQA,
        head_dim=16,
        layout="v5",
        rope={
            "rope_type": "llama3",
            "rope_theta": 50.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 48,
        },
    ),
    llama("llama_rope_dynamic", **GQA, rope={"rope_type": "dynamic", "factor": 3.0}),
    llama(
        "llama_rope_yarn",
        **GQA,
        head_dim=16,
        rope={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
    ),
    llama(
        "llama_rope_yarn_mscale",
        **GQA,
        head_dim=16,
        rope={
            "rope_type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 16,
            "mscale": 1.4,
            "mscale_all_dim": 0.7,
            "beta_fast": 6.0,
            "beta_slow": 0.5,
            "truncate": False,
        },
    ),
    llama(
        "llama_rope_yarn_factor",
        **GQA,
        head_dim=16,
        layout="v5",
        rope={
            "rope_type": "yarn",
            "factor": 2.0,
            "original_max_position_embeddings": 32,
            "attention_factor": 1.3,
            "beta_fast": 8.0,
        },
    ),
]

GPT2 = {
    "vocab_size": VOCABULARY,
    "n_positions": 64,
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "n_inner": 72,
    "bos_token_id": 2,
    "eos_token_id": 2,
}


def without_prefix(prefix):
    return lambda name: name.removeprefix(prefix)


def causal_mask_buffers(pattern, layers, positions, masked=None):
    """The attention masks that older library versions stored with the weights."""

    def make(_weights):
        mask = torch.tril(torch.ones(positions, positions, dtype=torch.uint8)).view(1, 1, positions, positions)
        buffers = {pattern.format(layer): mask.clone() for layer in range(layers)}
        if masked:
            buffers |= {masked.format(layer): torch.tensor(-1e9).clone() for layer in range(layers)}
        return buffers

    return make


GPT2S = [
    # The published files name no "transformer." and keep the causal masks.
    Variant(
        "gpt2",
        lambda: GPT2Config(**{**GPT2, "n_inner": None}),
        name_on_disk=without_prefix("transformer."),
        buffers=causal_mask_buffers("h.{}.attn.bias", 3, 64),
    ),
    Variant(
        "gpt2_scaled_by_layer",
        lambda: GPT2Config(**GPT2, scale_attn_by_inverse_layer_idx=True, activation_function="gelu"),
        layout="v5",
    ),
]

GPT_NEOX = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 72,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 2,
    "eos_token_id": 2,
}


def gpt_neox(name, parallel, part, theta, **more):
    rope = {"rope_type": "default", "rope_theta": theta, "partial_rotary_factor": part}
    return Variant(
        name,
        lambda: GPTNeoXConfig(**GPT_NEOX, use_parallel_residual=parallel, rope_parameters=rope),
        **more,
    )


GPT_NEOXS = [
    gpt_neox(
        "gpt_neox",
        True,
        0.25,
        100.0,
        buffers=causal_mask_buffers(
            "gpt_neox.layers.{}.attention.bias", 3, 64, "gpt_neox.layers.{}.attention.masked_bias"
        ),
    ),
    gpt_neox("gpt_neox_sequential", False, 1.0, 10000.0, layout="v5"),
]

MISTRALS = [
    Variant("mistral", lambda: MistralConfig(**{**LLAMA, **GQA}, sliding_window=8)),
    Variant(
        "mistral_head_dim",
        lambda: MistralConfig(**{**LLAMA, **GQA}, sliding_window=None, head_dim=12),
        layout="v5",
    ),
]

QWENS = [
    Variant(
        "qwen2",
        lambda: Qwen2Config(**{**LLAMA, **GQA, "tie_word_embeddings": True}),
        drop=("layer_types", "bos_token_id"),
    ),
    # Layers from the third on have a window.
    Variant(
        "qwen2_window",
        lambda: Qwen2Config(**{**LLAMA, **GQA}, use_sliding_window=True, sliding_window=8, max_window_layers=2),
        drop=("layer_types",),
    ),
    Variant("qwen3", lambda: Qwen3Config(**{**LLAMA, **GQA}, head_dim=12), drop=("layer_types",)),
    Variant(
        "qwen3_window_biases",
        lambda: Qwen3Config(
            **{**LLAMA, **GQA},
            head_dim=8,
            attention_bias=True,
            use_sliding_window=True,
            sliding_window=8,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        ),
        layout="v5",
    ),
]

GEMMA = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 64,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "pad_token_id": 0,
}

GEMMAS = [
    # The first files of the family say "gelu" and mean its tanh approximation.
    Variant("gemma", lambda: GemmaConfig(**{**GEMMA, "num_key_value_heads": 1}), extra={"hidden_act": "gelu"}),
    # Caps near the size of the scores, so that leaving them out shows.
    Variant(
        "gemma2",
        lambda: Gemma2Config(
            **{**GEMMA, "num_hidden_layers": 4},
            query_pre_attn_scalar=20,
            sliding_window=8,
            attn_logit_softcapping=3.0,
            final_logit_softcapping=5.0,
        ),
        drop=("layer_types", "use_bidirectional_attention"),
    ),
    Variant(
        "gemma3_text",
        lambda: Gemma3TextConfig(
            **{**GEMMA, "num_hidden_layers": 4}, query_pre_attn_scalar=10, sliding_window=8, sliding_window_pattern=3
        ),
        drop=("layer_types", "use_bidirectional_attention", "_sliding_window_pattern"),
        extra={"sliding_window_pattern": 3},
    ),
    Variant(
        "gemma3_text_rope_linear",
        lambda: Gemma3TextConfig(
            **{**GEMMA, "num_hidden_layers": 3},
            query_pre_attn_scalar=12,
            sliding_window=12,
            layer_types=["full_attention", "sliding_attention", "full_attention"],
            rope_parameters={
                "full_attention": {"rope_type": "linear", "rope_theta": 1000.0, "factor": 4.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
            },
        ),
        layout="v5",
    ),
]

PHIS = [
    Variant("phi", lambda: PhiConfig(**plain(LLAMA), layer_norm_eps=1e-5)),
    Variant(
        "phi_gqa",
        lambda: PhiConfig(
            **plain({**LLAMA, **GQA}),
            rope_parameters={"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.25},
        ),
        layout="v5",
    ),
    Variant("phi3", lambda: Phi3Config(**LLAMA, sliding_window=8, pad_token_id=0)),
    Variant(
        "phi3_partial",
        lambda: Phi3Config(
            **{**LLAMA, **GQA, "tie_word_embeddings": True},
            pad_token_id=0,
            rope_parameters={"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.5},
        ),
        extra={"partial_rotary_factor": 0.5},
    ),
]

SMOLLMS = [
    # The third layer of four has no rotary positions.
    Variant(
        "smollm3",
        lambda: SmolLM3Config(
            **{**LLAMA, **GQA, "num_hidden_layers": 4}, pad_token_id=0, no_rope_layer_interval=3
        ),
    ),
]

GPT_NEO = {
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "hidden_size": 32,
    "num_layers": 4,
    "num_heads": 4,
    "window_size": 7,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
GPT_NEOS = [
    Variant(
        "gpt_neo",
        lambda: GPTNeoConfig(**GPT_NEO, attention_types=[[["global", "local"], 2]]),
        attention_gain=1.0,
        buffers=causal_mask_buffers(
            "transformer.h.{}.attn.attention.bias", 4, 64, "transformer.h.{}.attn.attention.masked_bias"
        ),
    ),
]

GPTJ = {
    "vocab_size": VOCABULARY,
    "n_positions": 64,
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "rotary_dim": 4,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
GPTJS = [
    Variant(
        "gptj",
        lambda: GPTJConfig(**GPTJ),
        buffers=causal_mask_buffers("transformer.h.{}.attn.bias", 3, 64, "transformer.h.{}.attn.masked_bias"),
    ),
    Variant(
        "codegen",
        lambda: CodeGenConfig(**{**GPTJ, "n_inner": 72}),
        buffers=causal_mask_buffers("transformer.h.{}.attn.causal_mask", 3, 64),
    ),
]

OPT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "ffn_dim": 72,
    "max_position_embeddings": 64,
    "num_attention_heads": 4,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
OPTS = [
    Variant("opt", lambda: OPTConfig(**OPT)),
    Variant("opt_post_norm", lambda: OPTConfig(**OPT, do_layer_norm_before=False, activation_function="gelu")),
    # The smallest but one of the family projects narrower embeddings.
    Variant("opt_projected", lambda: OPTConfig(**OPT, do_layer_norm_before=False, word_embed_proj_dim=24)),
]


def head_stored_twice(weights):
    """The published files hold a tied head beside the embedding."""
    return {"lm_head.weight": weights["transformer.word_embeddings.weight"].clone()}


FALCON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
FALCONS = [
    Variant("falcon", lambda: FalconConfig(**FALCON), buffers=head_stored_twice),
    Variant(
        "falcon_new_decoder",
        lambda: FalconConfig(**FALCON, new_decoder_architecture=True, num_kv_heads=2, ffn_hidden_size=72),
    ),
    Variant(
        "falcon_one_norm",
        lambda: FalconConfig(**FALCON, new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1),
        layout="v5",
    ),
    Variant(
        "falcon_alibi",
        lambda: FalconConfig(**FALCON, alibi=True, multi_query=False, parallel_attn=False, bias=True),
        attention="sdpa",  # the eager one of transformers 5 adds the slopes twice
    ),
]

OTHERS = [
    Variant(
        "starcoder2",
        lambda: Starcoder2Config(**plain({**LLAMA, **GQA}), norm_epsilon=1e-5, sliding_window=8),
    ),
    Variant("olmo", lambda: OlmoConfig(**plain({**LLAMA, **GQA}), pad_token_id=0)),
    Variant("olmo2", lambda: Olmo2Config(**{**LLAMA, **GQA}, pad_token_id=0)),
    Variant(
        "granite",
        lambda: GraniteConfig(
            **{**LLAMA, **GQA, "tie_word_embeddings": True},
            embedding_multiplier=1.5,
            logits_scaling=0.5,
            residual_multiplier=0.7,
            attention_multiplier=0.2,
        ),
    ),
    Variant("stablelm", lambda: StableLmConfig(**plain({**LLAMA, **GQA}), use_qkv_bias=True)),
]

EXPERTS = {**LLAMA, **GQA, "num_hidden_layers": 2, "intermediate_size": 40}
MIXTURES = [
    Variant("mixtral", lambda: MixtralConfig(**EXPERTS, num_local_experts=4, num_experts_per_tok=2)),
    Variant(
        "qwen2_moe",
        lambda: Qwen2MoeConfig(
            **EXPERTS,
            num_experts=5,
            num_experts_per_tok=2,
            moe_intermediate_size=24,
            shared_expert_intermediate_size=40,
        ),
        drop=("layer_types",),
    ),
    # The first layer is dense.
    Variant(
        "qwen3_moe",
        lambda: Qwen3MoeConfig(
            **EXPERTS,
            head_dim=12,
            num_experts=6,
            num_experts_per_tok=3,
            moe_intermediate_size=16,
            norm_topk_prob=True,
            mlp_only_layers=[0],
        ),
        drop=("num_local_experts",),
        extra={"num_experts": 6},
    ),
    # Files of transformers 5 name the number of experts differently.
    Variant(
        "qwen3_moe_new_layout",
        lambda: Qwen3MoeConfig(
            **EXPERTS, head_dim=8, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=24, norm_topk_prob=False
        ),
        layout="v5",
    ),
]

VARIANTS = [
    *LLAMAS,
    *GPT2S,
    *GPT_NEOXS,
    *MISTRALS,
    *QWENS,
    *GEMMAS,
    *PHIS,
    *SMOLLMS,
    *GPT_NEOS,
    *GPTJS,
    *OPTS,
    *FALCONS,
    *OTHERS,
    *MIXTURES,
]
