"""``pbpkc explain``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from pbpkc.cli.options import SPEC, as_format, print_json, warn

if TYPE_CHECKING:
    from pbpkc.jobs.explain import StateReason
    from pbpkc.report.explanation import Explanation

_WIDTH = 110

#: Names that a list shows before it says how many more there are.
_MOST_NAMES = 24


@click.command("explain")
@click.argument("spec", type=SPEC, metavar="SPEC | CODE")
@click.argument("name", required=False)
@as_format
@click.pass_context
def command(ctx: click.Context, spec: str, name: str | None, format_: str) -> None:
    r"""Say what a name of a spec is, why its states exist, or what a diagnostic code means.

    \b
    pbpkc explain SPEC NAME     value, unit, source and equation, what it depends on and what depends on it
    pbpkc explain SPEC states   every state with the reason it exists
    pbpkc explain CODE          what a code such as unit-mismatch means, with a bad and a good example

    A name is anything that is declared, and paths: APAP.kp.liver, liver.volume, liver.outflow, liver.APAP.
    The species may be left out where there is one (gut.A, vein.Cp); po.Cp is observable Cp of scenario po.
    """
    if name is None:
        _explain_code(spec, format_)
        return
    from pbpkc.jobs.explain import STATES, explain, states
    from pbpkc.jobs.loaded import load
    from pbpkc.report.explanation import UnknownName

    if name == STATES:
        model = load(spec).model
        found = states(model)
        if format_ == "json":
            print_json({"model": model.name, "states": [vars(s) for s in found]})
        else:
            warn(model.warnings)
            click.echo("\n".join(_states(found)))
        return
    try:
        told = explain(spec, name)
    except UnknownName as error:
        raise click.UsageError(str(error), ctx) from None
    if format_ == "json":
        print_json({"name": name, "meanings": [one.to_json() for one in told]})
        return
    click.echo("\n\n".join("\n".join(_explained(one)) for one in told))


def _states(found: tuple[StateReason, ...]) -> Iterator[str]:
    width = max((len(s.name) for s in found), default=0)
    for state in found:
        note = "  (sink)" if state.sink else ""
        yield f"{state.name:{width}}  [{state.unit}]  {state.reason}{note}"
    yield f"\n{len(found)} states"


def _explained(one: Explanation) -> Iterator[str]:
    place = f"  {one.file}:{one.line}" if one.file else ""
    doc = f' "{one.doc}"' if one.doc else ""
    yield click.style(one.name, bold=True) + f", {one.kind}{doc}{place}"
    rows = list(one.facts)
    rows += [(label, _listed(names)) for label, names in _dependence(one) if names]
    width = min(28, max((len(label) for label, _ in rows), default=0))
    for label, text in rows:
        lead = f"  {label:{width}}  "
        yield textwrap.fill(
            text,
            _WIDTH,
            initial_indent=lead,
            subsequent_indent=" " * (width + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )


def _dependence(one: Explanation) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "depends on", one.reads
    yield "read by", one.read_by
    yield "reaches", tuple(f"observable {name}" for name in one.reaches)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _explain_code(code: str, format_: str) -> None:
    from dataclasses import asdict

    from pbpkc.language.diagnostics import similar
    from pbpkc.language.explanations import code_explanations

    known = code_explanations()
    if code not in known:
        if code.endswith(".pbpk") or Path(code).is_file():
            raise click.UsageError(
                f"say which name of the spec is meant: pbpkc explain {code} NAME; "
                f"`pbpkc explain {code} states` lists its states"
            )
        near = similar(code, known)
        hint = (
            f"a code with a similar name exists: '{near}'" if near else "codes stand in brackets: error[CODE]"
        )
        raise click.UsageError(
            f"'{code}' is no diagnostic code; {hint}. For a name of a spec write explain SPEC NAME"
        )
    entry = known[code]
    if format_ == "json":
        print_json(asdict(entry))
        return
    click.echo(click.style(code, bold=True) + "\n\n" + textwrap.fill(entry.means, _WIDTH))
    if entry.bad is None or entry.good is None:
        click.echo(f"\nno example: {entry.why}")
        return
    where = _WHERE[entry.kind]
    if entry.kind == "spec" and entry.base:
        where = " (added to a spec; --format json prints it whole)"
    for word, example in (("bad", entry.bad), ("good", entry.good)):
        click.echo(f"\n{word}{where}\n" + textwrap.indent(example.shown, "    "))


_WHERE = {"spec": "", "data": " (of a data block, or rows of its file)", "import": " (mrgsolve)", "run": ""}
