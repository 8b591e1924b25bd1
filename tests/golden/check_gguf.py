#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exports seeded models as GGUF with whet and lets independent readers judge them.

    check_gguf.py --whet build/dev/bin/whet [--families llama qwen2 ...] [--types f32 f16 bf16 q8_0]
    check_gguf.py --whet ... --converter llama.cpp/convert_hf_to_gguf.py

The gguf package reads names, types and metadata. llama.cpp (through llama-cpp-python) encodes texts, and computes
logits and greedy continuations, which are held against transformers and the tokenizer's own library. With --converter
(part of the sources of llama.cpp) files made by llama.cpp's own converter are opened with whet, too, for all families
whose GGUF form is read. Neither is needed to build or test.
"""
import argparse
import io
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy
import sentencepiece
import tokenizers
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, T5ForConditionalGeneration

SENTENCES = [
    "The lamp on the harbour wall goes out at seven in the morning.",
    "Nobody counts the boats that leave, only those that come back.",
    "Seven men carried twelve crates of apples up the 39 steps.",
    "If it rains on Friday, we will move the table into the hall.",
    "She wrote the address on a card: 14 Mill Lane, second door.",
    "What does a clock do at night? It waits, and it doesn't mind.",
    "Der Zug nach Köln fährt um halb neun; wir haben noch Zeit.",
    "A good knot holds, and you'll find it easy to undo.",
]
TEXTS = SENTENCES + ["", " ", "two  spaces", "lower\nUPPER\n\n12345", "Grüße, 你好 🙂", " lead", "it's WE'LL I'm"]
VOCABULARY = 384
ENDING = "<|endoftext|>"
TOLERANCE = {"f32": 3e-3, "f16": 8e-3, "bf16": 4e-2, "q8_0": 1.2e-1}
FILE_TYPES = {"f32": 0, "f16": 1, "q8_0": 7, "bf16": 32}
SPLIT_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLIT_LLAMA3 = SPLIT_QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")


def corpus():
    return [f"{a} {b}" for a in SENTENCES for b in SENTENCES]


class ByteLevel:
    """A byte-level BPE tokenizer with the splitting rule of a family."""

    def __init__(self, folder, split=None, ignore_merges=False):
        pre = tokenizers.pre_tokenizers
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(ignore_merges=ignore_merges))
        level = pre.ByteLevel(add_prefix_space=False, use_regex=split is None)
        tokenizer.pre_tokenizer = level
        if split is not None:
            tokenizer.pre_tokenizer = pre.Sequence([pre.Split(tokenizers.Regex(split), "isolated"), level])
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=VOCABULARY - 8, special_tokens=[ENDING], initial_alphabet=pre.ByteLevel.alphabet()
        )
        tokenizer.train_from_iterator(corpus(), trainer)
        tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
        tokenizer.save(str(folder / "tokenizer.json"))
        settings = {"eos_token": ENDING, "bos_token": ENDING, "add_bos_token": False}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        self.tokenizer = tokenizer

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids


class SentencePiece:
    def __init__(self, folder, name, kind, prefix=True, **options):
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus()), model_writer=model, model_type=kind, add_dummy_prefix=prefix,
            normalization_rule_name="identity", hard_vocab_limit=False, minloglevel=2, **options
        )
        (folder / name).write_bytes(model.getvalue())
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())

    def encode(self, text):
        return self.processor.encode(text)


def llama_pieces(folder):
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return SentencePiece(
        folder, "tokenizer.model", "bpe", vocab_size=VOCABULARY - 8, byte_fallback=True, remove_extra_whitespaces=False
    )


def gemma_pieces(folder):
    settings = {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "add_eos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return SentencePiece(
        folder, "tokenizer.model", "bpe", prefix=False, vocab_size=VOCABULARY - 8, byte_fallback=True, pad_id=0,
        eos_id=1, bos_id=2, unk_id=3, remove_extra_whitespaces=False
    )


def t5_pieces(folder):
    settings = {"tokenizer_class": "T5Tokenizer", "add_eos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return SentencePiece(
        folder, "spiece.model", "unigram", vocab_size=200, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        character_coverage=0.99
    )


ENDS = dict(bos_token_id=0, eos_token_id=0)


def sizes(**more):
    base = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4,
                num_key_value_heads=2, vocab_size=VOCABULARY, max_position_embeddings=256)
    return base | more


GPT2 = dict(n_embd=64, n_layer=3, n_head=4, n_positions=256, n_inner=256, vocab_size=VOCABULARY, **ENDS)
T5 = dict(d_model=64, d_ff=128, d_kv=16, num_layers=3, num_decoder_layers=2, num_heads=4, vocab_size=VOCABULARY,
          decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, n_positions=512)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64, rope_theta=5e5)


def plain_bytes(folder):
    return ByteLevel(folder)


# name: (model type, config, tokenizer)
WRITTEN = {
    "llama": ("llama", sizes(tie_word_embeddings=False, bos_token_id=1, eos_token_id=2), llama_pieces),
    "llama3": ("llama", sizes(rope_parameters=LLAMA3, tie_word_embeddings=True),
               lambda folder: ByteLevel(folder, SPLIT_LLAMA3, True)),
    "mistral": ("mistral", sizes(head_dim=32, sliding_window=None, bos_token_id=1, eos_token_id=2), llama_pieces),
    "qwen2": ("qwen2", sizes(tie_word_embeddings=True), lambda folder: ByteLevel(folder, SPLIT_QWEN2)),
    "gemma": ("gemma", sizes(head_dim=32, num_key_value_heads=1, bos_token_id=2, eos_token_id=1, pad_token_id=0),
              gemma_pieces),
    "gemma2": ("gemma2", sizes(head_dim=32, query_pre_attn_scalar=32, sliding_window=8, bos_token_id=2, eos_token_id=1,
                               pad_token_id=0), gemma_pieces),
    "gemma3": ("gemma3_text", sizes(head_dim=32, query_pre_attn_scalar=32, sliding_window=8, num_hidden_layers=7,
                                    bos_token_id=2, eos_token_id=1, pad_token_id=0), gemma_pieces),
    "gpt2": ("gpt2", GPT2, plain_bytes),
    "t5": ("t5", T5 | dict(feed_forward_proj="relu", tie_word_embeddings=True), t5_pieces),
    "t5_v1_1": ("t5", T5 | dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False), t5_pieces),
}
# Read, not written: made by llama.cpp's own converter.
READ = {
    "qwen3": ("qwen3", sizes(head_dim=32, tie_word_embeddings=True), lambda f: ByteLevel(f, SPLIT_QWEN2)),
    "phi2": ("phi", sizes(num_key_value_heads=4, intermediate_size=256, partial_rotary_factor=0.5, tie_word_embeddings=False), plain_bytes),
    "phi3": ("phi3", sizes(original_max_position_embeddings=256, sliding_window=None, bos_token_id=1, eos_token_id=2,
                           pad_token_id=0), llama_pieces),
    "gptneox": ("gpt_neox", sizes(num_key_value_heads=4, rotary_pct=0.25, tie_word_embeddings=False), plain_bytes),
    "starcoder2": ("starcoder2", sizes(use_bias=True, sliding_window=None, **ENDS), plain_bytes),
    "falcon": ("falcon", dict(hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_kv_heads=1,
                              vocab_size=VOCABULARY,
                              multi_query=True, parallel_attn=True, bias=False, alibi=False), plain_bytes),
    "falcon_40b": ("falcon", dict(hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_kv_heads=2,
                                  vocab_size=VOCABULARY, new_decoder_architecture=True, bias=False, alibi=False),
                   plain_bytes),
    "olmo2": ("olmo2", sizes(tie_word_embeddings=False, **ENDS), plain_bytes),
    "granite": ("granite", sizes(attention_multiplier=0.2, embedding_multiplier=3.0, residual_multiplier=0.5,
                                 logits_scaling=2.0, tie_word_embeddings=True), plain_bytes),
}
# What files of published models have and transformers no longer writes; the converter looks for it.
OLDER_KEYS = {"gpt2": {"n_ctx": 256}, "gpt_neox": {"rotary_pct": 0.25, "rotary_emb_base": 10000}}


def make_model(folder, model_type, config, seed):
    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, **config)
    is_seq2seq = config.is_encoder_decoder
    model = T5ForConditionalGeneration(config) if is_seq2seq else AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() < 2:
                # Norms near what leaves values as they are, biases near nothing.
                start = 1.0 if name.endswith("weight") and not model_type.startswith("gemma") else 0.0
                parameter.copy_(start + 0.2 * torch.randn(parameter.shape))
            else:
                # T5 has no scale of the scores but in its queries.
                part = 0.25 if name.endswith(("SelfAttention.q.weight", "EncDecAttention.q.weight")) else 1.0
                parameter.copy_(torch.randn(parameter.shape) * 1.2 * part / math.sqrt(parameter.shape[-1]))
    model = model.float().eval()
    model.generation_config.update(pad_token_id=config.pad_token_id or 0)
    model.save_pretrained(folder)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | OLDER_KEYS.get(model_type, {})))
    return model


# Converters know the splitting rules of published vocabularies by a hash; those made here are named to them.
CONVERT = """
import pathlib, runpy, sys
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent / "gguf-py"))
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))
import json
from conversion.base import ModelBase, TextModel
rule = sys.argv.pop(2)
TextModel.get_vocab_base_pre = lambda self, tokenizer: rule
# It reads configs through transformers, which drops older keys that it asks for all the same.
load = ModelBase.load_hparams
ModelBase.load_hparams = staticmethod(
    lambda folder, is_mistral_format: json.loads((folder / "config.json").read_text()) | load(folder, is_mistral_format)
)
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class LlamaCpp:
    """Just enough of llama.cpp's own interface; caches in single precision."""

    def __init__(self, path):
        llama_cpp.llama_log_set(self.silent, None)
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        assert self.model, f"llama.cpp cannot load {path}"
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = 256
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.type_k = parameters.type_v = 0
        parameters.flash_attn_type = 0
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)

    @staticmethod
    @llama_cpp.llama_log_callback
    def silent(level, text, data):
        pass

    def encode(self, text):
        data = text.encode()
        ids = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(self.vocabulary, data, len(data), ids, len(ids), False, False)
        return list(ids[:count])

    def logits(self, ids, source=None):
        """All logits of a sequence, [T, V]; with source those of the decoder."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        if source is not None:
            assert llama_cpp.llama_encode(self.context, self.batch(source)) == 0
        assert llama_cpp.llama_decode(self.context, self.batch(ids)) == 0
        size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        rows = [llama_cpp.llama_get_logits_ith(self.context, i) for i in range(len(ids))]
        return numpy.stack([numpy.ctypeslib.as_array(row, (size,)).copy() for row in rows])

    @staticmethod
    def batch(ids):
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i] = token
            batch.pos[i] = i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        return batch

    def close(self):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def reference_logits(model, ids, source):
    with torch.no_grad():
        if source is None:
            return model(torch.tensor([ids])).logits[0].float().numpy()
        return model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([ids])).logits[0].float().numpy()


def greedy(step, ids, count):
    ids = list(ids)
    for _ in range(count):
        ids.append(int(step(ids)[-1].argmax()))
    return ids


def compare(name, model, reader, encode, tolerance, problems):
    is_seq2seq = model.config.is_encoder_decoder
    different = [text for text in TEXTS if reader.encode(text) != encode(text)]
    if different:
        problems.append(f"{name}: other ids for {different[:3]}: {reader.encode(different[0])} {encode(different[0])}")
    worst, agreed, count, flips = 0.0, 0, 0, 0
    for text in SENTENCES[:4]:
        source = encode(text) + [1] if is_seq2seq else None
        ids = [model.config.decoder_start_token_id] + encode(SENTENCES[5])[:12] if is_seq2seq else encode(text)
        expected, actual = reference_logits(model, ids, source), reader.logits(ids, source)
        error = numpy.abs(expected - actual).max()
        worst = max(worst, error / numpy.abs(expected).max())
        agreed += int((expected.argmax(-1) == actual.argmax(-1)).sum())
        count += len(ids)
        ours = greedy(lambda i: reference_logits(model, i, source), ids[:4], 12)
        theirs = greedy(lambda i: reader.logits(i, source), ids[:4], 12)
        flips += ours != theirs
    if not worst <= tolerance:
        problems.append(f"{name}: logits differ by {worst:.1e} of the largest, allowed {tolerance:.0e}")
    return f"logits {worst:.1e}, most likely token {agreed}/{count}, greedy {4 - flips}/4"


def check_file(path, kind, model, problems):
    """What the gguf package says about a written file."""
    reader = gguf.GGUFReader(path)
    field = lambda key: reader.fields[key].contents() if key in reader.fields else None
    for key in ("general.architecture", "general.name", "tokenizer.ggml.model", "tokenizer.ggml.pre",
                "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
        if field(key) is None:
            problems.append(f"{path}: {key} is missing")
    if field("general.file_type") != FILE_TYPES[kind]:
        problems.append(f"{path}: general.file_type is {field('general.file_type')}")
    if len(field("tokenizer.ggml.tokens")) != VOCABULARY:
        problems.append(f"{path}: {len(field('tokenizer.ggml.tokens'))} tokens")
    known = gguf.get_tensor_name_map(
        next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == field("general.architecture")), 64
    )
    for tensor in reader.tensors:
        stem = tensor.name.rsplit(".", 1)[0]
        if stem not in known.mapping:
            problems.append(f"{path}: the architecture has no tensor {tensor.name}")
        is_vector = len(tensor.shape) == 1
        if is_vector and tensor.tensor_type != gguf.GGMLQuantizationType.F32:
            problems.append(f"{path}: {tensor.name} is {tensor.tensor_type.name}")
        gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return len(reader.tensors)


def check_written(whet, name, kinds, work, problems):
    folder = work / name
    folder.mkdir()
    model_type, config, make_tokenizer = WRITTEN[name]
    tokenizer = make_tokenizer(folder)
    model = make_model(folder, model_type, config, 7)
    for kind in kinds:
        out = work / f"{name}-{kind}"
        subprocess.run([whet, "export", "--model", folder, "--format", "gguf", "--gguf-type", kind, "--out", out],
                       check=True, stdout=subprocess.DEVNULL)
        tensors = check_file(out / "model.gguf", kind, model, problems)
        reader = LlamaCpp(out / "model.gguf")
        result = compare(f"{name} {kind}", model, reader, tokenizer.encode, TOLERANCE[kind], problems)
        reader.close()
        print(f"written {name:10} {kind:5} {tensors:3} tensors, {result}", flush=True)


def whet_logits(whet, path, text):
    result = subprocess.run(
        [whet, "generate", "--model", path, "--prompt", text, "--template", "raw", "--max-new-tokens", "1",
         "--last-logits", "--json"], check=True, capture_output=True, text=True
    )
    return json.loads(result.stdout)


def convert(converter, folder, path, rule):
    result = subprocess.run(
        [sys.executable, "-c", CONVERT, converter, rule, folder, "--outfile", path, "--outtype", "f32"],
        capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-2000:]


def check_read(whet, converter, name, work, problems):
    folder = work / f"{name}-source"
    folder.mkdir()
    model_type, config, make_tokenizer = (WRITTEN | READ)[name]
    tokenizer = make_tokenizer(folder)
    model = make_model(folder, model_type, config, 11)
    path = work / f"{name}-converted.gguf"
    convert(converter, folder, path, "qwen2" if name.startswith("qwen") else "llama-bpe" if name == "llama3" else "gpt-2")
    worst = 0.0
    for text in SENTENCES[:3]:
        found = whet_logits(whet, path, text)
        ids = found["prompt_ids"]
        source = None
        if model.config.is_encoder_decoder:
            source, ids = ids, [model.config.decoder_start_token_id]
        expected = reference_logits(model, ids, source)[-1]
        actual = numpy.array(found["last_logits"])
        worst = max(worst, numpy.abs(expected - actual).max() / numpy.abs(expected).max())
        # Around the text there may be its begin and end.
        plain = tokenizer.encode(text)
        if plain not in (found["prompt_ids"][:-1], found["prompt_ids"][-len(plain):]):
            problems.append(f"{name}: whet encodes '{text}' as {found['prompt_ids']}, not {plain}")
    if not worst <= 1e-4:
        problems.append(f"{name}: whet's logits of the converted file differ by {worst:.1e} of the largest")
    print(f"read    {name:10} logits {worst:.1e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whet", required=True, help="the program to check")
    parser.add_argument("--families", nargs="*", help="of these: " + ", ".join(WRITTEN | READ))
    parser.add_argument("--types", nargs="*", default=list(TOLERANCE))
    parser.add_argument("--converter", help="convert_hf_to_gguf.py of llama.cpp")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    problems = []
    with tempfile.TemporaryDirectory() as work:
        for name in arguments.families or WRITTEN:
            if name in WRITTEN:
                check_written(arguments.whet, name, arguments.types, Path(work), problems)
        for name in (arguments.families or WRITTEN | READ) if arguments.converter else []:
            check_read(arguments.whet, arguments.converter, name, Path(work), problems)
    print("\n".join(problems) or f"all well: llama-cpp-python {llama_cpp.__version__}, transformers {transformers.__version__}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
