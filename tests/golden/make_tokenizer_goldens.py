#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small tokenizers of every kind, and a comparison of `whet tokenize` with the reference library on many texts.

Needs `pip install tokenizers sentencepiece`; the tests themselves need no Python. Seeded: the same files each time.

    make_tokenizer_goldens.py write            # tests/golden/tokenizers/kinds/: <kind>.json and expected/<kind>.json
    make_tokenizer_goldens.py compare --whet build/dev/bin/whet --count 200000 [--kind NAME] [--tokenizer FILE ...]

`compare` prints each kind's number of mismatches and the first of them, and writes the texts that mismatched to
--mismatches; `write --mismatches FILE` puts such texts first into the goldens.
"""

import argparse
import importlib.util
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "tokenizers" / "kinds"
SEED = 20240607
TEXTS_OF_A_KIND = 70

spec = importlib.util.spec_from_file_location("small_tokenizers", HERE / "tokenizers" / "make_goldens.py")
small = importlib.util.module_from_spec(spec)
spec.loader.exec_module(small)
SENTENCES = small.SENTENCES

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTES = ["<0x%02X>" % byte for byte in range(256)]


def specials(*contents, **flags):
    return [AddedToken(content, special=True, normalized=False, **flags) for content in contents]


def template(tokenizer, single):
    names = [part.split(":")[0] for part in single.split() if not part.startswith("$")]
    return processors.TemplateProcessing(single=single, special_tokens=[(n, tokenizer.token_to_id(n)) for n in names])


def train(tokenizer, trainer):
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def bpe_trainer(size=430, **options):
    return trainers.BpeTrainer(vocab_size=size, show_progress=False, **options)


def byte_level(pre_tokenizer, special=("<|endoftext|>",), normalizer=None, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, bpe_trainer(special_tokens=list(special), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def gpt2():
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))


def bart():
    names = ("<s>", "<pad>", "</s>", "<unk>")
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), names)
    tokenizer.add_special_tokens(specials("<mask>", lstrip=True))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=True)
    return tokenizer


def gpt_neox():
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizer=normalizers.NFC())
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True) for n in range(2, 9)])
    return tokenizer


def llama3():
    tokenizer = byte_level(split_then_bytes(LLAMA3), ("<|begin|>", "<|end|>"), ignore_merges=True)
    tokenizer.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=True), template(tokenizer, "<|begin|> $A")])
    return tokenizer


def qwen2():
    tokenizer = byte_level(split_then_bytes(QWEN2), normalizer=normalizers.NFC())
    tokenizer.add_special_tokens(specials("<|im_start|>", "<|im_end|>"))
    return tokenizer


def gpt4o():
    return byte_level(split_then_bytes(GPT4O))


def starcoder2():
    return byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False)]))


def falcon():
    return byte_level(pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation(behavior="contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))


def byte_level_normalizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.ByteLevel()])
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, bpe_trainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=12))
    tokenizer.add_tokens([AddedToken("caf\u00e9 ", normalized=True)])
    return tokenizer


def clip():
    tokenizer = Tokenizer(models.BPE(unk_token="<|end|>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("</w>", " ")])
    train(tokenizer, bpe_trainer(special_tokens=["<|start|>", "<|end|>"], end_of_word_suffix="</w>"))
    tokenizer.post_processor = processors.RobertaProcessing(("<|end|>", 1), ("<|start|>", 0), add_prefix_space=False)
    return tokenizer


def llama2():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(content=" ", left=1)])
    names = ["<unk>", "<s>", "</s>"] + BYTES
    train(tokenizer, bpe_trainer(600, special_tokens=names, max_token_length=10))
    tokenizer = plain_bytes(tokenizer, 3)
    tokenizer.post_processor = template(tokenizer, "<s> $A")
    return tokenizer


def plain_bytes(tokenizer, num_special, **changes):
    """The trainer made every byte piece an added token; only the first ones are to be."""
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if token["id"] < num_special]
    data["model"].update(changes)
    return Tokenizer.from_str(json.dumps(data))


def gemma():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    names = ["<pad>", "<eos>", "<bos>", "<unk>"] + BYTES
    train(tokenizer, bpe_trainer(600, special_tokens=names, max_token_length=10))
    tokenizer = plain_bytes(tokenizer, 4)
    tokenizer.add_special_tokens(specials("<start_of_turn>", "<end_of_turn>"))
    tokenizer.add_tokens([AddedToken("\n" * n, normalized=False) for n in range(2, 5)])
    tokenizer.post_processor = template(tokenizer, "<bos> $A")
    return tokenizer


def metaspace(scheme, split, **options):
    def make():
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=scheme != "always", **options))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme, split=split)
        train(tokenizer, bpe_trainer(300, special_tokens=["<unk>", "<s>"], max_token_length=10))
        tokenizer.add_special_tokens(specials("<mask>", lstrip=True))
        return tokenizer
    return make


def few_bytes():
    """Byte pieces for some bytes only, and unknown tokens that are not joined."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(content="a", left=2, right=0)])
    names = ["<unk>"] + BYTES[0x80:0xd0]
    return plain_bytes(train(tokenizer, bpe_trainer(250, special_tokens=names)), 1)


