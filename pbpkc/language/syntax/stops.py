"""Where a parse stopped, and how each kind of line is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from lark import Token

from pbpkc.language.syntax.statements import left_open

#: Patterns look at this many characters on each side of a place: what they find is short, lines may not be.
NEAR = 1000

#: How each statement and each line of a block is written; the last resort of a help line.
USAGE = {
    "pbpk": "pbpk 1",
    "model": 'model NAME "title" { organism human; time [h] }',
    "use": 'use "body.pbpk" without a, b',
    "set": "set liver.volume = 1.5 [L]",
    "covariate": "covariate BW = 70 [kg] in (30, 150) [kg]",
    "input": "input k = 0 [1/h] in (0, 10) [1/h]",
    "param": 'param k = 2 [1/h] source "..."',
    "let": "let y = plasma.C / 2",
    "function": "function g(x) = x^2 / (1 + x^2)",
    "masked": "masked k ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h]",
    "unknown": "unknown f(c [umol/L] in (0, 600) [umol/L]) -> [1] { range (0, 1); falling in c; default 1 }",
    "species": "species X carried by CO { mw = 300 [g/mol]; kp = 1.2 }",
    "blood": "blood venous { volume = 4 [L] }",
    "tissue": "tissue liver { volume = 1.8 [L]; flow = 6.5 [%] * CO }",
    "pool": "pool plasma { volume = 3 [L] }",
    "lumen": "lumen stomach, si<7>",
    "sink": "sink urine, feces",
    "state": "state x = 0.2 [ppm]",
    "ode": "ode x = -k * x, the right side of dx/dt",
    "start": "start liver.X = 1 [umol]",
    "circulation": "circulation CO { venous -> lung -> arterial; arterial -> {gut, skin} -> venous }",
    "flow": "flow f : a <-> b at q",
    "process": "process p : a -> b rate k * a.A",
    "site": "site arm drains skin, muscle",
    "observe": "observe Cp = plasma.C in [mg/L] error prop(10 [%])",
    "population": "population p { BW ~ normal(70 [kg], cv = 15 [%]) }",
    "scenario": "scenario s { dose X 100 [mg] into gut at 0 [h]; run 24 [h] }",
    "check": "check mass, positive or check cmax(s.Cp) in (1, 10) [mg/L]",
    "dose": "dose X 100 [mg] into gut at 0 [h]",
    "run": "run 24 [h]",
    "data": 'data "file.csv" { column TIME [h]; CMT 1 dose X into gut; DVID 1 observe Cp }',
    "column": "column BW = WT [kg]",
    "keep": "keep ID in (1, 6)",
    "CMT": "CMT 1 dose X into gut, or CMT 2 observe Cp",
    "DVID": "DVID 1 observe Cp",
    "organism": "organism human",
    "time": "time [min]",
    "rising": "rising in c",
    "falling": "falling in c",
    "range": "range (0, 1)",
    "default": "default 1",
}


@dataclass(frozen=True)
class Place:
    """Where a parse stopped.

    Parameters
    ----------
    text : str
    at : int
    begin : int
        Of the statement around it.
    accepted : frozenset of str
        Terminals that could stand there.
    before : Token or None
        The token in front of it.
    words : frozenset of str
        All words of the language.
    """

    text: str
    at: int
    begin: int
    accepted: frozenset[str]
    before: Token | None
    words: frozenset[str] = frozenset()

    @cached_property
    def after(self) -> str:
        """The text from the place to the end of its line, as far as patterns look."""
        return self.text[self.at : self.at + NEAR].partition("\n")[0]

    @cached_property
    def front(self) -> str:
        """The text in front of the place, from its statement's beginning or as far as patterns look."""
        return self.text[max(self.begin, self.at - NEAR) : self.at]

    @cached_property
    def statement(self) -> str:
        """The statement up to the place."""
        return self.text[self.begin : self.at]

    @cached_property
    def line_end(self) -> bool:
        """Whether the line ends here."""
        return not re.sub(r"#.*|;", "", self.after).strip()

    @cached_property
    def at_beginning(self) -> bool:
        """Whether the statement, or the line of a block, begins here."""
        code = self.statement.rstrip(" \t")
        return not code or code[-1] in "\n;{"

    @cached_property
    def new_statement(self) -> bool:
        """Whether a statement would begin here, outside every block."""
        return self.at_beginning and "PARAM" in self.accepted

    @cached_property
    def block(self) -> str:
        """The word that opened the innermost block around the place; empty outside every block."""
        opened = left_open(self.text, self.begin, self.at)
        if opened is None or opened[1] != "{":
            return ""
        front = self.text[max(self.begin, opened[0] - NEAR) : opened[0]]
        word = re.search(r"(?:^|[\n;{])\s*(\w+)[^\n;{}]*\Z", front)
        return word[1] if word and word[1] in USAGE else ""

    @cached_property
    def keyword(self) -> str:
        """The word that says what is written here: the line's, the block's, or the statement's."""
        if self.new_statement:
            return ""
        own = re.search(r"[\n;{]\s*(\w+)[^\n;{}]*\Z", self.front)
        if own and own[1] in USAGE and own[1] not in ("flow",):
            return own[1]
        if self.block:
            return self.block
        first = re.match(r"\s*(\w+)", self.text[self.begin : self.begin + NEAR])
        return first[1] if first and first[1] in USAGE else ""

    @cached_property
    def found(self) -> str:
        """The word that stands at the place; empty where none does."""
        word = re.match(r"[^\W\d]\w*", self.after)
        return word[0] if word else ""

    def follows(self, pattern: str) -> re.Match[str] | None:
        """Match a pattern from the place on."""
        return re.match(pattern, self.after)

    def precedes(self, pattern: str) -> re.Match[str] | None:
        """Match a pattern that ends at the place."""
        return re.search(pattern + r"\Z", self.front)
