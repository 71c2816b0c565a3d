"""The options that choose what finds an estimate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import rich_click as click

from pbpkc.jobs.method_names import METHODS

Command = TypeVar("Command", bound=Callable[..., object])


def method_options(command: Command) -> Command:
    """``--method`` and the choices that only some methods read."""
    lines = "; ".join(f"{name}: {line}" for name, line in METHODS.items())
    command = click.option(
        "--population",
        type=click.IntRange(3),
        metavar="N",
        help="cma-es: points of a generation [default: 4 + 3 ln(parameters)].",
    )(command)
    command = click.option(
        "--budget",
        type=click.IntRange(10),
        metavar="N",
        help="cma-es: solves of a search [default: 150 a parameter]; pinn: epochs [default: 1000].",
    )(command)
    command = click.option(
        "--head",
        metavar="NAME",
        help="mi-pinn: galerkin, or least-squares (a physics-informed pseudo-inverse) [default: galerkin].",
    )(command)
    command = click.option(
        "--model",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="mi-pinn: the trained model, from pbpkc meta-train.",
    )(command)
    return click.option(
        "--method",
        metavar="NAME",
        default="least-squares",
        show_default=True,
        help=f"What finds the estimate. {lines}.",
    )(command)
