"""What `pbpkc discover` writes: a page, a picture, the numbers, and lines for the spec."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pbpkc.compiler.missing.written import SPREAD
from pbpkc.experiment.whole_file import write_whole
from pbpkc.jobs.discover import WITHIN, Discovery
from pbpkc.jobs.discover_form import Tried
from pbpkc.language.model import Model
from pbpkc.report.discover_page import FormRow, render_discovery
from pbpkc.report.plot_style import picture
from pbpkc.report.term_curves import SIZE, FormulaCurve, curve_table, in_unit, term_figure
from pbpkc.solve.output import versions

#: What -o writes; NAME is the term's.
FILES = ("discover.json", "forms.pbpk", "discover.html", "discover.svg", "unknown_NAME.csv")


def document(found: Discovery) -> Mapping[str, Any]:
    """Everything found, as plain data."""
    best = found.best
    kept = {t.title for t in found.kept}
    weights = _weights(found)
    return {
        "format": 1,
        "term": found.unknown.name,
        "within": WITHIN,
        "criterion": "BIC = sum over subjects of -2 log L + k ln n; L the likelihood of the data alone, "
        "n scored observations, k estimated parameters",
        "provenance": {k: v for k, v in found.learned.result.provenance.items() if k != "learn"},
        "versions": versions(),
        "forms": [
            {
                "title": t.title,
                "text": t.text,
                "in_set": t.title in kept,
                "k": t.k,
                "n": t.n,
                "objective": _finite(t.objective),
                "bic": _finite(t.bic),
                "above_best": _finite(t.bic - best),
                "weight": weights.get(t.title, 0.0),
                "reason": t.reason,
                "note": t.note,
                "estimates": [asdict(row) for row in t.estimates],
                "lines": t.lines,
            }
            for t in found.tried
        ],
        "not_tried": [asdict(u) for u in found.untried],
        "curve": [
            {
                "id": c.id,
                "argument": c.argument,
                "visited": [float(in_unit(x, _unit(found, c.argument))) for x in _ends(c)],
            }
            for c in found.curves
        ],
        "average": _average(found),
    }


def text(found: Discovery) -> str:
    """The set and what was left out, for a terminal."""
    best = found.best
    lines = [verdict(found), ""]
    weights = _weights(found)
    rows = [["form", "k", "-2 log L", "BIC", "above best", "weight", "remark"]]
    for t in found.tried:
        above = f"{t.bic - best:.2f}" if math.isfinite(t.bic) else ""
        rows.append(
            [f"{'*' if t in found.kept else ' '} {t.title}", str(t.k), _number(t.objective),
             _number(t.bic), above, _weight(weights, t.title), t.reason or t.note]
        )  # fmt: skip
    rows += [[f"  {u.title}", "", "", "", "", "", f"not tried: {u.reason}"] for u in found.untried]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:-1], widths[1:], strict=True)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    if found.kept:
        lines += ["", "weight: exp(-BIC / 2) over the sum of all; the mean curve of all forms is weighted so"]
    for t in found.kept:
        lines += ["", f"# {t.title}, BIC {t.bic:.2f}", t.lines]
    return "\n".join(lines) + "\n"


def verdict(found: Discovery) -> str:
    """What the data say of the forms, in a sentence."""
    kept = found.kept
    if not kept:
        return f"No form of {found.unknown.name} could be fitted within its declaration."
    n = kept[0].n
    if len(kept) == 1:
        return f"The data ({n} observations) leave one of the forms of {found.unknown.name}: {kept[0].title}."
    names = ", ".join(t.title for t in kept)
    return (
        f"The data ({n} observations) leave {len(kept)} forms of {found.unknown.name} within {WITHIN:g} BIC "
        f"units: {names}."
    )


def pasted_text(found: Discovery) -> str:
    """The set as lines for the spec, the best first, the others commented out."""
    parts = [
        f"# In place of the declaration of '{found.unknown.name}'; its calls stay as they are.\n"
        "# Each prior's median is the estimate, where a search then begins, and it is wide (a factor of "
        f"{math.exp(SPREAD):.1f}).\n# With --map or --posterior on the same data these would count twice: "
        "give priors of your own there."
    ]
    for k, t in enumerate(found.kept):
        head = f"# {t.title}: BIC {t.bic:.2f}, {t.bic - found.best:.2f} above the best"
        body = t.lines if k == 0 else "\n".join(f"# {line}" for line in t.lines.split("\n"))
        parts.append(f"{head}\n{body}")
    return "\n\n".join(parts) + "\n"


def write_discovery(folder: Path, model: Model, found: Discovery, command: str = "") -> list[Path]:
    """Write what was found into a folder, whole or not at all.

    Returns
    -------
    list of Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = found.unknown.name
    files: dict[Path, str | bytes] = {
        folder / "forms.pbpk": pasted_text(found),
        folder / f"unknown_{name}.csv": curve_table(found.unknown, found.curves),
    }
    formulas = [FormulaCurve(t.title, t.at, t.value) for t in found.kept]
    mean = found.average
    if mean is not None and len(mean.weights) > 1:
        formulas.append(FormulaCurve("mean of all, by weight", mean.at, mean.value))
    along = [c for c in found.curves if c.argument == found.unknown.arguments[0].name]
    if along:
        drawn = term_figure(found.unknown, along[0], formulas, whole=False)
        files[folder / "discover.svg"] = picture(drawn, SIZE, "svg", "discover")
    weights = _weights(found)
    rows = [_row(found, t, weights) for t in found.tried]
    rows += [
        FormRow(u.title, u.text, "", "", "", "", "", f"not tried: {u.reason}", "", "", ())
        for u in found.untried
    ]
    files[folder / "discover.html"] = render_discovery(
        title=model.title or model.name,
        unknown=found.unknown,
        data=str(found.learned.dataset.path),
        verdict=verdict(found),
        curves=along[:1],
        formulas=formulas,
        kept=[_row(found, t, weights) for t in found.kept],
        rows=rows,
        command=command,
    )
    files[folder / "discover.json"] = json.dumps(document(found), indent=1, ensure_ascii=False) + "\n"
    write_whole(files)
    return list(files)


