"""``--profile [NAME]``: an option whose value may be left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTION = "--profile"


class WithProfile(click.RichCommand):
    """A command whose ``--profile`` does not take the spec behind it for a name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Arguments as typed, with an empty name where a spec follows."""
        told = [
            f"{_OPTION}=" if word == _OPTION and k + 1 < len(args) and args[k + 1].endswith(".pbpk") else word
            for k, word in enumerate(args)
        ]
        return super().parse_args(ctx, told)


def profile(command: Command) -> Command:
    """``--profile``: None where it is not there, () without a name, else the names."""
    return click.option(
        _OPTION,
        metavar="[NAME,...]",
        is_flag=False,
        flag_value="",
        multiple=True,
        callback=_names,
        help="Follow the profile likelihood of these parameters, or of all that shape the prediction: "
        "intervals that hold where standard errors do not.",
    )(command)


def _names(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...] | None:
    if not given:
        return None
    names = tuple(dict.fromkeys(name.strip() for text in given for name in text.split(",") if name.strip()))
    # Without a name once is all of them, whatever else was named.
    return () if any(not text.strip() for text in given) else names