def fused_unknown():
    tokenizer = few_bytes()
    return plain_bytes(tokenizer, 1, fuse_unk=True)


def suffix_bpe():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    return train(tokenizer, bpe_trainer(260, special_tokens=["<unk>"], end_of_word_suffix="</w>"))


def prefix_bpe():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return train(tokenizer, bpe_trainer(300, special_tokens=["<unk>"], continuing_subword_prefix="##"))


def own_character_map():
    """A small map in SentencePiece's compiled form, from rules of our own."""
    rules = [("\uff21", "A"), ("\ufb01", "fi"), ("e\u0301", "\u00e9"), ("\u2026", "..."), ("\u00a0", " "),
             ("\u3000", " "), ("\t", " "), ("\n", " "), ("\u200b", ""), ("\u2460", "1"), ("\u00bd", "1/2"),
             ("\u30ac", "ga"), ("\u30ab\u3099", "ga"), ("\u0300", ""), ("\u212b", "\u00c5"), ("o\u0308", "\u00f6")]
    rows = ["%s\t%s" % (" ".join("%X" % ord(c) for c in a), " ".join("%X" % ord(c) for c in b)) for a, b in rules]
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules_file:
        rules_file.write("\n".join(rows) + "\n")
        rules_file.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 3), model_writer=model, vocab_size=200, hard_vocab_limit=False,
            normalization_rule_tsv=rules_file.name, minloglevel=2, num_threads=1)
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def unigram(size=380, unk_id=2, pieces=("<pad>", "</s>", "<unk>"), **options):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=size, show_progress=False, special_tokens=list(pieces),
                                      unk_token=pieces[unk_id])
    train(tokenizer, trainer)
    data = json.loads(tokenizer.to_str())
    # The trainer's scores differ from run to run in the last digits.
    data["model"]["vocab"] = [[piece, round(score, 4)] for piece, score in data["model"]["vocab"]]
    data["model"].update(options)
    return Tokenizer.from_str(json.dumps(data))


def t5():
    tokenizer = unigram()
    tokenizer.normalizer = normalizers.Precompiled(own_character_map())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(specials(*["<extra_id_%d>" % n for n in range(9, -1, -1)]))
    tokenizer.post_processor = template(tokenizer, "$A </s>")
    return tokenizer


def mbart():
    tokenizer = unigram(pieces=("<s>", "<pad>", "</s>", "<unk>"), unk_id=3)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(own_character_map()), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(specials("__en__", "__de__"))
    tokenizer.add_special_tokens([AddedToken("<mask>", special=True, lstrip=True, normalized=True)])
    tokenizer.post_processor = template(tokenizer, "__en__ $A </s> __de__")
    return tokenizer


def albert():
    tokenizer = unigram(pieces=("<pad>", "<unk>", "[CLS]", "[SEP]"), unk_id=1)
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(),
        normalizers.Lowercase(), normalizers.Nmt(), normalizers.Strip(left=False)])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = template(tokenizer, "[CLS] $A [SEP]")
    return tokenizer


def unigram_bytes():
    tokenizer = unigram(600, 0, ["<unk>"] + BYTES, byte_fallback=True)
    tokenizer = plain_bytes(tokenizer, 1)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    return tokenizer


