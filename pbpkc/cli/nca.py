"""``pbpkc nca``: non-compartmental figures of observed data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click.core import ParameterSource

from pbpkc.cli.places import demand_apart, in_folder

if TYPE_CHECKING:
    from pbpkc.experiment.nca_file import FilePlan
    from pbpkc.experiment.nca_options import TerminalRule
    from pbpkc.language.units import Unit

_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\[[^\]]*\]|[^\[\]]*)\s*")


@click.command("nca")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--dose", metavar="QUANTITY", help='One dose for every curve, "320 mg" or "4 mg/kg".  [default: each AMT]'
)
@click.option(
    "--amt-unit",
    metavar="UNIT",
    help="Unit of AMT.  [default: mg, or umol or IU as the concentration is counted]",
)
@click.option(
    "--by", metavar="COLUMNS", help="What tells curves apart, the subject first: ID,DVID.  [default: ID]"
)
@click.option(
    "--time", "time_column", metavar="COLUMN", default="TIME", show_default=True, help="Time column."
)
@click.option(
    "--conc", "conc_column", metavar="COLUMN", default="DV", show_default=True, help="Concentration column."
)
@click.option("--time-unit", metavar="UNIT", default="h", show_default=True, help="Unit of time.")
@click.option("--conc-unit", metavar="UNIT", default="mg/L", show_default=True, help="Unit of concentration.")
@click.option(
    "--method",
    type=click.Choice(["linear_up_log_down", "linear"]),
    default="linear_up_log_down",
    show_default=True,
    help="Trapezoid of the areas.",
)
@click.option(
    "--route",
    type=click.Choice(["extravascular", "bolus", "infusion"]),
    help="[default: infusion where the dose has a RATE, otherwise extravascular]",
)
@click.option("--infusion", metavar="QUANTITY", help='Duration of the infusion, "1 h".  [default: AMT/RATE]')
@click.option(
    "--c0",
    type=click.Choice(["back_extrapolate", "first_observed"]),
    default="back_extrapolate",
    show_default=True,
    help="Concentration at time 0 of a bolus.",
)
@click.option(
    "--lambda-z",
    metavar="best|last:N|A:B",
    default="best",
    show_default=True,
    help="Terminal line: by adjusted R2, the last N points, or the times A to B after the dose.",
)
@click.option(
    "--blq",
    type=click.Choice(["zero_before_first_then_drop", "drop", "zero", "half", "positional"]),
    default="zero_before_first_then_drop",
    show_default=True,
    help="What a value below quantification counts as.",
)
@click.option("--lloq", type=float, metavar="X", help="Limit of quantification, in the concentration unit.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="Write here.  [default: the screen]",
)
@click.pass_context
def command(
    context: click.Context,
    file: Path,
    dose: str | None,
    amt_unit: str | None,
    by: str | None,
    time_column: str,
    conc_column: str,
    time_unit: str,
    conc_unit: str,
    method: str,
    route: str | None,
    infusion: str | None,
    c0: str,
    lambda_z: str,
    blq: str,
    lloq: float | None,
    form: str,
    output: Path | None,
) -> None:
    """Non-compartmental figures of observed data.

    FILE is a NONMEM-style CSV: one row a sample, `.` for a missing value; dose rows (EVID, or AMT) set time
    0. Gives Cmax, AUC, half-life, clearance and the like for each curve with their units, and the geometric
    means. Exit status 4 if some curves had to be left out.
    """
    from pbpkc.experiment.csv_table import decode
    from pbpkc.experiment.nca_file import analyse_file
    from pbpkc.experiment.whole_file import write_whole
    from pbpkc.language.diagnostics import SpecError

    demand_apart([output] if output is not None else [], [file])
    plan = _plan(
        dose,
        amt_unit,
        by,
        time_column,
        conc_column,
        time_unit,
        conc_unit,
        method,
        route,
        infusion,
        c0,
        lambda_z,
        blq,
        lloq,
    )
    try:
        table = analyse_file(decode(file.read_bytes(), str(file)), plan)
    except SpecError as error:
        click.echo(str(error), err=True)
        context.exit(1)
    except OSError as error:
        click.echo(f"error: {file} cannot be read: {error.strerror}", err=True)
        context.exit(1)
    result = {"text": table.to_text, "json": table.to_json, "csv": table.to_csv}[form]()
    if output is None:
        click.echo(result, nl=False)
    else:
        try:
            write_whole({output: result})
        except OSError as error:
            click.echo(f"error: {output} cannot be written: {error.strerror}", err=True)
            context.exit(1)
    assumed = [
        f"{column} in {unit} ({option})"
        for name, column, unit, option in (
            ("time_unit", time_column, time_unit, "--time-unit"),
            ("conc_unit", conc_column, conc_unit, "--conc-unit"),
        )
        if context.get_parameter_source(name) == ParameterSource.DEFAULT
    ]
    if assumed:
        # A wrong unit shows in no figure, so what nobody said is said here.
        click.echo(f"note: assumed {' and '.join(assumed)}", err=True)
    if form == "csv":
        for remark in table.remarks:
            click.echo(remark, err=True)
    for problem in table.refused:
        click.echo(problem.render(), err=True)
    if table.refused:
        context.exit(4)


def _plan(
    dose: str | None,
    amt_unit: str | None,
    by: str | None,
    time_column: str,
    conc_column: str,
    time_unit: str,
    conc_unit: str,
    method: str,
    route: str | None,
    infusion: str | None,
    c0: str,
    lambda_z: str,
    blq: str,
    lloq: float | None,
) -> FilePlan:
    from pbpkc.experiment.nca_file import FilePlan
    from pbpkc.experiment.nca_options import NCAOptions
    from pbpkc.experiment.nca_profiles import Columns
    from pbpkc.experiment.nca_units import units
    from pbpkc.language.units import AMOUNT, MASS, TIME, VOLUME, parse_unit

    time, conc = _unit(time_unit, "--time-unit"), _unit(conc_unit, "--conc-unit")
    if time.dimension != TIME:
        raise click.BadParameter(f"{time} is not a unit of time", param_hint="--time-unit")
    counted = (MASS, AMOUNT, parse_unit("IU").dimension)
    if conc.dimension not in tuple(dimension / VOLUME for dimension in counted):
        raise click.BadParameter(
            f"{conc} is not a unit of concentration: a mass, an amount or IU per volume",
            param_hint="--conc-unit",
        )
    if dose is not None and amt_unit is not None:
        raise click.UsageError(
            "--amt-unit is the unit of the file's AMT, which --dose replaces: give one of them"
        )
    amount, dose_unit = _quantity(dose, "--dose") if dose is not None else (None, None)
    if amt_unit is not None:
        dose_unit = _unit(amt_unit, "--amt-unit")
    duration = None
    if infusion is not None:
        number, unit = _quantity(infusion, "--infusion")
        if unit.dimension != TIME:
            raise click.BadParameter(f"{unit} is not a unit of time", param_hint="--infusion")
        duration = number * float(unit.factor / time.factor)
    by_columns = tuple(name.strip() for name in by.split(",") if name.strip()) if by is not None else None
    try:
        units(time.text, conc.text, "L")
        options = NCAOptions(
            auc_method=method,  # type: ignore[arg-type]  # click has checked the choices
            terminal=_terminal(lambda_z),
            blq_rule=blq,  # type: ignore[arg-type]
            c0_rule=c0,  # type: ignore[arg-type]
        )
        return FilePlan(
            Columns(by_columns, time_column, conc_column),
            time,
            conc,
            amount,
            dose_unit,
            route,  # type: ignore[arg-type]
            duration,
            lloq,
            options,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _unit(text: str, option: str) -> Unit:
    from pbpkc.language.units import UnitError, parse_unit

    try:
        return parse_unit(text.strip().removeprefix("[").removesuffix("]"))
    except UnitError as error:
        help = f": {error.help}" if error.help else ""
        raise click.BadParameter(f"{error}{help}", param_hint=option) from None


def _quantity(text: str, option: str) -> tuple[float, Unit]:
    match = _QUANTITY.fullmatch(text)
    if match is None or not match[2].strip():
        raise click.BadParameter(
            f"'{text}' is not a number with a unit, such as \"1.5 h\"", param_hint=option
        )
    unit = _unit(match[2], option)
    if unit.offset or not float(match[1]) > 0:
        raise click.BadParameter(f"'{text}' is not a positive quantity", param_hint=option)
    return float(match[1]), unit


def _terminal(text: str) -> TerminalRule:
    if text == "best":
        return "best_fit"
    first, colon, second = text.partition(":")
    try:
        if first == "last" and colon:
            return int(second)
        if colon:
            return float(first), float(second)
    except ValueError:
        pass
    raise click.BadParameter(
        f"'{text}' is none of best, last:N (such as last:4) and A:B (such as 8:24)", param_hint="--lambda-z"
    )
