"""Habits of people who come from other tools: what they write, and what is written here.

mrgsolve, rxode2, NONMEM, Berkeley Madonna, Monolix, Matlab, R and Python each have their own way to say what
a spec says; a text pasted from a word processor has its own signs. `other_words` holds the tables.
"""

from __future__ import annotations

import re

from pbpkc.language.functions import PLAIN
from pbpkc.language.syntax.other_words import BLOCKS, LINES, SIGNS, found
from pbpkc.language.syntax.stops import NEAR, USAGE, Place
from pbpkc.language.units import WORDS

_ODE = (
    "what moves or reacts is an arrow: process p : a -> b rate k * a.A; where no arrow says it, "
    "ode {0} = ... is d{0}/dt of `state {0} = 0 [umol]`"
)

#: Left sides of differential equations, and where in them the state's name stands.
_DERIVATIVES = (
    r"d[ \t]*/[ \t]*dt[ \t]*\([ \t]*(\w+)[ \t]*\)",  # rxode2, nlmixr2, Berkeley Madonna
    r"d(\w+)[ \t]*/[ \t]*dt\b",
    r"(?:dxdt|ddt|der)_(\w+)\b",  # mrgsolve, Monolix
    r"DADT[ \t]*\([ \t]*(\w+)[ \t]*\)",  # NONMEM
    r"der[ \t]*\([ \t]*(\w+)[ \t]*\)",  # Modelica
    r"(\w+)[ \t]*['\u2032\u2019]",
)

_UNIT_SIGNS = str.maketrans({"\u00b7": "*", "\u22c5": "*", "\u00d7": "*", "\u2215": "/", "\u2212": "-"})
_POWERS = str.maketrans("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b", "0123456789-")


def habit(place: Place) -> str | None:
    """What is written here for what somebody knows from elsewhere; None where nothing is known."""
    for look in (
        _invisible,
        _foreign_line,
        _comment,
        _assignment,
        _foreign_sign,
        _condition,
        _foreign_unit,
        _layout,
    ):
        said = look(place)
        if said is not None:
            return said
    return None


def _invisible(p: Place) -> str | None:
    sign = p.after[:1]
    if sign and not sign.isprintable():
        return "type a plain blank in its place" if sign.isspace() else "delete it: it cannot be seen"
    return None


def _foreign_line(p: Place) -> str | None:
    for pattern in _DERIVATIVES:
        derivative = p.follows(pattern)
        if derivative and p.new_statement:
            return _ODE.format(derivative[1] if derivative[1].isidentifier() else "x")
    if p.keyword == "ode" and (p.follows(r"['\u2032\u2019]") or p.follows(r"/[ \t]*dt\b")):
        return f"an ode names its state alone: {USAGE['ode']}"
    if not p.new_statement:
        return None
    block = p.follows(r"\$[ \t]*(\w+)")
    if block:
        says = found(BLOCKS, block[1].upper())
        rest = "; a whole file of mrgsolve or rxode2 is turned into a spec by `pbpkc import FILE`"
        return (says or "here a line begins with what it declares: param, pool, process, ...") + rest
    section = p.follows(r"\[[ \t]*([A-Z]+)[ \t]*\]")
    if section:
        says = found(BLOCKS, section[1])
        rest = "; a whole file of mrgsolve is turned into a spec by `pbpkc import FILE`" if says else ""
        return (
            says or "there are no sections; a line begins with what it declares: param, pool, process, ..."
        ) + rest
    if p.follows(r"#?include\b") or p.follows(r"%include\b"):
        return _word("include")
    if p.follows(r"\w+[ \t]*\([ \t]*0[ \t]*\)[ \t]*(<-|:?=)"):
        return _word("init")
    function = p.follows(r"(\w+)[ \t]*\([ \t]*[A-Za-z_]\w*([ \t]*,[ \t]*\w+)*[ \t]*\)[ \t]*=")
    if function:
        return f"a function is `{USAGE['function']}`"
    if p.follows(r"[\w.<>+ ]+(->|<->|-->|=>)"):
        return f"an arrow is a process and has a name and a rate: {USAGE['process']}"
    said = _word(p.found)
    if said is not None:
        return said
    if p.follows(r"\w+[ \t]*(\+\+|--|[-+*/]=)"):
        return "a line declares what a name is, once; what changes over time is a process or an ode"
    if p.follows(r"\w+[ \t]*~[ \t]*(add|prop|lnorm|norm|logn|pois|dnorm|comb\w*)\b"):
        return f"a residual error belongs to its observable: {USAGE['observe']}"
    name = p.follows(r"([A-Za-z_]\w*)[ \t]*(<-|:=|=(?!=)|~)")
    if name:
        value = "a masked parameter" if name[2] == "~" else "a value"
        usage = (
            USAGE["masked"]
            if name[2] == "~"
            else f"param {name[1]} = 2 [1/h], and a curve let {name[1]} = ..."
        )
        return f"a line begins with what it declares; {value} is {usage}"
    return None


