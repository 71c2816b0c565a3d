"""Slips of the pen that people make in specs, and what to write instead."""

from __future__ import annotations

import re

from pbpkc.language.syntax.statements import DECLARING
from pbpkc.language.syntax.stops import USAGE, Place
from pbpkc.language.units import WORDS

_BLOCK_LINES = ("dose", "run", "data", "column", "keep", "CMT", "DVID", "reset")
_ATTRIBUTES = ("volume", "outflow", "vascular", "like", "mw", "logp", "pka", "fup", "bp", "kp", "kb", "kpu")


def likely_slip(place: Place) -> str | None:
    """What to write instead; None where no slip is known."""
    for look in (_numbers, _units, _texts, _signs, _names_and_indices, _clauses, _separation):
        found = look(place)
        if found is not None:
            return found
    return None


def how_it_is_written(place: Place) -> str:
    """An example of a line of this kind, the last resort."""
    if place.keyword:
        return f"such a line is written {USAGE[place.keyword]}"
    return "a line begins with what it declares: param k = 2 [1/h], or pool plasma { volume = 3 [L] }"


def _numbers(p: Place) -> str | None:
    if p.follows(r"\.\d"):
        return "a number begins with a digit: write 0.5, not .5"
    if p.follows(r"\.") and p.precedes(r"\d"):
        return "a number ends with a digit: write 1.0 or 1, not 1."
    if p.follows(r",\d") and p.precedes(r"\d"):
        return "numbers have no separators: write 1000 and 0.5"
    if p.follows(r"\d+[A-Za-z_]") and "NAME" in p.accepted and "NUMBER" not in p.accepted:
        return "a name begins with a letter"
    if p.follows("%"):
        return "per cent is a unit: write 5 [%]"
    return None


def _units(p: Place) -> str | None:
    if p.follows(r"\[") and p.precedes(r"\bin\s*") and "LPAR" in p.accepted:
        return "bounds stand in parentheses: in (0.1, 10) [1/h]"
    inside = p.follows(r"\[\s*([0-9.]+)\s*([^\]]*?)\s*\]")
    if inside and inside[2] and "NUMBER" in p.accepted:
        return f"a number stands in front of its unit: {inside[1]} [{inside[2]}]"
    if p.follows(r"\[\s*\]"):
        return "the unit is empty: write [1] for dimensionless"
    if p.follows(r"\[[^\]]*$"):
        return "'[' is never closed on its line"
    if (
        p.follows(r"\[\s*[\w+-]+\s*\]")
        and p.precedes(r"[A-Za-z_]\w*")
        and not _is_unit(p.after[1:].split("]")[0])
    ):
        return "an index stands in angle brackets: x<3>"
    if p.follows(r"\[") and p.keyword == "observe" and "IN" in p.accepted:
        return "the unit of an observable follows `in`: observe Cp = plasma.C in [mg/L]"
    if p.follows(r"\[[A-Za-zµμ%0-9^*/.\- \t]+\]"):
        return "a unit follows a number or a pair of bounds, never a name"
    if p.follows(r"\["):
        return "a unit holds words, numbers, / * ^ and - only: [mL/min/kg^0.75]"
    bare = p.follows(r"\(?\s*([A-Za-z%]+(/[A-Za-z]+)*)")
    if bare and "UNIT" in p.accepted and _is_unit(bare[1]):
        return f"a unit stands in square brackets: [{bare[1]}]"
    return None


def _is_unit(text: str) -> bool:
    return all(word in WORDS for word in text.strip().split("/"))


def _texts(p: Place) -> str | None:
    if p.follows(r'"[^"]*$'):
        return 'a text ends on its line with a second "'
    if p.follows("['“”‘’«»]"):
        return 'a text stands in straight double quotes: "..."'
    if p.follows('"') and "NAME" in p.accepted and p.keyword:
        return (
            f"a name comes before its description: {p.keyword} NAME {p.after.strip().split('{')[0].strip()}"
        )
    if p.follows(r"[\w./]+") and "STRING" in p.accepted and p.accepted == {"STRING"}:
        return f'the name of a file stands in quotes: "{p.after.split()[0]}"'
    if p.at_beginning and p.follows(r"//|/\*|--|!|%"):
        return "a comment begins with #"
    if p.at_beginning and p.follows(r"[*/+^-]\s*[\w(]"):
        return "an expression goes on over a new line only inside parentheses"
    return None


def _signs(p: Place) -> str | None:
    if p.follows(r"\*") and p.precedes(r"\*"):
        return "a power is written with ^"
    if p.follows(r"=>|→|-->|⇒|⇌|↔|<=>|--") or (p.follows(">") and p.precedes("=")):
        return "an arrow is written -> or <->"
    if p.follows(r"(and|or)\b") and {"AND", "OR"} & p.accepted:
        return "a condition joins all its parts by `and` or all by `or`; nest another if(...) for the rest"
    if p.follows(r"[=!]=") or (p.follows("=") and "CMP" in p.accepted):
        return "conditions use < <= > >= inside if(...)"
    if p.follows("[<>]") and p.keyword == "check":
        return "a check gives a range: check cmax(s.Cp) in (1, 10) [mg/L]"
    return None


