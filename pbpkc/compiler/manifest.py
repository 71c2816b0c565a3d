"""The manifest: what a program needs to know of a generated module without reading its code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import sympy as sp

from pbpkc.compiler.differentiate import Derivatives
from pbpkc.compiler.fingerprint import fingerprint
from pbpkc.compiler.module import MANIFEST_FORMAT, TEMPLATE_VERSION
from pbpkc.compiler.steep import steep_powers
from pbpkc.compiler.system import Input, Parameter, System, UnknownTerm
from pbpkc.language.model import Mask


def manifest(system: System, derivatives: Derivatives, analysis: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a `System`: plain data, in the order of the generated code.

    Parameters
    ----------
    system : System
        The simplified one.
    derivatives : Derivatives
        Of the same `System`.
    analysis : mapping
        What analysis found, as plain data; its keys join those below.

    Returns
    -------
    dict
        ``format``, ``model``, ``title``, ``fingerprint``, ``versions``, ``template_version``,
        ``states``, ``parameters``, ``inputs``, ``observables``, ``unknowns``, ``rates``, ``constants``;
        ``d_constants``, ``jacobian``, ``d_rhs_dp``, ``d_rhs_du``, ``d_observe_dy``, ``d_observe_dp``,
        ``d_observe_du``, ``d_noise_dp``, ``d_initial_dp``, each with ``rows`` and ``cols`` of its
        structurally non-zero entries, row-major. A held input has its ``parameter`` (the position in p of
        its value at the beginning), ``hold`` and ``bounds``.
        ``steep``, where there are some: powers of states whose exponents may be below 1, with ``rate``,
        ``state`` and ``exponent`` (a parameter's name or a number).
    """
    steep = steep_powers(system, derivatives)
    return {
        "format": MANIFEST_FORMAT,
        "model": system.name,
        "title": system.title,
        "fingerprint": fingerprint(system),
        "versions": versions(),
        "template_version": TEMPLATE_VERSION,
        "time_unit": system.time_unit.text,
        "states": [
            {
                "name": s.name,
                "unit": s.unit.text,
                "sink": s.sink,
                "node": s.node,
                "space": s.space,
                "species": s.species,
            }
            for s in system.states
        ],
        "parameters": [_parameter(p) for p in system.parameters],
        "inputs": [_input(u, system) for u in system.inputs],
        "observables": [
            {"name": o.name, "unit": o.unit.text, "error": o.error, "doc": o.doc} for o in system.outputs
        ],
        "unknowns": [_unknown(u) for u in system.unknowns],
        "rates": [{"name": r.name, "kind": r.kind} for r in system.rates],
        "constants": [a.name for a in system.constants],
        "d_constants": _pattern(derivatives.constant_entries),
        "jacobian": _pattern(derivatives.jacobian),
        "d_rhs_dp": _pattern(derivatives.d_rhs_dp),
        "d_rhs_du": _pattern(derivatives.d_rhs_du),
        "d_observe_dy": _pattern(derivatives.d_observe_dy),
        "d_observe_dp": _pattern(derivatives.d_observe_dp),
        "d_observe_du": _pattern(derivatives.d_observe_du),
        "d_noise_dp": _pattern(derivatives.d_noise_dp),
        "d_initial_dp": _pattern(derivatives.d_initial_dp),
        # Said only where there are some.
        **({"steep": [power.to_manifest() for power in steep]} if steep else {}),
        **analysis,
    }


def versions() -> dict[str, str]:
    """Versions of what decides the text of generated code."""
    try:
        own = version("pbpkc")
    except PackageNotFoundError:  # run from a checkout that was never installed
        own = "unknown"
    return {"pbpkc": own, "sympy": sp.__version__}


def _parameter(p: Parameter) -> dict[str, Any]:
    return {
        "name": p.name,
        "symbol": str(p.symbol.name),
        "unit": p.unit.text,
        "factor": float(p.unit.factor),
        "offset": float(p.unit.offset),
        "value": float(p.value),
        "kind": p.kind,
        "mask": None if p.mask is None else _mask(p.mask),
        "bounds": None if p.bounds is None else [float(b) for b in p.bounds],
        "doc": p.doc,
        "source": p.source,
    }


def _input(u: Input, system: System) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": u.name, "kind": u.kind, "target": u.target}
    if u.kind == "held":
        # Its value at the beginning stands in `p`; a bound that is not finite is none.
        entry["parameter"] = next(k for k, p in enumerate(system.parameters) if p.name == u.target)
        entry["hold"] = u.hold
        entry["bounds"] = [b if math.isfinite(b) else None for b in map(float, u.bounds)]
    return entry


def _mask(mask: Mask) -> dict[str, Any]:
    prior = mask.prior
    return {
        "prior": None if prior is None else {"family": prior.family, "arguments": dict(prior.arguments)},
        "low": float(mask.low),
        "high": float(mask.high),
        "scale": mask.scale,
        # Said only where it is so: a spec cannot write it.
        **({"counted": True} if mask.counted else {}),
    }


def _unknown(u: UnknownTerm) -> dict[str, Any]:
    return {
        "name": u.name,
        "arguments": [
            {"name": str(a.name), "unit": unit.text, "range": [float(x) for x in bounds]}
            for a, unit, bounds in zip(u.arguments, u.argument_units, u.argument_ranges, strict=True)
        ],
        "unit": u.unit.text,
        "range": None if u.range is None else [float(x) for x in u.range],
        "shapes": [list(s) for s in u.shapes],
        "anchors": [{"at": [float(x) for x in at], "value": float(value)} for at, value in u.anchors],
        "default": u.default is not None,
    }


def _pattern(entries: Iterable[tuple[int, int]]) -> dict[str, list[int]]:
    keys = sorted(entries)
    return {"rows": [i for i, _ in keys], "cols": [j for _, j in keys]}