def _word(word: str) -> str | None:
    return found(LINES, word.lower())


def _comment(p: Place) -> str | None:
    behind = re.search(r";[ \t]*\Z", p.text[max(0, p.at - NEAR) : p.at]) is not None
    if behind and p.new_statement and not p.follows(r"\w+[ \t]*[=:<\"\w]*[=:<\"]"):
        return "a `;` ends a line like a new line does; a comment begins with #"
    if p.follows(r"[/*]") and p.precedes("/"):
        return "a comment begins with #"
    whole = "_SEP" in p.accepted and p.precedes(r"[\]}][ \t]*") is not None
    if p.follows(r"[!%][ \t]*\w") and (p.at_beginning or whole):
        return "a comment begins with #"
    percent = p.follows(r"%[ \t]*\w") and not p.precedes(r"\d[ \t]*")
    if (percent or p.follows(r"%%|(mod|rem)\b")) and "STAR" in p.accepted:
        return "the remainder of a division is a - b * floor(a / b)"
    return None


def _assignment(p: Place) -> str | None:
    if p.follows("<-") and "EQUAL" in p.accepted:
        return "a value follows `=`; an arrow stands in a process"
    if p.follows("<-") and not p.follows("<->") and p.keyword in ("process", "flow", "circulation"):
        return "an arrow points to what gains: a -> b, or a <-> b for both ways"
    if p.follows(":=") or (p.follows("=") and p.precedes(r"[^=<>!]=") and p.keyword not in ("", "check")):
        if p.precedes(r"\bif[ \t]*\([^()]*"):
            return None
        return "one `=` comes before a value: param k = 2 [1/h]"
    if p.follows("=") and p.before is not None and str(p.before) in _NO_EQUAL:
        return f"no `=` behind `{p.before}`: such a line is written {USAGE[_NO_EQUAL[str(p.before)]]}"
    return None


#: Words of the language that a value follows without a sign, and the line that shows it.
_NO_EQUAL = {
    "rate": "process",
    "error": "observe",
    "lloq": "observe",
    "in": "masked",
    "source": "param",
    "dose": "dose",
    "run": "run",
    "at": "dose",
    "into": "dose",
}


def _foreign_sign(p: Place) -> str | None:
    sign = p.after[:1]
    if sign and ord(sign) > 127:
        for signs, said in SIGNS.items():
            if sign in signs:
                return said
    if p.follows(r"\+") and "MINUS" in p.accepted and "PLUS" not in p.accepted:
        return "a number has no sign + in front"
    if p.follows(r"\.[*/^]") or (p.follows(r"[*/^]") and p.precedes(r"\.")):
        return "operators are written without a point: * / ^"
    if p.follows(r"\|") and not p.follows(r"\|\|") and "NUMBER" in p.accepted:
        return "an absolute value is written abs(x)"
    if p.follows("{") and "NUMBER" in p.accepted and "LPAR" in p.accepted:
        return "an expression is grouped by parentheses: (a + b) * c"
    if p.follows(r"[(\[]") and p.block == "circulation":
        return "several nodes stand in braces: venous -> {gut, skin}"
    if p.follows(r"->|<->") and p.keyword == "process" and p.precedes(r":\s*\d*[ \t]*"):
        return "the world beyond the model is called outside: process p : outside -> a rate r"
    if p.follows(r"rate\b") and p.precedes(r"->[ \t]*\d*[ \t]*"):
        return "the world beyond the model is called outside: process p : a -> outside rate r"
    if p.follows(r"@|\bto\b|\bin\b") and p.keyword == "dose" and "INTO" in p.accepted:
        return f"where a dose goes follows `into`: {USAGE['dose']}"
    return None


def _layout(p: Place) -> str | None:
    if p.accepted >= {"LBRACE", "STRING"} and p.keyword and p.follows(r"[(:\[]|\w+[ \t]*="):
        return f"the lines of a block stand in braces: {USAGE[p.keyword]}"
    if p.follows('"') and "SOURCE" in p.accepted:
        return 'a source follows the word `source`: source "..."'
    if p.follows(r",[ \t]*\w+") and p.keyword in _SINGLE and not p.block:
        word = p.follows(r",[ \t]*(\w+)")
        if word and word[1] in p.words:
            return f"no comma comes before `{word[1]}`"
        return f"one {p.keyword} a line; a new line or `;` comes between one and the next"
    if p.follows(r"\(") and p.keyword in _SINGLE and p.precedes(r"^\s*\w+\s+\w+[ \t]*"):
        return "a name stands alone; an index follows it in angle brackets: x<3>"
    if p.follows(r"-[ \t]*\w") and p.keyword in USAGE and p.precedes(r"^\s*\w+\s+\w+"):
        return "names are made of the letters A to Z, digits and _"
    if p.line_end and p.precedes(r"[-+*/^][ \t]*") and "NUMBER" in p.accepted:
        return "an expression goes on over a new line only inside parentheses"
    argument = p.precedes(r"\b(" + "|".join((*PLAIN, "sqrt", "abs", "min", "max")) + r")[ \t]*")
    if argument and p.follows(r"[\w\[{]") and "STAR" in p.accepted:
        return f"what a function takes stands in parentheses: {argument[1]}(x)"
    if p.follows(r"\[[^\]\n]*[-+*/][^\]\n]*\]") and "NUMBER" in p.accepted and p.precedes(r"[=*+(/^-][ \t]*"):
        return "an expression is grouped by parentheses: (a + b) * c"
    if p.follows(r"=|between\b|[<>]") and p.keyword == "check":
        return "a check gives a range: check cmax(s.Cp) in (1, 10) [mg/L]"
    return None


