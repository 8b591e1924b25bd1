#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders the templates of templates/ with Jinja2 and writes chat_templates.json beside this script.

    make_template_goldens.py [SHARED_DATA]

Jinja2 is set up the way Hugging Face renders chat templates: sandboxed and immutable, trim_blocks and lstrip_blocks on,
loop controls, its own tojson, raise_exception, strftime_now and {% generation %}. With SHARED_DATA, the templates found
there are rendered as well; of those only the SHA-256 of each text or error is stored.
"""
import hashlib
import json
import sys
from pathlib import Path

import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = Path(__file__).parent
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
    environment.globals["strftime_now"] = lambda form: "26 Jul 2024"
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


def render(template, conversation):
    try:
        text = template.render(messages=conversation["messages"], tools=conversation.get("tools"), documents=None,
                               add_generation_prompt=conversation.get("add_generation_prompt", False),
                               bos_token="<s>", eos_token="</s>")
    except jinja2.exceptions.TemplateError as error:
        return {"error": str(error)}
    text, generated = take_marks(text)
    return {"text": text, "generated": generated} if generated else {"text": text}


def source_of(path):
    return path.read_bytes().decode("utf-8")


def main():
    environment = make_environment()
    cases = []
    for path in sorted((HERE / "templates").glob("*.jinja")):
        template = environment.from_string(source_of(path))
        cases += [{"template": path.name, "conversation": name, **render(template, conversation)}
                  for name, conversation in CONVERSATIONS.items()]
    golden = {"conversations": CONVERSATIONS, "cases": cases}
    (HERE / "chat_templates.json").write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")

    if len(sys.argv) > 1:
        shared = Path(sys.argv[1])
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
                kind, text = ("text", result["text"]) if "text" in result else ("error", result["error"])
                digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
                hashes.append({"file": file, "conversation": name, "kind": kind, "sha256": digest})
        (HERE / "chat_template_hashes.json").write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
