"""What is tried for an unknown term: its learned curve, and a model for each form of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pbpkc.compiler.missing import Form, FormError, Learned, with_form
from pbpkc.compiler.missing.contradiction import always_contradicts
from pbpkc.compiler.missing.library import Untried, library
from pbpkc.compiler.missing.written import Written, read_form, read_with
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.language.diagnostics import Diagnostic, similar
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.expression import names_in
from pbpkc.language.model import Unknown
from pbpkc.language.options.option_text import OptionError, OptionText

#: Help where there is nothing to discover.
_DECLARE = (
    "declare what is not known, such as `unknown v (c [umol/L] in (0, 100) [umol/L]) -> [umol/h]`, and use "
    "it in a rate"
)


@dataclass(frozen=True)
class Candidate:
    """A form with the model in which it stands for the term."""

    written: Written
    spec: LoadedModel
    others: Mapping[str, float]


@dataclass(frozen=True)
class Prepared:
    """A term with everything that is tried for it; it serves any number of data sets.

    Parameters
    ----------
    unknown : Unknown
    curve : LoadedModel
        The model with the term learned as a curve.
    learned : Learned
    candidates : tuple of Candidate
    untried : tuple of Untried
    """

    unknown: Unknown
    curve: LoadedModel
    learned: Learned
    candidates: tuple[Candidate, ...]
    untried: tuple[Untried, ...]


def prepare(
    loaded: LoadedModel,
    name: str | None = None,
    forms: Sequence[str] = (),
    said: Sequence[str] = (),
    only: Sequence[str] | None = None,
) -> Prepared:
    """What is to be tried for a term; see `pbpkc.jobs.discover.discover`.

    Raises
    ------
    SpecError
        For a term that does not exist, or a form that cannot be read.
    """
    name = _term(loaded, name)
    unknown = loaded.model.unknowns[name]
    written, untried = _forms(loaded, unknown, forms, said, only)
    curve = loaded.with_settings(learn=f"{name} = basis")
    learned = next(term for term in curve.learned if term.unknown.name == name)
    candidates = []
    for one in written:
        model, term = with_form(loaded.model, name, one.form, {c.name: c.name for c in one.form.coefficients})
        spec = LoadedModel(loaded.path, model, loaded.given, loaded.settings, (*loaded.learned, term))
        candidates.append(Candidate(one, spec, _others(loaded, one.form)))
    return Prepared(unknown, curve, learned, tuple(candidates), untried)


def _term(loaded: LoadedModel, name: str | None) -> str:
    there = tuple(loaded.model.unknowns)
    typed = OptionText("--unknown", name or "", 0, "", f"unknown terms are: {', '.join(there) or 'none'}")
    if name is None:
        if len(there) == 1:
            return there[0]
        # Nothing was typed that a message could mark.
        if there:
            help = f"say which, with --unknown NAME: {', '.join(there)}"
            raise OptionError([Diagnostic("usage", "the spec has several unknown terms", help=help)])
        raise OptionError([Diagnostic("usage", "this spec has no unknown term", help=_DECLARE)])
    if name not in there:
        near = similar(name, there)
        raise typed.problem(
            "unknown-name",
            f"there is no unknown term '{name}'",
            f"one with a similar name exists: '{near}'" if near else typed.usage,
        )
    return name


def _forms(
    loaded: LoadedModel,
    unknown: Unknown,
    forms: Sequence[str],
    said: Sequence[str],
    only: Sequence[str] | None,
) -> tuple[list[Written], tuple[Untried, ...]]:
    """Forms to be fitted, and those that cannot be."""
    bounded = {b.name: b for b in map(read_with, said)}
    try:
        written, told = library(loaded.model, unknown)
    except FormError as error:
        raise OptionText("discover", unknown.name, 0, "", "").problem("learn", str(error)) from None
    own = []
    for text in forms:
        try:
            own.append(read_form(loaded.model, unknown, text, text, bounded))
        except FormError as error:
            typed = OptionText("--form", text, 0, "", "")
            raise typed.problem("form", str(error)) from None
    unused = set(bounded) - {c.name for w in own for c in w.form.coefficients}
    if unused:
        typed = OptionText("--with", ", ".join(sorted(unused)), 0, "", "")
        raise typed.problem("unknown-name", "no --form has a new parameter of this name")
    _demand_titles(only or (), [w.title for w in written] + [t.title for t in told])
    untried = list(told)
    kept = []
    for one in (*own, *(w for w in written if only is None or w.title in only)):
        broken = always_contradicts(one.form, unknown, _others(loaded, one.form))
        if broken is None:
            kept.append(one)
        else:
            untried.append(Untried(one.title, one.text, broken))
    return kept, tuple(untried)


def _demand_titles(only: Sequence[str], titles: Sequence[str]) -> None:
    """Refuse a title that the library of this term does not have."""
    for title in only:
        if title not in titles:
            near = similar(title, titles)
            raise OptionText("--only", title, 0, "", "").problem(
                "unknown-name",
                f"there is no form '{title}'; forms are {', '.join(titles)}",
                f"one with a similar name exists: '{near}'" if near else None,
            )


def _others(loaded: LoadedModel, form: Form) -> dict[str, float]:
    """Values of what a form reads of the spec."""
    lookup = evaluate_definitions({k: d.expr for k, d in loaded.model.definitions.items()}, {})
    read = names_in(form.value) & set(loaded.model.definitions)
    return {name: float(lookup(name)) for name in sorted(read)}
