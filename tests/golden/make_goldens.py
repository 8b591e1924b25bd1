#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes models/<variant>/ beside this script: a tiny seeded model in Hugging Face layout and what transformers
computes with it.

    make_goldens.py [--out FOLDER] [VARIANT ...]

expected.json holds ids, labels, loss, greedy and beam outputs; expected.safetensors the logits of all sequences one
after the other and the gradients of chosen weights ("grad." and the name of the weight). The same versions of torch
and transformers on the same kind of CPU give the same bytes again.
"""
import argparse
import copy
import json
import re
import shutil
import tempfile
from pathlib import Path

import safetensors.torch
import torch
import transformers

from golden_models import causal_variants, config_layout, encoder_decoder_variants, expectations
from golden_models.randomise import randomise
from golden_models.variant import Variant

HERE = Path(__file__).parent
SEEDS = 200
# A seed is taken if rounding can change none of the ids: no two candidates as close as this.
LEAST_MARGIN = 2e-3
# Perturbation of the weights under which the ids must stay, and what it may do to logits and gradients.
NOISE = 1e-6
LEAST_DIFFERENT_IDS = 5  # of each greedy output that is twice as long
LEAST_LENGTH = 24  # of the longest greedy output


def variants():
    return {variant.name: variant for variant in causal_variants.VARIANTS + encoder_decoder_variants.VARIANTS}


def model_class(config):
    return transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM


def stored_model(folder, config, attention):
    model, report = model_class(config).from_pretrained(
        folder, attn_implementation=attention, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    for module in model.modules():
        if "Sinusoidal" in type(module).__name__:
            module.requires_grad_(False)
    return model.eval()


def write_config(folder: Path, variant: Variant):
    file = folder / "config.json"
    config = json.loads(file.read_text())
    if variant.layout == "v4":
        config = config_layout.to_v4(config)
    for key in variant.drop:
        config.pop(key, None)
    config |= variant.extra
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_weights(folder: Path, variant: Variant):
    file = folder / "model.safetensors"
    weights = safetensors.torch.load_file(file)
    weights = {variant.name_on_disk(name): weight for name, weight in weights.items() if variant.name_on_disk(name)}
    if variant.buffers:
        weights |= variant.buffers(weights)
    ordered = {name: weights[name].contiguous() for name in sorted(weights)}
    safetensors.torch.save_file(ordered, file, metadata={"format": "pt"})


def write_model(folder: Path, variant: Variant, seed: int):
    config = variant.config()
    torch.manual_seed(seed)
    model = model_class(config).from_config(config, attn_implementation=variant.attention, dtype=torch.float32)
    variant.prepare(model)
    randomise(model, seed, variant.attention_gain)
    for key, value in variant.generation.items():
        setattr(model.generation_config, key, value)
    model.save_pretrained(folder)
    write_config(folder, variant)
    write_weights(folder, variant)
    loaded = stored_model(folder, config, variant.attention)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, loaded.get_parameter(name)), f"{variant.name}: {name} was stored differently"
    return loaded


def layer_of(name: str):
    """("decoder.block.", 2) of decoder.block.2.layer.0.SelfAttention.q.weight; no number outside layers."""
    found = re.match(r"(.*?\.)(\d+)\.", name)
    return (found[1], int(found[2])) if found else (name, None)


def chosen_gradients(gradients):
    """All vectors; of the matrices those outside the layers, attention of the first and the rest of the last."""
    last = {}
    for stack, layer in sorted(map(layer_of, gradients), key=lambda place: place[1] or 0):
        last[stack] = layer
    kept = {}
    for name, gradient in sorted(gradients.items()):
        stack, layer = layer_of(name)
        is_attention = any(part in name.lower() for part in ("attn", "attention"))
        if gradient.dim() < 2 or layer is None or layer == (0 if is_attention else last[stack]):
            kept[name] = gradient
    return kept


def as_stored(model, gradients):
    """The gradients under the names and in the shapes that a file gives the weights (experts one by one)."""
    holder = copy.deepcopy(model)
    for name, gradient in gradients.items():
        holder.get_parameter(name).data = gradient
    with tempfile.TemporaryDirectory() as scratch:
        holder.save_pretrained(scratch)
        stored = safetensors.torch.load_file(Path(scratch) / "model.safetensors")
    constants = {name for name, _ in model.named_buffers()}
    constants |= {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: tensor.clone() for name, tensor in stored.items() if name not in constants}


def perturbed(model, generator):
    for parameter in model.parameters():
        with torch.no_grad():
            parameter.mul_(1 + NOISE * torch.randn(parameter.shape, generator=generator))


def relative_change(first, second):
    return ((first - second).abs().max() / first.abs().max()).item()


def expect(model, variant: Variant, seed: int):
    """Expectations of one seed, or the reason why another one is needed."""
    generator = torch.Generator().manual_seed(seed + 1)
    problem = expectations.make_problem(model, variant, generator)
    prompts = [expectations.random_ids(generator, length, model.config) for length in variant.prompts]
    greedy, margin = expectations.greedy(model, prompts, variant.new_tokens)
    if margin < LEAST_MARGIN:
        return None, f"greedy margin {margin:.1e}"
    if any(len(set(row["ids"])) < min(LEAST_DIFFERENT_IDS, len(row["ids"]) // 2) for row in greedy):
        return None, "greedy repeats itself"
    if max(len(row["ids"]) for row in greedy) < LEAST_LENGTH:
        return None, "all greedy outputs end soon"
    beams = expectations.beams(model, prompts[1:], variant.beams)
    ends = expectations.as_list(model.generation_config.eos_token_id)
    if beams and not any(ids[-1] in ends for row in beams for ids in row["ids"]):
        return None, "no beam ends by itself"
    loss, logits, grads = expectations.gradients(model, problem)
    perturbed(model, generator)
    _, noisy_logits, noisy_grads = expectations.gradients(model, problem)
    if relative_change(logits, noisy_logits) > 20 * NOISE:
        return None, f"ill-conditioned logits {relative_change(logits, noisy_logits):.1e}"
    worst = max(relative_change(grads[name], noisy_grads[name]) for name in grads if grads[name].abs().max() > 1e-5)
    if worst > 100 * NOISE:
        return None, f"ill-conditioned gradients {worst:.1e}"
    if expectations.greedy(model, prompts, variant.new_tokens)[0] != greedy:
        return None, "greedy is not stable"
    if [row["ids"] for row in expectations.beams(model, prompts[1:], variant.beams)] != [row["ids"] for row in beams]:
        return None, "beams are not stable"
    tensors = {"logits": logits.contiguous()}
    for name, gradient in chosen_gradients(as_stored(model, grads)).items():
        tensors[f"grad.{name}"] = gradient
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    text = {"variant": variant.name, "seed": seed, "made_with": versions, "config_layout": variant.layout}
    return (tensors, text | problem | {"loss": loss, "greedy": greedy, "beams": beams}), ""


def make(variant: Variant, out: Path):
    for seed in range(1, SEEDS):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            model = write_model(folder, variant, seed)
            found, reason = expect(model, variant, seed)
            if found is None:
                print(f"  {variant.name}: seed {seed}: {reason}", flush=True)
                continue
            tensors, text = found
            safetensors.torch.save_file(tensors, folder / "expected.safetensors")
            lines = json.dumps(text, indent=1)
            (folder / "expected.json").write_text(compact_lists(lines) + "\n")
            shutil.rmtree(out / variant.name, ignore_errors=True)
            shutil.copytree(folder, out / variant.name)
        size = sum(file.stat().st_size for file in (out / variant.name).iterdir())
        print(f"{variant.name}: seed {seed}, {size / 1024:.0f} KiB", flush=True)
        return
    raise SystemExit(f"{variant.name}: no seed up to {SEEDS} is good")


def compact_lists(text: str) -> str:
    """Lists of numbers on one line each."""
    return re.sub(r"\[\s+([-\d.,\se]+?)\s+\]", lambda match: "[" + " ".join(match.group(1).split()) + "]", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "models")
    parser.add_argument("variants", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    known = variants()
    for name in arguments.variants or known:
        make(known[name], arguments.out)


if __name__ == "__main__":
    main()
