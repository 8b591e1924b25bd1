# SPDX-License-Identifier: Apache-2.0
"""Random expressions and templates for comparing the chat-template engine with Jinja2.

The grammar knows types, so that most cases mean something; one production in ten ignores them, so that refusals are
compared, too. Everything is a function of the seed.
"""
import random

TEXTS = ["", " ", "a", "abc", "Hello World", "  padded\t", "line one\nline two\n", "\n\nx\n", "a,b,,c", "<|im_end|>",
         "<think>\nwhy\n</think>\n\nbecause", "\u00e4\u00d6\u00fc \u00df", "\u4f60\u597d, \u4e16\u754c", "\U0001f600!", "it's",
         "say \"hi\"", "both ' and \"", "back\\slash", "12", "-3.5", "007", "1e3", "true", "None", "x=1; y=2", "&<>",
         "{{ no }}", "%s and %d", "{} of {}", "Title Case", "UPPER", "snake_case", "\u0131\u0130", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
         "a\u00a0b\u2003c", "one two  three", "tab\tsep", "\r\nmixed\r\n", "e\u0301", "\u00bd\u00b2\u0663", "...", "[INST]", "end."]
SMALL_TEXTS = ["", " ", "a", "b", "l", "o", ",", "\n", "x", "ab", "</think>", "\u00fc", " \n", "lo", "\\", "|"]
INTEGERS = [0, 1, -1, 2, 3, 7, 10, -5, 100, 255, 1000, 123456789, -2]
FLOATS = [0.0, 0.5, -1.5, 2.0, 3.14159, 1e-5, 1e16, 123456.789, 2.5, -0.25, 1e22, 0.1, 99.995]

VARIABLES = {
    "t1": "Hello World", "t2": "  spaced \n", "t3": "a,b,,c", "t4": "\u00e4\u00d6\u00fc \u4f60\u597d \U0001f600",
    "t5": "<think>\nwhy\n</think>\n\nbecause", "t6": "",
    "n1": 3, "n2": -7, "n3": 0, "f1": 2.5, "f2": -0.125, "b1": True, "b2": False, "nil": None,
    "l1": [3, 1, 2], "l2": ["b", "A", "c", "a"], "l3": [], "l4": [1, "x", None, 2.5, True, [1, 2], {"k": "v"}],
    "l5": [[1, 2], [3], []], "l6": [1.5, 2, -3, 2],
    "d1": {"b": 1, "a": 2, "C": 3}, "d2": {}, "d3": {"name": "get", "nested": {"x": [1, 2], "y": None}, "items": "hidden"},
    "people": [{"name": "Mara", "age": 31, "city": "Lund"}, {"name": "ali", "age": 7, "city": "Oslo"},
               {"name": "Zoe", "age": 31, "city": "lund", "tags": ["x", "y"]}, {"name": "bo", "age": 0, "city": None}],
    "tree": [{"n": "r", "kids": [{"n": "s", "kids": []}, {"n": "t", "kids": [{"n": "u", "kids": []}]}]},
             {"n": "v", "kids": []}],
}
OF_TYPE = {
    "text": ["t1", "t2", "t3", "t4", "t5", "t6"], "int": ["n1", "n2", "n3"], "float": ["f1", "f2"], "bool": ["b1", "b2"],
    "list": ["l1", "l2", "l3", "l4", "l5", "l6", "people", "tree", "messages"], "map": ["d1", "d2", "d3"],
    "none": ["nil"], "undefined": ["missing", "d1.missing", "l3[0]", "t1.nothing"],
}
TYPES = ["text", "int", "float", "bool", "list", "map"]

TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable",
         "sequence", "true", "false", "callable", "lower", "upper"]


def literal(value):
    """The value as Jinja source."""
    if isinstance(value, str):
        text = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
        return "'" + text + "'"
    return {None: "none", True: "true", False: "false"}.get(value, repr(value)) if value is None or value is True \
        or value is False else repr(value)


