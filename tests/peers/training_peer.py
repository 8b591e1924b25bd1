#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training speed against PyTorch: transformers with scaled-dot-product attention, fused AdamW, bf16 by autocast, LoRA
by peft.

    training_peer.py --whet build/release/bin/whet --venv peers --csv docs/benchmarks/training_peers.csv
    training_peer.py --whet build/release/bin/whet --only '135m lora' --rounds 3

Both sides train the same shape with random weights on one sequence of random tokens: forward, loss on all tokens,
backward, clipping, AdamW. Each turn is a process of its own; the two take turns. Prints a table in Markdown: tokens a
second of both (medians of all turns), their ratio, peak resident memory. A row is marked invalid where other programs
used the machine or repeats disagree. Rows named 'avx2' cap both sides at AVX2. For LoRA in bf16 the peer runs both ways,
its weights in F32 and in BF16, and its faster one counts.
"""

import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peer_bench as pb  # noqa: E402

PACKAGES = ["torch", "transformers", "peft", "numpy"]
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}

# Shape, method, element type, cap.
ROWS = [("30m", "full", "f32", None), ("30m", "full", "bf16", None), ("135m", "full", "f32", None),
        ("135m", "full", "bf16", None), ("135m", "lora", "bf16", None), ("135m", "lora", "f32", None),
        ("gpt2", "full", "f32", None), ("gpt2", "full", "bf16", None), ("30m", "full", "f32", "avx2"),
        ("135m", "full", "f32", "avx2")]


def worker(request):
    """One turn of the peer, in a process of its own."""
    import torch
    import transformers

    torch.set_num_threads(request["threads"])
    torch.manual_seed(42)
    values = dict(request["config"])
    config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa", dtype=torch.float32)
    if request["variant"] == "bf16 weights":
        model = model.to(torch.bfloat16)
    if request["method"] == "lora":
        import peft
        model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"))
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    ids = torch.randint(0, config.vocab_size, (1, request["tokens"]))

    def step():
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=request["dtype"] == "bf16"):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - start

    answer = pb.timed_repeats(step, request["tokens"], request["repeats"])
    answer["versions"] = f"torch {torch.__version__}, transformers {transformers.__version__}"
    print(json.dumps(answer))


def variants_of(method, dtype):
    return ["f32 weights", "bf16 weights"] if (method, dtype) == ("lora", "bf16") else ["f32 weights"]


def run_row(arguments, python, configs, row):
    shape, method, dtype, isa = row
    words = ["train", "--config", shape, "--method", method, "--dtype", dtype, "--tokens", arguments.tokens,
             "--repeats", arguments.repeats]
    if method == "lora" and arguments.activation_checkpointing:
        words += ["--activation-checkpointing", "full"]
    env = pb.environment(arguments.threads, AVX2 if isa else {})

    def theirs(variant):
        request = {"config": configs[shape], "method": method, "dtype": dtype, "variant": variant,
                   "tokens": arguments.tokens, "threads": arguments.threads, "repeats": arguments.repeats}
        return pb.run_json([python, __file__, "--worker", json.dumps(request)], env, arguments.under)

    variants = variants_of(method, dtype)
    if len(variants) > 1:
        variants.sort(key=lambda variant: -pb.statistics.median(theirs(variant)["repeats"]))
    ours, peer = pb.take_turns(arguments.rounds, lambda: pb.run_whet(arguments, words, isa),
                               lambda: theirs(variants[0]))
    return ours, peer, variants[0]


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        return worker(json.loads(sys.argv[2]))
    parser = pb.parser_for(__doc__)
    pb.add_common_options(parser, ", ".join(PACKAGES))
    parser.add_argument("--activation-checkpointing", action="store_true", help="of our LoRA rows")
    arguments = parser.parse_args()
    python = pb.interpreter(arguments, PACKAGES)
    configs = pb.run_json([arguments.whet, "bench", "configs", "--json"], pb.environment(arguments.threads))
    table = pb.Table(arguments, ["training", "whet tok/s", "PyTorch tok/s", "ratio", "whet peak MiB",
                                 "PyTorch peak MiB", "memory", "of our roof", "valid"])
    for row in ROWS:
        name = " ".join(part for part in row if part)
        if not table.wants(name):
            continue
        try:
            ours, peer, variant = run_row(arguments, python, configs, row)
        except pb.Refused as refused:
            table.refuse(name, refused)
            continue
        why = pb.validity(ours, peer)
        first = ours.turns[0]
        roof = pb.statistics.median(turn["percent_of_roof"] for turn in ours.turns)
        mib = [side.peak_rss / 2**20 for side in (ours, peer)]
        table.add([name, f"{ours.rate:.1f}", f"{peer.rate:.1f}", f"{ours.rate / peer.rate:.2f}", f"{mib[0]:.0f}",
                   f"{mib[1]:.0f}", f"{mib[0] / mib[1]:.2f}", f"{roof:.0f} %", why or "yes"],
                  {**pb.origin(arguments, first, f"{peer.turns[0]['versions']}, {variant}"), "row": name,
                   "tokens": arguments.tokens, "whet_tokens_per_second": f"{ours.rate:.2f}",
                   "peer_tokens_per_second": f"{peer.rate:.2f}", "ratio": f"{ours.rate / peer.rate:.3f}",
                   "whet_spread": f"{ours.spread:.3f}", "peer_spread": f"{peer.spread:.3f}",
                   "whet_foreign_cpu": f"{ours.foreign:.3f}", "peer_foreign_cpu": f"{peer.foreign:.3f}",
                   "whet_peak_rss_bytes": ours.peak_rss, "peer_peak_rss_bytes": peer.peak_rss,
                   "percent_of_roof": f"{roof:.1f}", "valid": not why, "why": why})


if __name__ == "__main__":
    main()
