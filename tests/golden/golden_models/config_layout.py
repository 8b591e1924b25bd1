# SPDX-License-Identifier: Apache-2.0
"""config.json in the form that published checkpoints have: the keys of transformers 4."""
from typing import Any

# Where a family keeps the base of its rotary frequencies and the rotated part of a head.
THETA_KEY = {"gpt_neox": "rotary_emb_base"}
PART_KEY = {"gpt_neox": "rotary_pct"}
PART_WRITTEN = {"gpt_neox", "phi", "stablelm"}


def _flat_rope(parameters: dict[str, Any], model_type: str) -> dict[str, Any]:
    rest = dict(parameters)
    keys = {THETA_KEY.get(model_type, "rope_theta"): rest.pop("rope_theta")}
    part = rest.pop("partial_rotary_factor", None)
    if part is not None and model_type in PART_WRITTEN:
        keys[PART_KEY.get(model_type, "partial_rotary_factor")] = part
    kind = rest.pop("rope_type", "default")
    if kind != "default":
        # Files from before transformers 4.43 say "type", newer ones "rope_type".
        keys["rope_scaling"] = {"type" if kind in ("linear", "dynamic") else "rope_type": kind, **rest}
    else:
        keys["rope_scaling"] = None
    return keys


def _gemma3_rope(parameters: dict[str, Any]) -> dict[str, Any]:
    full, sliding = dict(parameters["full_attention"]), parameters["sliding_attention"]
    keys = {"rope_theta": full.pop("rope_theta"), "rope_local_base_freq": sliding["rope_theta"]}
    keys["rope_scaling"] = full if full["rope_type"] != "default" else None
    return keys


def to_v4(config: dict[str, Any]) -> dict[str, Any]:
    old = {key: value for key, value in config.items() if key != "transformers_version"}
    if "dtype" in old:
        old["torch_dtype"] = old.pop("dtype")
    parameters = old.pop("rope_parameters", None)
    if parameters is not None:
        nested = "full_attention" in parameters
        old.update(_gemma3_rope(parameters) if nested else _flat_rope(parameters, old["model_type"]))
    return dict(sorted(old.items()))
