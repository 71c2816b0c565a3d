"""Options that several commands share, and how results are shown."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import rich_click as click
from click.exceptions import Exit

if TYPE_CHECKING:
    from pbpkc.language.diagnostics import Diagnostic

Command = TypeVar("Command", bound=Callable[..., Any])

SPEC = click.Path(dir_okay=True)


def problems_as_json(command: Command) -> Command:
    """With ``--format json``, what is wrong with a spec or a data file is a document on standard output."""

    @wraps(command)
    def told(*args: Any, **options: Any) -> Any:
        from pbpkc.language.diagnostics import SpecError
        from pbpkc.language.options.option_text import OptionError

        try:
            return command(*args, **options)
        except SpecError as error:
            if options["format_"] != "json":
                raise
            print_json({"ok": False, "problems": [d.to_json() for d in error.diagnostics]})
            raise Exit(2 if isinstance(error, OptionError) else 1) from None

    return cast(Command, told)


def as_format(command: Command) -> Command:
    """``--format text`` or ``json``."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How results are printed.",
    )(problems_as_json(command))


def settings(command: Command) -> Command:
    """``--set``, ``--unknown`` and ``--learn``."""
    command = click.option(
        "--learn",
        multiple=True,
        metavar="NAME[=FORM]",
        help="Give an unknown term a form whose coefficients are masked parameters: basis (a curve of 8 "
        "coefficients) or network (10 weights); both keep range, anchors and direction. Repeatable.",
    )(command)
    command = click.option(
        "--unknown",
        multiple=True,
        metavar="NAME=EXPR",
        help='Form of an unknown term, e.g. "paps = exp(-c / 300 [umol/L])".',
    )(command)
    return click.option(
        "--set",
        "set_",
        multiple=True,
        metavar="NAME=VALUE",
        help='Hold a parameter, e.g. "ka = 1.5 [1/h]". Repeatable.',
    )(command)


def solver(rtol: float, kernels: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """``--solver --rtol --atol --max-steps``, with this relative tolerance if none is said.

    Where there are `kernels`, ``auto`` chooses among them and the reference.
    """
    methods = ["reference", "lsoda", "bdf", "radau"]
    text = "reference (LSODA), lsoda, bdf, radau: SciPy's integrators."
    if kernels:
        methods = ["auto", *kernels, *methods]
        text = f"auto: a compiled kernel where it repays compiling; {', '.join(kernels)}: in any case; {text}"
    options = (
        click.option(
            "--solver",
            type=click.Choice(methods),
            default=methods[0],
            show_default=True,
            help=text,
        ),
        click.option(
            "--rtol", type=float, default=rtol, show_default=True, help="Relative tolerance of the solver."
        ),
        click.option(
            "--atol",
            type=float,
            help="Absolute tolerance, in each state's unit [default: from the smallest dose].",
        ),
        click.option(
            "--max-steps",
            type=click.IntRange(1),
            default=20_000,
            show_default=True,
            help="Steps of the solver from one sample to the next.",
        ),
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def command_line() -> str:
    """What was called, as it can be typed again."""
    return "pbpkc " + shlex.join(sys.argv[1:])


def counted(count: int, noun: str) -> str:
    """``1 arrow``, ``2 arrows``."""
    return f"{count} {noun}" + "s" * (count != 1)


def warn(diagnostics: Iterable[Diagnostic]) -> None:
    """Print warnings and notes to standard error."""
    for diagnostic in diagnostics:
        click.echo(diagnostic.render() + "\n", err=True)


def print_json(data: Mapping[str, Any]) -> None:
    """Print plain data as JSON; numbers that are not finite become null."""
    click.echo(json.dumps(plain(data), indent=2, ensure_ascii=False))


def plain(data: Any) -> Any:
    """Data that JSON can hold."""
    if isinstance(data, Mapping):
        return {str(k): plain(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [plain(v) for v in data]
    if isinstance(data, float) and (data != data or data in (float("inf"), float("-inf"))):
        return None
    if hasattr(data, "tolist"):  # numpy's numbers and arrays
        return plain(data.tolist())
    return data
