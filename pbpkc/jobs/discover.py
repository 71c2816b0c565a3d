"""Find the formula of an unknown term: a library of forms, each fitted to the data.

First the term is learned as a curve, which shows where the data look and gives every form a start: its
coefficients are fitted to the curve, which costs nothing. Then each form takes the term's place in the model
and is fitted to the *data*, with the spec's own masked parameters. Regressing the curve instead would count
its errors as if they were independent, and mostly chooses wrongly.

Forms are compared by BIC: the sum over subjects of -2 log L + k ln n, with n the observations that are
scored (censored ones included) and k all estimated parameters of the subject, those of the spec too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pbpkc.compiler.missing import Coefficient, Form, FormError, Learned, with_form
from pbpkc.compiler.missing.contradiction import always_contradicts, contradiction
from pbpkc.compiler.missing.library import Untried, library
from pbpkc.compiler.missing.written import Written, pasted, read_form, read_with
from pbpkc.infer.result import EstimateRow
from pbpkc.jobs.fit import FitJob, Fitted, fit
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.jobs.visited import curves, visited
from pbpkc.language.diagnostics import SpecError, similar
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.expression import names_in
from pbpkc.language.model import Unknown
from pbpkc.language.option_text import OptionText
from pbpkc.report.term_curves import TermCurve

Array = NDArray[np.float64]

#: Forms within this of the smallest BIC are told: data seldom decide between them.
WITHIN = 6.0

#: Searches of a form's coefficients on the learned curve.
_SEARCHES = 6

#: Points of the curve that a form is fitted to first.
_POINTS = 200


@dataclass(frozen=True)
class Tried:
    """A form that was fitted.

    Parameters
    ----------
    title, text : str
    coefficients : tuple of str
    k, n : int
        Estimated parameters and scored observations, over all subjects.
    objective, bic : float
        Minus twice the log likelihood, and the criterion; nan where a subject could not be fitted.
    estimates : tuple of EstimateRow
        Of all estimated parameters.
    lines : str
        What can stand in the spec in place of the declaration of the term.
    at, value : ndarray, shape (m,)
        The curve along the first argument, the others at the middle of what was visited; canonical.
    reason : str
        Why it does not count: it contradicts the declaration at its estimate, or was not fitted.
    note : str
        Coefficients that end at a bound, where the form is a simpler one.
    """

    title: str
    text: str
    coefficients: tuple[str, ...]
    k: int
    n: int
    objective: float
    bic: float
    estimates: tuple[EstimateRow, ...]
    lines: str
    at: Array
    value: Array
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class Discovery:
    """What was found for a term.

    Parameters
    ----------
    unknown : Unknown
    tried : tuple of Tried
        By BIC, those that do not count last.
    untried : tuple of Untried
    curves : tuple of TermCurve
        The learned curve.
    learned : Fitted
        Its fit.
    """

    unknown: Unknown
    tried: tuple[Tried, ...]
    untried: tuple[Untried, ...]
    curves: tuple[TermCurve, ...]
    learned: Fitted

    @property
    def best(self) -> float:
        """The smallest BIC."""
        return min((t.bic for t in self.tried if not t.reason), default=math.nan)

    @property
    def kept(self) -> tuple[Tried, ...]:
        """The forms within `WITHIN` of the smallest BIC."""
        return tuple(t for t in self.tried if not t.reason and t.bic <= self.best + WITHIN)


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
    """What is to be tried for a term; see `discover`.

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