class Grammar:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.locals = []  # names of loop variables and macros' parameters that are in sight

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, share):
        return self.random.random() < share

    # Expressions ------------------------------------------------------------------------------------------------

    def expression(self, kind=None, depth=3):
        kind = kind or self.pick(TYPES + ["text", "text", "list"])
        if self.chance(0.06):
            kind = self.pick(TYPES + ["none", "undefined"])
        if depth <= 0 or self.chance(0.15):
            return self.leaf(kind)
        if self.chance(0.06):
            return self.wild(depth - 1)
        if self.chance(0.07):
            return f"({self.expression(kind, depth - 1)} if {self.expression('bool', depth - 1)}" + \
                (f" else {self.expression(kind, depth - 1)})" if self.chance(0.85) else ")")
        if self.chance(0.04):
            return f"({self.expression(kind, depth - 1)} {self.pick(['or', 'and'])} {self.expression(kind, depth - 1)})"
        if self.chance(0.03):
            default = self.expression(kind, depth - 1)
            return f"({self.expression(self.pick([kind, 'undefined', 'none']), depth - 1)})|default({default}" + \
                self.pick([")", ", true)", ", boolean=true)"])
        return getattr(self, kind)(depth - 1) if hasattr(self, kind) else self.leaf(kind)

    def leaf(self, kind):
        if self.locals and self.chance(0.2):
            return self.pick(self.locals)
        if kind == "text":
            roll = self.random.random()
            if roll < 0.45:
                return literal(self.pick(TEXTS))
            if roll < 0.6:
                return f"messages[{self.pick([0, 1, 2, -1, -2])}].{self.pick(['role', 'content', 'content'])}"
            return self.pick(OF_TYPE["text"])
        if kind == "int" and self.chance(0.6):
            return literal(self.pick(INTEGERS))
        if kind == "float" and self.chance(0.6):
            return literal(self.pick(FLOATS))
        if kind == "bool" and self.chance(0.5):
            return self.pick(["true", "false", "True", "False", "add_generation_prompt"])
        if kind == "list" and self.chance(0.35):
            items = [self.leaf(self.pick(TYPES[:4])) for _ in range(self.random.randrange(5))]
            if self.chance(0.2) and items:
                return "(" + ", ".join(items) + ",)"
            return "[" + ", ".join(items) + "]"
        if kind == "map" and self.chance(0.3):
            keys = self.random.sample(["a", "b", "c", "role", "content", "k1"], self.random.randrange(4))
            return "{" + ", ".join(f"{literal(key)}: {self.leaf(self.pick(TYPES[:4]))}" for key in keys) + "}"
        if kind == "none":
            return self.pick(["none", "None", "nil"])
        return self.pick(OF_TYPE[kind])

    def index(self, depth):
        return self.expression("int", 0) if self.chance(0.3) else str(self.random.randrange(-4, 5))

    def slice(self, depth):
        bound = lambda: self.index(depth) if self.chance(0.6) else ""
        text = f"{bound()}:{bound()}"
        if self.chance(0.35):
            text += ":" + (self.pick(["-1", "2", "1", "-2", "3"]) if self.chance(0.9) else "")
        return f"[{text}]"

    def text(self, depth):
        e = self.expression
        roll = self.random.randrange(100)
        if roll < 30:
            return self.text_filter(e("text", depth))
        if roll < 58:
            return self.text_method(e("text", depth))
        if roll < 66:
            return f"({e('text', depth)} + {e('text', depth)})"
        if roll < 73:
            return f"({e('text', depth)} ~ {e(None, depth)} ~ {e('text', depth)})"
        if roll < 79:
            return f"({e('text', depth)}){self.slice(depth)}"
        if roll < 82:
            return f"({e('text', depth)})[{self.index(depth)}]"
        if roll < 86:
            return f"({e(self.pick(['list', 'map', 'text', 'float']), depth)})|tojson{self.json_style()}"
        if roll < 91:
            return f"({e('list', depth)})|join({e('text', 0)})"
        if roll < 93:
            return f"({e('list', depth)})|{self.pick(['first', 'last'])}"
        if roll < 95:
            return f"({e('text', depth)} * {self.pick(['2', '0', '3', 'n1', '-1'])})"
        if roll < 98:
            return self.formatted(depth)
        return f"({e(None, depth)})|string"

    def json_style(self):
        return self.pick(["", "", "", "(indent=2)", "(ensure_ascii=true)", "(separators=(',', ':'))", "(sort_keys=true)",
                          "(indent=4, ensure_ascii=false)", "(indent=0)", "(indent='\\t')", "(indent=none)"])

    def text_filter(self, value):
        name = self.pick(["trim", "upper", "lower", "title", "capitalize", "string", "replace", "indent", "length",
                          "reverse", "list", "center", "truncate", "wordcount", "int", "float", "trim", "tojson"])
        arguments = {
            "trim": lambda: self.pick(["", "", f"({literal(self.pick(SMALL_TEXTS))})"]),
            "replace": lambda: f"({literal(self.pick(SMALL_TEXTS))}, {literal(self.pick(SMALL_TEXTS))}" +
                               self.pick([")", ")", ", 1)", ", count=2)"]),
            "indent": lambda: self.pick(["", "(2)", "(3, true)", "(2, first=true, blank=true)", "('> ')", "(width=1, blank=true)"]),
            "center": lambda: self.pick(["(9)", "(12)", "(1)"]),
            "truncate": lambda: self.pick(["(5)", "(8, true)", "(6, false, '..')", "(7, leeway=0)", "(4, true, '', 1)"]),
            "int": lambda: self.pick(["", "(5)", "(default=-1)", "(0, 16)", "(base=8)"]),
            "float": lambda: self.pick(["", "(1.5)"]),
        }.get(name, lambda: "")()
        return f"({value})|{name}{arguments}"

    def text_method(self, value):
        small = lambda: literal(self.pick(SMALL_TEXTS))
        calls = ["strip()", "lstrip()", "rstrip()", f"strip({small()})", f"lstrip({small()})", f"rstrip({small()})", "upper()",
                 "lower()", "title()", "capitalize()", "swapcase()", "casefold()", f"split({small()})[0]", f"split({small()})[-1]",
                 "split()|join('|')", f"split({small()}, {self.pick(['1', '2', '0', '-1'])})|join('|')",
                 f"rsplit({small()}, 1)|join('|')", "rsplit(none, 1)|join('|')", "split(none, 1)|join('|')",
                 f"split({small()})[-1].lstrip('\\n')", "splitlines()|join('|')", "splitlines(true)|join('|')",
                 f"startswith({small()})", f"endswith({small()})", f"startswith(({small()}, {small()}))",
                 f"startswith({small()}, {self.index(0)})", f"endswith({small()}, 0, {self.index(0)})",
                 f"replace({small()}, {small()})", f"replace({small()}, {small()}, {self.pick(['1', '0', '-1', '2'])})",
                 f"find({small()})", f"rfind({small()})", f"find({small()}, {self.index(0)})",
                 f"find({small()}, {self.index(0)}, {self.index(0)})", f"index({small()})", f"count({small()})",
                 f"count({small()}, {self.index(0)})", f"partition({small()})", f"rpartition({small()})",
                 f"removeprefix({small()})", f"removesuffix({small()})", "ljust(8)", "rjust(9, '.')", "center(10)", "center(7, '*')",
                 "zfill(6)", "isdigit()", "isdecimal()", "isnumeric()", "isalpha()", "isalnum()", "isspace()", "isupper()",
                 "islower()", "istitle()", "isascii()", f"join({self.expression('list', 0)})", "nothing()"]
        return f"({value}).{self.pick(calls)}"

    def formatted(self, depth):
        e = self.expression
        roll = self.random.randrange(6)
        if roll == 0:
            return f"'%s and %r' % ({e(None, depth)}, {e(None, depth)})"
        if roll == 1:
            place = self.pick(["%d", "%5d", "%05d", "%-6d|", "%+d", "%x", "%#x", "%o", "%X", "% d", "%.3d", "%8.3d|"])
            return f"{literal(place)} % {e('int', depth)}"
        if roll == 2:
            place = self.pick(["%f", "%.2f", "%8.3f", "%-9.1f|", "%+.1f", "%e", "%.3e", "%g", "%G", "%08.2f", "%.0f", "%#.3g"])
            return f"({literal(place)}|format({e(self.pick(['float', 'int']), depth)}))"
        if roll == 3:
            place = self.pick(["{}", "{:>8}", "{:<6}|", "{:^9}", "{:*^9}", "{!r}", "{:.3}", "{:10.2}|", "{0}{0}", "{!s:>5}"])
            return f"{literal(place)}.format({e('text', depth)})"
        if roll == 4:
            place = self.pick(["{:d}", "{:5}", "{:05}", "{:,}", "{:_}", "{:x}", "{:#x}", "{:b}", "{:+}", "{:>6}", "{:<6}|", "{:^6}|",
                               "{:=+8}", "{:012,}", "{:c}", "{:e}", "{:.2f}", "{:%}", "{:g}", "{:n}"])
            return f"{literal(place)}.format({e('int', depth)})"
        place = self.pick(["{:f}", "{:.2f}", "{:10.3f}", "{:,.2f}", "{:e}", "{:g}", "{:.1%}", "{}", "{:.3}", "{:+.1f}", "{:09.2f}",
                           "{:.10g}", "{:_.1f}", "{:G}", "{:.0f}", "{:#.0f}", "{: .2f}", "{:<9}|", "{:.6}", "{:.1}"])
        return f"{literal(place)}.format({e('float', depth)})"

    def number(self, depth, kind):
        e = self.expression
        roll = self.random.randrange(100)
        other = self.pick([kind, kind, "int", "float"])
        if roll < 45:
            return f"({e(kind, depth)} {self.pick(['+', '-', '*', '+', '-', '//', '%', '/'])} {e(other, depth)})"
        if roll < 50:
            return f"({e(kind, 0)} ** {self.pick(['2', '0', '3', '-1'])})"
        if roll < 56:
            return f"(-{self.leaf(kind)})"
        if roll < 59:
            return f"(+{self.leaf(kind)})"
        if roll < 70:
            return f"({e(kind, depth)})|{self.pick(['abs', 'round', 'int', 'float', 'round(1)', 'round(2)', 'round(-1)'])}"
        if roll < 74:
            how = self.pick(["'ceil'", "'floor'", "'common'"])
            return f"({e(kind, depth)})|round({self.pick(['0', '1', '2'])}, {how})"
        if roll < 88:
            return f"({e(self.pick(['list', 'text', 'map']), depth)})|{self.pick(['length', 'count'])}"
        if roll < 94:
            values = self.pick(["l1", "l6", "[1, 2.5]", "[]", "range(5)"])
            return f"{values}|{self.pick(['sum', 'min', 'max', 'sum(start=10)'])}"
        return f"people|{self.pick(['sum', 'map'])}(attribute='age')" + self.pick(["", "|list|length"])

    def int(self, depth):
        return self.number(depth, "int")

    def float(self, depth):
        return self.number(depth, "float")

    def bool(self, depth):
        e = self.expression
        kind = self.pick(TYPES)
        roll = self.random.randrange(100)
        if roll < 25:
            return f"({e(kind, depth)} {self.pick(['==', '!='])} {e(self.pick([kind, kind, None]), depth)})"
        if roll < 40:
            kind = self.pick(["text", "int", "float", "list"])
            other = {"int": "float", "float": "int"}.get(kind, kind)
            op = lambda: self.pick(["<", "<=", ">", ">="])
            tail = f" {op()} {e(other, depth)}" if self.chance(0.2) else ""
            return f"({e(kind, depth)} {op()} {e(self.pick([kind, other]), depth)}{tail})"
        if roll < 55:
            container = self.pick(["text", "list", "map", "list"])
            item = "text" if container != "list" else self.pick(TYPES[:4])
            return f"({e(item, depth)} {self.pick(['in', 'not in'])} {e(container, depth)})"
        if roll < 80:
            value = e(self.pick(TYPES + ["undefined", "none"]), depth)
            return f"(({value}) is {self.pick(['', 'not '])}{self.test(depth)})"
        if roll < 90:
            return f"({e('bool', depth)} {self.pick(['and', 'or'])} {e('bool', depth)})"
        return f"(not {e('bool', depth)})"

    def test(self, depth):
        if self.chance(0.7):
            return self.pick(TESTS)
        e = self.expression
        return self.pick([f"divisibleby({self.pick(['2', '3', '5'])})", f"equalto({e(None, 0)})", f"eq({e(None, 0)})",
                          f"ne({e(None, 0)})", f"gt({e('int', 0)})", f"le({e('int', 0)})", f"in({e('list', 0)})", "odd", "even",
                          f"lessthan({e('int', 0)})", f"sameas({self.pick(['true', 'false', 'none'])})", "divisibleby 2",
                          f"ge({e('float', 0)})", "filter", "test"])

    def list(self, depth):
        e = self.expression
        roll = self.random.randrange(100)
        if roll < 20:
            return f"({e('list', depth)}){self.slice(depth)}"
        if roll < 28:
            return f"({e('list', depth)} + {e('list', depth)})"
        if roll < 50:
            return f"({e('list', depth)})|{self.list_filter()}"
        if roll < 66:
            return self.people_filter()
        if roll < 74:
            return f"({e('text', depth)}).{self.pick(['split()', 'splitlines()'])}" if self.chance(0.5) else \
                f"({e('text', depth)}).split({literal(self.pick(SMALL_TEXTS))})"
        if roll < 84:
            source = e("map", depth)
            return self.pick([f"({source}).items()|list", f"({source}).keys()|list", f"({source}).values()|list",
                              f"({source})|dictsort", f"({source})|items|list", f"({source})|list",
                              f"({source})|dictsort(reverse=true)", f"({source})|dictsort(false, 'value')",
                              f"({source})|dictsort(true)", f"({source}).items()", f"({source}).keys()", f"({source}).values()"])
        if roll < 90:
            return self.pick(["range(4)", "range(2, 5)", "range(9, 0, -3)", "range(n1)", "range(0)|list", "range(1, 7, 2)|list"])
        if roll < 93:
            return f"({e('list', depth)} * {self.pick(['2', '0', '1'])})"
        return "[" + ", ".join(e(None, depth) for _ in range(self.random.randrange(4))) + "]"

    def list_filter(self):
        plain = ["list", "reverse|list", "sort", "unique|list", "first", "last", "length", "join", "join(', ')", "sum", "min", "max",
                 "map('string')|list", "map('upper')|join('-')", "map('length')|list", "map('int')|list", "select|list",
                 "reject|list", "select('string')|list", "select('number')|list", "reject('none')|list", "select('odd')|list",
                 "select('gt', 1)|list", "reject('equalto', 2)|list", "select('in', [1, 2, 'a'])|list", "sort(reverse=true)",
                 "sort(case_sensitive=true)", "batch(2)|list", "batch(2, 'z')|list", "slice(2)|list", "slice(3, 0)|map('length')|list",
                 "map('default', 'd')|list", "tojson", "string", "unique(case_sensitive=true)|list", "map('tojson')|join", "reverse|first",
                 "map('trim')|list", "select('defined')|list|length", "map('first')|list", "select('mapping')|list", "random_thing",
                 "map('replace', 'a', 'b')|list", "batch(3)|map('join', '+')|join(';')", "select('string')|map('upper')|list"]
        return self.pick(plain)

    def people_filter(self):
        source = self.pick(["people", "people", "messages", "tree"])
        key = {"people": ["name", "age", "city", "tags", "tags.0"], "messages": ["role", "content", "content.0"],
               "tree": ["n", "kids", "kids.0.n"]}[source]
        name = literal(self.pick(key))
        return f"{source}|" + self.pick([
            f"map(attribute={name})|list", f"map(attribute={name}, default='none')|list", f"selectattr({name})|list|length",
            f"rejectattr({name})|list|length", f"selectattr({name}, 'defined')|list|length", f"selectattr({name}, 'string')|list",
            f"selectattr({name}, 'equalto', 'user')|list", f"rejectattr({name}, 'equalto', 'user')|map(attribute={name})|list",
            f"selectattr({name}, 'in', ['system', 'Mara', 31])|list", f"sort(attribute={name})|map(attribute={name})|list",
            f"groupby({name})|list", f"groupby({name}, default='?')|map('first')|list", f"groupby({name})|map(attribute='grouper')|list",
            f"unique(attribute={name})|list|length", f"map(attribute={name})|select|list", f"map(attribute={name})|unique|list",
            f"max(attribute={name})", f"min(attribute={name})", f"join(', ', attribute={name})", f"sum(attribute={name})",
            f"selectattr({name}, 'ge', 7)|map(attribute={name})|list", f"map('length')|list", "first", "last", "map('items')|list|length",
            "sort(attribute='age,name')|map(attribute='name')|list", f"sort(attribute={name}, reverse=true)|list|length"])

    def map(self, depth):
        e = self.expression
        roll = self.random.randrange(10)
        if roll < 3:
            return self.leaf("map")
        if roll < 5:
            return f"dict({self.leaf('map')}, z={e(None, depth)})"
        if roll < 6:
            return f"messages[{self.index(0)}]"
        if roll < 7:
            return "d3.nested"
        if roll < 8:
            return f"({self.leaf('map')}).{self.pick(['copy()', 'get(%s)' % literal(self.pick(['a', 'b', 'q'])), 'a', 'C', 'nested'])}"
        keys = [literal(self.pick(["a", "b", "x y"])), self.pick(["1", "true", "none", "2.5"])]
        return "{" + ", ".join(f"{key}: {e(None, depth)}" for key in keys) + "}"

    def wild(self, depth):
        """Something applied to a value of any type."""
        value = self.expression(self.pick(TYPES + ["none", "undefined"]), depth)
        roll = self.random.randrange(8)
        if roll == 0:
            return f"({value})|{self.list_filter()}"
        if roll == 1:
            return self.text_filter(value)
        if roll == 2:
            return self.text_method(value)
        if roll == 3:
            op = self.pick(["+", "-", "*", "/", "//", "%", "~"])
            return f"({value} {op} {self.expression(self.pick(TYPES), depth)})"
        if roll == 4:
            return f"({value}).{self.pick(['x', 'items', 'name', 'append', 'keys', 'get', 'update', 'real_name', 'pop'])}"
        if roll == 5:
            return f"({value})[{self.expression(self.pick(['text', 'int', 'float', 'bool']), 0)}]"
        if roll == 6:
            return f"({value}){self.slice(depth)}"
        return f"({value})({self.expression(None, 0)})"

    # Templates --------------------------------------------------------------------------------------------------

    def template(self, depth=3):
        self.locals = []
        self.macros = []
        return "".join(self.statement(depth, in_loop=False) for _ in range(self.random.randrange(1, 5)))

    def data(self):
        return self.pick(["", "\n", " ", "\n  ", "x", " y ", "text\n", "  \n", "\n\n", "<|im_start|>", "a b", "\t", "}", "{ ", "#", "%"])

    def tag(self, content):
        return "{%" + self.pick(["", "", "-", "-", "+"]) + " " + content + " " + self.pick(["", "", "-", "-", "+"]) + "%}"

    def output(self, expression):
        return "{{" + self.pick(["", "", "", "-"]) + " " + expression + " " + self.pick(["", "", "", "-"]) + "}}"

    def body(self, depth, in_loop):
        inner = "".join(self.statement(depth - 1, in_loop) for _ in range(self.random.randrange(1, 4)))
        return self.data() + inner + self.data()

    def statement(self, depth, in_loop):
        around = lambda text: self.data() + text + self.data()
        if depth <= 0:
            return around(self.output(self.expression(None, 1)))
        roll = self.random.randrange(100)
        if roll < 26:
            return around(self.output(self.expression(None, 2)))
        if roll < 40:
            return around(self.if_block(depth, in_loop))
        if roll < 56:
            return around(self.for_block(depth))
        if roll < 66:
            # A variable of the caller is read before it is set: Jinja2 forgets its value in blocks further up otherwise.
            name, value = self.pick([("v1", ""), ("v2", ""), ("t1", "t1 ~ "), ("n1", "n1 and ")])
            return around(self.tag(f"set {name} = {value}{self.expression(None, 2)}") + self.data() + self.output(name))
        if roll < 72:
            filters = self.pick(["", "", " | upper", " | trim | replace('a', 'b')"])
            return around(self.tag(f"set v3{filters}") + self.body(depth, False) + self.tag("endset") + self.output("v3"))
        if roll < 78:
            return around(self.namespace_block(depth))
        if roll < 85:
            return around(self.macro_block(depth))
        if roll < 88:
            return around(self.tag("filter " + self.pick(["upper", "trim", "replace('a', 'b')", "indent(2)"])) +
                          self.body(depth, False) + self.tag("endfilter"))
        if roll < 91:
            return around(self.tag(f"with w1 = {self.expression(None, 1)}, w2 = {self.expression(None, 0)}") +
                          self.output("w1") + self.body(depth, in_loop) + self.output("w2") + self.tag("endwith"))
        if roll < 93:
            return around("{#" + self.pick(["", "-"]) + " note {{ x }} " + self.pick(["", "-"]) + "#}")
        if roll < 95:
            return around(self.tag("raw") + self.pick([" {{ raw }} ", "\n{% x %}\n", "", "{# no #}"]) + self.tag("endraw"))
        if roll < 97:
            return around(self.tag("generation") + self.body(depth, False) + self.tag("endgeneration"))
        if in_loop:
            return around(self.tag(f"if {self.expression('bool', 1)}") + self.tag(self.pick(["break", "continue"])) +
                          self.tag("endif"))
        return self.data()

    def if_block(self, depth, in_loop):
        out = self.tag(f"if {self.expression('bool', 2)}") + self.body(depth, in_loop)
        while self.chance(0.3):
            out += self.tag(f"elif {self.expression('bool', 1)}") + self.body(depth, in_loop)
        if self.chance(0.5):
            out += self.tag("else") + self.body(depth, in_loop)
        return out + self.tag("endif")

    def for_block(self, depth):
        roll = self.random.randrange(10)
        if roll == 0:
            inner = self.output("node.n") + self.output(self.loop_value()) + self.tag("if node.kids") + \
                self.output("loop(node.kids)") + self.tag("endif")
            return self.tag("for node in tree recursive") + self.data() + inner + self.data() + self.tag("endfor")
        target, source = self.pick([("x", self.expression("list", 1)), ("x", self.expression("list", 1)),
                                    ("k, x", f"({self.expression('map', 1)}).items()"), ("k, x", "d1|dictsort"),
                                    ("x", "messages"), ("x", "people"), ("x", "messages[::-1]"), ("x", self.expression("text", 1)),
                                    ("x", "people|selectattr('age')"), ("x", "range(3)"), ("k, x", "people|groupby('age')")])
        names = [name.strip() for name in target.split(",")]
        outer = list(self.locals)
        self.locals += names
        condition = f" if {self.expression('bool', 1)}" if self.chance(0.25) else ""
        self.locals += ["loop." + self.pick(["index", "index0", "first", "last", "length", "revindex", "revindex0"])]
        body = self.body(depth, True) + self.output(self.loop_value()) + self.data()
        self.locals = outer
        out = self.tag(f"for {target} in {source}{condition}") + body
        if self.chance(0.2):
            out += self.tag("else") + self.body(depth, False)
        return out + self.tag("endfor")

    def loop_value(self):
        return self.pick(["loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.revindex0",
                          "loop.depth", "loop.depth0", "loop.cycle('a', 'b')", "loop.previtem|default('-')", "loop.nextitem is defined",
                          "loop.changed(loop.index0 // 2)", "loop"])

    def namespace_block(self, depth):
        out = self.tag(f"set ns = namespace(count=0, seen=false, value={self.expression(None, 1)})")
        inner = self.pick(["set ns.count = ns.count + 1", "set ns.seen = true", "set ns.value = ns.value ~ loop.index",
                           "set ns.value = x", "set ns.fresh = loop.last"])
        out += self.tag("for x in " + self.pick(["messages", "l2", "range(3)"])) + self.data() + self.tag(inner) + self.tag("endfor")
        return out + self.output("ns.count") + self.output("ns.seen") + self.output("ns.value") + self.output("ns.fresh")

    def macro_block(self, depth):
        outer = list(self.locals)
        self.locals = ["p", "q"]
        default = self.expression(None, 1)
        extra = self.pick(["", "", self.output("varargs"), self.output("kwargs"), self.output("caller()"), self.output("caller('z')"),
                           self.output("m.name"), self.output("m.arguments")])
        body = self.body(depth, False) + extra
        self.locals = outer
        out = self.tag(f"macro m(p, q={default})") + body + self.tag("endmacro")
        e = lambda: self.expression(None, 1)
        call = self.pick([f"m({e()})", f"m({e()}, {e()})", f"m(q={e()}, p={e()})", "m()", f"m({e()}, {e()}, {e()})", f"m(1, r={e()})",
                          f"m(*[{e()}])", "m(**{'p': 1, 'q': 2})"])
        if "caller" in extra or self.chance(0.15):
            head = self.pick(["call", "call(c)"])
            return out + self.tag(f"{head} {call}") + self.body(depth, False) + self.output("c|default('no c')") + self.tag("endcall")
        return out + self.output(call)


def conversation():
    """The messages that the cases see."""
    return [{"role": "system", "content": " Be brief.\n"},
            {"role": "user", "content": "What is \"2+2\"?"},
            {"role": "assistant", "content": "<think>\nsum\n</think>\n\n4 \u2713"}]


def cases(seed, count):
    """`count` pairs of a kind ("expression" or "template") and a template text."""
    grammar = Grammar(seed)
    for number in range(count):
        if number % 4 == 3:
            yield "template", grammar.template()
        else:
            grammar.locals = []
            yield "expression", "{{ " + grammar.expression(None, 4) + " }}"
