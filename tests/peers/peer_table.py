# SPDX-License-Identifier: Apache-2.0
"""The one table of torch_peers.py: every peer's time over ours, the goal of the row, and the kept rows in CSV."""

import csv
import datetime
import pathlib

# Row name begins with, peer that the goal names (None: the fastest of all), least ratio of its time to ours.
GOALS = [("attention hd", " forward", "flash", 1.0), ("attention hd", " forward", "cudnn", 0.6),
         ("attention hd", " backward", "flash", 0.75), ("attention T5 bias", "", None, 2.0),
         ("attention packed", "", None, 2.5), ("GPT-2 124M full step", "", "torch.compile", 1.10),
         ("Llama 1B LoRA step", "", "peft, eager", 1.6), ("cold start", "", "torch.compile", 10.0)]
# Of our own figures: least share of the bandwidth floor; most memory relative to the peer.
FLOOR_GOALS = {"decode 1B": 0.65, "decode 7B": 0.85}
MEMORY_GOALS = {"Llama 1B LoRA step": ("peft, eager", 0.5)}

COLUMNS = ["date", "gpu", "torch", "whet", "row", "whet_ms", "whet_tflops", "whet_gb_per_s", "whet_share_of_floor",
           "whet_peak_bytes", "peer", "peer_ms", "peer_peak_bytes", "ratio", "goal", "met", "valid", "why"]


def goal_of(row, peer, fastest):
    """The least ratio asked of this row against this peer; None if none is asked."""
    for begin, end, name, ratio in GOALS:
        if row["name"].startswith(begin) and row["name"].endswith(end) and peer == (name or fastest):
            return ratio
    return None


class PeerTable:
    def __init__(self, gpu, torch_version, answer, csv_path):
        self.origin = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M"), "gpu": gpu,
                       "torch": torch_version, "whet": answer.get("version", "")}
        self.kept = []
        self.rows = 0
        self.csv_path = csv_path
        self.has_goals = answer.get("sizes") == "full"
        print(f"{gpu}, {torch_version}\n\n| row | peer | whet ms | peer ms | ratio | goal | met | memory | note |\n"
              f"|---|---|---|---|---|---|---|---|---|", flush=True)

    def add(self, row, figures):
        self.rows += 1
        sound = {name: figure.ms for name, (figure, why) in figures.items() if figure.ms > 0 and not why}
        fastest = min(sound, key=sound.get) if sound else None
        for name, (figure, why) in figures.items():
            self._line(row, name, figure, why or row.get("why", ""),
                       goal_of(row, name, fastest) if self.has_goals else None)
        if self.has_goals and row["name"] in FLOOR_GOALS and row.get("share_of_floor"):
            goal = FLOOR_GOALS[row["name"]]
            share = row["share_of_floor"]
            print(f"| {row['name']} | bandwidth floor | {row['ms']:.3f} | {row['ms'] * share:.3f} | {share:.2f} | "
                  f"{goal} | {'yes' if share >= goal else 'no'} | | |", flush=True)

    def _line(self, row, peer, figure, why, goal):
        ours = row.get("ms") or 0.0
        ratio = figure.ms / ours if ours > 0 and figure.ms > 0 else None
        is_valid = ratio is not None and not why
        met = "" if goal is None or ratio is None else ("yes" if is_valid and ratio >= goal else "no")
        memory = row.get("peak_bytes", 0) / figure.peak_bytes if figure.peak_bytes else None
        if self.has_goals and row["name"] in MEMORY_GOALS and MEMORY_GOALS[row["name"]][0] == peer and memory is not None:
            most = MEMORY_GOALS[row["name"]][1]
            why_memory = f"memory goal {most}: {'met' if memory <= most else 'not met'}"
        else:
            why_memory = ""
        note = "; ".join(text for text in (why, figure.note, why_memory) if text)

        def shown(value, digits):
            return "" if value is None or value == 0 else f"{value:.{digits}f}"

        print(f"| {row['name']} | {peer} | {shown(ours, 3)} | {shown(figure.ms, 3)} | {shown(ratio, 2)} | "
              f"{goal or ''} | {met} | {shown(memory, 2)} | {note} |", flush=True)
        self.kept.append({**self.origin, "row": row["name"], "whet_ms": shown(ours, 5),
                          "whet_tflops": shown(row.get("tflops"), 2), "whet_gb_per_s": shown(row.get("gb_per_s"), 1),
                          "whet_share_of_floor": shown(row.get("share_of_floor"), 3),
                          "whet_peak_bytes": row.get("peak_bytes", 0), "peer": peer, "peer_ms": shown(figure.ms, 5),
                          "peer_peak_bytes": figure.peak_bytes, "ratio": shown(ratio, 3), "goal": goal or "",
                          "met": met, "valid": is_valid, "why": why or figure.note})

    def finish(self):
        if not self.csv_path or not self.kept:
            return
        path = pathlib.Path(self.csv_path)
        is_new = not path.exists() or path.stat().st_size == 0
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=COLUMNS, lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerows(self.kept)
