# SPDX-License-Identifier: Apache-2.0
"""A tokenizer small enough for the golden models, learned from own sentences, and rows to train on."""
import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus")
JOBS = ("baker", "sailor", "teacher", "gardener", "smith")
PLACES = ("by the sea", "in the hills", "near the mill")
RESERVED = 8  # ids of begin, end and padding lie among the first; a language token too


def rows(count=40):
    for i in range(count):
        name, job, place = NAMES[i % len(NAMES)], JOBS[i % len(JOBS)], PLACES[i % len(PLACES)]
        yield {"prompt": f"name: {name} job: {job}", "completion": f"{name} is a {job} {place}"}


def write_rows(file):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows()))


def write_tokenizer(folder, config, generation):
    """tokenizer.json and tokenizer_config.json with the special ids that config.json and generation_config.json name."""
    vocabulary_size = config["vocab_size"]
    tokenizer = Tokenizer(models.BPE(unk_token="<s3>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = [f"<s{i}>" for i in range(RESERVED)]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary_size - 3, special_tokens=special, show_progress=False)
    texts = [text for row in rows() for text in row.values()]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))

    def id_of(key):
        value = generation.get(key, config.get(key))
        return value[0] if isinstance(value, list) else value

    names = {"bos_token": id_of("bos_token_id"), "eos_token": id_of("eos_token_id"), "pad_token": id_of("pad_token_id")}
    settings = {key: special[value] for key, value in names.items() if value is not None}
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, "add_eos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
