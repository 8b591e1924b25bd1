# SPDX-License-Identifier: Apache-2.0
"""Model rows of torch_peers.py: training steps with torch.compile, transformers and peft, generation, cold start. All
models are made from their configuration with random weights; nothing is read from a network."""

import json
import math
import pathlib
import subprocess
import sys
import time

import torch

from torch_support import Bench, Figure, Refused, require_sound

PADDED_TO = 64


def make_model(config, bench, dtype, pad_vocabulary=False):
    import transformers
    values = dict(config)
    if pad_vocabulary:
        values["vocab_size"] = -(-values["vocab_size"] // PADDED_TO) * PADDED_TO
    values.pop("architectures", None)
    made = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    with bench.device:
        return transformers.AutoModelForCausalLM.from_config(made, attn_implementation="sdpa", dtype=dtype)


def random_tokens(bench, config, sequences, tokens):
    generator = torch.Generator().manual_seed(42)
    return torch.randint(0, config["vocab_size"], (sequences, tokens), generator=generator).to(bench.device)


def trained(model):
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def time_steps(bench, model, ids, autocast, compiled=False, vocabulary=None):
    """Full steps: forward, loss, backward, clipping, fused AdamW. The first loss and its gradients are checked. Rows
    that pad the vocabulary take part in the peer's softmax, not in ours: at the start they add the log of their share.
    """
    parameters = trained(model)
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    call = torch.compile(model) if compiled else model

    def loss_and_gradients():
        with torch.autocast(bench.device.type, dtype=torch.bfloat16, enabled=autocast):
            loss = call(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        return loss

    def step():
        loss_and_gradients()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    bench.reset_peak()
    first = loss_and_gradients()
    gradients = {f"gradient {i}": p.grad for i, p in enumerate(parameters) if p.grad is not None}
    if not gradients:
        raise Refused("no gradient was computed")
    if not all(bool(torch.isfinite(g).all()) for g in gradients.values()):
        raise Refused("a gradient is not finite")
    # Half of a fresh adapter has no gradient yet; all of a model without any has none.
    require_sound({"the loss": first.detach(), "the gradient": torch.cat([g.flatten() for g in gradients.values()])})
    loss = float(first.detach())
    if vocabulary:
        loss -= math.log(model.config.vocab_size / vocabulary)
    optimizer.zero_grad(set_to_none=True)
    del gradients, first
    return Figure(ms=bench.median_ms(step), peak_bytes=bench.peak(), loss=loss)


def full_step(bench, row, config, compiled):
    model = make_model(config, bench, torch.float32, pad_vocabulary=True).train()
    ids = random_tokens(bench, config, row["sequences"], row["tokens"])
    return time_steps(bench, model, ids, autocast=True, compiled=compiled,
                      vocabulary=config["vocab_size"])


def lora_step(bench, row, config, compiled):
    import peft
    model = make_model(config, bench, torch.bfloat16)
    model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")).train()
    ids = random_tokens(bench, config, row["sequences"], row["tokens"])
    return time_steps(bench, model, ids, autocast=False, compiled=compiled)


def decode(bench, row, config, static):
    """Seconds of the new tokens alone: generation of all of them less that of the first."""
    model = make_model(config, bench, torch.bfloat16).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    ids = random_tokens(bench, config, row["sequences"], 16)
    options = {"do_sample": False, "use_cache": True}
    if static:
        options["cache_implementation"] = "static"

    def generate(count):
        return model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count,
                              **options)

    bench.reset_peak()
    with torch.inference_mode():
        require_sound({"the logits": model(ids).logits})
        made = generate(row["tokens"] + 1)
        if made.shape[1] != 16 + row["tokens"] + 1:
            raise Refused(f"made {made.shape[1] - 16} tokens, not {row['tokens'] + 1}")
        whole = bench.median_ms(lambda: generate(row["tokens"] + 1), warm_up=1)
        first = bench.median_ms(lambda: generate(1), warm_up=1)
    return Figure(ms=whole - first, peak_bytes=bench.peak())


def cold_start(bench, row, config, compiled):
    """A process of its own, from its start to the end of its first step."""
    request = {"device": str(bench.device), "tiny": bench.tiny, "row": row, "config": config, "compiled": compiled}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, str(pathlib.Path(__file__).resolve()), json.dumps(request)],
                          capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise Refused((done.stderr.strip().splitlines() or ["it failed"])[-1])
    if not math.isfinite(float(done.stdout)):
        raise Refused("the loss is not finite")
    return Figure(ms=1e3 * seconds, loss=float(done.stdout), note="whole process")


def first_step(request):
    bench = Bench(request["device"], request["tiny"])
    row, config = request["row"], request["config"]
    model = make_model(config, bench, torch.float32, pad_vocabulary=True).train()
    ids = random_tokens(bench, config, row["sequences"], row["tokens"])
    call = torch.compile(model) if request["compiled"] else model
    optimizer = torch.optim.AdamW(trained(model), lr=1e-4, fused=True)
    with torch.autocast(bench.device.type, dtype=torch.bfloat16):
        loss = call(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    optimizer.step()
    bench.synchronize()
    print(float(loss.detach()))


def gemm(bench, row):
    x = torch.randn(row["m"], row["k"], device=bench.device, dtype=torch.bfloat16)
    weight = torch.randn(row["n"], row["k"], device=bench.device, dtype=torch.bfloat16)
    require_sound({"the product": torch.nn.functional.linear(x, weight)})
    return Figure(ms=bench.median_ms(lambda: torch.nn.functional.linear(x, weight)), peak_bytes=bench.peak())


def model_variants(bench, row, config):
    kind = row["kind"]
    if kind == "gemm":
        return {"linear": lambda: gemm(bench, row)}
    if kind == "decode":
        return {"generate, eager": lambda: decode(bench, row, config, False),
                "generate, static cache, compiled": lambda: decode(bench, row, config, True)}
    step = {"train": full_step if row.get("method") == "full" else lora_step, "cold_start": cold_start}[kind]
    names = ("peft, eager", "peft, torch.compile") if row["method"] == "lora" else ("eager", "torch.compile")
    return {names[0]: lambda: step(bench, row, config, False), names[1]: lambda: step(bench, row, config, True)}


if __name__ == "__main__":
    torch.manual_seed(42)
    first_step(json.loads(sys.argv[1]))
