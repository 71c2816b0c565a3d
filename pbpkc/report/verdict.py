"""What was estimated and what the data can and cannot tell, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pbpkc.infer.result import FitResult, SubjectFit
from pbpkc.infer.summary_result import SummaryRow
from pbpkc.infer.verdict_words import beside, combinations_followed, profile_lost
from pbpkc.language.model import Model
from pbpkc.report.content import ReportContent
from pbpkc.report.quantities import count, figures, interval, listed, percent, plain_number, wald, with_unit

_METHODS = {
    "ml": "maximum likelihood, that is, from the data alone",
    "map": "maximum a posteriori, that is, from the data together with the priors of the spec",
}
_BELOW = {
    "m3": "counted by the probability of being below it",
    "drop": "left out",
    "half": "counted as half of the limit",
    "zero": "counted as zero",
}

_LIMIT = "; up to 50\u00a0% would count as determined"

#: Combinations that are told in words; the others stand in the table.
_MOST_TOLD = 3


@dataclass(frozen=True)
class Fact:
    """A number that is seen at a glance. `mood`: "good", "open" or "plain"."""

    number: str
    text: str
    mood: str


@dataclass(frozen=True)
class Verdict:
    """The head of a report.

    Parameters
    ----------
    headline : str
    mood : {"good", "open"}
    facts : tuple of Fact
    estimated, can, cannot, beware : tuple of str
        Sentences: what was done, what the data determine, what they do not, what else a reader must know.
    """

    headline: str
    mood: str
    facts: tuple[Fact, ...]
    estimated: tuple[str, ...]
    can: tuple[str, ...]
    cannot: tuple[str, ...]
    beware: tuple[str, ...]


def verdict(content: ReportContent) -> Verdict:
    """The head of a report."""
    result = content.result
    there = [fit for fit in _told_of(result) if fit.identifiability is not None]
    opens = {name: _open_in(there, name) for name in _names(result)}
    return Verdict(
        headline=_headline(result, there, opens),
        mood="good" if there and not any(opens.values()) and result.outcome == "done" else "open",
        facts=tuple(_facts(content, there, opens)),
        estimated=tuple(_estimated(content)),
        can=tuple(_can(content.model, result, there, opens)),
        cannot=(*_cannot(there, opens), *_open_profiles(there), *_followed(there)),
        beware=tuple(_beware(content)),
    )


def _told_of(result: FitResult) -> tuple[SubjectFit, ...]:
    """Whose verdict the head of the report is: single subjects, or all together where there are none."""
    return result.singles or result.fits


def _names(result: FitResult) -> list[str]:
    return [str(parameter["name"]) for parameter in result.parameters]


def _open_in(fits: list[SubjectFit], name: str) -> list[str]:
    """Subjects in which a parameter is not determined by itself."""
    return [
        fit.id
        for fit in fits
        for v in (fit.identifiability.parameters if fit.identifiability else ())
        if v.parameter == name and not v.identifiable
    ]


def _headline(result: FitResult, there: list[SubjectFit], opens: dict[str, list[str]]) -> str:
    if not there:
        return "No estimate was found; the reasons stand below."
    whole = _told_of(result)
    subjects = "the subject" if len(whole) == 1 else f"all {len(there)} subjects"
    if whole[0].members:
        subjects = f"all {whole[0].members} subjects together"
    if len(there) < len(whole):
        subjects = f"the {count(len(there), 'subject')} that could be fitted"
    lost = [name for name, where in opens.items() if where]
    if not lost:
        what = (
            f"the parameter {next(iter(opens))}"
            if len(opens) == 1
            else f"each of the {len(opens)} parameters"
        )
        return f"The data determine {what} in {subjects}."
    combined = any(fit.identifiability.any_combination for fit in there if fit.identifiability)
    one_by_one = " one by one" if len(lost) > 1 and combined else ""
    nowhere = [name for name in lost if len(opens[name]) == len(there)]
    some = [name for name in lost if name not in nowhere]
    if not nowhere:
        return f"The data of some subjects do not determine {listed(some, 6)}{one_by_one}."
    rest = f", nor {listed(some, 6)} in some subjects" if some else ""
    return f"The data do not determine {listed(nowhere, 6)}{one_by_one}{rest}."


def _facts(content: ReportContent, there: list[SubjectFit], opens: dict[str, list[str]]) -> Iterator[Fact]:
    result = content.result
    whole = _told_of(result)
    converged = sum(fit.outcome == "converged" for fit in whole)
    total = len(whole)
    noun = f"{'subject' if total == 1 else 'subjects'} fitted to convergence"
    if whole[0].members:
        noun = "fit of all subjects came to convergence"
    yield Fact(f"{converged} of {total}", noun, "good" if converged == total else "open")
    if there:
        all_, lost = len(there) * len(opens), sum(len(where) for where in opens.values())
        yield Fact(f"{all_ - lost} of {all_}", "estimates determined by the data", "open" if lost else "good")
    scored = sum(fit.subject.n for fit in whole)
    yield Fact(str(scored), "measurements used", "plain")
    checks = content.checks
    if checks is None:
        yield Fact("none", "of the checks was run", "open")
    else:
        bad, all_checks = len(checks.violations), sum(i.status != "note" for i in checks.items)
        yield Fact(
            f"{all_checks - bad} of {all_checks}", "checks of the model held", "open" if bad else "good"
        )


def _estimated(content: ReportContent) -> Iterator[str]:
    result, model = content.result, content.model
    names = [_described(model, name) for name in _names(result)]
    singles, pooled = len(result.singles), result.pooled
    whom = "one subject" if singles == 1 else f"each of {singles} subjects by itself"
    if pooled is not None:
        together = f"all {pooled.members} subjects together"
        whom = f"{whom}, and for {together}" if singles else together
    seen = sorted({int(i) for subject in content.dataset.subjects for i in subject.observable})
    docs = {o.name: o.doc for o in model.observables}
    measured = [_with_doc(content.dataset.observable_names[i], docs) for i in seen]
    number = count(len(names), "parameter")
    verb = "was" if len(names) == 1 else "were"
    yield f"{number} {verb} estimated for {whom}: {listed(names)}."
    method = _METHODS.get(str(result.options.get("estimator")), str(result.options.get("estimator")))
    squares = any(math.isfinite(fit.residual_sd) for fit in result.fits)
    yield (
        f"The measurements are of {listed(measured)}; the method is {method}"
        + (", which for this error model is unweighted least squares" if squares else "")
        + ("; coefficients of learned terms have priors that always count" if result.learned else "")
        + "."
    )
    below = sum(int(subject.censored.sum()) for subject in content.dataset.subjects)
    if below:
        rule = _BELOW.get(str(result.options.get("blq")), str(result.options.get("blq")))
        verb = "lies" if below == 1 else "lie"
        yield (
            f"{count(below, 'measurement')} {verb} below the limit of quantification "
            f"and {_was(below)} {rule}."
        )
    weighted = [row.weighted_residual for row in result.predictions if math.isfinite(row.weighted_residual)]
    if weighted:
        within = sum(abs(value) <= 2.0 for value in weighted) / len(weighted)
        yield (
            f"{percent(within)} of the measurements lie within two standard deviations of the fitted curve, "
            "where a right error model puts about 95\u00a0%."
        )


def _was(number: int) -> str:
    return "is" if number == 1 else "are"


def _described(model: Model, name: str) -> str:
    definition = model.definitions.get(name)
    return f"{name} ({definition.doc})" if definition is not None and definition.doc else name


def _with_doc(name: str, docs: dict[str, str]) -> str:
    return f"{name} ({docs[name]})" if docs.get(name) else name


def _can(
    model: Model, result: FitResult, there: list[SubjectFit], opens: dict[str, list[str]]
) -> Iterator[str]:
    if len(there) == 1:
        for row in there[0].estimates:
            if not opens[row.parameter]:
                value = with_unit(figures(row.estimate), row.unit)
                ends = wald(row)
                yield f"{_described(model, row.parameter)} is {value} (95\u00a0% interval {ends})."
    else:
        for mean in result.summary:
            if mean.n > 1:
                kind = "geometric mean" if mean.kind == "geometric" else "mean"
                value = with_unit(figures(mean.mean), mean.unit)
                yield (
                    f"{_described(model, mean.parameter)}: {kind} {value}, "
                    f"from {figures(mean.low, 3)} to {figures(mean.high, 3)} over {_counted(mean)}."
                )
                if mean.between_sd > 0.0 and mean.kind == "geometric":
                    yield (
                        f"Between subjects {mean.parameter} varies by "
                        f"{percent(math.sqrt(math.expm1(mean.between_sd**2)))}, the errors of the estimates "
                        "taken out."
                    )
    yield from _together(model, result)
    yield from _combinations_told(there)


def _counted(mean: SummaryRow) -> str:
    if not mean.not_counted:
        return "the subjects"
    return f"the {mean.n} of {mean.n + len(mean.not_counted)} subjects that determine it"


def _together(model: Model, result: FitResult) -> Iterator[str]:
    """What the pooled fit says beside those of single subjects."""
    pooled = result.pooled
    if pooled is None or not result.singles:
        return
    for row in pooled.estimates:
        name = _described(model, row.parameter)
        if row.identifiable == "yes":
            value, ends = with_unit(figures(row.estimate), row.unit), wald(row)
            yield f"All subjects together: {name} is {value} (95\u00a0% interval {ends})."
        else:
            yield f"All subjects together do not determine {name}."


def _combinations_told(there: list[SubjectFit]) -> Iterator[str]:
    found = [(fit.id, c) for fit in there if fit.identifiability for c in fit.identifiability.combinations]
    for subject, combination in found[:_MOST_TOLD]:
        where = f" in subject {subject}" if len(there) > 1 else ""
        if combination.leading != combination.text:
            many = len(combination.weights)
            yield (
                f"A {combination.kind} of {many} parameters, chiefly {combination.leading}, is "
                f"determined{where}: its standard error is {percent(combination.relative_error)}."
            )
        else:
            value = with_unit(figures(combination.estimate), combination.unit)
            ends = interval(combination.ci_low, combination.ci_high)
            yield (
                f"The combination {combination.text} is determined{where}: {value} "
                f"(95\u00a0% interval {ends})."
            )
        if combination.beside:
            yield beside(combination)
    more = len(found) - _MOST_TOLD
    if more > 0:
        yield f"{count(more, 'more combination')} {_was(more)} in the section on what is determined."


def _cannot(there: list[SubjectFit], opens: dict[str, list[str]]) -> Iterator[str]:
    scarce: dict[str, list[str]] = {}
    for fit in there:
        if fit.identifiability is not None and fit.identifiability.scarce:
            scarce.setdefault(fit.identifiability.scarce, []).append(fit.id)
    for why, where in scarce.items():
        yield f"Nothing is determined{_place(where, len(there))}: {why}."
    for name in opens:
        lost = [
            (fit.id, v)
            for fit in there
            for v in (fit.identifiability.parameters if fit.identifiability else ())
            if v.parameter == name and not v.identifiable and v.cause != "scarce"
        ]
        if not lost:
            continue
        where, found = [id for id, _ in lost], [v for _, v in lost]
        place = _place(where, len(there))
        bounds = sorted(v.bound for v in found if math.isfinite(v.bound))
        if all(v.cause == "unseen" for v in found):
            whose = place.replace(" in ", " of ", 1) if len(where) < len(there) else ""
            yield f"{name}: no measurement{whose} depends on it; the number given is where the search began."
        elif all(v.cause == "zero" for v in found):
            yield f"{name}: its estimate is 0, to which no error is relative{place}."
        elif not bounds:
            yield f"{name}: the data leave it free together with others{place}."
        else:
            best, worst = percent(bounds[0]), percent(bounds[-1])
            spread = best if worst == best else f"{best} to {worst}"
            yield f"{name}: its standard error is at best {spread} of its value{place}{_LIMIT}."


def _open_profiles(there: list[SubjectFit]) -> Iterator[str]:
    """What profiles leave open, whether or not the standard error called it determined."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for fit in there:
        for p in fit.profiles:
            for side, why in (("below", p.open_below), ("above", p.open_above)):
                if why:
                    found.setdefault((p.parameter, side, why), []).append(fit.id)
    for (name, side, why), where in found.items():
        yield f"{name} is not bounded {side}{_place(where, len(there))}: {why}."


