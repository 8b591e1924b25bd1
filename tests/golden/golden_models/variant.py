# SPDX-License-Identifier: Apache-2.0
"""What a golden model is made of."""
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

VOCABULARY = 99  # no multiple of 64, so that padding in memory shows


@dataclass(frozen=True)
class Beams:
    num_beams: int = 4
    num_return_sequences: int = 3
    early_stopping: bool = False
    length_penalty: float = 1.0
    max_new_tokens: int = 16


DEFAULT_BEAMS = (Beams(), Beams(num_return_sequences=4, early_stopping=True, max_new_tokens=24))


@dataclass(frozen=True)
class Variant:
    """One tiny seeded model.

    config           a Hugging Face config object, built when asked for
    layout           "v4": config.json as published checkpoints have it, "v5": as transformers 5 writes it
    drop             keys taken out of config.json because published files of the family lack them
    extra            keys written into config.json the way published files have them
    name_on_disk     gives a weight the name that published files use, None if they lack it; gradients keep the
                     library's names
    buffers          tensors that published files hold although the network does not need them
    prepare          called with the fresh model before its weights are drawn
    attention_gain   spread of query and key projections; smaller where scores are not scaled down
    attention        implementation in the reference library
    lengths          of the sequences whose logits, loss and gradients are stored
    prompts          lengths of the prompts that are continued greedily
    """

    name: str
    config: Callable[[], Any]
    layout: str = "v4"
    drop: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    name_on_disk: Callable[[str], str | None] = str
    buffers: Callable[[Any], dict[str, Any]] | None = None
    prepare: Callable[[Any], None] = lambda model: None
    attention_gain: float = 1.6
    attention: str = "eager"
    generation: dict[str, Any] = field(default_factory=dict)
    lengths: tuple[int, ...] = (1, 6, 17, 40)
    prompts: tuple[int, ...] = (1, 7, 22)
    new_tokens: int = 32
    beams: tuple[Beams, ...] = DEFAULT_BEAMS
