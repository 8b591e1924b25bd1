# SPDX-License-Identifier: Apache-2.0
"""What the PyTorch peers share: timing on a GPU or the processor, and the rule that a figure counts only if outputs
and gradients are finite and not all zero."""

import dataclasses
import statistics
import time

import torch


class Refused(Exception):
    """This peer cannot run the row; the text says why."""


@dataclasses.dataclass
class Figure:
    """One peer's answer to one row."""
    ms: float = 0.0
    peak_bytes: int = 0
    loss: float = None
    note: str = ""


class Bench:
    def __init__(self, device, tiny):
        self.device = torch.device(device)
        self.is_cuda = self.device.type == "cuda"
        self.tiny = tiny
        self.repeats = 3 if tiny else 20
        self.most_seconds = 0.5 if tiny else 2.0

    def name(self):
        return torch.cuda.get_device_name(self.device) if self.is_cuda else "processor"

    def synchronize(self):
        if self.is_cuda:
            torch.cuda.synchronize(self.device)

    def reset_peak(self):
        if self.is_cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self):
        return torch.cuda.max_memory_allocated(self.device) if self.is_cuda else 0

    def median_ms(self, run, warm_up=3):
        """Median of `repeats` calls; fewer if they take long. Short ones are timed several at a time."""
        for _ in range(warm_up):
            run()
        self.synchronize()
        start = time.perf_counter()
        run()
        self.synchronize()
        once = time.perf_counter() - start
        batch = max(1, min(50, int(0.01 / max(once, 1e-6))))
        times = []
        begin = time.perf_counter()
        while len(times) < self.repeats and (len(times) < 3 or time.perf_counter() - begin < self.most_seconds):
            start = time.perf_counter()
            for _ in range(batch):
                run()
            self.synchronize()
            times.append((time.perf_counter() - start) / batch)
        return 1e3 * statistics.median(times)


def require_sound(named):
    """Raises Refused if a tensor is missing, not finite, or all zero."""
    for name, tensor in named.items():
        if tensor is None:
            raise Refused(f"{name} was not computed")
        if not bool(torch.isfinite(tensor).all()):
            raise Refused(f"{name} is not finite")
        if not bool((tensor != 0).any()):
            raise Refused(f"{name} is all zero")


def reason_of(error):
    """The first line of an error, short enough for a table."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:120]