def discover(
    loaded: LoadedModel,
    job: FitJob,
    name: str | None = None,
    forms: Sequence[str] = (),
    said: Sequence[str] = (),
    progress: Callable[[int, int, str], None] | None = None,
    only: Sequence[str] | None = None,
) -> Discovery:
    """Fit forms of an unknown term to data.

    Parameters
    ----------
    loaded : LoadedModel
        Settings of the run applied.
    job : FitJob
        Data, scenario, method and options of each fit.
    name : str, optional
        The term; the only one of the spec where left out.
    forms : sequence of str
        Further forms, ``"vmax * c^2 / (k^2 + c^2)"``.
    said : sequence of str
        Units and bounds of their names, ``"k [umol/L] in (1, 1e4)"``.
    progress : callable, optional
        Told (done, total, what comes next).
    only : sequence of str, optional
        Titles of the library's forms to be tried; all where left out.

    Raises
    ------
    SpecError
        For a term that does not exist, a form that cannot be read, or problems of the data.
    ValueError
        If the learned curve cannot be fitted for any subject.
    """
    return discover_prepared(prepare(loaded, name, forms, said, only), job, progress)


def discover_prepared(
    prepared: Prepared, job: FitJob, progress: Callable[[int, int, str], None] | None = None
) -> Discovery:
    """Fit what was prepared to data; see `discover`."""
    unknown, learned = prepared.unknown, prepared.learned
    total = len(prepared.candidates) + 1
    tell = progress or (lambda done, total, what: None)
    tell(0, total, "the curve")
    first = replace(job, options=replace(job.options, starts=1, profile=None))
    fitted = fit(prepared.curve, first)
    seen = visited(prepared.curve, fitted, learned)
    if not seen:
        reasons = "; ".join(f"{f.id}: {f.reason}" for f in fitted.result.fits)
        raise ValueError(f"the curve of '{unknown.name}' could not be fitted to any subject ({reasons})")
    sample = _sample(fitted, learned, seen)
    found = []
    for done, one in enumerate(prepared.candidates):
        tell(done + 1, total, one.written.title)
        found.append(_try(job, unknown, one, sample))
    found.sort(key=lambda t: (bool(t.reason), t.bic if math.isfinite(t.bic) else math.inf))
    tell(total, total, "")
    drawn = curves(prepared.curve, fitted, learned)
    return Discovery(unknown, tuple(found), prepared.untried, drawn, fitted)


def _term(loaded: LoadedModel, name: str | None) -> str:
    there = tuple(loaded.model.unknowns)
    typed = OptionText("--unknown", name or "", 0, "", f"unknown terms are: {', '.join(there) or 'none'}")
    if name is None:
        if len(there) == 1:
            return there[0]
        few = "the spec has no unknown term" if not there else "the spec has several unknown terms"
        raise typed.problem("usage", few, typed.usage)
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
    untried = list(told)
    kept = []
    for one in (*own, *(w for w in written if only is None or w.title in only)):
        broken = always_contradicts(one.form, unknown, _others(loaded, one.form))
        if broken is None:
            kept.append(one)
        else:
            untried.append(Untried(one.title, one.text, broken))
    return kept, tuple(untried)


def _others(loaded: LoadedModel, form: Form) -> dict[str, float]:
    """Values of what a form reads of the spec."""
    lookup = evaluate_definitions({k: d.expr for k, d in loaded.model.definitions.items()}, {})
    read = names_in(form.value) & set(loaded.model.definitions)
    return {name: float(lookup(name)) for name in sorted(read)}


@dataclass(frozen=True)
class _Sample:
    """The learned curves at visited points: arguments (m, a), values (m,), and a grid along the first one."""

    arguments: Array
    values: Array
    grid: Array