#: Statements that declare one name.
_SINGLE = ("covariate", "input", "param", "let", "masked", "state", "observe", "process", "flow")


def _condition(p: Place) -> str | None:
    if p.follows(r"&&?|\|\|") and p.statement.count("(") > p.statement.count(")"):
        return "conditions are joined by `and` or `or`: if(a > 1 and b < 2, x, y)"
    if p.follows(r"!|not\b|~") and p.precedes(r"\bif[ \t]*\([ \t]*"):
        return "a condition is not negated; write the other one: if(a <= 1, x, y)"
    if p.follows(r"\)") and "CMP" not in p.accepted and p.precedes(r"\bif[ \t]*\([^()]*[<>][^()]*"):
        return "both values stand in the parentheses: if(condition, value, otherwise)"
    if p.follows(r"[<>=]") and p.precedes(r"\b(ifelse|case_when|where|iif)[ \t]*\([^()]*"):
        return "a choice is written if(condition, value, otherwise)"
    if p.accepted == {"LPAR"} and p.precedes(r"\bif[ \t]*"):
        return "a choice is written if(condition, value, otherwise)"
    if p.follows(r"(if|then|else)\b") and "STAR" in p.accepted:
        return "a choice is written if(condition, value, otherwise)"
    if re.search(r"\?[^?:]*:", p.after) and "CMP" not in p.accepted and "STAR" in p.accepted:
        return "a choice is written if(condition, value, otherwise)"
    return None


def _foreign_unit(p: Place) -> str | None:
    number = p.precedes(r"\d[ \t]*") is not None
    if p.follows(r",\d") and number:
        whole, comma = p.precedes(r"\d+"), p.follows(r",(\d+)")
        if whole and comma and len(comma[1]) != 3:
            return f"a decimal number is written with a point: {whole[0]}.{comma[1]}"
        if whole and comma:
            return (
                f"numbers have no separators: {whole[0]}{comma[1]}, or {whole[0]}.{comma[1]} for the decimal"
            )
    if p.follows(r",[ \t]*\d") and p.precedes(r"\bin[ \t]*\([^()]*,[^()]*"):
        return "bounds are a pair, and a decimal number is written with a point: in (0.1, 10)"
    if p.follows(r"[_'\u2019]\d{3}") and number:
        return "numbers have no separators: write 1000"
    if p.follows(r"\[[^\]\n]*[^\x00-\x7f][^\]\n]*\]"):
        return _plain_unit(p.after[1 : p.after.index("]")])
    bare = p.follows(r"[{(]?\s*(1\s*/\s*[A-Za-z]+|per\s+[A-Za-z]+)\s*[})]?")
    if bare and "UNIT" in p.accepted and number:
        unit = re.sub(r"^per\s+", "1/", bare[1]).replace(" ", "")
        if unit[2:] in WORDS:
            return f"a unit stands in square brackets: [{unit}]"
    reversed_ = p.follows(r"(\[[^\]\n]+\])[ \t]*(\d+(\.\d+)?)")
    if reversed_ and "NUMBER" in p.accepted:
        return f"a number stands in front of its unit: {reversed_[2]} {reversed_[1]}"
    braces = p.follows(r"\{\s*([A-Za-z%]+(/[A-Za-z]+)*)\s*\}")
    if braces and "UNIT" in p.accepted and all(w in WORDS for w in braces[1].split("/")):
        return f"a unit stands in square brackets: [{braces[1]}]"
    return None


def _plain_unit(text: str) -> str:
    """What to write for a unit with signs that a unit does not have."""
    plain = text.replace("\u00b0C", "degC").replace("\u2126", "").translate(_UNIT_SIGNS)
    plain = re.sub(
        "[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b]+", lambda m: "^" + m[0].translate(_POWERS), plain
    )
    if plain.isascii() and plain:
        return f"a unit is written in plain signs: [{plain}]"
    return "a unit holds words, numbers, / * ^ and - only: [mL/min/kg^0.75]"
