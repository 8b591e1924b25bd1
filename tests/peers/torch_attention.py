# SPDX-License-Identifier: Apache-2.0
"""Attention rows of torch_peers.py: every backend of scaled_dot_product_attention, T5's bias dense and with
FlexAttention, padded and packed batches."""

import math

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from torch_support import Figure, Refused, require_sound

BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "efficient": SDPBackend.EFFICIENT_ATTENTION,
            "cudnn": SDPBackend.CUDNN_ATTENTION, "math": SDPBackend.MATH}
T5_BUCKETS = 32
T5_FARTHEST = 128


def operands(bench, row, grad):
    """q, k, v [sequences, heads, tokens, head_dim] of a rectangle as long as the longest sequence, and dO."""
    count, longest = len(row["lengths"]), max(row["lengths"])

    def make(heads, trains=grad):
        tensor = torch.randn(count, heads, longest, row["head_dim"], device=bench.device, dtype=torch.bfloat16)
        return tensor.requires_grad_(trains)

    return (make(row["heads"]), make(row["kv_heads"]), make(row["kv_heads"]), make(row["heads"], False))


def sdpa(row, q, k, v, bias=None, scale=None):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=row["causal"], scale=scale,
                                          enable_gqa=row["kv_heads"] != row["heads"])


def backend_taken(run):
    """Which implementation an unforced call takes, by the names the profiler sees."""
    with torch.profiler.profile() as profile:
        run()
    names = {event.name for event in profile.events()}
    for mark, backend in (("cudnn_attention", "cudnn"), ("flash_attention", "flash"),
                          ("efficient_attention", "efficient"), ("attention_math", "math")):
        if any(mark in name for name in names):
            return backend
    return "unknown"


def time_pass(bench, row, forward, inputs, d_out):
    """Times the pass of the row. `forward` gives the output; gradients of `inputs` are checked."""
    bench.reset_peak()
    if row["pass"] == "forward":
        with torch.no_grad():
            require_sound({"the output": forward()})
            return Figure(ms=bench.median_ms(forward), peak_bytes=bench.peak())
    out = forward()
    require_sound({"the output": out})

    def backward():
        return torch.autograd.grad(out, inputs.values(), d_out, retain_graph=True)

    def both():
        return torch.autograd.grad(forward(), inputs.values(), d_out)

    run = backward if row["pass"] == "backward" else both
    require_sound(dict(zip((f"the gradient of {name}" for name in inputs), run())))
    return Figure(ms=bench.median_ms(run), peak_bytes=bench.peak())


def plain_variant(bench, row, backend):
    q, k, v, d_out = operands(bench, row, row["pass"] != "forward")

    def forward():
        if backend is None:
            return sdpa(row, q, k, v)
        with sdpa_kernel(BACKENDS[backend]):
            return sdpa(row, q, k, v)

    figure = time_pass(bench, row, forward, {"q": q, "k": k, "v": v}, d_out)
    if backend is None:
        figure.note = "takes " + backend_taken(forward)
    return figure


def varlen_variant(bench, row):
    """Packed rows without padding, where this version of torch has it."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError as error:
        raise Refused("this torch has no varlen_attn") from error
    lengths = torch.tensor(row["lengths"], device=bench.device, dtype=torch.int32)
    bounds = F.pad(lengths.cumsum(0, dtype=torch.int32), (1, 0))
    total, longest = sum(row["lengths"]), max(row["lengths"])

    def make(trains=True):
        return torch.randn(total, row["heads"], row["head_dim"], device=bench.device,
                           dtype=torch.bfloat16).requires_grad_(trains)

    q, k, v, d_out = make(), make(), make(), make(False)

    def forward():
        # Newer versions say "causal" by a window.
        try:
            return varlen_attn(q, k, v, bounds, bounds, longest, longest, is_causal=row["causal"])
        except TypeError:
            return varlen_attn(q, k, v, bounds, bounds, longest, longest, window_size=(-1, 0 if row["causal"] else -1))

    return time_pass(bench, row, forward, {"q": q, "k": k, "v": v}, d_out)


def t5_buckets(length, device):
    """Buckets of relative positions, as T5 counts them in an encoder: near ones exactly, far ones by logarithm."""
    position = torch.arange(length, device=device)
    distance = position[None, :] - position[:, None]
    half = T5_BUCKETS // 2
    near = half // 2
    size = distance.abs().clamp(min=1)
    far = near + (torch.log(size / near) / math.log(T5_FARTHEST / near) * (half - near)).long()
    bucket = torch.where(distance.abs() < near, distance.abs(), far.clamp(max=half - 1))
    return bucket + half * (distance > 0)


def dense_bias_variant(bench, row, backend):
    q, k, v, d_out = operands(bench, row, True)
    buckets = t5_buckets(max(row["lengths"]), bench.device)
    table = torch.randn(T5_BUCKETS, row["heads"], device=bench.device, dtype=torch.bfloat16, requires_grad=True)

    def forward():
        bias = table[buckets].permute(2, 0, 1)[None]
        if backend is None:
            return sdpa(row, q, k, v, bias, scale=1.0)
        with sdpa_kernel(BACKENDS[backend]):
            return sdpa(row, q, k, v, bias, scale=1.0)

    figure = time_pass(bench, row, forward, {"q": q, "k": k, "v": v, "the table": table}, d_out)
    if backend is None:
        figure.note = "takes " + backend_taken(forward)
    return figure


def flex_bias_variant(bench, row):
    from torch.nn.attention.flex_attention import flex_attention
    q, k, v, d_out = operands(bench, row, True)
    buckets = t5_buckets(max(row["lengths"]), bench.device)
    table = torch.randn(T5_BUCKETS, row["heads"], device=bench.device, dtype=torch.bfloat16, requires_grad=True)
    compiled = torch.compile(flex_attention)

    def add_bias(score, batch, head, query, key):
        return score + table[buckets[query, key], head]

    def forward():
        return compiled(q, k, v, score_mod=add_bias, scale=1.0)

    return time_pass(bench, row, forward, {"q": q, "k": k, "v": v, "the table": table}, d_out)


def attention_variants(bench, row):
    """Name and function of every way torch has to compute the row."""
    if row["bias"] == "t5":
        variants = {f"dense bias, {name}": lambda b=name: dense_bias_variant(bench, row, b)
                    for name in ("efficient", "cudnn", "math")}
        variants["dense bias, default"] = lambda: dense_bias_variant(bench, row, None)
        variants["FlexAttention, compiled"] = lambda: flex_bias_variant(bench, row)
        return variants
    variants = {name: lambda b=name: plain_variant(bench, row, b) for name in BACKENDS}
    variants["default"] = lambda: plain_variant(bench, row, None)
    if len(set(row["lengths"])) > 1:
        # Causal rows need no mask for padding behind their end; the rectangle is what a user without packing runs.
        variants = {f"padded, {name}": run for name, run in variants.items()}
        variants["varlen"] = lambda: varlen_variant(bench, row)
    return variants
