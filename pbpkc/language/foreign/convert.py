"""From a file of another tool to the text of a spec, with what was assumed and what is doubtful."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pbpkc.language.diagnostics import Diagnostic, SpecError, in_reading_order
from pbpkc.language.foreign import mrgsolve_blocks, rxode2_text
from pbpkc.language.foreign.arrows import recover
from pbpkc.language.foreign.equal import demand_equal
from pbpkc.language.foreign.faults import examine
from pbpkc.language.foreign.model import OdeModel, Tool
from pbpkc.language.foreign.mrgsolve import read_mrgsolve
from pbpkc.language.foreign.other_tools import not_read
from pbpkc.language.foreign.program import follow
from pbpkc.language.foreign.rxode2 import read_rxode2
from pbpkc.language.foreign.write import write_spec
from pbpkc.language.source import SourceFile

#: Larger texts are refused: no model written by a person comes near it.
MOST_CHARACTERS = 400_000

TOOLS: tuple[Tool, ...] = ("mrgsolve", "rxode2")


@dataclass(frozen=True)
class Imported:
    """A model of another tool as a spec.

    Parameters
    ----------
    text : str
        The spec; it compiles.
    tool : str
        Whose text was read.
    assumptions : tuple of Diagnostic
        What the spec says that the source does not, or leaves out, each with its place in the source (notes).
    findings : tuple of Diagnostic
        What is wrong or doubtful in the source (warnings), and what enters or leaves the model (notes).
    model : OdeModel
    """

    text: str
    tool: Tool
    assumptions: tuple[Diagnostic, ...]
    findings: tuple[Diagnostic, ...]
    model: OdeModel


def import_model(
    file: SourceFile,
    tool: Tool | None = None,
    *,
    stem: str = "imported",
    look: Callable[[OdeModel], Iterable[Diagnostic]] = lambda model: (),
) -> Imported:
    """The spec of a model written for another tool.

    Parameters
    ----------
    file : SourceFile
        Never executed.
    tool : {"mrgsolve", "rxode2"}, optional
        Told by the text if left out.
    stem : str
        Name of the model in the spec.
    look : callable, optional
        Finds more in the model than its equations and annotations tell.

    Raises
    ------
    SpecError
        Where the text is no system of differential equations, with every place and what to do.
    """
    if len(file.text) > MOST_CHARACTERS:
        raise SpecError(
            [
                Diagnostic(
                    "too-long",
                    f"'{file.name}' has more than {MOST_CHARACTERS:,} characters",
                    help="a model is far shorter; check that this file is one",
                )
            ]
        )
    try:
        return _convert(file, tool or tell_tool(file), stem, look)
    except RecursionError as error:
        raise SpecError(
            [
                Diagnostic(
                    "too-nested",
                    f"the expressions of '{file.name}' are nested too deeply, or too long",
                    help="give parts of them names of their own",
                )
            ]
        ) from error


def _convert(
    file: SourceFile, tool: Tool, stem: str, look: Callable[[OdeModel], Iterable[Diagnostic]]
) -> Imported:
    reading = read_mrgsolve(file) if tool == "mrgsolve" else read_rxode2(file)
    model = follow(reading)
    arrows, expander = recover(model)
    demand_equal(model, arrows)
    findings = in_reading_order([*examine(model, arrows, expander), *look(model)])
    text, renamed = write_spec(model, arrows, findings, stem)
    _demand_compiles(text, file)
    assumptions = in_reading_order([*model.assumptions, *renamed])
    return Imported(text, tool, tuple(assumptions), tuple(findings), model)


def _demand_compiles(text: str, file: SourceFile) -> None:
    """Refuse a model whose spec the language refuses: a value without meaning, a size beyond its limits."""
    from pbpkc.language.resolve import resolve
    from pbpkc.language.syntax.parse import parse

    spec = SourceFile(f"{file.name} as a spec", text)
    try:
        resolve(parse(spec))
    except SpecError as error:
        raise SpecError(
            [
                Diagnostic(
                    "no-spec",
                    f"the spec of '{file.name}' would be refused: {error.diagnostics[0].message}",
                    error.diagnostics[0].labels,
                    help="correct what it comes from in the source",
                )
            ]
        ) from error


def tell_tool(file: SourceFile) -> Tool:
    """Which tool a text was written for.

    Raises
    ------
    SpecError
        Where it has the marks of none.
    """
    if not file.text.strip():
        raise SpecError([Diagnostic("no-model", f"'{file.name}' is empty", help="name a file with a model")])
    unread = not_read(file)
    if unread is not None:
        raise SpecError([unread])
    if mrgsolve_blocks.looks_like(file.text):
        return "mrgsolve"
    if rxode2_text.looks_like(file.text):
        return "rxode2"
    raise SpecError(
        [
            Diagnostic(
                "no-model",
                f"'{file.name}' is a model of none of the tools whose text is read",
                notes=(
                    "mrgsolve models have blocks like $CMT and $ODE, rxode2 models lines like d/dt(x) = ...",
                ),
                help="say --from mrgsolve or --from rxode2 to read why",
            )
        ]
    )