def _lost_profiles(fits: tuple[SubjectFit, ...]) -> Iterator[str]:
    """Profiles that could not be followed: a failure of the calculation, no word on the data."""
    for fit in fits:
        where = f"Subject {fit.id}: " if len(fits) > 1 else ""
        for profile in fit.profiles:
            for sentence in profile_lost(profile):
                yield f"{where}{sentence}"


def _followed(there: list[SubjectFit]) -> Iterator[str]:
    """What profiles say of combinations, of the first subjects."""
    for fit in there[:_MOST_TOLD]:
        where = f"Subject {fit.id}: " if len(there) > 1 else ""
        for sentence in combinations_followed(fit.identifiability) if fit.identifiability else ():
            yield f"{where}{sentence}"


def _place(where: list[str], total: int) -> str:
    if total == 1:
        return ""
    if len(where) == total:
        return " in all subjects"
    return f" in {'subject' if len(where) == 1 else 'subjects'} {listed(where)}"


def _beware(content: ReportContent) -> Iterator[str]:
    result = content.result
    for fit in result.fits:
        if fit.outcome == "failed":
            yield f"Subject {fit.id} has no estimate: {_sentence(fit.reason, fit.suggestion)}"
        elif fit.outcome != "converged":
            yield f"The search for subject {fit.id} did not converge: {_sentence(fit.reason, fit.suggestion)}"
    whole = _told_of(result)
    ids = {fit.id for fit in whole}
    for name in _names(result):
        for side in ("lower", "upper"):
            where = [
                r.id for r in result.estimates if r.id in ids and r.parameter == name and r.at_bound == side
            ]
            if where:
                bound = next(p for p in result.parameters if p["name"] == name)
                edge = plain_number(float(str(bound["low" if side == "lower" else "high"])), 4)
                yield (
                    f"{name} ends at the {side} bound of what is allowed, "
                    f"{with_unit(edge, str(bound['unit']))}{_place(where, len(whole))}: "
                    "the best fit that the spec admits lies at the edge."
                )
    yield from _lost_profiles(whole)
    if result.pooled is not None:
        yield (
            "The fit of all subjects together takes them for one: what differs between them counts as "
            "residual error, and its standard errors know nothing of it."
        )
    checks = content.checks
    if checks is None:
        yield "The model was not checked in this run."
    elif not checks.ok:
        yield f"{count(len(checks.violations), 'check')} of the model failed; see the section on checks."


def _sentence(reason: str, suggestion: str) -> str:
    return f"{reason.rstrip('.')}." + (f" What may help: {suggestion.rstrip('.')}." if suggestion else "")
