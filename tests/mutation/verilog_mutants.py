# SPDX-License-Identifier: Apache-2.0
"""Finds mutants of the Verilog of rtl/, and writes a source that holds many of them, one of which acts at run time.

The parser knows the language that rtl/ is written in (one module a file, Verilog-2005), not more: what it does not
know is an error that names the line. A mutant is a span of the text and what stands there instead; a chosen one becomes
`(sf_mutation::id == N ? instead : text)`, or `if (sf_mutation::id != N) statement`. Left alone is what must be constant
at elaboration: parameters, ranges, loop heads, conditions of generate blocks, names with dots.
"""
import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<blank>\s+|//[^\n]*|/\*.*?\*/|`(?:define|undef|ifdef|ifndef|elsif|else|endif|include|default_nettype)\b[^\n]*)
  | (?P<string>"[^"\n]*")
  | (?P<number>\d[\d_]*(?:\s*'[sS]?[bBdDhHoO][0-9a-fA-F_xXzZ?]+)?|'[sS]?[bBdDhHoO][0-9a-fA-F_xXzZ?]+)
  | (?P<name>[`$]?[A-Za-z_][A-Za-z0-9_$]*)
  | (?P<sign><<<|>>>|===|!==|<<|>>|<=|>=|==|!=|&&|\|\||\+:|-:|\*\*|~&|~\||~\^|\^~|[-+*/%&|^~!<>=?:;,.()\[\]{}@\#'])
""", re.VERBOSE | re.DOTALL)

BINARY = {"||": 1, "&&": 2, "|": 3, "^": 4, "~^": 4, "^~": 4, "&": 5, "==": 6, "!=": 6, "===": 6, "!==": 6,
          "<": 7, "<=": 7, ">": 7, ">=": 7, "<<": 8, ">>": 8, "<<<": 8, ">>>": 8, "+": 9, "-": 9, "*": 10, "/": 10,
          "%": 10}
UNARY = {"!", "~", "-", "+", "&", "|", "^", "~&", "~|", "~^"}
SWAPS = {"+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["/"], "&": ["|", "^"], "|": ["&", "^"], "^": ["&", "|"],
         "&&": ["||"], "||": ["&&"], "==": ["!="], "!=": ["=="], "<": ["<=", ">="], "<=": ["<", ">"],
         ">": [">=", "<="], ">=": [">", "<"], "<<": [">>"], ">>": ["<<"], "<<<": [">>>"], ">>>": ["<<<", ">>"]}
DROPS = {"&", "|", "^", "&&", "||", "+", "-", "<<", ">>", "<<<", ">>>"}  # one operand is left
KEYWORDS = {"begin", "end", "if", "else", "case", "endcase", "for", "while", "default", "assign", "always", "module",
            "endmodule", "generate", "endgenerate", "genvar", "wire", "reg", "integer", "input", "output", "signed",
            "localparam", "parameter", "function", "endfunction", "posedge", "negedge", "or", "initial"}
SIBLINGS = [("row", "column"), ("rows", "columns"), ("x", "y"), ("first", "last"), ("low", "high"), ("read", "write"),
            ("source", "target"), ("ask", "get"), ("pixel", "line"), ("word", "plane"), ("pixel", "row_block"),
            ("active", "stall"), ("head", "tail"), ("done", "error"), ("fill", "drain"), ("filled", "drained"),
            ("max", "sum"), ("load", "store")]


class VerilogError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change of one place. `statement`: the span is a statement, which the mutant leaves out or guards."""
    file: str
    start: int
    end: int
    instead: str
    kind: str
    text: str       # the line, blanks joined
    change: str     # what becomes what
    occurrence: int = 0  # among equal ones of the file
    statement: bool = False

    @property
    def module(self):
        return self.file.removesuffix(".v")

    def key(self):
        return (self.module, self.text, self.change)


@dataclasses.dataclass
class Node:
    kind: str       # number, name, select, unary, binary, ternary, group, other
    start: int
    end: int
    children: tuple = ()
    value: str = ""
    constant: bool = False  # made of literals and parameters only


@dataclasses.dataclass
class Token:
    kind: str
    text: str
    start: int
    end: int


class Module:
    """One file: parses it and collects its mutants."""

    def __init__(self, file, text):
        self.file, self.text = file, text
        self.tokens, self.at = [], 0
        position = 0
        while position < len(text):
            match = TOKEN.match(text, position)
            if not match:
                raise VerilogError(f"{file}:{text.count(chr(10), 0, position) + 1}: what is {text[position:position + 20]!r}?")
            if match.lastgroup != "blank":
                self.tokens.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
            position = match.end()
        self.tokens.append(Token("end", "", len(text), len(text)))
        self.declared = {}   # name -> (range, signed, dimensions, kind)
        self.scopes = {}     # name -> [start, end] of the block that declares it
        self.families = []   # localparams of one declaration: states
        self.constants = set()
        self.turned = set()  # counters of the while loops around
        self.found = []
        self._declarations()
        while self._peek() != "module":
            self.at += 1
        self._skip_to(";")
        while self._peek() != "endmodule":
            self._item()

    # ---- Tokens ----

    def _peek(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)].text

    def _token(self):
        return self.tokens[self.at]

    def _next(self, *expected):
        token = self.tokens[self.at]
        if expected and token.text not in expected or token.kind == "end":
            line = self.text.count("\n", 0, token.start) + 1
            raise VerilogError(f"{self.file}:{line}: {token.text!r} where {' or '.join(expected) or 'more'} was expected")
        self.at += 1
        return token

    def _accept(self, text):
        if self._peek() == text:
            self.at += 1
            return True
        return False

    def _skip_balanced(self):
        opening = self._next().text
        closing = {"(": ")", "[": "]", "{": "}"}[opening]
        while self._peek() != closing:
            if self._peek() in ("(", "[", "{"):
                self._skip_balanced()
            else:
                self._next()
        return self._next(closing)

    def _skip_to(self, text):
        while self._peek() != text:
            if self._peek() in ("(", "[", "{"):
                self._skip_balanced()
            else:
                self._next()
        self._next(text)

    def _declarations(self):
        """Names with their types and the block they are known in, read ahead of the parse."""
        tokens, i = self.tokens, 0
        blocks, open_blocks = [[0, len(self.text)]], [0]
        while tokens[i].kind != "end":
            word = tokens[i].text
            if word == "begin":
                open_blocks.append(len(blocks))
                blocks.append([tokens[i].start, len(self.text)])
            elif word == "end":
                blocks[open_blocks.pop()][1] = tokens[i].start
            if word == "function":  # its names are its own
                while tokens[i].text != "endfunction":
                    i += 1
            elif word in ("localparam", "parameter", "genvar"):
                family = []
                i += 1
                depth = 0
                while tokens[i].text != ";" and not (depth < 0 or word == "parameter" and tokens[i].text == "," and depth == 0):
                    depth += tokens[i].text in "([{"
                    depth -= tokens[i].text in ")]}" and tokens[i].text != ""
                    if tokens[i].kind == "name" and depth == 0 and tokens[i + 1].text in ("=", ",", ";"):
                        if tokens[i - 1].text in ("localparam", "parameter", "genvar", ",", "]", "signed", "integer"):
                            family.append(tokens[i].text)
                    i += 1
                self.constants.update(family)
                if word == "localparam" and len(family) > 2:
                    self.families.append(family)
            elif word in ("input", "output", "wire", "reg", "integer"):
                kind = word
                i += 1
                if tokens[i].text in ("wire", "reg"):
                    i += 1
                signed = tokens[i].text == "signed" or word == "integer"
                i += tokens[i].text == "signed"
                width = ""
                if tokens[i].text == "[":
                    first = tokens[i].start
                    while tokens[i].text != "]":
                        i += 1
                    width = re.sub(r"\s", "", self.text[first:tokens[i].end])
                    i += 1
                depth = 0
                while tokens[i].text not in (";",) and depth >= 0:
                    if tokens[i].kind == "name" and depth == 0 and tokens[i].text not in KEYWORDS and \
                            tokens[i - 1].text in ("input", "output", "wire", "reg", "integer", "signed", "]", ","):
                        dimensions = ""
                        if tokens[i + 1].text == "[":
                            j = i + 1
                            while tokens[j].text != "]":
                                j += 1
                            dimensions = re.sub(r"\s", "", self.text[tokens[i + 1].start:tokens[j].end])
                        self.declared[tokens[i].text] = (width, signed, dimensions, kind)
                        self.scopes[tokens[i].text] = blocks[open_blocks[-1]]
                        if kind in ("input", "output"):
                            break
                    depth += tokens[i].text in ("(", "[", "{")
                    depth -= tokens[i].text in (")", "]", "}")
                    i += 1
            else:
                i += 1

    # ---- Items of the module ----

    def _item(self):
        word = self._peek()
        if word in ("localparam", "parameter", "genvar", "integer", "reg", "input", "output"):
            self._skip_to(";")
        elif word == "wire":
            self._next()
            self._accept("signed")
            if self._peek() == "[":
                self._skip_balanced()
            while True:
                self._next()
                if self._peek() == "[":
                    self._skip_balanced()
                if self._accept("="):
                    self._whole(self._expression())
                if self._next(",", ";").text == ";":
                    break
        elif word == "assign":
            self._next()
            self._skip_left()
            self._next("=")
            self._whole(self._expression())
            self._next(";")
        elif word in ("always", "initial"):
            self._next()
            if self._accept("@"):
                if self._peek() == "(":
                    self._skip_balanced()
                else:
                    self._next("*")
            self._statement()
        elif word == "function":
            self._next()
            if self._peek() == "[":
                self._skip_balanced()
            self._next()
            if self._peek() == "(":
                self._skip_balanced()
            self._next(";")
            while self._peek() != "endfunction":
                if self._peek() in ("reg", "integer", "input"):
                    self._skip_to(";")
                else:
                    self._statement()
            self._next()
        elif word in ("generate", "endgenerate", "end", ";"):
            self._next()
        elif word == "begin":
            self._next()
            if self._accept(":"):
                self._next()
        elif word == "else":
            self._next()
        elif word in ("for", "if"):
            self._next()
            self._skip_balanced()
        else:
            self._instance()

    def _instance(self):
        self._next()
        if self._accept("#"):
            self._skip_balanced()
        self._next()
        self._next("(")
        while not self._accept(")"):
            self._next(".")
            port = self._next().text
            self._next("(")
            if self._peek() != ")":
                if port.endswith("_i") and port not in ("clk_i", "rst_ni", "drain_clk_i"):
                    self._whole(self._expression(), "port")
                else:
                    while self._peek() != ")":
                        if self._peek() in ("(", "[", "{"):
                            self._skip_balanced()
                        else:
                            self._next()
            self._next(")")
            self._accept(",")
        self._next(";")

    # ---- Statements ----

    def _skip_left(self):
        if self._peek() == "{":
            self._skip_balanced()
            return
        self._next()
        while self._peek() == "[":
            self._skip_balanced()

    def _statement(self):
        word, first = self._peek(), self._token().start
        if word == "begin":
            self._next()
            if self._accept(":"):
                self._next()
            while not self._accept("end"):
                if self._peek() in ("reg", "integer"):
                    self._skip_to(";")
                else:
                    self._statement()
        elif word == "if":
            self._next()
            self._next("(")
            condition = self._expression()
            self._next(")")
            self._condition(condition)
            self._statement()
            if self._accept("else"):
                self._statement()
        elif word == "case":
            self._next()
            self._next("(")
            self._whole(self._expression(), "selector")
            self._next(")")
            while not self._accept("endcase"):
                if not self._accept("default"):
                    self._whole(self._expression(), "label")
                    while self._accept(","):
                        self._whole(self._expression(), "label")
                self._accept(":")
                self._statement()
        elif word == "for":
            self._next()
            head_start = self._token().start
            head_end = self._skip_balanced().end
            body_start = self._token().start
            self._statement()
            self._loop(self.text[head_start + 1:head_end - 1], body_start, self.tokens[self.at - 1].end)
        elif word == "while":
            self._next()
            head = self._token().start
            end = self._skip_balanced().end
            turned, self.turned = self.turned, self.turned | set(re.findall(r"[A-Za-z_]\w*", self.text[head:end]))
            self._statement()
            self.turned = turned
        elif word == ";":
            self._next()
        else:
            name = self._peek()
            self._skip_left()
            sign = self._next("=", "<=").text
            value = self._expression()
            end = self._next(";").end
            if sign == "=" and name in self.turned:  # the counter of a while loop, which would not end
                return
            self._whole(value)
            if not (sign == "=" and name in self.declared and self.declared[name][3] == "integer"):
                self._add(first, end, "", "statement left out", statement=True)

    def _loop(self, head, start, end):
        match = re.fullmatch(r"\s*(\w+) = (.+?); \1 (<|>=) (.+?); \1 = \1 ([-+]) (.+)", head)
        if not match:
            return
        name, first, compare, bound, sign, step = match.groups()
        self._add(start, end, f"{name} == ({first})", "first turn of a loop left out", statement=True)
        last = f"{name} + ({step}) >= ({bound})" if compare == "<" else f"{name} == ({bound})"
        self._add(start, end, last, "last turn of a loop left out", statement=True)

    # ---- Expressions ----

    def _expression(self, level=0):
        left = self._unary()
        while self._peek() in BINARY and BINARY[self._peek()] > level:
            sign = self._next()
            right = self._expression(BINARY[sign.text])
            left = Node("binary", left.start, right.end, (left, right), sign.text, left.constant and right.constant)
        if level == 0 and self._peek() == "?":
            self._next()
            yes = self._expression()
            self._next(":")
            no = self._expression()
            left = Node("ternary", left.start, no.end, (left, yes, no), "", left.constant and yes.constant and no.constant)
        return left

    def _unary(self):
        token = self._token()
        if token.text in UNARY:
            self._next()
            operand = self._unary()
            return Node("unary", token.start, operand.end, (operand,), token.text, operand.constant)
        return self._primary()

    def _primary(self):
        token = self._next()
        if token.text == "(":
            inner = self._expression()
            end = self._next(")").end
            return Node("group", token.start, end, (inner,), "", inner.constant)
        if token.text == "{":
            inner = [self._expression()]
            if self._peek() == "{":  # replication: the count is constant
                self._next()
                inner = [self._expression()]
                while self._accept(","):
                    inner.append(self._expression())
                self._next("}")
                return Node("other", token.start, self._next("}").end, tuple(inner), "{}", all(n.constant for n in inner))
            while self._accept(","):
                inner.append(self._expression())
            return Node("other", token.start, self._next("}").end, tuple(inner), "{}", all(n.constant for n in inner))
        if token.kind in ("number", "string"):
            return Node("number", token.start, token.end, (), token.text, True)
        if token.kind != "name":
            line = self.text.count("\n", 0, token.start) + 1
            raise VerilogError(f"{self.file}:{line}: {token.text!r} in an expression")
        if self._peek() == "'":  # a cast
            self._next()
            self._next("(")
            inner = self._expression()
            return Node("other", token.start, self._next(")").end, (inner,), "cast")
        if self._peek() == "(":
            self._next()
            inner = [self._expression()]
            while self._accept(","):
                inner.append(self._expression())
            return Node("other", token.start, self._next(")").end, tuple(inner), token.text)
        dotted, selects, end = False, [], token.end
        while self._peek() in ("[", "."):
            if self._accept("."):
                dotted, end = True, self._next().end
                continue
            self._next()
            base = self._expression()
            sign = self._next("]", ":", "+:", "-:").text
            width = None
            if sign != "]":
                width = self._expression()
                self._next("]")
            end = self.tokens[self.at - 1].end
            selects.append((base, sign, width))
        constant = token.text in self.constants or token.text.isupper()
        if dotted:
            return Node("dotted", token.start, end)
        if selects:
            return Node("select", token.start, end, tuple(selects), token.text, False)
        return Node("name", token.start, end, (), token.text, constant)

    # ---- Mutants ----

    def _add(self, start, end, instead, kind, statement=False):
        original = re.sub(r"\s+", " ", self.text[start:end])
        if instead == self.text[start:end]:
            return
        line_start = self.text.rfind("\n", 0, start) + 1
        line_end = self.text.find("\n", start)
        line = re.sub(r"\s+", " ", self.text[line_start:line_end].split("//")[0]).strip()
        change = (f"{kind}: {original}" if statement else f"{kind}: {original} -> {re.sub(chr(92) + 's+', ' ', instead)}")
        same = sum(1 for m in self.found if (m.text, m.change) == (line, change))
        self.found.append(Mutant(self.file, start, end, instead, kind, line, change, same, statement))

    def _source(self, node):
        return self.text[node.start:node.end]

    def _condition(self, node):
        self._walk(node)
        text = self._source(node)
        self._add(node.start, node.end, f"!({text})", "condition negated")
        self._add(node.start, node.end, "1'b1", "condition always true")
        self._add(node.start, node.end, "1'b0", "condition never true")

    def _whole(self, node, where="value"):
        """A value: the right side of an assignment, an input of an instance, a selector or label of a case."""
        self._walk(node)
        if node.constant and where in ("value", "port") or where in ("selector", "label"):
            return
        text = self._source(node)
        one = "1'b1"
        if self._signed(node):
            one = "2'sb01"
        self._add(node.start, node.end, f"(({text}) ^ {one})", "lowest bit inverted")
        zero = "(({0}) & 1'b0)" if one == "1'b1" else "(({0}) & 2'sb00)"
        self._add(node.start, node.end, zero.format(text), "stuck at 0")
        self._add(node.start, node.end, f"(({text}) | ~({text}))", "stuck at 1")

    def _signed(self, node):
        words = re.findall(r"\$?\w+", self._source(node))
        return any(w == "$signed" or self.declared.get(w, ("", False))[1] for w in words) or "'s" in self._source(node)

    def _walk(self, node):
        start, end, text = node.start, node.end, self._source(node)
        if node.kind == "dotted":
            return
        if node.kind == "group":
            self._walk(node.children[0])
        elif node.kind == "other":
            for child in node.children:
                self._walk(child)
            if node.value == "$signed":
                self._add(start, end, f"$signed({{1'b0, {self._source(node.children[0])}}})", "sign lost") \
                    if node.children[0].kind in ("name", "select") else None
        elif node.kind == "unary":
            self._walk(node.children[0])
            inner = self._source(node.children[0])
            if node.value in ("!", "~", "-"):
                self._add(start, end, f"({inner})", f"{node.value} left out")
            elif node.value in ("&", "|", "^"):
                self._add(start, end, f"({'|' if node.value == '&' else '&'}{inner})", "reduction swapped")
        elif node.kind == "binary":
            left, right = (f"({self._source(child)})" if child.kind == "binary" else self._source(child)
                           for child in node.children)
            for child in node.children:
                self._walk(child)
            if not node.constant:
                for sign in SWAPS.get(node.value, []):
                    self._add(start, end, f"({left} {sign} {right})", "operator swapped")
                if node.value in DROPS:
                    self._add(start, end, f"({left})", "operand left out")
                if node.value in DROPS - {"-", "<<", ">>", "<<<", ">>>"}:
                    self._add(start, end, f"({right})", "operand left out")
        elif node.kind == "ternary":
            condition, yes, no = (self._source(child) for child in node.children)
            for child in node.children:
                self._walk(child)
            self._add(start, end, f"({condition} ? {no} : {yes})", "arms swapped")
            self._add(start, end, f"(1'b1 ? {yes} : {no})", "first arm always")
            self._add(start, end, f"(1'b0 ? {yes} : {no})", "second arm always")
        elif node.kind == "number":
            self._number(node)
        elif node.kind == "name":
            self._name(node, "")
        elif node.kind == "select":
            self._select(node)

    def _number(self, node):
        match = re.fullmatch(r"(?:(\d+)\s*)?'(s?)([bdh])([0-9a-fA-F_]+)", node.value)
        if not match:
            if node.value.isdigit():
                self._add(node.start, node.end, str(int(node.value) + 1), "constant off by one")
                if int(node.value) > 0:
                    self._add(node.start, node.end, str(int(node.value) - 1), "constant off by one")
            return
        size, signed, base, digits = match.groups()
        if size is None:
            return
        value, width = int(digits.replace("_", ""), {"b": 2, "d": 10, "h": 16}[base]), int(size)
        seen = {value}
        for other, kind in ((value + 1, "constant off by one"), (value - 1, "constant off by one"),
                            (value ^ 1 << (width - 1), "bit of a constant flipped"), (value ^ 2, "bit of a constant flipped")):
            other %= 1 << width
            if other not in seen:
                seen.add(other)
                self._add(node.start, node.end, f"{width}'{signed}h{other:x}", kind)

    def _relatives(self, name, place):
        """Names of the same type known at a place: neighbouring stages, siblings, and the other states."""
        for family in self.families:
            if name in family:
                at = family.index(name)
                return [family[at - 1], family[(at + 1) % len(family)]]
        kind = self.declared.get(name)
        if kind is None:
            return []
        found = []
        stem = re.match(r"(.*?)(?:_q\d*|_\d+)?$", name).group(1)
        for other, other_kind in self.declared.items():
            if other == name or other_kind[:3] != kind[:3] or not self.scopes[other][0] <= place < self.scopes[other][1]:
                continue
            if re.match(r"(.*?)(?:_q\d*|_\d+)?$", other).group(1) == stem and stem:
                found.append(other)
                continue
            parts, others = name.split("_"), other.split("_")
            if len(parts) != len(others):
                continue
            different = [(a, b) for a, b in zip(parts, others) if a != b]
            if len(different) == 1 and (different[0] in SIBLINGS or different[0][::-1] in SIBLINGS or
                                        re.sub(r"\d", "", different[0][0]) == re.sub(r"\d", "", different[0][1]) != ""):
                found.append(other)
        return found[:4]

    def _name(self, node, selects):
        for other in self._relatives(node.value, node.start):
            kind = "another state" if node.value in self.constants else "another signal"
            self._add(node.start, node.end, other + selects, kind)

    def _select(self, node):
        name_end = node.start + len(node.value)
        selects = self.text[name_end:node.end]
        memory = self.declared.get(node.value, ("", False, ""))[2] != ""
        for other in self._relatives(node.value, node.start):
            self._add(node.start, node.end, other + selects, "another signal")
        base, sign, width = node.children[-1]
        prefix = self.text[node.start:base.start]
        base_text, rest = self._source(base), self.text[base.end:node.end]
        if sign in ("+:", "-:"):
            self._add(node.start, node.end, f"{prefix}{base_text}+1{rest}", "slice off by one")
            if base_text != "0":
                self._add(node.start, node.end, f"{prefix}{base_text}-1{rest}", "slice off by one")
        elif sign == ":":
            low = self._source(width)
            if low != "0":
                self._add(node.start, node.end, f"{prefix}({base_text})-1:({low})-1]", "slice off by one")
            self._add(node.start, node.end, f"{prefix}({base_text})+1:({low})+1]", "slice off by one")
        elif base.constant or memory:
            self._add(node.start, node.end, f"{prefix}{base_text}+1{rest}", "index off by one")
            if base_text != "0":
                self._add(node.start, node.end, f"{prefix}{base_text}-1{rest}", "index off by one")
        else:
            self._walk(base)
        if sign == "+:" and not base.constant:
            pass  # what is inside the base is covered by the slice


def mutants_of(file, text):
    """All mutants of a module, in the order of the text. Raises VerilogError for what it cannot read."""
    return sorted(Module(file, text).found, key=lambda m: (m.start, -m.end, m.change, m.occurrence))


def instrument(text, chosen):
    """The text with the chosen mutants, {number: Mutant} (spans nest or are apart), in it."""
    spans = {}
    for number, mutant in chosen.items():
        spans.setdefault((mutant.start, mutant.end, mutant.statement), []).append((number, mutant))
    order = sorted(spans, key=lambda s: (s[0], -s[1], not s[2]))

    def render(start, end, inside):
        """The text of a span whose outermost changed spans are the first of `inside`."""
        out, at = [], start
        while inside:
            first, rest = inside[0], inside[1:]
            nested = [s for s in rest if s[1] <= first[1] and s[0] >= first[0]]
            inside = rest[len(nested):]
            out.append(text[at:first[0]])
            body = render(first[0], first[1], nested)
            if first[2]:
                guards = " && ".join(f"!(sf_mutation::id == 32'h{n:x}" + (f" && {m.instead})" if m.instead else ")")
                                     for n, m in spans[first])
                body = f"begin if ({guards}) {body} end"
            else:
                for number, mutant in spans[first]:
                    body = f"(sf_mutation::id == 32'h{number:x} ? {mutant.instead} : {body})"
            out.append(body)
            at = first[1]
        out.append(text[at:end])
        return "".join(out)

    return render(0, len(text), order)