def word_piece(size=330, **options):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", **options))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=size, show_progress=False, special_tokens=names)
    tokenizer.normalizer = normalizers.BertNormalizer()
    train(tokenizer, trainer)
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def bert():
    tokenizer = word_piece()
    tokenizer.post_processor = template(tokenizer, "[CLS]:0 $A:0 [SEP]:0")
    return tokenizer


def bert_cased():
    tokenizer = word_piece(max_input_chars_per_word=12)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, handle_chinese_chars=False)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def word_level(pre_tokenizer):
    def make():
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Strip()])
        tokenizer.pre_tokenizer = pre_tokenizer
        trainer = trainers.WordLevelTrainer(show_progress=False, special_tokens=["[UNK]", "[PAD]"])
        return train(tokenizer, trainer)
    return make


def splitting(behavior, invert):
    def make():
        """Every character that occurs is a token, so that the ids show where words end: merges cross no words."""
        tokenizer = Tokenizer(models.BPE(unk_token="?", fuse_unk=True))
        tokenizer.normalizer = normalizers.Replace(Regex(r"(?i)sh+"), "s")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(r"[,.;:!]|\d+"), behavior, invert), pre_tokenizers.Punctuation(behavior)])
        tokenizer.decoder = decoders.Fuse()
        train(tokenizer, bpe_trainer(420, special_tokens=["?"], max_token_length=6))
        return tokenizer
    return make


def added():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.StripAccents()])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.Fuse()
    train(tokenizer, bpe_trainer(260, special_tokens=["<unk>"]))
    tokenizer.add_tokens([
        AddedToken("TOOL", single_word=True, normalized=True), AddedToken("word", single_word=True, normalized=False),
        AddedToken("[L]", lstrip=True, normalized=False), AddedToken("[R]", rstrip=True, normalized=False),
        AddedToken("[LR]", lstrip=True, rstrip=True, normalized=True), AddedToken("  ", normalized=False),
        AddedToken("Caf\u00e9", normalized=True), AddedToken("<s>", normalized=False), AddedToken("<s><s>", normalized=False),
        AddedToken("\u00e9t\u00e9", rstrip=True, single_word=True, normalized=True)])
    tokenizer.add_special_tokens([AddedToken("<end>", special=True, normalized=True),
                                  AddedToken("<Sp>", special=True, normalized=False)])
    return tokenizer


def old_format():
    data = json.loads(gpt2().to_str())
    del data["model"]["type"]
    data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    return Tokenizer.from_str(json.dumps(data)), data


KINDS = {
    "gpt2": gpt2, "bart": bart, "gpt_neox": gpt_neox, "llama3": llama3, "qwen2": qwen2, "gpt4o": gpt4o,
    "starcoder2": starcoder2, "falcon": falcon, "byte_level_normalizer": byte_level_normalizer, "clip": clip,
    "llama2": llama2, "gemma": gemma, "metaspace_always": metaspace("always", True),
    "metaspace_first": metaspace("first", False), "metaspace_never": metaspace("never", True), "few_bytes": few_bytes,
    "fused_unknown": fused_unknown, "suffix_bpe": suffix_bpe, "prefix_bpe": prefix_bpe, "t5": t5, "mbart": mbart,
    "albert": albert, "unigram_bytes": unigram_bytes, "bert": bert, "bert_cased": bert_cased,
    "word_level": word_level(pre_tokenizers.Whitespace()),
    "delimiter": word_level(pre_tokenizers.CharDelimiterSplit(" ")),
    "digits": word_level(pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits()])),
    "split_removed": splitting("removed", False), "split_isolated": splitting("isolated", True),
    "split_previous": splitting("merged_with_previous", False), "split_next": splitting("merged_with_next", False),
    "split_next_inverted": splitting("merged_with_next", True), "split_contiguous": splitting("contiguous", False),
    "added": added, "old_format": old_format,
}

WHITE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
MARKS = "\u0300\u0301\u0308\u0327\u0323\u064b\u093c\u094d\u0e31\u3099\u20e3\u0f71\u1dc0\U0001d165\U0001e8d0"
ODD = ("\u0000\u0001\u0008\u000e\u001f\u007f\u0080\u009f\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u2060\u2064\ufeff\ufff9"
       "\ufffc\ufffd\uffff\ufdd0\u2581\u0120\u010a\u017f\u212a\u0130\u0131\u1e9e\u00df\u01c5\u03a3\u03c2\ufb05\u1f88")
