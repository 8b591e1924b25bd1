# SPDX-License-Identifier: Apache-2.0
"""Seeded weights in which nothing is degenerate: no norm is one, no bias zero, attention looks at few keys."""
import math

import torch
from torch import nn

QUERY_OR_KEY = ("q_proj", "k_proj", "qkv_proj", "query_key_value", "c_attn", ".q.", ".k.", "q_attn", "k_attn")


def _normal(parameter: torch.Tensor, std: float, mean: float, generator: torch.Generator) -> None:
    values = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
    with torch.no_grad():
        parameter.copy_(values * std + mean)


def _std_of_matrix(name: str, module: nn.Module, parameter: torch.Tensor, attention_gain: float) -> float:
    # GPT-2 keeps its matrices as [in, out]; everything else as [..., out, in].
    fan_in = parameter.shape[0] if type(module).__name__ == "Conv1D" else parameter.shape[-1]
    gain = attention_gain if any(part in f"{name}." for part in QUERY_OR_KEY) else 1.2
    if "lm_head" in name or "embed_out" in name:
        gain = 2.5
    if "router" in name or name.endswith("gate.weight"):
        gain = 2.0
    return gain / math.sqrt(fan_in)


def _norm_weight(module: nn.Module, parameter: torch.Tensor, is_tied: bool, generator: torch.Generator) -> None:
    _normal(parameter, 0.3, 1.0, generator)
    with torch.no_grad():
        if is_tied:
            # With a tied head the likeliest next token would be the last one again; random signs prevent it.
            parameter.mul_(torch.randint(2, parameter.shape, generator=generator) * 2.0 - 1.0)
        if type(module).__name__.startswith("Gemma"):
            parameter.sub_(1.0)  # Gemma adds one when it uses them


def _prefer_ends(model: nn.Module) -> None:
    """Longer rows of the head for the ends of a text, so that some outputs end before the limit."""
    ends = model.config.eos_token_id
    with torch.no_grad():
        for end in ends if isinstance(ends, list) else [ends]:
            model.get_output_embeddings().weight[end] *= 1.6


def randomise(model: nn.Module, seed: int, attention_gain: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    # T5 has no position vectors and scales a tied head down: wider rows keep its outputs from repeating themselves.
    embedding_std = 1.2 if model.config.model_type in ("t5", "mt5") else 0.7
    position_std = 0.7
    # Gemma multiplies embeddings by sqrt(hidden), M2M100 and others on request.
    if model.config.model_type.startswith("gemma") or getattr(model.config, "scale_embedding", False):
        embedding_std /= math.sqrt(model.config.hidden_size) * 0.4
        position_std /= 0.4
    is_tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    seen = set()
    for module_name, module in model.named_modules():
        for leaf, parameter in module.named_parameters(recurse=False):
            if parameter.data_ptr() in seen:
                continue
            seen.add(parameter.data_ptr())
            if not parameter.requires_grad:
                continue  # sinusoidal positions
            name = f"{module_name}.{leaf}"
            if name.endswith("relative_attention_bias.weight"):
                _normal(parameter, 2.0, 0.0, generator)
            elif "position" in name:
                # Never scaled; as large as token embeddings are after it, or outputs would go in circles.
                _normal(parameter, position_std, 0.0, generator)
            elif isinstance(module, nn.Embedding):
                _normal(parameter, embedding_std, 0.0, generator)
            elif leaf == "bias" or leaf.endswith("_bias"):
                _normal(parameter, 0.2, 0.0, generator)
            elif "Norm" in type(module).__name__:
                _norm_weight(module, parameter, is_tied, generator)
            else:
                _normal(parameter, _std_of_matrix(name, module, parameter, attention_gain), 0.0, generator)
    _prefer_ends(model)
    for name, buffer in model.named_buffers():
        if name.endswith("final_logits_bias"):
            _normal(buffer, 0.5, 0.0, generator)
