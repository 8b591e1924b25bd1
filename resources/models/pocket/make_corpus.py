#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the plain-text corpus of the pocket base model.

    make_corpus.py TEXTS OUT

TEXTS holds gutenberg_children.txt[.gz], wikipedia_squad_paragraphs.txt[.gz], wikitext2_valid.txt,
tinystories_sample_a.txt and tinyshakespeare.txt. OUT receives corpus.txt and heldout.txt: UTF-8, one
document of at most about 1,900 characters after another, separated by one blank line; a document has
single line breaks only.

The result depends on the texts alone: what a run would draw at random is drawn by SHA-256 here. Whole
groups (a book, a run of neighbouring paragraphs, an article) are held out, and every corpus document that
shares a run of 13 words with the held-out text is left out, so the held-out text was never seen.
"""
import gzip
import hashlib
import re
import sys
from pathlib import Path

TARGET_CHARS = 1500  # a document closes once it is this long: about 400 tokens
MAX_CHARS = 1900  # no document is longer: fits the context of 512 tokens
SHINGLE_WORDS = 13

# file, share of the held-out text in characters, most characters kept, repeats
SOURCES = [
    ("gutenberg_children.txt", 80_000, 24_000_000, 1),
    ("wikipedia_squad_paragraphs.txt", 60_000, None, 1),
    ("wikitext2_valid.txt", 20_000, None, 1),
    ("tinystories_sample_a.txt", 25_000, None, 2),
    ("tinyshakespeare.txt", 15_000, None, 1),
]


def read_text(folder, name):
    path = folder / name
    if path.exists():
        return path.read_text(encoding="utf-8")
    packed = folder / (name + ".gz")
    if packed.exists():
        return gzip.decompress(packed.read_bytes()).decode("utf-8")
    sys.exit(f"{path}: not found, nor {packed.name}; name the folder that holds the texts")


def digest(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def tidy(text):
    """One spelling for quotation marks and dashes, no mark-up left over from printed pages."""
    for old, new in (("“", '"'), ("”", '"'), ("„", '"'), ("‘", "'"), ("’", "'"), ("…", "..."), ("--", "—"),
                     ("\u00a0", " "), ("\u200b", "")):
        text = text.replace(old, new)
    text = re.sub(r"\[(?:Page|Illustration|Footnote|Frontispiece)[^\]]*\]", "", text)
    text = re.sub(r"(?<!\w)_([^_\n]+)_(?!\w)", r"\1", text)
    return re.sub(r"[ \t]+", " ", text)


def is_prose(line):
    """False for title pages, tables of contents and ornaments."""
    letters = [c for c in line if c.isalpha()]
    if len(letters) < 0.6 * len(line.replace(" ", "")):
        return False
    if sum(c.isupper() for c in letters) > 0.5 * len(letters):
        return False
    return not re.match(r"^(chapter|contents|illustrat|list of|by |author of|copyright)\b", line.strip(), re.I)


def pieces(paragraph):
    """Cuts an over-long paragraph at sentence ends."""
    if len(paragraph) <= MAX_CHARS:
        return [paragraph]
    parts, current = [], ""
    for sentence in re.split(r"(?<=[.!?;][\"')]) |(?<=[.!?;]) ", paragraph):
        while len(sentence) > MAX_CHARS:
            cut = sentence.rfind(" ", 0, MAX_CHARS)
            cut = cut if cut > 0 else MAX_CHARS
            parts.append(sentence[:cut])
            sentence = sentence[cut:].lstrip()
        if current and len(current) + 1 + len(sentence) > TARGET_CHARS:
            parts.append(current)
            current = ""
        current = f"{current} {sentence}" if current else sentence
    return parts + ([current] if current else [])


def documents(paragraphs):
    """Joins neighbouring paragraphs into documents of TARGET_CHARS..MAX_CHARS characters."""
    result, current = [], []
    length = 0
    for paragraph in (part for whole in paragraphs for part in pieces(whole.strip())):
        if not paragraph:
            continue
        if current and (length >= TARGET_CHARS or length + 1 + len(paragraph) > MAX_CHARS):
            result.append("\n".join(current))
            current, length = [], 0
        current.append(paragraph)
        length += len(paragraph) + 1
    if current:
        result.append("\n".join(current))
    return result


def gutenberg(text, seen):
    """A group a book; a paragraph printed in several collections is kept once."""
    for book in text.split("\n\n\n"):
        kept = []
        for line in tidy(book).split("\n"):
            if not is_prose(line):
                continue
            if len(line) > 200:
                key = digest(re.sub(r"\W+", " ", line.lower()))
                if key in seen:
                    continue
                seen.add(key)
            kept.append(line)
        yield documents(kept)


def wikipedia(text):
    """Paragraphs stay whole documents: neighbours may belong to different articles. A group is 40 of them."""
    paragraphs = [tidy(p).replace("\n", " ").strip() for p in text.split("\n\n")]
    for start in range(0, len(paragraphs), 40):
        yield [part for p in paragraphs[start : start + 40] for part in pieces(p) if part]


def wikitext(text):
    """Undoes the word-level tokenisation; of each paragraph the longest run of sentences without unknown words."""
    for article in re.split(r"(?m)^ = [^=\n]+ = $", text):
        kept = []
        for line in article.split("\n"):
            line = line.strip()
            if not line or line.startswith("="):
                continue
            runs = re.split(r"(?:(?<= \. )|^)[^.]*<unk>.*?(?: \. |$)", line)
            line = max(runs, key=len).strip()
            if len(line) < 200 or "<unk>" in line:
                continue
            line = re.sub(r" @([-,.])@ ", r"\1", line)
            line = re.sub(r" ([,.;:!?)\]%]|'s\b|n't\b|'(?:re|ve|ll|d|m)\b)", r"\1", line)
            line = re.sub(r"([(\[$£]) ", r"\1", line)
            line = re.sub(r'" ([^"]*?) "', r'"\1"', line)
            kept.append(tidy(line))
        yield documents(kept)


def tinystories(text):
    """A story ends where a line follows another without a blank line between; each story is a group."""
    for story in re.split(r"(?<=[^\n])\n(?=[^\n])|\n{3,}", text):
        story = tidy(re.sub(r"\n+", "\n", story)).strip()
        if len(story) > 200:
            yield documents(story.split("\n"))


def shakespeare(text):
    """A group is 20 documents of consecutive speeches."""
    whole = documents([tidy(speech) for speech in text.split("\n\n")])
    for start in range(0, len(whole), 20):
        yield whole[start : start + 20]


def groups_of(name, text):
    if name.startswith("gutenberg"):
        return gutenberg(text, set())
    reader = {"wikipedia": wikipedia, "wikitext2": wikitext, "tinystories": tinystories, "tinyshakespeare": shakespeare}
    return reader[name.split("_")[0].removesuffix(".txt")](text)


def shingles(document):
    words = re.findall(r"\w+", document.lower())
    return {" ".join(words[i : i + SHINGLE_WORDS]) for i in range(len(words) - SHINGLE_WORDS + 1)}


def hold_out(groups, quota):
    """Takes whole groups in the order of their hash until the quota is met; returns (rest, heldout)."""
    heldout, taken, length = [], set(), 0
    small = sorted((i for i in range(len(groups)) if sum(map(len, groups[i])) > 300),
                   key=lambda i: digest("heldout " + groups[i][0]))
    for index in small:
        if length >= quota:
            break
        taken.add(index)
        # A book is far longer than its share: the first 40,000 characters stand for it, the rest is not used.
        for document in groups[index][: 1 + 40_000 // TARGET_CHARS]:
            if length < quota:
                heldout.append(document)
                length += len(document) + 2
    return [d for i, group in enumerate(groups) if i not in taken for d in group], heldout


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: make_corpus.py TEXTS OUT")
    texts, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)

    kept, heldout = {}, {}
    for name, quota, _, _ in SOURCES:
        kept[name], heldout[name] = hold_out([g for g in groups_of(name, read_text(texts, name)) if g], quota)
    unseen = set().union(*(shingles(d) for held in heldout.values() for d in held))

    corpus = []
    for name, _, most, repeats in SOURCES:
        clean = [d for d in kept[name] if len(d) >= 80 and unseen.isdisjoint(shingles(d))]
        clean.sort(key=lambda d: digest("corpus " + d))
        if most is not None:
            length, end = 0, 0
            while end < len(clean) and length < most:
                length += len(clean[end]) + 2
                end += 1
            clean = clean[:end]
        for repeat in range(repeats):
            corpus += [(digest(f"order {repeat} {d}"), d) for d in clean]
        print(f"{name}: {len(clean)} documents x{repeats}, {sum(map(len, clean)) * repeats / 1e6:.1f} M characters, "
              f"{len(kept[name]) - len(clean)} not used, held out {sum(map(len, heldout[name])) / 1e3:.0f} k")
    corpus.sort()

    (out / "corpus.txt").write_text("\n\n".join(d for _, d in corpus) + "\n", encoding="utf-8")
    (out / "heldout.txt").write_text("\n\n".join(d for held in heldout.values() for d in held) + "\n", encoding="utf-8")
    for name in ("corpus.txt", "heldout.txt"):
        data = (out / name).read_bytes()
        print(f"{name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
