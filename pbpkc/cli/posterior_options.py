"""``--posterior`` and how many draws it makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from pbpkc.infer.posterior_result import PosteriorOptions

Command = TypeVar("Command", bound=Callable[..., object])


def posterior_options(command: Command) -> Command:
    """``--posterior``, ``--draws``, ``--chains``, ``--warmup``."""
    for name, least, what in (
        ("--warmup", 20, "draws of each chain that are thrown away [default: 100]"),
        ("--chains", 2, "chains of one subject [default: 4]"),
        ("--draws", 40, "kept draws of one subject, over all chains [default: 1000]"),
    ):
        command = click.option(name, type=click.IntRange(least), metavar="N", help=f"--posterior: {what}.")(
            command
        )
    return click.option(
        "--posterior",
        is_flag=True,
        help="Draw from the posterior of each subject (likelihood times priors; NUTS, needs "
        "pip install 'pbpkc[bayes]'): intervals and prediction bands.",
    )(command)


def chosen_posterior(
    posterior: bool, draws: int | None, chains: int | None, warmup: int | None
) -> PosteriorOptions | None:
    """What was asked for, None without ``--posterior``.

    Raises
    ------
    click.UsageError
        If there is a number without ``--posterior``.
    """
    from pbpkc.infer.posterior_result import PosteriorOptions

    numbers = {
        name: value
        for name, value in (("draws", draws), ("chains", chains), ("warmup", warmup))
        if value is not None
    }
    if not posterior:
        if numbers:
            raise click.UsageError(f"--{next(iter(numbers))} says how a posterior is drawn; add --posterior")
        return None
    return PosteriorOptions(**numbers)
