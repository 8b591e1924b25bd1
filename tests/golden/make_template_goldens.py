#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders the templates of templates/ with Jinja2 and writes chat_templates.json and template_cases.json beside this
script.

    make_template_goldens.py [--shared SHARED_DATA]
    make_template_goldens.py --differential N [--seed S] --whet build/app/engine/whet

Jinja2 is set up the way Hugging Face renders chat templates: sandboxed and immutable, trim_blocks and lstrip_blocks on,
loop controls, its own tojson, raise_exception, strftime_now and {% generation %}. With SHARED_DATA, the templates found
there are rendered as well; of those only the SHA-256 of each text or error is stored.

With --differential, N random expressions and templates are rendered by Jinja2 and by `whet template`, and whatever
differs is printed; the exit code says whether anything did. Nothing is written then.
"""
import argparse
import collections
import copy
import datetime
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

import template_differential

HERE = Path(__file__).parent
TODAY = datetime.datetime(2024, 7, 26)  # for strftime_now
BEGIN, END = "\uf8fe", "\uf8ff"  # stand around generated text until their places are known

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": " A town, \"as people write it\". "},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "options": {"type": "object", "properties": {"days": {"type": "integer"}}, "required": []},
            },
            "required": ["place"],
        },
    },
}

CONVERSATIONS = {
    "one question": {"messages": [{"role": "user", "content": "What is a kite?"}], "add_generation_prompt": True},
    "question and answer": {
        "messages": [
            {"role": "user", "content": "  Name a colour.\n"},
            {"role": "assistant", "content": "\nBlue <b>&amp; 'deep'  "},
        ]
    },
    "system and two turns": {
        "messages": [
            {"role": "system", "content": "Be brief.\nBe kind. "},
            {"role": "user", "content": "hello banana"},
            {"role": "assistant", "content": "Hello! \u00e4\u00f6\u00fc \u4f60\u597d \U0001f600"},
            {"role": "user", "content": "And {{ braces }} {% tags %} \"quotes\" \\ back"},
            {"role": "assistant", "content": "fine"},
        ],
    },
    "two turns and a prompt": {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "<think>\nlong\nthoughts\n</think>\n\nb"},
            {"role": "user", "content": "c"},
        ],
        "add_generation_prompt": True,
    },
    "thoughts in the last answer": {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "<think>\nwhy\n</think>\n\nbecause"},
        ],
    },
    "tools": {
        "messages": [
            {"role": "user", "content": "Weather in Lund?"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"type": "function", "function": {"name": "get_weather",
                                                  "arguments": {"place": "Lund", "unit": "celsius", "n": 1.5}}},
                {"type": "function", "function": {"name": "get_time", "arguments": {}}},
            ]},
            {"role": "tool", "content": "{\"temp\": 7}"},
            {"role": "tool", "content": "12:00"},
            {"role": "assistant", "content": "It is 7 degrees at noon."},
        ],
        "tools": [WEATHER],
    },
    "empty contents": {"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}]},
    "unexpected role": {"messages": [{"role": "user", "content": "x"}, {"role": "critic", "content": "y"}]},
    "two users in a row": {"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]},
    "typed parts": {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": " You see. "}]},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is\nthis?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "A <kite>."}]},
        ],
        "add_generation_prompt": True,
    },
    "calls with ids": {
        "messages": [
            {"role": "system", "content": "Use tools."},
            {"role": "user", "content": "Time and weather?"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "abcdefgh1", "type": "function",
                 "function": {"name": "get_weather", "arguments": {"place": "G\u00f6teborg", "unit": "celsius"}}}]},
            {"role": "tool", "tool_call_id": "abcdefgh1", "name": "get_weather", "content": "{\"temp\": -7.5}"},
            {"role": "assistant", "reasoning_content": "cold\n", "content": "Cold: -7.5 degrees."},
            {"role": "user", "content": "Thanks", "name": "mara"},
        ],
        "tools": [WEATHER, {"type": "function", "function": {"name": "now", "description": "Tells the time.",
                                                             "parameters": {"type": "object", "properties": {}}}}],
        "add_generation_prompt": True,
    },
    "variables of the caller": {
        "messages": [
            {"role": "user", "content": "q /no_think"},
            {"role": "assistant", "thinking": "hm", "content": "<think>\na\n</think>\n\nb"},
            {"role": "user", "content": "again"},
        ],
        "add_generation_prompt": True,
        "variables": {
            "enable_thinking": False, "date_string": "1 May 2025", "builtin_tools": ["shell", "search"],
            "controls": {"length": "SHORT", "originality": None}, "tools_in_user_message": False,
            "documents": [{"title": "One", "text": "First fact."}, {"text": "Second fact."}],
        },
    },
    "spaces everywhere": {
        "messages": [{"role": "user", "content": "\t\u00a0 x \u2003\n"}, {"role": "assistant", "content": " \n\n "}],
        "add_generation_prompt": True,
    },
}


class Generation(jinja2.ext.Extension):
    """{% generation %}: marks what it renders."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller):
        return BEGIN + caller() + END


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def make_environment():
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[Generation, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = TODAY.strftime
    return environment


def take_marks(text):
    """The text without marks, and the byte ranges they stood around."""
    ranges, plain, begin = [], "", 0
    for character in text:
        size = len(plain.encode("utf-8"))
        if character == BEGIN:
            begin = size
        elif character == END:
            ranges.append([begin, size])
        else:
            plain += character
    return plain, ranges


def prepare(messages):
    """Messages as the transformers library hands them to a template: no keys without a value, reasoning by all its
    names."""
    prepared = []
    for message in copy.deepcopy(messages):
        message = {key: value for key, value in message.items() if value is not None}
        for name in ("reasoning_content", "thinking", "reasoning"):
            if name in message:
                message = {"thinking": message[name], **message, "reasoning_content": message[name]}
                break
        prepared.append(message)
    return prepared


def render(template, conversation):
    variables = {"documents": None, "bos_token": "<s>", "eos_token": "</s>", **conversation.get("variables", {})}
    try:
        text = template.render(messages=prepare(conversation["messages"]), tools=conversation.get("tools"),
                               add_generation_prompt=conversation.get("add_generation_prompt", False), **variables)
    except (jinja2.exceptions.UndefinedError, TypeError, ValueError, KeyError):
        return {"error": None}  # Python's own words are not compared
    except jinja2.exceptions.TemplateError as error:
        return {"error": str(error)}
    text, generated = take_marks(text)
    return {"text": text, "generated": generated} if generated else {"text": text}


def source_of(path):
    return path.read_bytes().decode("utf-8")


# What Python prints of its own objects is nobody's output.
OBJECTS = re.compile(r"<(generator|bound|built-in|function|method|macro|loopcontext)|object (sync_do|at 0x)", re.IGNORECASE)


def never_constant(*_):
    raise jinja2.nodes.Impossible


class Reference:
    """What Jinja2 makes of a case. A constant that cannot be sliced is undefined to it, while it refuses the same value
    in a variable; such cases are told apart by rendering without constant slices."""

    def __init__(self):
        self.environment = make_environment()

    def render(self, source):
        """The text, or nothing if Jinja2 refuses the case, and whether the case is worth comparing."""
        texts = [reference_of(self.environment, source)]
        fold, jinja2.nodes.Slice.as_const = jinja2.nodes.Slice.as_const, never_constant
        texts.append(reference_of(self.environment.overlay(), source) if ":" in source else texts[0])
        jinja2.nodes.Slice.as_const = fold
        is_object = texts[0] is not None and OBJECTS.search(texts[0])
        return texts[0], texts[0] == texts[1] and not is_object


def reference_of(environment, source):
    """The text Jinja2 makes of a case, or nothing if it refuses it."""
    try:
        text = environment.from_string(source).render(
            messages=template_differential.conversation(), tools=None, documents=None, add_generation_prompt=True,
            **copy.deepcopy(template_differential.VARIABLES))
    except Exception:  # whatever Python raises
        return None
    return text.replace(BEGIN, "").replace(END, "")


def features_of(source):
    found = set(re.findall(r"\|\w+|\.\w+\(|\bis (?:not )?\w+|\{%[-+]? *\w+|loop\.\w+|%[-+ #0]*[\d.]*[a-zA-Z]|"
                           r"\{\w*:[^}]*\}|\*\*?\w|//|\*\*|~|\[[^\]]*:[^\]]*\]", source))
    return {re.sub(r"\d+", "0", feature) for feature in found}


def choose_cases(wanted=300):
    """Random cases, each of which has something that those before do not have."""
    reference, seen, chosen = Reference(), collections.Counter(), []
    for kind, source in template_differential.cases(seed=2024, count=12000):
        if len(chosen) == wanted:
            break
        features = features_of(source)
        if len(source) > (700 if kind == "template" else 160) or not any(seen[feature] < 2 for feature in features):
            continue
        text, is_comparable = reference.render(source)
        if not is_comparable or len(text or "") > 2000:
            continue
        if text is None and sum(case["text"] is None for case in chosen) >= wanted // 6:
            continue
        seen.update(features)
        chosen.append({"template": source, "text": text})
    return chosen


def render_with_whet(whet, source, folder, number):
    """The text `whet template` makes of a case and no problem, or nothing and its error."""
    path = Path(folder) / f"{number}.jinja"
    path.write_bytes(source.encode("utf-8"))
    conversation = {"messages": template_differential.conversation(), **template_differential.VARIABLES}
    done = subprocess.run([whet, "template", "--template", path, "--add-generation-prompt", "--json"],
                          input=json.dumps(conversation).encode(), capture_output=True, check=False)
    path.unlink()
    answer = json.loads(done.stdout)
    if "error" in answer:
        return None, answer["error"]["message"]
    end = 0
    for span in answer["spans"]:
        if span["start"] != end or span["end"] <= end:
            return None, "the spans do not cover the text"
        end = span["end"]
    return answer["text"], None


def compare_with_whet(whet, count, seed):
    warnings.filterwarnings("ignore", category=SyntaxWarning)
    reference = Reference()
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        sources = [source for _, source in template_differential.cases(seed, count)]
        for source, (text, error) in zip(sources, pool.map(
                lambda pair: render_with_whet(whet, pair[1], folder, pair[0]), enumerate(sources))):
            expected, is_comparable = reference.render(source)
            if not is_comparable:
                kind = "not comparable"
            elif expected is None:
                kind = "both refuse" if text is None else "only whet accepts"
            elif text is None:
                kind = "not supported, by name" if "not supported" in error or "integer overflow" in error else "only whet refuses"
            else:
                kind = "same" if text == expected else "DIFFERENT"
            counts[kind] += 1
            if kind.startswith(("only", "DIFF")):
                print(f"{kind}: {source!r}\n  reference {expected!r}\n  whet      {text if error is None else error!r}")
    print(dict(counts))
    return 1 if counts["DIFFERENT"] or counts["only whet refuses"] else 0


def write_goldens():
    warnings.filterwarnings("ignore", category=SyntaxWarning)
    environment = make_environment()
    cases = []
    for path in sorted((HERE / "templates").glob("*.jinja")):
        template = environment.from_string(source_of(path))
        cases += [{"template": path.name, "conversation": name, **render(template, conversation)}
                  for name, conversation in CONVERSATIONS.items()]
    golden = {"conversations": CONVERSATIONS, "cases": cases}
    (HERE / "chat_templates.json").write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
    chosen = {"messages": template_differential.conversation(), "variables": template_differential.VARIABLES,
              "cases": choose_cases()}
    (HERE / "template_cases.json").write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")


def write_hashes(shared):
    environment = make_environment()
    sources = {f"chat_templates/{p.name}": source_of(p) for p in sorted((shared / "chat_templates").glob("*.jinja"))}
    for path in sorted((shared / "tokenizers").glob("*/tokenizer_config.json")):
        source = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
        if source:
            sources[f"tokenizers/{path.parent.name}/tokenizer_config.json"] = source
    hashes = []
    for file, source in sources.items():
        template = environment.from_string(source)
        for name, conversation in CONVERSATIONS.items():
            result = render(template, conversation)
            entry = {"file": file, "conversation": name, "kind": "text" if "text" in result else "error"}
            if result.get("text", result.get("error")) is not None:
                digest = hashlib.sha256(result.get("text", result.get("error")).encode("utf-8"))
                entry["sha256"] = digest.hexdigest()
            hashes.append(entry)
    (HERE / "chat_template_hashes.json").write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="folder with chat_templates/ and tokenizers/")
    parser.add_argument("--differential", type=int, default=0, metavar="N", help="compare N random cases with whet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--whet", default="whet")
    options = parser.parse_args()
    if options.differential:
        return compare_with_whet(options.whet, options.differential, options.seed)
    write_goldens()
    if options.shared:
        write_hashes(options.shared)
    return 0


if __name__ == "__main__":
    sys.exit(main())
