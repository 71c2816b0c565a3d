"""Non-compartmental analysis of every curve of a data file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pbpkc.experiment.csv_table import cap, read_table
from pbpkc.experiment.nca import NCAOptions, nca
from pbpkc.experiment.nca_options import Route
from pbpkc.experiment.nca_profiles import Columns, Profile, read_profiles
from pbpkc.experiment.nca_table import NCARow, NCATable
from pbpkc.experiment.nca_units import units
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, raise_if_errors
from pbpkc.language.source import SourceFile
from pbpkc.language.units import AMOUNT, MASS, VOLUME, Unit, parse_unit


@dataclass(frozen=True)
class FilePlan:
    """What a file's columns mean and how its curves are analysed.

    Parameters
    ----------
    columns : Columns
    time, concentration : Unit
        Units of those columns. The figures are in them, with volumes in L.
    dose : float, optional
        One dose for every curve, in `dose_unit`. None: the AMT of each curve's dose row, in `dose_unit`; a
        file without AMT gives no clearance and no volume.
    dose_unit : Unit, optional
        An amount, or an amount per body mass. Required with `dose`; None: mg, or umol or IU where the
        concentration is counted in those.
    route : {"extravascular", "bolus", "infusion"}, optional
        None: an infusion where the dose row has a RATE, otherwise extravascular.
    infusion_duration : float, optional
        In the unit of `time`; makes every dose an infusion. None: AMT/RATE of the dose row.
    lloq : float, optional
        Limit of quantification in the unit of `concentration`.
    options : NCAOptions
        `auc_method`, `terminal`, `min_points`, `blq_rule` and `c0_rule` are used.

    Raises
    ------
    ValueError
        If a number is not positive, a dose has no unit, units do not fit each other, or an infusion's
        duration stands beside another route.
    """

    columns: Columns
    time: Unit
    concentration: Unit
    dose: float | None = None
    dose_unit: Unit | None = None
    route: Route | None = None
    infusion_duration: float | None = None
    lloq: float | None = None
    options: NCAOptions = NCAOptions()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        for name in ("dose", "infusion_duration", "lloq"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value!r}; accepted is a positive number")
        if self.dose is not None and self.dose_unit is None:
            raise ValueError("dose_unit is None; a dose needs its unit")
        if self.infusion_duration is not None and self.route not in (None, "infusion"):
            raise ValueError(f"infusion_duration is given with route {self.route!r}; it fits 'infusion' only")
        if self.dose_unit is not None:
            volume_factor(self.dose_unit, self.concentration)


def volume_factor(dose: Unit, concentration: Unit) -> tuple[float, str]:
    """What one unit of dose is, counted in concentration unit times litre, and the volume that gives.

    Divided by a concentration, a dose in that unit is a volume in L or, for a dose per body mass, in L/kg.

    Raises
    ------
    ValueError
        If the two do not make a volume, as a dose in mg and a concentration in umol/L.
    """
    dimension = dose.dimension / concentration.dimension
    factor = float(dose.factor / concentration.factor)
    if dimension == VOLUME:
        return factor, "L"
    if dimension == VOLUME / MASS:
        return factor, "L/kg"
    raise ValueError(
        f"a dose in {dose} over a concentration in {concentration} is not a volume or a volume per body "
        "mass; give both in mass or both in moles"
    )


def analyse_file(source: SourceFile, plan: FilePlan) -> NCATable:
    """The non-compartmental figures of every curve of a NONMEM-style CSV file.

    Time 0 of a curve is its first dose row, or the file's own 0 where it has none. See `read_profiles` for
    the rows that count.

    Raises
    ------
    SpecError
        With everything that is wrong with the file, or if the analysis applies to none of its curves.
    """
    by, profiles = read_profiles(read_table(source), plan.columns, plan.lloq)
    raise_if_errors(cap([p for profile in profiles for p in _missing_limits(profile, plan)]))
    dose_unit = plan.dose_unit or _default_dose_unit(plan.concentration)
    rows: list[NCARow] = []
    refusals: list[tuple[str, Diagnostic]] = []
    for profile in profiles:
        problem = _refusal(profile, plan)
        if problem:
            refusals.append(("/".join(profile.group), problem))
        else:
            rows.append(_analyse(profile, plan, dose_unit))
    refused = _gather(refusals)
    if not rows:
        raise SpecError(refused)
    _, volume = volume_factor(dose_unit, plan.concentration) if dose_unit else (1.0, "L")
    time, conc = plan.time.text, plan.concentration.text
    return NCATable(
        by,
        tuple(rows),
        units(time, conc, f"{conc}*{volume}"),
        _remarks(profiles, plan, by, dose_unit),
        refused,
    )


def _default_dose_unit(concentration: Unit) -> Unit | None:
    counted = concentration.dimension * VOLUME
    words = {MASS: "mg", AMOUNT: "umol", parse_unit("IU").dimension: "IU"}
    return parse_unit(words[counted]) if counted in words else None


def _missing_limits(profile: Profile, plan: FilePlan) -> list[Diagnostic]:
    rule = plan.options.blq_rule
    quantified = [i for i, sample in enumerate(profile.samples) if not sample.blq]
    after = quantified[-1] + 1 if quantified else len(profile.samples)
    return [
        Diagnostic(
            "data-no-limit",
            f"a value is below quantification and its limit is not known, which the rule '{rule}' needs",
            (Label(sample.cell.span),),
            help="give the limit with --lloq, in a column LLOQ, or as '<0.05'",
        )
        for i, sample in enumerate(profile.samples)
        if sample.blq
        and np.isnan(sample.concentration)
        and (rule == "half" or (rule == "positional" and i == after))
    ]


def _refusal(profile: Profile, plan: FilePlan) -> Diagnostic | None:
    doses, name = profile.doses, "/".join(profile.group) or "of the file"
    for before, after in pairwise(profile.samples):
        if before.time == after.time:
            return Diagnostic(
                "nca-time-twice",
                f"curve {name}: there are two samples at time {after.time_cell.text}",
                (Label(after.time_cell.span), Label(before.time_cell.span, "the sample before")),
                help="name every column that tells curves apart (--by ID,DVID), or leave one value a time",
            )
    repeated = next((dose for dose in doses if dose.repeats), None)
    if repeated:
        return Diagnostic(
            "nca-repeated-dose",
            f"curve {name}: the dose is repeated (SS or ADDL) and the analysis is of one dose",
            (Label(repeated.cell.span),),
        )
    if plan.dose is None and len(doses) > 1:
        return Diagnostic(
            "nca-several-doses",
            f"curve {name}: there are {len(doses)} doses and the analysis is of one dose",
            (Label(doses[1].cell.span, "second dose"), Label(doses[0].cell.span, "first dose")),
            help="name the column that numbers the occasions (--by ID,OCC), or count all as one dose given "
            'at the time of the first (--dose "320 mg")',
        )
    for dose in doses[: 1 if plan.dose is None else 0]:
        if dose.amount is None or dose.amount <= 0:
            return Diagnostic(
                "nca-no-amount",
                f"curve {name}: the dose has no positive amount",
                (Label(dose.cell.span),),
                help='give the dose with --dose "320 mg"',
            )
    if plan.infusion_duration is None and plan.route in (None, "infusion"):
        rate = doses[0].rate if doses else None
        amount = doses[0].amount if doses else None
        if (rate is None and plan.route == "infusion") or (rate and (rate < 0 or not amount or amount <= 0)):
            place = doses[0].cell.span if doses else profile.samples[0].time_cell.span
            return Diagnostic(
                "nca-no-duration",
                f"curve {name}: the duration of the infusion is not known (no AMT with a positive RATE)",
                (Label(place),),
                help='give the duration with --infusion "1 h"',
            )
    return None


def _gather(refusals: list[tuple[str, Diagnostic]]) -> tuple[Diagnostic, ...]:
    # A file of steady-state data has one reason and sixty curves; it is said once.
    reasons: dict[str, list[tuple[str, Diagnostic]]] = {}
    for name, problem in refusals:
        reasons.setdefault(problem.code, []).append((name, problem))
    gathered = []
    for (_, problem), *others in reasons.values():
        if others:
            note = f"the same holds for {len(others)} more: {', '.join(name for name, _ in others)}"
            problem = replace(problem, notes=(*problem.notes, note))
        gathered.append(problem)
    return tuple(gathered)


def _analyse(profile: Profile, plan: FilePlan, dose_unit: Unit | None) -> NCARow:
    first = profile.doses[0] if profile.doses else None
    duration = plan.infusion_duration
    route: Route = plan.route or "extravascular"
    if plan.route in (None, "infusion") and duration is None and first and first.rate and first.amount:
        duration = first.amount / first.rate
    if duration is not None and plan.route in (None, "infusion"):
        route = "infusion"
    options = replace(plan.options, route=route, infusion_duration=duration if route == "infusion" else None)

    dose = plan.dose if plan.dose is not None else (first.amount if first else None)
    scaled = None
    if dose is not None and dose_unit is not None:
        scaled = dose * volume_factor(dose_unit, plan.concentration)[0]
    zero = first.time if first else 0.0
    result = nca(
        [sample.time - zero for sample in profile.samples],
        [sample.concentration for sample in profile.samples],
        dose=scaled,
        blq=[sample.blq for sample in profile.samples],
        options=options,
    )
    extra = []
    if profile.missing:
        extra.append(f"{_counted(profile.missing, 'observation row')} without a value left out")
    if len(profile.doses) > 1:
        extra.append(f"{len(profile.doses)} dose rows counted as one dose at the time of the first")
    text = f"{dose:g} {dose_unit.text}" if dose is not None and dose_unit is not None else None
    return NCARow(profile.group, text, replace(result, notes=(*extra, *result.notes)))


def _remarks(
    profiles: tuple[Profile, ...], plan: FilePlan, by: tuple[str, ...], dose_unit: Unit | None
) -> tuple[str, ...]:
    options, columns = plan.options, plan.columns
    curves = f"{_counted(len(profiles), 'curve')} by {', '.join(by)}" if by else "one curve"
    remarks = [f"{curves}; {columns.time} in {plan.time}, {columns.concentration} in {plan.concentration}"]
    dosed = sum(bool(profile.doses) for profile in profiles)
    if plan.dose is not None and plan.dose_unit is not None:
        remarks.append(f"dose: {plan.dose:g} {plan.dose_unit.text} for every curve")
    elif dosed and dose_unit is not None:
        remarks.append(f"dose: AMT of each curve, in {dose_unit}")
    elif dosed:
        remarks.append(f"dose: not used, since AMT over {plan.concentration} is not a volume")
    else:
        remarks.append("dose: none given and none in the file, so no clearance and no volume")
    if not dosed:
        remarks.append("time 0: as in the file, which has no dose rows")
    elif dosed < len(profiles):
        remarks.append(
            "time 0: the first dose row; as in the file for "
            f"{_counted(len(profiles) - dosed, 'curve')} without one"
        )
    else:
        remarks.append("time 0: the first dose row of each curve")
    infused = any(profile.doses and profile.doses[0].rate for profile in profiles)
    if plan.infusion_duration is not None:
        remarks.append(f"route: infusion over {plan.infusion_duration:g} {plan.time.text}")
    elif plan.route is not None:
        remarks.append(f"route: {plan.route}" + (" over AMT/RATE" if plan.route == "infusion" else ""))
    elif infused:
        remarks.append(
            "route: infusion over AMT/RATE where the dose has a RATE, otherwise extravascular (assumed)"
        )
    else:
        remarks.append("route: extravascular (assumed)")
    limit = f", limit {plan.lloq:g} {plan.concentration.text}" if plan.lloq is not None else ""
    remarks.append(
        f"rules: AUC {options.auc_method}; terminal line {_terminal_text(options, plan.time)}; below "
        f"quantification {options.blq_rule}{limit}"
    )
    return tuple(remarks)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _terminal_text(options: NCAOptions, time: Unit) -> str:
    rule = options.terminal
    if isinstance(rule, tuple):
        return f"{rule[0]:g} to {rule[1]:g} {time.text}"
    return str(rule) if rule == "best_fit" else f"last {rule} points"
