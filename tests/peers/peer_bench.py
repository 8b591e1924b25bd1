# SPDX-License-Identifier: Apache-2.0
"""What the comparisons with other programs share: processes of their own taken in turn, who else used the machine
meanwhile, one table in Markdown, kept rows in CSV."""

import argparse
import csv
import datetime
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import time
import venv

ALLOWED_SPREAD = 0.05
ALLOWED_FOREIGN_CPU = 0.03
SECONDS_PER_REPEAT = 0.5
WARM_UP_RUNS = 2


# --- what runs inside the measured process of a peer ---

def cpu_times():
    """Processor seconds of the machine that were busy and in all, and those of this process."""
    fields = [float(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    ticks = os.sysconf("SC_CLK_TCK")
    idle = fields[3] + fields[4]
    own = os.times()
    return (sum(fields) - idle) / ticks, sum(fields) / ticks, own.user + own.system


def foreign_share(before, after):
    busy, total, own = (b - a for a, b in zip(before, after))
    return max(0.0, (busy - own) / total) if total > 0 else 0.0


def peak_rss_bytes():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def timed_repeats(run, tokens, repeats):
    """Tokens a second of `repeats` repeats of at least half a second; `run` gives the seconds of its timed part."""
    for _ in range(WARM_UP_RUNS):
        start = time.perf_counter()
        run()
        warm = time.perf_counter() - start
    runs = max(1, -(-SECONDS_PER_REPEAT // warm))
    before = cpu_times()
    rates = [runs * tokens / sum(run() for _ in range(int(runs))) for _ in range(repeats)]
    return {"repeats": rates, "foreign_cpu": foreign_share(before, cpu_times()), "peak_rss_bytes": peak_rss_bytes()}


# --- what runs in the process that compares ---

def add_engine_options(parser):
    parser.add_argument("--whet", required=True, help="the engine, say build/release/bin/whet")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side")
    parser.add_argument("--only", metavar="TEXT", action="append", default=[], help="rows whose name holds this text")
    parser.add_argument("--csv", metavar="FILE", help="append the rows to this file")
    parser.add_argument("--under", metavar="COMMAND", default="",
                        help="run each measured process under this command, say 'nice -n -5' or 'taskset -c 0,1'")


def add_common_options(parser, packages):
    add_engine_options(parser)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the peer's packages")
    parser.add_argument("--venv", metavar="DIR", help=f"make a virtual environment there, install {packages}, use it")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3, help="timings a turn")


def interpreter(arguments, packages):
    if not arguments.venv:
        return arguments.python
    folder = pathlib.Path(arguments.venv).resolve()
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


def environment(threads, extra=None):
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), **(extra or {})}


class Refused(Exception):
    """One side cannot do what a row asks for."""


def run_json(command, env, under=""):
    done = subprocess.run([*shlex.split(under), *map(str, command)], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Refused(f"{pathlib.Path(str(command[0])).name}: {lines[-1]}")
    return json.loads(done.stdout)


def run_whet(arguments, words, isa=None):
    extra = {"WHETBENCH_ISA": isa} if isa else {}
    env = {key: value for key, value in environment(arguments.threads, extra).items() if key != "OMP_NUM_THREADS"}
    return run_json([arguments.whet, "bench", *words, "--threads", arguments.threads, "--json"], env, arguments.under)


class Side:
    """All turns of one side of a comparison."""

    def __init__(self):
        self.turns = []

    def add(self, answer):
        self.turns.append(answer)

    @property
    def repeats(self):
        return [rate for turn in self.turns for rate in turn["repeats"]]

    @property
    def rate(self):
        return statistics.median(self.repeats)

    @property
    def spread(self):
        return (max(self.repeats) - min(self.repeats)) / self.rate

    @property
    def foreign(self):
        return max(turn["foreign_cpu"] for turn in self.turns)

    @property
    def peak_rss(self):
        return max(turn["peak_rss_bytes"] for turn in self.turns)

    def complaint(self, name):
        if self.foreign > ALLOWED_FOREIGN_CPU:
            return f"{name}: others used {100 * self.foreign:.1f} % of the processor"
        if self.spread > ALLOWED_SPREAD:
            return f"{name}: repeats disagree by {100 * self.spread:.1f} %"
        return ""


def take_turns(rounds, ours, theirs):
    """Lets both sides run in turn, beginning with the other one each round: ours() and theirs() give answers."""
    a, b = Side(), Side()
    for turn in range(rounds):
        for side, run in ((a, ours), (b, theirs)) if turn % 2 == 0 else ((b, theirs), (a, ours)):
            side.add(run())
    return a, b


def validity(ours, theirs):
    return ours.complaint("whet") or theirs.complaint("peer")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def vector_flags():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    wanted = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "avx512_fp16", "avx_vnni", "amx_bf16", "amx_int8")
    return " ".join(flag for flag in wanted if flag in flags)


def append_csv(path, rows):
    path = pathlib.Path(path)
    is_new = not path.exists() or path.stat().st_size == 0
    if not is_new:
        with path.open(newline="") as file:
            if next(csv.reader(file)) != list(rows[0]):
                raise SystemExit(f"{path} has other columns; give another file")
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def origin(arguments, answer, peer):
    """The first columns of a kept row."""
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M"), "cpu": processor(),
            "flags": vector_flags(), "isa": answer.get("ceiling", answer.get("peak"))["isa"], "threads": arguments.threads,
            "whet": run_json([arguments.whet, "--version", "--json"], dict(os.environ))["version"], "peer": peer}


class Table:
    """Rows of one comparison: printed and kept as they come."""

    def __init__(self, arguments, columns):
        self.arguments = arguments
        self.width = len(columns)
        print(f"{processor()} ({vector_flags()}), {arguments.threads} threads, "
              f"{datetime.date.today():%d %B %Y}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)

    def wants(self, name):
        return not self.arguments.only or any(text in name for text in self.arguments.only)

    def refuse(self, name, reason):
        print(f"| {name} | {reason} |{' |' * (self.width - 2)}", flush=True)

    def add(self, cells, kept):
        print(f"| {' | '.join(cells)} |", flush=True)
        if self.arguments.csv:
            append_csv(self.arguments.csv, [kept])


def parser_for(description):
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