def _names_and_indices(p: Place) -> str | None:
    if p.follows(r"<\w+([+-]\w+)*(,\w+([+-]\w+)*)*>") and p.precedes(r"\w[ \t]+"):
        return "an index follows its name without a blank: si<i>"
    if p.follows(r"<[^<>]*[*/.(][^<>]*>") and p.precedes(r"\w"):
        return "an index is a sum of names and whole numbers: x<i+1>"
    if p.follows("[<>]") and "CMP" not in p.accepted:
        return "comparisons stand only in the condition of if(condition, value, otherwise)"
    if p.follows(r"[^\x00-\x7f]") and p.after[0].isalpha():
        return "names are made of the letters A to Z, digits and _"
    if p.precedes(r"\.\.\s*"):
        return "the ends of a range are whole numbers: for i in 1..6"
    if p.follows("=") and p.precedes(r"\bfor\s+\w+\s*"):
        return "a range is written for i in 1..6"
    return None


def _clauses(p: Place) -> str | None:
    if p.follows("=") and "TILDE" in p.accepted:
        what = (
            "a population line has a distribution"
            if p.keyword == "population"
            else "a masked parameter has a prior"
        )
        return f"{what}: {USAGE['population' if p.keyword == 'population' else 'masked']}"
    if p.follows("~"):
        return "only `masked` parameters and `population` lines have a distribution"
    if p.follows(r"source\b"):
        return "a source belongs to a covariate, a param, a masked parameter or an attribute"
    if p.follows(r"\(") and "IN" in p.accepted and p.keyword in ("masked", "covariate", "input", "check"):
        return "bounds follow the word `in`: in (0.1, 10) [1/h]"
    if p.follows(r"\)") and "COMMA" in p.accepted and p.precedes(r"\bin\s*\([^(),]*"):
        return "bounds are a pair: in (low, high) [unit]"
    if p.follows(r"\)") and "RPAR" not in p.accepted and p.statement.count("(") <= p.statement.count(")"):
        return "this ')' closes nothing"
    if p.line_end and "RATE" in p.accepted:
        return "a process ends with its rate: process p : a -> b rate k * a.A"
    if "IN" in p.accepted and p.keyword == "observe" and (p.line_end or p.follows(r"error|lloq|as")):
        return "an observable has a unit: observe Cp = plasma.C in [mg/L]"
    if p.line_end and "LBRACE" in p.accepted and re.match(r"\s*(#[^\n]*\n\s*)*\{", p.text[p.at :]):
        return "the '{' of a block stands on the line that it belongs to"
    if p.follows(r"[:\d(-]") and "EQUAL" in p.accepted:
        return "a value follows after `=`"
    if p.keyword == "circulation" and p.follows(","):
        return "several nodes stand in braces: venous -> {gut, skin}"
    word = p.follows(r"\w+")
    if p.at_beginning and word and p.before is not None and word[0] in (*_BLOCK_LINES, *_ATTRIBUTES):
        home = (
            "a `data` block"
            if word[0] in ("column", "keep", "CMT", "DVID")
            else ("a `scenario`" if word[0] in _BLOCK_LINES else "the block of a node or a species")
        )
        return f"`{word[0]}` belongs in {home}"
    return None


def _separation(p: Place) -> str | None:
    if p.follows(r"\}") and p.precedes(r"\{\s*"):
        return "an empty block is left out"
    if p.follows(r"\}") and not p.block:
        return "this '}' closes nothing"
    if p.precedes(r"\n[ \t]*") and p.block and p.found in DECLARING:
        return f"close the block of `{p.block}` with '}}' before the next declaration"
    if p.precedes(r"\}[ \t]*") and "_SEP" in p.accepted and not p.at_beginning:
        return "a block ends with its '}'; a new line or `;` comes before what follows"
    if p.follows(",") and "RBRACE" in p.accepted:
        return "in a block a `;` or a new line separates"
    again = p.follows(r"(\w+)\s*(=|\w)")
    if again and "_SEP" in p.accepted and not p.at_beginning and (again[1] in DECLARING or again[2] == "="):
        return "a new line or `;` comes between one and the next"
    if p.follows("=") and p.precedes(r"=[^=]*") and "EQUAL" not in p.accepted:
        return "one `=` a line; a new line or `;` comes between one and the next"
    if (
        p.follows(r"[A-Za-z_(]")
        and p.precedes(r"[\w)\]]\s*")
        and "STAR" in p.accepted
        and not {"INTO", "IN", "EVERY"} & p.accepted
        and p.found not in p.words
    ):
        return "a product is written with *"
    return None