def _row(found: Discovery, t: Tried, weights: Mapping[str, float]) -> FormRow:
    above = t.bic - found.best
    difference = (
        ""
        if not math.isfinite(above)
        else "the smallest BIC"
        if above == 0.0
        else f"{above:.2f} above the best"
    )
    return FormRow(
        t.title,
        t.text,
        str(t.k or ""),
        _number(t.objective),
        _number(t.bic),
        difference,
        _weight(weights, t.title),
        t.reason or t.note,
        t.note,
        t.lines,
        tuple(r for r in t.estimates if r.parameter in t.coefficients),
    )


def _weights(found: Discovery) -> Mapping[str, float]:
    return dict(found.average.weights) if found.average is not None else {}


def _weight(weights: Mapping[str, float], title: str) -> str:
    return f"{weights[title]:.3f}" if title in weights else ""


def _average(found: Discovery) -> Mapping[str, Any] | None:
    """The mean over forms, each number in the unit of its declaration."""
    mean, unknown = found.average, found.unknown
    if mean is None:
        return None
    first = unknown.arguments[0]
    return {
        "argument": first.name,
        "argument_unit": first.unit.text,
        "unit": unknown.unit.text,
        "at": in_unit(mean.at, first.unit).tolist(),
        **{k: in_unit(getattr(mean, k), unknown.unit).tolist() for k in ("value", "low", "high")},
    }


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else ""


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _unit(found: Discovery, argument: str) -> Any:
    return next(a.unit for a in found.unknown.arguments if a.name == argument)


def _ends(curve: Any) -> tuple[float, float]:
    inside = curve.at[curve.visited]
    return float(inside.min()), float(inside.max())