HANGUL = "\u1100\u1161\u11a8\uac00\uac01\ud7a3\ud7b0\ud7cb"
EMOJI = ["\U0001f469\u200d\U0001f527", "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "1\ufe0f\u20e3",
         "\U0001f9f0", "\U0001f468\u200d\U0001f469\u200d\U0001f467"]
PIECES = ["'s", "'LL", "'re", "don't", "I'M", " do not", " n't", " ' ", " .", "...", "!!", "``", "''", "3.14", "1,000", "12345",
          "\u0661\u0662", "\u00b2\u00bd", "\u2167", "ABCdef", "fooBar", "\r\n", "\n\n", "  ", "    ", " \t ", "<s>", "</s>",
          "<unk>", "<pad>", "<mask>", "[MASK]", "[CLS]", "[UNK]", "<|endoftext|>", "<|im_end|>", "<extra_id_3>", "<0x41>",
          "<bos>", "TOOL", "tool", "word", "[L]", "[R]", "[LR]", "Caf\u00e9", "cafe\u0301", "<END>", "<end>", "<Sp>", "__en__",
          "\u00e9t\u00e9", "##ing", "</w>", "\ufb01", "\uff21", "e\u0301", "\u30ab\u3099", "\u212b", "\u00a0", "\u4e2d\u6587", "sh"]


def code_point(generator):
    plane = generator.choice([0, 0, 0, 1, 1, 2, 3, 14, 15, 16, None])
    value = generator.randrange(0x110000) if plane is None else plane * 0x10000 + generator.randrange(0x10000)
    return "\ufffd" if 0xd800 <= value < 0xe000 else chr(value)


def part(generator, words, tokens):
    kind = generator.randrange(15)
    if kind < 4:
        return generator.choice(words)
    if kind == 4:
        return generator.choice(WHITE) * generator.choice([1, 1, 2, 3, 9])
    if kind == 5:
        return generator.choice(ODD)
    if kind == 6:
        return code_point(generator)
    if kind == 7:
        return generator.choice("aeo\u4e2d\u0915") + "".join(generator.choice(MARKS) for _ in range(generator.randint(1, 3)))
    if kind == 8:
        return generator.choice(EMOJI)
    if kind == 9:
        return "".join(generator.choice(HANGUL) for _ in range(generator.randint(1, 3)))
    if kind == 10:
        return generator.choice(tokens)
    if kind == 11:
        return generator.choice("aT1.\u00e9\u4e2d ") * generator.randint(1, 40)
    if kind == 12:
        return chr(generator.randrange(0x20, 0x250))
    if kind == 13:
        return " "
    return generator.choice(PIECES)


def texts_for(tokenizer, count, seed):
    """Half of them parts put together, the rest runs of random characters, of one block, and of everyday text."""
    generator = random.Random(seed)
    words = sorted({word for sentence in SENTENCES for word in sentence.split(" ")})
    names = list(tokenizer.get_vocab())
    generator.shuffle(names)
    tokens = sorted(token.content for token in tokenizer.get_added_tokens_decoder().values()) + names[:200]
    texts = [""]
    while len(texts) < count:
        choice = generator.randrange(10)
        if choice < 6:
            text = "".join(part(generator, words, tokens) for _ in range(generator.randint(1, 9)))
        elif choice == 6:
            text = "".join(code_point(generator) for _ in range(generator.randint(1, 12)))
        elif choice == 7:
            first = generator.randrange(0x3000)
            text = "".join(chr(first + generator.randrange(64)) for _ in range(generator.randint(1, 16)))
        elif choice == 8:
            sentence = generator.choice(SENTENCES)
            begin = generator.randrange(len(sentence))
            text = sentence[begin:begin + generator.randint(1, 60)]
        else:
            text = " ".join(generator.choice(words) for _ in range(generator.randint(1, 9)))
        texts.append(text)
    return texts


def reference(tokenizer, texts):
    plain = [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    special = [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=True)]
    return plain, special, tokenizer.decode_batch(special)