def _sample(fitted: Fitted, learned: Learned, seen: dict[str, Array]) -> _Sample:
    names = [str(p["name"]) for p in fitted.result.parameters]
    arguments, values = [], []
    for one in fitted.result.fits:
        if one.id not in seen:
            continue
        theta = np.array([one.theta[names.index(c)] for c in learned.coefficients])
        points = np.unique(seen[one.id], axis=0)
        points = points[:: max(1, len(points) // _POINTS)]
        arguments.append(points)
        values.append(learned.form.values(learned.unknown, list(points.T), theta))
    whole = np.concatenate(arguments)
    middle = np.median(whole, axis=0)
    line = np.linspace(whole[:, 0].min(), whole[:, 0].max(), 81)
    grid = np.tile(middle, (len(line), 1))
    grid[:, 0] = line
    return _Sample(whole, np.concatenate(values), grid)


def _regressed(form: Form, unknown: Unknown, sample: _Sample, others: dict[str, float]) -> Array:
    """Coefficients that bring a form nearest to the learned curve: where its fit begins."""
    low = np.log([max(c.mask.low, 1e-300) for c in form.coefficients])
    high = np.log([c.mask.high for c in form.coefficients])
    size = float(np.sqrt(np.mean(sample.values**2))) or 1.0
    columns = list(sample.arguments.T)

    def off(point: Array) -> Array:
        found = form.values(unknown, columns, np.exp(point), others)
        return np.nan_to_num((found - sample.values) / size, nan=1e6, posinf=1e6, neginf=-1e6)

    rng = np.random.default_rng(0)
    best, least = np.log(form.start), math.inf
    for k in range(_SEARCHES):
        start = np.log(form.start) + (rng.normal(0.0, 1.5, len(low)) if k else 0.0)
        found = least_squares(off, np.clip(start, low + 1e-9, high - 1e-9), bounds=(low, high))
        if found.cost < least - 1e-12:
            best, least = found.x, float(found.cost)
    return np.asarray(np.clip(np.exp(best), np.exp(low), np.exp(high)))


def _start(coefficient: Coefficient, value: float) -> str:
    """A starting value as `--start` would have it."""
    unit = coefficient.unit
    shown = "" if unit.text == "1" else f" {unit}"
    return f"{coefficient.name} = {value / float(unit.factor)!r}{shown}"


def _try(job: FitJob, unknown: Unknown, candidate: Candidate, sample: _Sample) -> Tried:
    one, others, form = candidate.written, dict(candidate.others), candidate.written.form
    names = tuple(c.name for c in form.coefficients)
    if names:
        begin = _regressed(form, unknown, sample, others)
        starts = [_start(c, float(x)) for c, x in zip(form.coefficients, begin, strict=True)]
        job = replace(job, start=(*job.start, *starts))
    blank = Tried(
        one.title, one.text, names, 0, 0, math.nan, math.nan, (), "", sample.grid[:, 0], np.zeros(0)
    )
    try:
        result = fit(candidate.spec, job).result
    except SpecError as error:
        return replace(blank, reason=error.diagnostics[0].message)
    failed = [f for f in result.fits if not f.theta]
    if failed:
        return replace(blank, reason=f"subject {failed[0].id} could not be fitted: {failed[0].reason}")
    estimated = [str(p["name"]) for p in result.parameters]
    theta = np.array([[f.theta[estimated.index(n)] for n in names] for f in result.fits])
    middle = np.exp(np.mean(np.log(theta), axis=0)) if names else np.zeros(0)
    n = sum(f.subject.n for f in result.fits)
    k = len(estimated) * len(result.fits)
    objective = sum(f.subject.objective for f in result.fits)
    bic = objective + sum(len(estimated) * math.log(f.subject.n) for f in result.fits)
    alone = len(result.fits) == 1
    rows = {r.parameter: r for r in result.fits[0].estimates} if alone else {}
    intervals = [
        (rows[c.name].ci_low * float(c.unit.factor), rows[c.name].ci_high * float(c.unit.factor))
        if c.name in rows
        else (math.nan, math.nan)
        for c in form.coefficients
    ]
    ends = [r.parameter for r in result.estimates if r.at_bound != "no" and r.parameter in names]
    reasons = [contradiction(form, unknown, np.array(row), others) for row in theta]
    return Tried(
        title=one.title,
        text=one.text,
        coefficients=names,
        k=k,
        n=n,
        objective=objective,
        bic=bic,
        estimates=result.estimates,
        lines=pasted(one, unknown, middle.tolist(), intervals),
        at=sample.grid[:, 0],
        value=form.values(unknown, list(sample.grid.T), middle, others),
        reason=next((f"at its estimate {r}" for r in reasons if r is not None), ""),
        note=f"{', '.join(dict.fromkeys(ends))} at a bound: a simpler form" if ends else "",
    )
