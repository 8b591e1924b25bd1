#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains the vocabulary of the pocket model: make_vocabulary.sh CORPUS [OUT_DIR]
#
# CORPUS is the corpus.txt of make_corpus.py, OUT_DIR (default: this folder) receives tokenizer.model.
# Every printable ASCII character is a piece of its own, because tasks with JSON or code need braces that
# children's books do not have; a line break and any other character fall back to bytes, one line break = one token.
set -euo pipefail

if [[ $# -lt 1 || $# -gt 2 ]]; then
    echo "usage: make_vocabulary.sh CORPUS [OUT_DIR]" >&2
    exit 2
fi
corpus=$1
out=${2:-$(dirname "${BASH_SOURCE[0]}")}
out=$(realpath "$out")
[[ -r $corpus ]] || { echo "make_vocabulary.sh: cannot read $corpus; make it with make_corpus.py" >&2; exit 1; }
command -v spm_train >/dev/null || { echo "make_vocabulary.sh: needs the Debian package 'sentencepiece'" >&2; exit 1; }

ascii=$(printf '%b' "$(printf '\\x%x' {33..126})")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A required character must occur at least once.
fold -w1 <<<"$ascii" >"$work/ascii.txt"
ln -s "$(realpath "$corpus")" "$work/corpus.txt"

# One thread and no sampling of the input: the same corpus gives the same bytes. The model file names its inputs,
# so they are named relative to the working folder.
cd "$work"
spm_train --input=corpus.txt,ascii.txt --model_prefix=tokenizer --model_type=bpe --vocab_size=6144 \
    --byte_fallback=true --character_coverage=0.9995 --required_chars="$ascii" --split_digits=true \
    --normalization_rule_name=identity --add_dummy_prefix=true --remove_extra_whitespaces=false \
    --allow_whitespace_only_pieces=true --unk_id=0 --bos_id=1 --eos_id=2 --pad_id=-1 \
    --max_sentence_length=8192 --num_threads=1 --minloglevel=1
install -m 644 tokenizer.model "$out/tokenizer.model"
echo "$out/tokenizer.model: $(wc -l <tokenizer.vocab) pieces, sha256 $(sha256sum "$out/tokenizer.model" | cut -d' ' -f1)"
