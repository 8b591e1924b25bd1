#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Interrupts training at random moments, resumes it each time and compares it, bit by bit, with a run that was left alone.

    tests/acceptance/kill_and_resume.py --whet build/release/bin/whet --threads 1

Each case trains the same recipe once without interruption, then again under fire: SIGKILL ("kill") or SIGTERM ("stop")
after a random time, `whet train --resume`, and so on until the asked number of interruptions has hit; a run that
reaches its end earlier is compared and followed by a fresh one. Equal means: every step event, repeated ones
too, carries the loss bits of the untouched run, so does every evaluation, no step is missing, and the final weights have
the same hash. Prints one line a case; exits with 1 if any differs.
"""
import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = ["full/kill", "lora/kill", "full/stop", "lora/stop"]


def read_events(run_folder):
    """Complete lines only: a killed process may leave half a line at the end of the file."""
    events = []
    for line in (run_folder / "events.jsonl").read_bytes().split(b"\n"):
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events


def run_folder_in(library):
    folders = [path for path in (library / "runs").glob("*") if (path / "recipe.toml").exists()]
    return folders[0] if folders else None


class Record:
    """What a run computed, as its events tell it."""

    def __init__(self, run_folder):
        self.steps = []  # (step, loss bits), in the order written
        self.evaluations = []
        self.finished = None
        for event in read_events(run_folder):
            if event["event"] == "step":
                self.steps.append((event["step"], event["loss_bits"]))
            elif event["event"] == "evaluation":
                self.evaluations.append((event["step"], event["loss"]))
            elif event["event"] == "run_finished" and event["reason"] != "stopped":
                self.finished = (event["steps"], event["weight_hash"])

    def differences_from(self, reference):
        losses = dict(reference.steps)
        wrong = [f"step {step} has loss bits {bits}, not {losses.get(step)}"
                 for step, bits in self.steps if losses.get(step) != bits]
        wrong += [f"step {step} is missing" for step in losses if step not in dict(self.steps)]
        expected = dict(reference.evaluations)
        wrong += [f"the evaluation at step {step} gives {loss}, not {expected.get(step)}"
                  for step, loss in self.evaluations if expected.get(step) != loss]
        if self.finished != reference.finished:
            wrong.append(f"the end is {self.finished}, not {reference.finished}")
        return wrong


class Bench:
    def __init__(self, options, method):
        self.options = options
        self.recipe = ["train", "--model", options.model, "--data", options.data, "--template", options.template,
                       "--method", method, "--lora-dropout", "0.1", "--batch-size", "8",
                       "--max-steps", str(options.steps), "--checkpoint-every", str(options.checkpoint_every),
                       "--eval-every", str(options.eval_every), "--sample-max-new-tokens", "8",
                       "--early-stopping", "0", "--epochs", "50"]

    def start(self, library, resumed=None):
        what = ["train", "--resume", str(resumed)] if resumed else self.recipe
        command = [self.options.whet, *what, "--library", str(library), "--threads", str(self.options.threads),
                   "--device", "cpu", "--quiet", "--json"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def to_the_end(self, library, resumed=None):
        process = self.start(library, resumed)
        _, log = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"whet train ended with {process.returncode}: {log}")
        return Record(run_folder_in(library))

    def sitting(self, library, signal_number, delay):
        """One start or resume, interrupted after `delay` seconds. True if the interruption hit before the end."""
        process = self.start(library, run_folder_in(library))
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal_number)
        _, log = process.communicate()
        # A stop ends well, or by the signal itself if it came before the command could take it.
        allowed = {0, -signal_number}
        if process.returncode not in allowed:
            raise SystemExit(f"whet train ended with {process.returncode}: {log}")
        folder = run_folder_in(library)
        return folder is None or Record(folder).finished is None


def run_case(options, case, folder):
    method, way = case.split("/")
    signal_number = signal.SIGKILL if way == "kill" else signal.SIGTERM
    draw = random.Random(f"{options.seed} {case}")
    bench = Bench(options, method)
    began = time.monotonic()
    reference = bench.to_the_end(folder / "reference")
    duration = time.monotonic() - began

    hits, repeated, wrong, runs = 0, 0, [], 0
    while hits < options.kills:
        library = folder / f"interrupted-{runs}"
        runs += 1
        while hits < options.kills and bench.sitting(library, signal_number,
                                                     draw.uniform(0, options.sitting_share * duration)):
            hits += 1
        record = Record(run_folder_in(library)) if run_folder_in(library) else None
        if record is None or record.finished is None:
            record = bench.to_the_end(library, run_folder_in(library))
        repeated += len(record.steps) - len(dict(record.steps))
        wrong += record.differences_from(reference)
    verdict = "equal" if not wrong else "DIFFERENT"
    print(f"{case}: {verdict}; {hits} interruptions over {runs} run(s) of {len(reference.steps)} steps, "
          f"{repeated} steps repeated, weights {reference.finished[1][:12]}, {time.monotonic() - began:.0f} s",
          flush=True)
    for line in wrong[:10]:
        print(f"  {line}")
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whet", default=str(ROOT / "build/release/bin/whet"))
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--data", default=str(ROOT / "resources/samples/facts_to_sentence.jsonl"))
    parser.add_argument("--template", default="plain")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--checkpoint-every", type=int, default=4)
    parser.add_argument("--eval-every", type=int, default=15)
    parser.add_argument("--kills", type=int, default=20, help="interruptions in each case")
    parser.add_argument("--sitting-share", type=float, default=0.3,
                        help="the longest sitting, as a share of the untouched run's time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    options = parser.parse_args()
    is_equal = True
    for case in options.cases:
        with tempfile.TemporaryDirectory(prefix="whetbench-kill-") as folder:
            is_equal = run_case(options, case, Path(folder)) and is_equal
    sys.exit(0 if is_equal else 1)


if __name__ == "__main__":
    main()