def whet(command, model, items, *flags):
    result = subprocess.run([*command, "tokenize", "--model", str(model), "--json", *flags],
                            input=json.dumps(items).encode(), capture_output=True, check=False)
    if result.returncode != 0:
        sys.exit("whet: " + (result.stdout + result.stderr).decode()[:500])
    return json.loads(result.stdout)


def mismatches(command, path, tokenizer, texts):
    plain, special, decoded = reference(tokenizer, texts)
    generator = random.Random(len(texts))
    size = tokenizer.get_vocab_size()
    nonsense = [[generator.randrange(size) for _ in range(12)] for _ in range(len(texts) // 10)]
    bad = []
    for what, flags, items, expected in (("plain", [], texts, plain), ("special", ["--add-special"], texts, special),
                                         ("decode", ["--decode"], special, decoded),
                                         ("nonsense", ["--decode"], nonsense, tokenizer.decode_batch(nonsense))):
        answer = whet(command, path, items, *flags)
        got = answer["texts"] if "--decode" in flags else answer["ids"]
        bad += [(what, item, want, have) for item, want, have in zip(items, expected, got) if want != have]
    return bad


def compare(arguments):
    found = {}
    paths = {path: pathlib.Path(path) for path in arguments.tokenizer or []}
    if not paths:
        names = arguments.kind or KINDS
        paths = {name: FOLDER / (name + ".json") for name in names}
    for name, path in paths.items():
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        numbers, first = 0, None
        for begin in range(0, arguments.count, 20000):
            texts = texts_for(tokenizer, min(20000, arguments.count - begin), arguments.seed + begin)
            bad = mismatches(arguments.whet.split(), path, tokenizer, texts)
            numbers += len(bad)
            first = first or (bad[0] if bad else None)
            found.setdefault(name, []).extend(item for what, item, *_ in bad if what in ("plain", "special"))
        print(f"{name:24} {arguments.count} texts, {numbers} mismatches", "" if first is None else ascii(first)[:600], flush=True)
    if arguments.mismatches:
        pathlib.Path(arguments.mismatches).write_text(json.dumps(found))


def interesting(tokenizer, name, known):
    """Texts that once mismatched, then the ones with the most different characters of a large sample."""
    texts = list(dict.fromkeys(known.get(name, [])))[:TEXTS_OF_A_KIND // 2]
    sample = texts_for(tokenizer, 3000, SEED)
    seen = set("".join(texts))
    classes = lambda text: {(unicodedata.category(c), ord(c) >> 7) for c in text}
    covered = set()
    for text in sorted(sample, key=lambda text: (-len(classes(text)), text)):
        if len(texts) >= TEXTS_OF_A_KIND:
            break
        fresh = classes(text) - covered
        if len(text) <= 80 and fresh:
            texts.append(text)
            covered |= fresh
    return texts + [text for text in sample[:15] if text not in seen]


def write(arguments):
    known = json.loads(pathlib.Path(arguments.mismatches).read_text()) if arguments.mismatches else {}
    (FOLDER / "expected").mkdir(parents=True, exist_ok=True)
    for name, make in KINDS.items():
        path = FOLDER / (name + ".json")
        if name == "old_format":
            tokenizer, data = make()
            path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
        elif arguments.keep and path.exists():
            tokenizer = Tokenizer.from_file(str(path))
        else:
            tokenizer = make()
            data = json.loads(tokenizer.to_str())
            path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
        texts = interesting(tokenizer, name, known)
        plain, special, decoded = reference(tokenizer, texts)
        expected = {"made_by": "tokenizers " + tokenizers.__version__, "texts": texts, "plain": plain,
                    "special": [] if special == plain else special, "decoded": decoded}
        (FOLDER / "expected" / (name + ".json")).write_text(json.dumps(expected, separators=(",", ":")))
        print(f"{name:24} vocabulary {tokenizer.get_vocab_size()}, {len(texts)} texts", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["write", "compare"])
    parser.add_argument("--whet", default="whet")
    parser.add_argument("--count", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--tokenizer", action="append")
    parser.add_argument("--mismatches")
    parser.add_argument("--keep", action="store_true", help="keep the tokenizer files, make their texts and ids anew")
    arguments = parser.parse_args()
    {"write": write, "compare": compare}[arguments.action](arguments)


if __name__ == "__main__":
    main()
