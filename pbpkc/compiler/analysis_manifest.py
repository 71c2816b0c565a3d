"""What analysis found, as the plain data that stands in the manifest of a generated module."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pbpkc.compiler.analysed import AnalysedSystem
from pbpkc.compiler.conservation import ConservedTotal
from pbpkc.compiler.dependencies import Reads
from pbpkc.compiler.notation import notation


def analysis_to_manifest(analysed: AnalysedSystem) -> dict[str, Any]:
    """The findings as data that JSON can hold, the same in every run.

    Returns
    -------
    dict
        ``linear``: ``states`` and ``rates`` (indices of those that are linear with coefficients constant in
        time), ``nonlinear_rates``, ``time_invariant``, ``reason``, and the linear part as text, ``A`` with
        ``rows``, ``cols``, ``values`` and ``b`` with ``rows``, ``values``.
        ``conserved``: totals with ``name`` (the sum as text), ``species`` (or None) and ``weights`` by state
        name. ``open_arrows``, ``symbolic_yields``: names of rates that the totals do not count.
        ``signs``: one of ``+ - 0 ?`` for each entry of ``jacobian``. ``time_scales_h``: hours, slowest first.
        ``depends``: what ``equations``, ``rates`` and ``observables`` read, and the ``influence`` of
        parameters on each observable.
    """
    system, linear, conservation = analysed.system, analysed.linear, analysed.conservation
    write = notation(system).text
    nonlinear = [r for r in range(len(system.rates)) if r not in linear.rates]
    totals = [*conservation.basis, *(t for t in conservation.by_species.values() if t is not None)]
    return {
        "linear": {
            "states": list(linear.states),
            "rates": list(linear.rates),
            "nonlinear_rates": nonlinear,
            "time_invariant": analysed.linear_time_invariant,
            "reason": analysed.reason,
            "A": {
                "rows": [i for i, _ in linear.A],
                "cols": [j for _, j in linear.A],
                "values": [write(e) for e in linear.A.values()],
            },
            "b": {"rows": list(linear.b), "values": [write(e) for e in linear.b.values()]},
        },
        "conserved": [_total(analysed, total) for total in totals],
        "open_arrows": [system.rates[r].name for r in conservation.open_arrows],
        "symbolic_yields": [system.rates[r].name for r in conservation.symbolic_yields],
        "signs": "".join(analysed.signs[key] for key in analysed.sparsity),
        "time_scales_h": list(analysed.time_scales.hours),
        "depends": {
            "equations": _reads(analysed.depends.equations),
            "rates": _reads(analysed.depends.rates),
            "observables": _reads(analysed.depends.observables),
            "influence": {name: list(seen) for name, seen in analysed.depends.influence.items()},
        },
    }


def _total(analysed: AnalysedSystem, total: ConservedTotal) -> dict[str, Any]:
    states = analysed.system.states
    return {
        "name": total.text(analysed.system),
        "species": total.species,
        "weights": {states[i].name: _plain(w) for i, w in total.weights},
    }


def _plain(weight: Fraction) -> int | float:
    return weight.numerator if weight.denominator == 1 else float(weight)


def _reads(by_name: Mapping[str, Reads]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "parameters": list(reads.parameters),
            "states": list(reads.states),
            "inputs": list(reads.inputs),
            "unknowns": list(reads.unknowns),
            "time": reads.time,
        }
        for name, reads in by_name.items()
    }
