#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tunes every golden model for a few steps, exports it, and lets transformers and peft load what was exported.

    check_exports.py --whet build/dev/bin/whet [--document docs/compatibility.md] [VARIANT ...]

Of each variant: the model as it is, after full tuning, after LoRA tuning with the adapter merged, and the PEFT adapter
on its base. For each, the logits after a prompt and the greedy continuation of `whet generate` are compared with
those of the reference library. Ends with 1 if any differs or fails.
"""
import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers

from golden_models import small_tokenizer

HERE = Path(__file__).parent
TOLERANCE = 1e-4  # of the largest logit
# A change of the logits that training must at least have made, so that an export of the base does not pass.
LEAST_CHANGE = 1e-3
PROMPT = "name: Ada job: sailor"
NEW_TOKENS = 8
BEGIN, END = "<!-- exports: begin -->", "<!-- exports: end -->"  # of the table in a document
COLUMNS = ("base", "full", "merged", "peft")
# transformers 5 keeps experts and routers as parameters; peft finds those of Mixtral, but not the ones of models that
# have dense or shared feed-forwards beside them. Their PEFT adapters are checked on attention alone.
PEFT_TARGETS = {"qwen2_moe": "q_proj,k_proj,v_proj,o_proj", "qwen3_moe": "q_proj,k_proj,v_proj,o_proj"}
TRAINING = ["--max-steps", "6", "--epochs", "20", "--batch-size", "4", "--template", "raw", "--sample-prompts", "0",
            "--validation-fraction", "0", "--early-stopping", "0", "--no-keep-best", "--warmup-ratio", "0"]  # fmt: skip


class Failure(Exception):
    """What to write into the table instead of a number."""


class Whet:
    def __init__(self, program, library):
        self._program = program
        self._library = library

    def __call__(self, *arguments):
        command = [self._program, *map(str, arguments), "--json", "--library", str(self._library), "--threads", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
            raise Failure(f"whet {arguments[0]} ended with {done.returncode}: {said[-1]}")
        return json.loads(done.stdout)

    def generate(self, model, *more):
        return self("generate", "--model", model, "--prompt", PROMPT, "--template", "raw", "--temperature", 0,
                    "--max-new-tokens", NEW_TOKENS, "--last-logits", *more)  # fmt: skip


def reference_model(folder, is_export=False):
    config = transformers.AutoConfig.from_pretrained(folder)
    auto = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    # The fused implementation knows no soft caps; the eager one adds Falcon's slopes twice (transformers 5.23).
    attention = "sdpa" if config.model_type == "falcon" else "eager"
    model, report = auto.from_pretrained(
        folder, attn_implementation=attention, dtype=torch.float32, output_loading_info=True
    )
    # Pegasus computes the positions that a file leaves out. Published models may hold masks that nobody reads; an export
    # holds what is needed and nothing else.
    computed = "embed_positions.weight" if config.model_type == "pegasus" else "\0"
    missing = [key for key in report["missing_keys"] if not key.endswith(computed)]
    if missing or (is_export and report["unexpected_keys"]):
        raise Failure(f"missing {sorted(missing)}, unexpected {sorted(report['unexpected_keys'])}")
    return model.eval()


def reference_logits(model, ids):
    inputs = {"input_ids": torch.tensor([ids])}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.tensor([[model.generation_config.decoder_start_token_id]])
    with torch.no_grad():
        return model(**inputs).logits[0, -1].double()


def reference_greedy(model, ids):
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    with torch.no_grad():
        output = model.generate(**inputs, do_sample=False, num_beams=1, max_new_tokens=NEW_TOKENS)[0]
    return output[1 if model.config.is_encoder_decoder else len(ids) :].tolist()


def without_end(ids, model):
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]


def compare(answer, model):
    """The largest difference of the logits, as a part of the largest logit."""
    ids = answer["prompt_ids"]
    ours, theirs = torch.tensor(answer["last_logits"]).double(), reference_logits(model, ids)
    if ours.shape != theirs.shape:
        raise Failure(f"{ours.numel()} logits instead of {theirs.numel()}")
    difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    if not difference <= TOLERANCE:
        raise Failure(f"logits differ by {difference:.1e}")
    mine, wanted = answer["outputs"][0]["token_ids"], reference_greedy(model, ids)
    if without_end(mine, model) != without_end(wanted, model):
        raise Failure(f"greedy ids {mine} instead of {wanted}")
    return difference


class VariantCheck:
    def __init__(self, golden, scratch, whet):
        self._scratch = scratch
        self._whet = whet
        self._model = scratch / golden.name
        shutil.copytree(golden, self._model)
        for file in self._model.glob("expected.*"):
            file.unlink()
        config = json.loads((golden / "config.json").read_text())
        self._model_type = config["model_type"]
        generation = json.loads((golden / "generation_config.json").read_text())
        small_tokenizer.write_tokenizer(self._model, config, generation)
        small_tokenizer.write_rows(scratch / "rows.jsonl")

    def base(self):
        answer = self._whet.generate(self._model)
        self._base_logits = torch.tensor(answer["last_logits"]).double()
        return compare(answer, reference_model(self._model))

    def full(self):
        run = self._train("full", "--learning-rate", "0.01")
        return self._exported(run, "full")

    def merged(self):
        self._adapter_run = self._train_adapter()
        return self._exported(self._adapter_run, "merged")

    def peft(self):
        import peft

        if self._model_type in PEFT_TARGETS:
            self._adapter_run = self._train_adapter("--lora-targets", PEFT_TARGETS[self._model_type])
        folder = self._scratch / "peft"
        self._whet("export", "--run", self._adapter_run, "--format", "peft", "--out", folder)
        model = peft.PeftModel.from_pretrained(reference_model(self._model), folder).eval()
        return self._compare_tuned(self._whet.generate(self._model, "--adapter", folder), model)

    def _train_adapter(self, *more):
        return self._train("lora", "--lora-rank", "4", "--learning-rate", "0.02", *more)

    def _train(self, method, *more):
        answer = self._whet("train", "--model", self._model, "--data", self._scratch / "rows.jsonl",
                            "--method", method, *TRAINING, *more)  # fmt: skip
        return answer["run_dir"]

    def _exported(self, run, name):
        folder = self._scratch / name
        self._whet("export", "--run", run, "--format", "safetensors", "--out", folder)
        return self._compare_tuned(self._whet.generate(folder), reference_model(folder, is_export=True))

    def _compare_tuned(self, answer, model):
        change = (torch.tensor(answer["last_logits"]).double() - self._base_logits).abs().max()
        if change < LEAST_CHANGE * self._base_logits.abs().max():
            raise Failure("training changed nothing")
        return compare(answer, model)


def check(golden, whet_program):
    cells = {}
    with tempfile.TemporaryDirectory() as scratch:
        variant = VariantCheck(golden, Path(scratch), Whet(whet_program, Path(scratch) / "library"))
        for column in COLUMNS:
            try:
                cells[column] = f"{getattr(variant, column)():.0e}"
            except Exception as error:  # the table names it; the other variants go on
                cells[column] = f"FAILED: {error or type(error).__name__}".splitlines()[0]
                if column in ("base", "merged"):
                    break
    return cells


def table(rows):
    lines = ["| Variant | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, cells in sorted(rows.items()):
        lines.append(f"| {name} | " + " | ".join(cells.get(column, "") for column in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def update_document(file, rows):
    """Puts the rows into the table between the marks; those of variants that were not run stay."""
    before, rest = file.read_text().split(BEGIN)
    old, after = rest.split(END)
    kept = {}
    for line in old.strip().splitlines()[2:]:
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        kept[name] = dict(zip(COLUMNS, cells))
    file.write_text(before + BEGIN + "\n" + table(kept | rows) + END + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whet", required=True)
    parser.add_argument("--document", type=Path, help="also puts the rows into the table of this file")
    parser.add_argument("variants", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    goldens = sorted(folder for folder in (HERE / "models").iterdir() if folder.is_dir())
    rows = {}
    for golden in goldens:
        if arguments.variants and golden.name not in arguments.variants:
            continue
        rows[golden.name] = check(golden, arguments.whet)
        print(golden.name, rows[golden.name], file=sys.stderr, flush=True)
    print(table(rows), end="")
    if arguments.document:
        update_document(arguments.document, rows)
    failed = [name for name, cells in rows.items() if any(cell.startswith("FAILED") for cell in cells.values())]
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
