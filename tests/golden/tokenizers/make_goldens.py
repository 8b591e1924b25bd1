#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the small tokenizers of this folder and what the reference implementations do with them.

Needs `pip install tokenizers sentencepiece`; the tests themselves need no Python.
Run in this folder: python3 make_goldens.py
"""

import io
import json
import random

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SENTENCES = [
    "The whetstone lies beside the plane, and the plane lies beside the saw.",
    "A sharp edge saves more time than a strong arm; ask anyone who has tried both.",
    "She measured twice, cut once, and still had 12 mm to spare.",
    "When the rain came, we moved the bench under the roof and went on working.",
    "In 1987 the workshop had three windows; by 2024 there were seven.",
    "don't, won't, can't: we'll see what they've said and whether I'm right.",
    "def sharpen(blade, angle=25):\n    for step in range(3):\n        blade.grind(angle + step)\n    return blade\n",
    "Der Hobel gleitet über das Holz, die Späne fallen auf den Boden.",
    "El filo de la navaja brilla bajo la luz de la mañana; nadie habla.",
    "Острый нож режет лучше, чем тупой, и это знают все.",
    "木を削る音が静かな部屋に響く。",
    "칼을 갈면 마음도 맑아진다.",
    "price: 3.50 EUR, weight: 0.75 kg, size: 10x20x30 cm",
    "  two spaces,   three spaces,\ttabs\tand\n\nempty lines  ",
]

TEXTS = SENTENCES + [
    "", " ", "   ", "\n", "\n\n\n", " leading", "trailing ", "a", "\u0000", "e\u0301 \u00e9 \ufb01 \u00bd \u212b",
    "\U0001f9f0 toolbox \U0001f469\u200d\U0001f527 mechanic", "<s>not a start</s>", "<unk> <pad> [MASK]", "x<|im_end|>y",
    "<|im_end|>", "a  [MASK]  b [MASK]", "tool xtool toolx tool_x tool", "\u2581 lower \u2581\u2581 blocks",
    "1234567 12 3 4,5", "\u0661\u0662\u0663 \u2167 \u00b2", "I'LL DON'T we'\u017f", "a" * 50, "ab" * 40, "\ufeffbom \u200b zero",
    "mixed \r\n line \r ends \n", "\u00a0\u2003\u3000 wide spaces", "caf\u00e9 cafe\u0301", "\u0301\u0301 marks first",
    "``quoted'' \u201ctext\u201d \u2014 dash", "\U00010348\U0001d518 outer planes", "the the the the the",
]


def random_texts(count):
    generator = random.Random(42)
    alphabet = "aehnst TW.,'019\n\t-_é중木жя\u0301\u200d\U0001f9f0<|>[]\u2581"
    return ["".join(generator.choice(alphabet) for _ in range(generator.randint(1, 30))) for _ in range(count)]


def added_tokens():
    return [
        AddedToken("<|im_end|>", special=True, normalized=False),
        AddedToken("[MASK]", special=True, lstrip=True, normalized=False),
        AddedToken("<pad>", special=True, rstrip=True, normalized=False),
        AddedToken("tool", special=False, single_word=True, normalized=False),
        AddedToken("caf\u00e9", special=False, normalized=True),
        AddedToken("   ", special=False, normalized=True),
    ]


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.add_tokens(added_tokens())
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def split_rules():
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    # Whole words that no merge makes: only ignore_merges finds them.
    state = json.loads(tokenizer.to_str())
    for word in ["whet", "\u0120whetstone", "\u0120bench"]:
        state["model"]["vocab"].setdefault(word, len(state["model"]["vocab"]))
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens([AddedToken("<|begin|>", special=True), AddedToken("<|im_end|>", special=True)])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))]),
    ])
    return tokenizer


def byte_fallback():
    # A vocabulary without most of the characters above: they become byte tokens.
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    special = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % byte for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=460, special_tokens=special, show_progress=False, limit_alphabet=48)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["id"] < 3]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def metaspace_first():
    # Unknown characters become one fused token; only the start of the input gets the prefix.
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=True),
    ])
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="first", split=True)
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False, limit_alphabet=40)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def splitters():
    # The rarer ways to cut, each with its own rule for the match.
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.Punctuation(behavior="contiguous"),
        pre_tokenizers.Split(Regex(r"[aeiou]"), behavior="merged_with_previous"),
        pre_tokenizers.Split("t", behavior="merged_with_next"),
        pre_tokenizers.Split(Regex(r"[a-z]+"), behavior="isolated", invert=True),
    ])
    tokenizer.decoder = decoders.Fuse()
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>"], show_progress=False, limit_alphabet=60)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def sentencepiece_model(kind):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in SENTENCES for line in text.split("\n") if line.strip()), model_writer=model, model_type=kind,
        vocab_size=420, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=(kind == "unigram"),
        character_coverage=0.98, hard_vocab_limit=False, user_defined_symbols=["[TOOL]"], pad_id=3, minloglevel=2)
    return model.getvalue()


def main():
    texts = TEXTS + random_texts(60)
    golden = {"texts": texts, "files": {}}
    for make in (byte_level, split_rules, byte_fallback, metaspace_first, splitters):
        name = make.__name__ + ".json"
        make().save(name, pretty=False)
        tokenizer = Tokenizer.from_file(name)
        cases = {"decoded": []}
        for mode, as_text in (("plain", True), ("parsed", False)):
            tokenizer.encode_special_tokens = as_text
            cases[mode] = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        cases["decoded"] = [tokenizer.decode(ids, skip_special_tokens=True) for ids in cases["parsed"]]
        golden["files"][name] = cases
    for kind in ("bpe", "unigram"):
        name = "sentencepiece_%s.model" % kind
        with open(name, "wb") as file:
            file.write(sentencepiece_model(kind))
        processor = sentencepiece.SentencePieceProcessor(model_file=name)
        plain = [processor.encode(text) for text in texts]
        golden["files"][name] = {"plain": plain, "decoded": [processor.decode(ids) for ids in plain]}
    with open("expected.json", "w", encoding="utf-8") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
