#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speed of encoding against the `tokenizers` library: the same lines, one thread, passes of the two taken in turn.

    tokenizers_peer.py --benchmark build/release/bin/tokenizer_benchmark --text FILE MODEL [MODEL ...]
    tokenizers_peer.py --benchmark ... --text FILE --threads 2 MODEL      # ours alone: 1 thread against more

MODEL is a tokenizer.json; NAME=MODEL gives it a name. Prints a table in Markdown: megabytes of text a second of
processor time, medians over the passes, so that other work on the machine counts for neither side.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402


class Ours:
    def __init__(self, benchmark, model, text, threads):
        self.process = subprocess.Popen([benchmark, model, text, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def run(self):
        self.process.stdin.write("go\n")
        tokens, processor, clock = self.process.stdout.readline().split()
        return int(tokens), float(processor), float(clock)


class Theirs:
    def __init__(self, model, lines):
        self.tokenizer = tokenizers.Tokenizer.from_file(model)
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.lines = lines

    def run(self):
        processor, clock = time.process_time(), time.perf_counter()
        encodings = self.tokenizer.encode_batch(self.lines, add_special_tokens=False)
        processor, clock = time.process_time() - processor, time.perf_counter() - clock
        return sum(len(one) for one in encodings), processor, clock


def median(results, index):
    return statistics.median(result[index] for result in results)


def against_library(arguments, models, lines, megabytes):
    print(f"| vocabulary | tokens | whetbench MB/s | tokenizers {tokenizers.__version__} MB/s | ratio |\n|---|---|---|---|---|")
    for name, model in models:
        ours, theirs = Ours(arguments.benchmark, model, arguments.text, 1), Theirs(model, lines)
        ours.run(), theirs.run()  # caches of both fill here
        pairs = [(ours.run(), theirs.run()) for _ in range(arguments.passes)]
        mine, other = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        assert mine[0][0] == other[0][0], f"{name}: {mine[0][0]} tokens against {other[0][0]}"
        a, b = megabytes / median(mine, 1), megabytes / median(other, 1)
        print(f"| {name} | {mine[0][0]:,} | {a:.1f} | {b:.1f} | {a / b:.2f} |", flush=True)


def against_one_thread(arguments, models, megabytes):
    print(f"| vocabulary | 1 thread MB/s | {arguments.threads} threads MB/s | ratio | processor time |\n|---|---|---|---|---|")
    for name, model in models:
        one = Ours(arguments.benchmark, model, arguments.text, 1)
        more = Ours(arguments.benchmark, model, arguments.text, arguments.threads)
        one.run(), more.run()
        pairs = [(one.run(), more.run()) for _ in range(arguments.passes)]
        a, b = (megabytes / median([pair[i] for pair in pairs], 2) for i in (0, 1))
        # On a busy machine the clock says little; that threads cost no more processor time than one does says more.
        cost = median([pair[1] for pair in pairs], 1) / median([pair[0] for pair in pairs], 1)
        print(f"| {name} | {a:.1f} | {b:.1f} | {b / a:.2f} | {cost:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--benchmark", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--passes", type=int, default=9)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    models = [tuple(model.split("=", 1)) if "=" in model else (pathlib.Path(model).parent.name, model)
              for model in arguments.models]
    lines = pathlib.Path(arguments.text).read_bytes().decode().split("\n")
    if lines and not lines[-1]:
        lines.pop()
    megabytes = sum(len(line.encode()) for line in lines) / 1e6
    print(f"{pathlib.Path(arguments.text).name}: {len(lines):,} lines, {megabytes:.2f} MB\n")
    if arguments.threads:
        against_one_thread(arguments, models, megabytes)
    else:
        against_library(arguments, models, lines, megabytes)


if __name__ == "__main__":
    main()
