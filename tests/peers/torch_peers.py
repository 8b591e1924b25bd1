#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rows of `whet bench cuda` through PyTorch on the same GPU, in the same minutes.

    whet bench cuda --json > cuda.json; torch_peers.py --results cuda.json --csv docs/benchmarks/cuda_peers.csv
    torch_peers.py --whet build/release/bin/whet          # runs the engine first, itself
    torch_peers.py --whet build/release/bin/whet --device cpu --tiny

Needs torch, and transformers and peft for the model rows. The shapes and model configurations are those of the engine's
answer. A peer's figure counts only if its outputs and gradients are finite and not all zero, and a training row only if
both sides' first losses agree within 1 %. Prints one table of ratios in Markdown: the time of the peer over ours, so
that more than 1 means that we are faster. `--tiny` sizes show that the scripts work; their ratios mean nothing.
"""

import argparse
import datetime
import gc
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import torch  # noqa: E402

import peer_table  # noqa: E402
from torch_attention import attention_variants  # noqa: E402
from torch_models import model_variants  # noqa: E402
from torch_support import Bench, Figure, Refused, reason_of  # noqa: E402

LOSS_TOLERANCE = 0.01


def engine_answer(arguments):
    if arguments.results:
        return json.loads(pathlib.Path(arguments.results).read_text())
    words = [arguments.whet, "bench", "cuda", "--json"]
    words += ["--device", arguments.device] if arguments.device != "cuda" else []
    words += ["--sizes", "tiny"] if arguments.tiny else []
    words += ["--no-checks"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)} failed; its message is above")
    return json.loads(done.stdout)


def measure(run):
    """The figure, or why there is none. Whatever a peer raises concerns its own cell only."""
    try:
        return run(), ""
    except Refused as refused:
        return Figure(), str(refused)
    except torch.OutOfMemoryError:
        return Figure(), "out of memory"
    except Exception as error:  # noqa: BLE001
        return Figure(), f"{type(error).__name__}: {reason_of(error)}"
    finally:
        gc.collect()
        torch._dynamo.reset()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def complaint(ours, figure):
    """Why a ratio may not be quoted although both sides have a figure."""
    if ours.get("loss") is None or figure.loss is None:
        return ""
    apart = abs(ours["loss"] - figure.loss) / abs(ours["loss"])
    return f"losses differ: {ours['loss']:.4f} and {figure.loss:.4f}" if apart > LOSS_TOLERANCE else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--results", metavar="FILE", help="answer of `whet bench cuda --json`")
    source.add_argument("--whet", metavar="FILE", help="the engine, run first")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--tiny", action="store_true", help="sizes that only show that everything runs")
    parser.add_argument("--only", metavar="TEXT", action="append", default=[], help="rows whose name holds this text")
    parser.add_argument("--csv", metavar="FILE", help="append the rows to this file")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch sees no GPU; --device cpu --tiny shows that the scripts work")

    answer = engine_answer(arguments)
    bench = Bench(arguments.device, arguments.tiny)
    torch.manual_seed(42)
    table = peer_table.PeerTable(bench.name(), f"torch {torch.__version__}", answer, arguments.csv)
    failures = 0
    for row in answer["rows"]:
        if arguments.only and not any(text in row["name"] for text in arguments.only):
            continue
        if row["kind"] == "attention":
            variants = attention_variants(bench, row)
        else:
            variants = model_variants(bench, row, answer["configs"].get(row.get("config")))
        figures = {}
        for name, run in variants.items():
            figure, why = measure(run)
            figures[name] = (figure, why or complaint(row, figure))
        failures += not any(figure.ms > 0 for figure, _ in figures.values())
        table.add(row, figures)
    table.finish()
    print(f"\n{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, {table.rows} rows, "
          f"{failures} without any peer")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
