#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine against the ceilings of the machine it runs on: each figure beside what it should reach.

    engine_goals.py --whet build/release/bin/whet --csv docs/benchmarks/engine.csv
    engine_goals.py --whet build/release/bin/whet --only attention

Every figure is the median of --rounds turns, each a process of its own that measures its ceilings first.
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peer_bench as pb  # noqa: E402

LEAST_GEMM_ROWS = 256


class Goals:
    def __init__(self, arguments):
        self.arguments = arguments
        self.table = pb.Table(arguments, ["figure", "reached", "goal", "met", "raw", "valid"])

    def answers(self, name, *words):
        """Answers of all turns; nothing if the row is not wanted or the engine refuses."""
        if not self.table.wants(name):
            return []
        try:
            return [pb.run_whet(self.arguments, words) for _ in range(self.arguments.rounds)]
        except pb.Refused as refused:
            self.table.refuse(name, refused)
            return []

    def add(self, name, answers, values, goal, is_least, unit, raw):
        value = statistics.median(values)
        is_met = value >= goal if is_least else value <= goal
        foreign = max(answer["foreign_cpu"] for answer in answers)
        why = next((answer["why"] for answer in answers if answer.get("why")), "")
        if not why and foreign > pb.ALLOWED_FOREIGN_CPU:
            why = f"others used {100 * foreign:.1f} % of the processor"
        self.table.add([name, f"{value:.2f}{unit}", f"{'>=' if is_least else '<='} {goal}{unit}",
                        "yes" if is_met else "no", raw, why or "yes"],
                       {**pb.origin(self.arguments, answers[0], ""), "row": name, "value": f"{value:.4g}",
                        "goal": goal, "met": is_met, "raw": raw, "foreign_cpu": f"{foreign:.3f}", "valid": not why,
                        "why": why})

    def gemm(self, dtype):
        name = f"gemm {dtype}, rows >= {LEAST_GEMM_ROWS}, % of ceiling"
        answers = self.answers(name, "gemm", "--dtype", dtype)
        if not answers:
            return
        rates = {}
        for answer in answers:
            for row in answer["gemm"]:
                if row["tokens"] >= LEAST_GEMM_ROWS:
                    rates.setdefault((row["pass"], row["tokens"], row["outputs"], row["inputs"]), []).append(
                        row["percent_of_ceiling"])
        medians = {key: statistics.median(values) for key, values in rates.items()}
        worst = min(medians, key=medians.get)
        raw = f"worst {medians[worst]:.0f} %: {worst[0]} {worst[1]}x{worst[2]}x{worst[3]}"
        self.add(name, answers, list(medians.values()), 90, True, " %", raw)

    def train(self):
        answers = self.answers("train 30m full f32, % of its roof", "train", "--config", "30m")
        if answers:
            rate = statistics.median(answer["tokens_per_second"] for answer in answers)
            self.add("train 30m full f32, % of its roof", answers,
                     [answer["percent_of_roof"] for answer in answers], 85, True, " %", f"{rate:.1f} tok/s")
            self.add("train 30m full f32, outside kernels", answers,
                     [100 * answer["overhead_share"] for answer in answers], 2, False, " %", f"{rate:.1f} tok/s")

    def lora_memory(self):
        name = "train 135m lora bf16, peak resident"
        answers = self.answers(name, "train", "--config", "135m", "--method", "lora", "--dtype", "bf16")
        if answers:
            rate = statistics.median(answer["tokens_per_second"] for answer in answers)
            self.add(name, answers, [answer["peak_rss_bytes"] / 2**20 for answer in answers], 1024, False, " MiB",
                     f"{rate:.1f} tok/s")

    def decode(self, shape, dtype):
        name = f"decode {shape} {dtype}, % of reading roof"
        answers = self.answers(name, "decode", "--config", shape, "--dtype", dtype, "--tokens", 64)
        if answers:
            rate = statistics.median(answer["tokens_per_second"] for answer in answers)
            roof = statistics.median(answer["ceiling"]["read_gb_per_s"] for answer in answers)
            self.add(name, answers, [answer["percent_of_ceiling"] for answer in answers], 85, True, " %",
                     f"{rate:.1f} tok/s, roof {roof:.1f} GB/s")

    def twin(self, shape, dtype):
        name = f"twin decode {shape} {dtype}, over one after the other"
        answers = self.answers(name, "decode", "--config", shape, "--dtype", dtype, "--tokens", 32, "--twin")
        if answers:
            both = statistics.median(answer["tokens_per_second"] for answer in answers)
            alone = statistics.median(rate for answer in answers for rate in answer["twin"]["separate_repeats"])
            self.add(name, answers, [answer["twin"]["ratio"] for answer in answers], 1.6, True, "x",
                     f"{both:.1f} against {alone:.1f} tok/s")

    def attention(self, dtype):
        names = [f"attention {dtype}, flash over math, 2048 tokens, forward+backward",
                 f"attention {dtype}, flash peak, 4096 over 2048 tokens"]
        words = ["attention", "--head-dim", 64, "--heads", 8, "--kv-heads", 4, "--dtype", dtype, "--backward"]
        flash = self.answers(names[1], *words, "--tokens", "2048,4096", "--backend", "flash")
        math = self.answers(names[0], *words, "--tokens", "2048", "--backend", "math")
        if flash and math:
            fast = statistics.median(answer["attention"][0]["seconds"] for answer in flash)
            slow = statistics.median(answer["attention"][0]["seconds"] for answer in math)
            self.add(names[0], flash + math, [slow / fast], 3, True, "x",
                     f"{1e3 * fast:.1f} against {1e3 * slow:.1f} ms")
        if flash:
            peaks = [row["peak_bytes"] for row in flash[0]["attention"]]
            self.add(names[1], flash, [peaks[1] / peaks[0]], 2.2, False, "x",
                     f"{peaks[1] / 1e6:.1f} over {peaks[0] / 1e6:.1f} MB")


def main():
    parser = pb.parser_for(__doc__)
    pb.add_engine_options(parser)
    goals = Goals(parser.parse_args())
    for dtype in ("f32", "bf16"):
        goals.gemm(dtype)
    goals.train()
    goals.lora_memory()
    for shape in ("30m", "135m"):
        for dtype in ("f32", "bf16"):
            goals.decode(shape, dtype)
    goals.twin("135m", "f32")
    goals.twin("135m", "bf16")
    for dtype in ("f32", "bf16"):
        goals.attention(dtype)


if __name__ == "__main__":
    main()
