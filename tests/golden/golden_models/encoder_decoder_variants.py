# SPDX-License-Identifier: Apache-2.0
"""Encoder-decoder models."""
import torch
from torch import nn
from transformers import (
    BartConfig,
    BlenderbotConfig,
    BlenderbotSmallConfig,
    M2M100Config,
    MT5Config,
    PegasusConfig,
    T5Config,
)

from .variant import VOCABULARY, Variant

# Stacks of different depth, heads that do not add up to the model's width, and distances beyond the last bucket.
T5 = {
    "vocab_size": VOCABULARY,
    "d_model": 32,
    "d_kv": 12,
    "d_ff": 48,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 10,
    "relative_attention_max_distance": 24,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 1,
}


def own_head(model):
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())


def t5(name, config_class, **more):
    settings = {**T5, **more.pop("settings", {})}
    return Variant(name, lambda: config_class(**settings), attention_gain=1.0, **more)


def shared_table_copies(weights):
    """Published files repeat the shared table, and keep a table that cross-attention never reads."""
    table = weights["shared.weight"]
    unread = torch.ones(T5["relative_attention_num_buckets"], T5["num_heads"])
    return {
        "encoder.embed_tokens.weight": table.clone(),
        "decoder.embed_tokens.weight": table.clone(),
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": unread,
    }


GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
T5S = [
    t5("t5", T5Config, buffers=shared_table_copies, drop=("scale_decoder_outputs", "is_decoder", "dense_act_fn", "is_gated_act")),
    # Published files say that the head is not tied; transformers 5 writes that it is, and stores one nevertheless.
    t5(
        "t5_v1_1",
        T5Config,
        settings=GATED,
        prepare=own_head,
        buffers=shared_table_copies,
        drop=("scale_decoder_outputs", "is_decoder", "dense_act_fn", "is_gated_act"),
        extra={"tie_word_embeddings": False},
    ),
    t5("t5_v1_1_new_layout", T5Config, settings=GATED, prepare=own_head, layout="v5"),
    t5(
        "mt5",
        MT5Config,
        settings={**GATED, "num_layers": 2},
        prepare=own_head,
        drop=("is_decoder", "dense_act_fn", "is_gated_act"),
        extra={"tie_word_embeddings": False},
    ),
]

BART = {
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_ffn_dim": 48,
    "encoder_attention_heads": 4,
    "decoder_layers": 2,
    "decoder_ffn_dim": 40,
    "decoder_attention_heads": 2,
}


def without_head(name):
    """As a file of the bare network has it; it knows no bias of the logits."""
    return None if name == "final_logits_bias" else name.removeprefix("model.")


def bart_table_copies(weights):
    table = weights["shared.weight"]
    return {f"{stack}.embed_tokens.weight": table.clone() for stack in ("encoder", "decoder")}


def sine_tables(_weights):
    """Computed positions that the first files of the family stored; nobody reads them."""
    return {f"model.{stack}.embed_positions.weights": torch.ones(66, 32) for stack in ("encoder", "decoder")}


BARTS = [
    Variant("bart", lambda: BartConfig(**BART, pad_token_id=1, bos_token_id=0, eos_token_id=2)),
    Variant(
        "bart_without_head",
        lambda: BartConfig(**BART, pad_token_id=1, bos_token_id=0, eos_token_id=2, forced_bos_token_id=0),
        name_on_disk=without_head,
        buffers=bart_table_copies,
        extra={"architectures": ["BartModel"]},
        generation={"forced_bos_token_id": 0},
    ),
    Variant("bart_scaled", lambda: BartConfig(**BART, scale_embedding=True, activation_function="relu"), layout="v5"),
    Variant("pegasus", lambda: PegasusConfig(**BART, scale_embedding=True, activation_function="relu")),
    Variant(
        "blenderbot", lambda: BlenderbotConfig(**BART, scale_embedding=True, encoder_no_repeat_ngram_size=0)
    ),
    Variant("blenderbot_small", lambda: BlenderbotSmallConfig(**BART)),
    # Outputs begin with the token of the language to translate to. Padding among them would have no position in the
    # reference, and another one with its cache than without.
    Variant(
        "m2m_100",
        lambda: M2M100Config(**BART),
        buffers=sine_tables,
        generation={"forced_bos_token_id": 7, "suppress_tokens": [1]},
    ),
]

VARIANTS = [*T5S, *BARTS]
