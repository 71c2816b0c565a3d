"""How many single faults in the shipped specs `pbpkc check` finds, and what is said of those it does not."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pbpkc.check.report import CheckReport
from pbpkc.jobs.check import check
from pbpkc.jobs.loaded import load
from pbpkc.jobs.remarks import remarks
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.language.resolve import resolve
from pbpkc.language.syntax.parse import parse, read_source
from pbpkc.resources import resource
from pbpkc.scale.processes import Processes
from pbpkc.studies.mutations import Mutation, mutations

#: Faults of each kind in each file, in the full study and in the short one.
AT_MOST, AT_MOST_SHORT = 3, 1

#: What looks at generated code alone: it follows the text, so a fault of the text is none of its own.
_LEFT_OUT = ("code", "residual", "unknown", "identifiable")

#: Proofs that a spec may demand.
_PROOFS = frozenset({"mass", "positive", "volume"})

#: A body that many specs use is tried under the spec with most expectations.
_BODIES = {"human_adult.pbpk": "paracetamol_oral.pbpk"}


@dataclass(frozen=True)
class Verdict:
    """What became of one fault.

    Parameters
    ----------
    spec, kind, breaks, what : str
        Of the fault; see `Mutation`. `spec` is the file it is in.
    line : int
    found_by : str
        Code of the first problem, or the group of the first check that failed or warned where the spec
        without the fault does not; empty where nothing did.
    says : str
        What was said: the message, or of a fault that was not found why none could be.
    """

    spec: str
    kind: str
    breaks: str
    what: str
    line: int
    found_by: str
    says: str

    @property
    def found(self) -> bool:
        """Whether anything pointed at the fault."""
        return bool(self.found_by)


@dataclass(frozen=True)
class MutationStudy:
    """All faults, and what is said of the specs without any.

    Parameters
    ----------
    verdicts : tuple of Verdict
    alarms : tuple of (str, str)
        Files, and what was said of them though they have no fault.
    specs : tuple of str
    """

    verdicts: tuple[Verdict, ...]
    alarms: tuple[tuple[str, str], ...]
    specs: tuple[str, ...]

    @property
    def certain(self) -> tuple[Verdict, ...]:
        """Faults that break a dimension, the mass or the flow: all of them have to be found."""
        return tuple(v for v in self.verdicts if v.breaks != "value")

    @property
    def holds(self) -> bool:
        """Whether all of those were found, and no alarm was false."""
        return all(v.found for v in self.certain) and not self.alarms


@dataclass(frozen=True)
class _Case:
    """One file to make faults in: which spec is then checked."""

    file: str  # beside the others in the folder
    main: str


@dataclass(frozen=True)
class _Task:
    case: _Case
    mutation: Mutation = field(repr=False)


def mutation_study(
    short: bool = False,
    workers: int = 1,
    progress: Callable[[float, float, str], None] | None = None,
    files: Sequence[str] = (),
) -> MutationStudy:
    """Make faults in every shipped spec, and check each.

    Parameters
    ----------
    short : bool
        One fault of each kind and file.
    files : sequence of str
        Names of the files to make faults in, all if empty.
    workers : int
    progress : callable, optional
        Told (done, total, word).
    """
    with tempfile.TemporaryDirectory(prefix="pbpkc-mutations-") as folder:
        cases = [case for case in _cases(Path(folder)) if not files or case.file in files]
        tasks: list[_Task] = []
        alarms: list[tuple[str, str]] = []
        for case in cases:
            path = Path(folder) / case.file
            model = resolve(parse(read_source(Path(folder) / case.main)))
            tree = parse(read_source(path))
            tasks += [_Task(case, m) for m in mutations(tree, model, AT_MOST_SHORT if short else AT_MOST)]
            if case.file == case.main:
                alarms += [(case.file, text) for text in _baseline(folder, case.main).alarms]
        found: dict[int, Verdict] = {}
        for index, verdict in Processes(workers).each_done(_judge, [(folder, task) for task in tasks]):
            found[index] = verdict
            if progress is not None:
                progress(len(found), len(tasks), tasks[index].case.file)
    return MutationStudy(
        tuple(found[i] for i in range(len(tasks))), tuple(alarms), tuple(case.file for case in cases)
    )


def _cases(folder: Path) -> list[_Case]:
    """The shipped specs in a folder of their own, bodies beside them so that they can be changed."""
    specs = sorted(resource("specs").glob("*.pbpk"))
    for path in specs:
        text = path.read_text(encoding="utf-8")
        for body in _BODIES:
            text = text.replace(f'"library/{body}"', f'"{body}"')
        (folder / path.name).write_text(text, encoding="utf-8")
    for body in _BODIES:
        shutil.copy(resource("specs", "library", body), folder / body)
    return [_Case(path.name, path.name) for path in specs] + [_Case(b, main) for b, main in _BODIES.items()]


@dataclass(frozen=True)
class _Seen:
    """What a check said of a spec, reduced to what can be compared."""

    warnings: frozenset[str]
    items: frozenset[tuple[str, str, str]]
    values: dict[str, float]
    alarms: tuple[str, ...]


@lru_cache(maxsize=64)
def _baseline(folder: str, main: str) -> _Seen:
    loaded = load(Path(folder) / main)
    report = check(loaded, torch=False, leave_out=_LEFT_OUT)
    # A proof that the spec does not demand is a remark: httk's kidney does excrete what it does not hold.
    undemanded = _PROOFS - set(loaded.model.demands)
    said = [d.message for d in remarks(loaded.model)] + [
        f"{i.group}: {i.text}"
        for i in (*report.violations, *report.warnings)
        if i.status == "violated" or i.group not in undemanded
    ]
    return _Seen(
        frozenset(d.message for d in remarks(loaded.model)), _bad(report), _values(report), tuple(said)
    )


def _bad(report: CheckReport) -> frozenset[tuple[str, str, str]]:
    return frozenset((i.group, i.name, i.status) for i in report.items if i.status in ("violated", "warning"))


def _values(report: CheckReport) -> dict[str, float]:
    """Values of the expectations, by the text in front of the value."""
    return {
        i.text.split(" = ")[0]: i.value
        for i in report.items
        if i.group == "expectation" and i.value is not None
    }


def _judge(what: tuple[str, _Task]) -> Verdict:
    folder, task = what
    m, case = task.mutation, task.case

    def verdict(found_by: str, says: str) -> Verdict:
        return Verdict(case.file, m.kind, m.breaks, m.what, m.line, found_by, says)

    before = _baseline(folder, case.main)
    with tempfile.TemporaryDirectory(prefix="pbpkc-mutant-") as own:
        for path in Path(folder).glob("*.pbpk"):
            shutil.copy(path, Path(own) / path.name)
        (Path(own) / case.file).write_text(m.applied(), encoding="utf-8")
        try:
            loaded = load(Path(own) / case.main)
            report = check(loaded, torch=False, leave_out=_LEFT_OUT)
        except SpecError as error:
            first: Diagnostic = error.diagnostics[0]
            return verdict(first.code, first.message)
    for item in report.violations:
        if (item.group, item.name, item.status) not in before.items:
            return verdict(item.group, item.text)
    for warning in remarks(loaded.model):
        if warning.message not in before.warnings:
            return verdict(warning.code, warning.message)
    for item in report.warnings:
        if (item.group, item.name, item.status) not in before.items:
            return verdict(item.group, item.text)
    return verdict("", _why_not(before.values, _values(report)))


def _why_not(before: dict[str, float], after: dict[str, float]) -> str:
    """Why a fault that keeps every balance and unit was not found: what the expectations saw of it."""
    if not before:
        return "every balance and unit holds, and the spec has no expectation"
    moved = {name: abs(after.get(name, value) / value - 1.0) for name, value in before.items() if value}
    most = max(moved, key=lambda name: moved[name])
    if moved[most] < 1e-9:
        return "every balance and unit holds, and no expectation depends on it"
    return (
        f"every balance and unit holds; of the expectations {most} moves most, by "
        f"{100.0 * moved[most]:.2g} %, and stays within its bounds"
    )


def tabulated(study: MutationStudy) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Head and rows of the table: faults and how many were found, by kind and by what they break."""
    rows: list[Sequence[str]] = []
    for kind in dict.fromkeys(v.kind for v in study.verdicts):
        for breaks in ("dimension", "mass", "flow", "value"):
            some = [v for v in study.verdicts if v.kind == kind and v.breaks == breaks]
            if some:
                ways: dict[str, int] = {}
                for v in some:
                    if v.found:
                        ways[v.found_by] = ways.get(v.found_by, 0) + 1
                by = ", ".join(f"{way} {count}" for way, count in sorted(ways.items(), key=lambda w: -w[1]))
                rows.append((kind, breaks, str(len(some)), str(sum(v.found for v in some)), by))
    return ("fault", "breaks", "made", "found", "by"), rows


def as_csv(study: MutationStudy) -> str:
    """Every fault as a row of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["spec", "line", "kind", "breaks", "fault", "found_by", "says"])
    for v in study.verdicts:
        writer.writerow([v.spec, v.line, v.kind, v.breaks, v.what, v.found_by, v.says])
    return text.getvalue()
