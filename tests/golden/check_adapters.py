#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains adapters of every kind with `whet`, exports them, and lets the peft library load what was exported.

    check_adapters.py --whet build/dev/bin/whet [--markdown FILE] [CASE ...]

The plain adapter of every family is a column of check_exports.py; here are the kinds: choices of modules, scales, DoRA,
trained biases, modules trained whole. Of each: the logits of `whet generate --adapter` against those of peft on the
reference model, the names in the file against those peft itself would write, and the merged export where one is
possible. Ends with 1 if any differs or fails.
"""
import argparse
import json
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import peft
import safetensors
import torch
import transformers

from check_exports import HERE, TRAINING, Failure, Whet, compare, reference_model
from golden_models import small_tokenizer

# A change of the logits that training must at least have made.
LEAST_CHANGE = 1e-3
COMMON = ["--method", "lora", "--lora-rank", "4", "--learning-rate", "0.02", *TRAINING]


@dataclass(frozen=True)
class Case:
    model: str
    kind: str
    options: tuple[str, ...]
    can_merge: bool = True

    @property
    def name(self):
        return f"{self.model}.{self.kind}"


DORA = ("--use-dora",)
CASES = [
    Case("llama", "list", ("--lora-targets", "q_proj,v_proj")),
    Case("llama", "expression", ("--lora-targets", r"model\.layers\.[02]\..*(up|down)_proj")),
    Case("llama", "rslora", ("--use-rslora", "--lora-alpha", "4")),
    Case("llama", "dora", DORA),
    Case("llama", "dora_dropout", (*DORA, "--lora-dropout", "0.2")),
    Case("llama", "dora_recomputed", (*DORA, "--activation-checkpointing", "full")),
    Case("llama", "dora_rslora", (*DORA, "--use-rslora", "--lora-alpha", "4")),
    Case("llama", "saved_tables", ("--modules-to-save", "lm_head,embed_tokens")),
    Case("llama", "saved_norms", ("--modules-to-save", "norm", "--lora-targets", "q_proj,v_proj")),
    Case("llama", "saved_projection", ("--modules-to-save", "0.mlp.up_proj")),
    Case("llama_tied", "saved_head", ("--modules-to-save", "lm_head"), can_merge=False),
    Case("llama_biases", "bias_lora_only", ("--lora-bias", "lora_only", "--lora-targets", "q_proj,v_proj")),
    Case("llama_biases", "dora_bias_all", (*DORA, "--lora-bias", "all")),
    Case("qwen2_window", "bias_all", ("--lora-bias", "all")),
    Case("qwen3", "dora", DORA),
    Case("gemma2", "dora", DORA),
    Case("phi", "bias_all", ("--lora-bias", "all")),
    Case("phi3", "dora", DORA),
    Case("gpt2", "dora", DORA),
    Case("gpt2", "bias_all", ("--lora-bias", "all")),
    Case("gpt2", "saved_projection", ("--modules-to-save", "c_fc", "--lora-targets", "c_attn")),
    Case("gpt_neox", "dora", DORA),
    Case("opt", "bias_all", ("--lora-bias", "all", "--lora-targets", "q_proj,v_proj")),
    Case("t5", "dora", DORA),
    Case("t5_v1_1", "saved_head", ("--modules-to-save", "lm_head")),
    Case("bart", "dora_bias_all", (*DORA, "--lora-bias", "all")),
    Case("m2m_100", "rslora", ("--use-rslora", "--lora-alpha", "4")),
]


def stored_names(folder):
    with safetensors.safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
        return set(file.keys())


def tuned_reference(model_folder, adapter_folder):
    tuned = peft.PeftModel.from_pretrained(reference_model(model_folder), adapter_folder).eval()
    wanted = set(peft.get_peft_model_state_dict(tuned, save_embedding_layers=False))
    stored = stored_names(adapter_folder)
    if wanted != stored:
        raise Failure(f"peft would not store {sorted(stored - wanted)[:3]}, but {sorted(wanted - stored)[:3]}")
    return tuned


def check(case, golden, scratch, whet):
    folder = scratch / "model"
    shutil.copytree(golden, folder, ignore=shutil.ignore_patterns("expected.*"))
    config, generation = (json.loads((golden / name).read_text()) for name in ("config.json", "generation_config.json"))
    small_tokenizer.write_tokenizer(folder, config, generation)
    rows = scratch / "rows.jsonl"
    small_tokenizer.write_rows(rows)
    base = torch.tensor(whet.generate(folder)["last_logits"]).double()
    run = whet("train", "--model", folder, "--data", rows, *COMMON, *case.options)["run_dir"]
    exported = scratch / "adapter"
    whet("export", "--run", run, "--format", "peft", "--out", exported)
    answer = whet.generate(folder, "--adapter", exported)
    change = (torch.tensor(answer["last_logits"]).double() - base).abs().max().item()
    if change < LEAST_CHANGE:
        raise Failure(f"training changed the logits by {change:.1e} only")
    adapter = compare(answer, tuned_reference(folder, exported))
    if not case.can_merge:
        return adapter, None
    merged = scratch / "merged"
    whet("export", "--run", run, "--format", "safetensors", "--out", merged)
    return adapter, compare(whet.generate(merged), reference_model(merged))


def figure(value):
    return "-" if value is None else f"{value:.0e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whet", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, help="write the table here as well")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    lines = ["| model | kind | adapter in peft | merged in transformers |", "|---|---|---|---|"]
    failures = 0
    for case in CASES:
        if arguments.cases and case.name not in arguments.cases:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            whet = Whet(arguments.whet.resolve(), Path(scratch) / "library")
            try:
                adapter, merged = check(case, HERE / "models" / case.model, Path(scratch), whet)
                cells = [figure(adapter), figure(merged)]
            except Failure as failure:
                cells = [f"FAILED: {failure}", ""]
                failures += 1
        lines.append(f"| {case.model} | {case.kind} | {cells[0]} | {cells[1]} |")
        print(lines[-1], flush=True)
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(lines) + "\n")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
