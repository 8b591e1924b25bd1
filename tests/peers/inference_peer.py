#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reading a prompt and generating against llama.cpp, through its Python binding's C interface.

    inference_peer.py --whet build/release/bin/whet --venv peers --csv docs/benchmarks/inference_peers.csv
    inference_peer.py --whet build/release/bin/whet --only 'decode q8_0'

Both sides run the same shape with random weights: a prompt of 512 tokens at once, or new tokens of one sequence after a
short prompt, greedy. llama.cpp runs with and without flash attention in each of its turns; its faster setting counts. Its
weights are written as GGUF files with the `gguf` package into --work. Each turn is a process of its own; the two take
turns. Prints a table in Markdown; a row is marked invalid where other programs used the machine or repeats disagree.
"""

import ctypes
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peer_bench as pb  # noqa: E402

PACKAGES = ["llama-cpp-python", "gguf", "numpy"]
SHAPES = ["30m", "135m"]
DTYPES = ["f32", "bf16", "q8_0"]
TASKS = ["prefill", "decode"]
DECODE_PROMPT = 16


def write_gguf(path, config, dtype):
    """A Llama-type model with random weights and without a vocabulary."""
    import gguf
    import numpy

    kinds = {"f32": gguf.GGMLQuantizationType.F32, "bf16": gguf.GGMLQuantizationType.BF16,
             "q8_0": gguf.GGMLQuantizationType.Q8_0}
    random = numpy.random.default_rng(42)
    hidden, ffn, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    width = config.get("head_dim", hidden // heads)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(width)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("no_vocab")

    def matrix(name, rows, columns):
        values = random.standard_normal((rows, columns), dtype=numpy.float32) * numpy.float32(0.02)
        writer.add_tensor(name, gguf.quants.quantize(values, kinds[dtype]), raw_dtype=kinds[dtype])

    def norm(name):
        writer.add_tensor(name, numpy.ones(hidden, dtype=numpy.float32))

    matrix("token_embd.weight", vocabulary, hidden)
    for layer in range(config["num_hidden_layers"]):
        block = f"blk.{layer}."
        norm(block + "attn_norm.weight")
        matrix(block + "attn_q.weight", heads * width, hidden)
        matrix(block + "attn_k.weight", groups * width, hidden)
        matrix(block + "attn_v.weight", groups * width, hidden)
        matrix(block + "attn_output.weight", hidden, heads * width)
        norm(block + "ffn_norm.weight")
        matrix(block + "ffn_gate.weight", ffn, hidden)
        matrix(block + "ffn_up.weight", ffn, hidden)
        matrix(block + "ffn_down.weight", hidden, ffn)
    norm("output_norm.weight")
    if not config["tie_word_embeddings"]:
        matrix("output.weight", vocabulary, hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Llama:
    """A model and a context of llama.cpp."""

    def __init__(self, request, is_flash):
        import llama_cpp
        self.api = llama_cpp
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = max(request["tokens"], DECODE_PROMPT + request["tokens"]) + 8
        parameters.n_batch = parameters.n_ubatch = max(512, request["tokens"])
        parameters.n_threads = parameters.n_threads_batch = request["threads"]
        if hasattr(parameters, "flash_attn_type"):
            parameters.flash_attn_type = 1 if is_flash else 0
        else:
            parameters.flash_attn = is_flash
        self.vocabulary = request["vocabulary"]
        self.context = llama_cpp.llama_init_from_model(request["model"], parameters)
        if not self.context:
            raise SystemExit("llama.cpp could not make a context")

    def feed(self, ids):
        array = (ctypes.c_int32 * len(ids))(*ids)
        if self.api.llama_decode(self.context, self.api.llama_batch_get_one(array, len(ids))) != 0:
            raise SystemExit("llama_decode failed")
        self.api.llama_synchronize(self.context)

    def best(self):
        import numpy
        logits = self.api.llama_get_logits_ith(self.context, -1)
        return int(numpy.ctypeslib.as_array(logits, shape=(self.vocabulary,)).argmax())

    def clear(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def prefill(self, tokens):
        self.clear()
        start = time.perf_counter()
        self.feed([(7 * i + 3) % self.vocabulary for i in range(tokens)])
        self.best()
        return time.perf_counter() - start

    def decode(self, tokens):
        self.prefill(DECODE_PROMPT)
        token = self.best()
        start = time.perf_counter()
        for _ in range(tokens):
            self.feed([token])
            token = self.best()
        return time.perf_counter() - start


def worker(request):
    """One turn of the peer, in a process of its own: both settings of flash attention, taken in turn."""
    import llama_cpp

    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()
    request["model"] = llama_cpp.llama_model_load_from_file(request["path"].encode(),
                                                            llama_cpp.llama_model_default_params())
    if not request["model"]:
        raise SystemExit(f"llama.cpp cannot load {request['path']}")
    answers = {}
    for name, is_flash in (("flash", True), ("no flash", False)):
        llama = Llama(request, is_flash)
        run = llama.prefill if request["task"] == "prefill" else llama.decode
        answers[name] = pb.timed_repeats(lambda: run(request["tokens"]), request["tokens"], request["repeats"])
        llama_cpp.llama_free(llama.context)
    print(json.dumps({"settings": answers, "version": f"llama-cpp-python {llama_cpp.__version__}"}))


def tokens_of(task, arguments):
    return arguments.tokens if task == "prefill" else arguments.new_tokens


def run_row(arguments, python, config, path, shape, task, dtype):
    tokens = tokens_of(task, arguments)
    words = [task, "--config", shape, "--dtype", dtype, "--tokens", tokens, "--repeats", arguments.repeats]
    request = {"path": str(path), "task": task, "tokens": tokens, "threads": arguments.threads,
               "repeats": arguments.repeats, "vocabulary": config["vocab_size"]}
    env = pb.environment(arguments.threads)
    ours, both = pb.take_turns(arguments.rounds, lambda: pb.run_whet(arguments, words),
                               lambda: pb.run_json([python, __file__, "--worker", json.dumps(request)], env,
                                                   arguments.under))
    peers = {}
    for turn in both.turns:
        for name, answer in turn["settings"].items():
            peers.setdefault(name, pb.Side()).add(answer)
    fastest = max(peers, key=lambda name: peers[name].rate)
    return ours, peers, fastest, both.turns[0]["version"]


def make_model(arguments, python, configs, shape, dtype, folder):
    path = folder / f"{shape}-{dtype}.gguf"
    if not path.exists():
        request = {"write": str(path), "config": configs[shape], "dtype": dtype}
        subprocess.run([python, __file__, "--worker", json.dumps(request)], check=True)
    return path


def add_row(table, arguments, python, configs, folder, shape, task, dtype):
    path = make_model(arguments, python, configs, shape, dtype, folder)
    ours, peers, fastest, version = run_row(arguments, python, configs[shape], path, shape, task, dtype)
    peer = peers[fastest]
    why = pb.validity(ours, peer)
    ceiling = statistics.median(turn["percent_of_ceiling"] for turn in ours.turns)
    on, off = peers["flash"].rate, peers["no flash"].rate
    name = f"{shape} {task} {dtype}"
    table.add([name, f"{ours.rate:.1f}", f"{peer.rate:.1f}", f"{ours.rate / peer.rate:.2f}", f"{on:.1f} / {off:.1f}",
               f"{ceiling:.0f} %", why or "yes"],
              {**pb.origin(arguments, ours.turns[0], f"{version}, {fastest}"), "row": name,
               "tokens": tokens_of(task, arguments), "whet_tokens_per_second": f"{ours.rate:.2f}",
               "peer_flash_tokens_per_second": f"{on:.2f}", "peer_plain_tokens_per_second": f"{off:.2f}",
               "ratio": f"{ours.rate / peer.rate:.3f}", "whet_spread": f"{ours.spread:.3f}",
               "peer_spread": f"{peer.spread:.3f}", "whet_foreign_cpu": f"{ours.foreign:.3f}",
               "peer_foreign_cpu": f"{peer.foreign:.3f}", "percent_of_ceiling": f"{ceiling:.1f}", "valid": not why,
               "why": why})


def run_table(arguments, python, folder):
    configs = pb.run_json([arguments.whet, "bench", "configs", "--json"], pb.environment(arguments.threads))
    table = pb.Table(arguments, ["inference", "whet tok/s", "llama.cpp tok/s", "ratio", "flash on / off",
                                 "of our ceiling", "valid"])
    for shape, dtype, task in itertools.product(SHAPES, DTYPES, TASKS):
        name = f"{shape} {task} {dtype}"
        if not table.wants(name):
            continue
        try:
            add_row(table, arguments, python, configs, folder, shape, task, dtype)
        except pb.Refused as refused:
            table.refuse(name, refused)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        request = json.loads(sys.argv[2])
        return write_gguf(request["write"], request["config"], request["dtype"]) if "write" in request else worker(request)
    parser = pb.parser_for(__doc__)
    pb.add_common_options(parser, ", ".join(PACKAGES))
    parser.add_argument("--new-tokens", type=int, default=64, help="of a decoding run")
    parser.add_argument("--work", metavar="DIR", help="where the GGUF files are written and kept")
    arguments = parser.parse_args()
    python = pb.interpreter(arguments, PACKAGES)
    if arguments.work:
        folder = pathlib.Path(arguments.work)
        folder.mkdir(parents=True, exist_ok=True)
        return run_table(arguments, python, folder)
    with tempfile.TemporaryDirectory() as folder:
        run_table(arguments, python, pathlib.Path(folder))


if __name__ == "__main__":
    main()
