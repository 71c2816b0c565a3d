"""Whole bodies of any size as text: what is solved in the comparison of solvers.

A parent substance in perfusion-limited organs, taken by mouth and by vein, and metabolites with bodies of
their own. Volumes and flows are near those of an adult (ICRP Publication 89), partition and clearances are
of nobody in particular: what matters is the structure, a body whose organs hang on its blood, and the
stiffness, 800 per hour in the lung against 0.1 per hour in the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: Volume (L), flow (L/h) and partition coefficient of each organ; the lung takes the whole flow.
_ORGANS: dict[str, tuple[float, float, float]] = {
    "lung": (0.5, 0.0, 0.8),
    "adipose": (18.2, 19.5, 6.0),
    "bone": (10.5, 19.5, 1.2),
    "brain": (1.45, 46.8, 2.5),
    "gut": (1.2, 54.6, 2.0),
    "heart": (0.33, 15.6, 1.8),
    "kidney": (0.31, 74.1, 2.2),
    "liver": (1.8, 25.4, 3.0),
    "muscle": (29.0, 66.3, 1.5),
    "pancreas": (0.14, 3.9, 1.6),
    "skin": (3.3, 19.5, 2.4),
    "spleen": (0.15, 11.7, 1.4),
    "stomachwall": (0.15, 3.9, 1.7),
    "rest": (4.0, 29.2, 1.1),
}

#: Organs whose blood goes on to the liver.
_PORTAL = ("gut", "pancreas", "spleen", "stomachwall")

_ARTERIAL, _VENOUS = 1.7, 3.9


@dataclass(frozen=True)
class Body:
    """What a body is made of.

    Parameters
    ----------
    organs : tuple of str
        Where the parent goes besides blood; ``lung``, ``liver`` and ``rest`` among them.
    metabolites : int
        How many; the first three are made from the parent, each later one from the third before it.
    metabolite_organs : tuple of str
        Where a metabolite goes; ``lung``, ``liver`` and ``rest`` among them.
    saturable : bool
        Whether the three pathways of the liver are of Michaelis and Menten, or linear.
    """

    organs: tuple[str, ...]
    metabolites: int
    metabolite_organs: tuple[str, ...]
    saturable: bool

    @property
    def states(self) -> int:
        """Number of states: organs, blood, stomach and lumen, the bodies of metabolites, and the area."""
        return len(self.organs) + 4 + self.metabolites * (len(self.metabolite_organs) + 2) + 1


_ALL = tuple(_ORGANS)
_FEW = ("lung", "liver", "rest")
_SOME = ("lung", "kidney", "liver", "muscle", "rest")

#: Bodies by their number of states; each saturable and linear.
SIZES: dict[int, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    15: (("lung", "gut", "kidney", "liver", "rest"), 1, _FEW),
    33: (_ALL, 2, _SOME),
    100: (_ALL, 9, ("lung", "adipose", "kidney", "liver", "muscle", "skin", "rest")),
}


def body(states: int, saturable: bool) -> Body:
    """The body with that many states, 15, 33 or 100."""
    organs, metabolites, small = SIZES[states]
    return Body(organs, metabolites, small, saturable)


def body_text(one: Body, name: str) -> str:
    """The spec of a body; every number in it is a parameter that a population may vary."""
    return "\n".join(_lines(one, name)) + "\n"


def _lines(one: Body, name: str) -> Iterator[str]:
    kind = "saturable" if one.saturable else "linear"
    yield "pbpk 1"
    yield f'model {name} "Whole body, {one.states} states, {kind} metabolism, {one.metabolites} metabolites"'
    yield ""
    yield "# ---- flows and volumes"
    for organ in one.organs:
        volume, flow, _ = _ORGANS[organ]
        yield f"param v_{organ} = {volume!r} [L]"
        if flow:
            yield f"param q_{organ} = {flow!r} [L/h]"
    yield f"param v_arterial = {_ARTERIAL!r} [L]"
    yield f"param v_venous = {_VENOUS!r} [L]"
    yield f"param CO = {_sum(_with_flow(one.organs))}"
    yield from _circulation("", "CO", one.organs, {organ: f"q_{organ}" for organ in one.organs})
    yield "lumen stomach, bowel"
    for k in range(1, one.metabolites + 1):
        yield ""
        yield from _metabolite(one, k)
    yield ""
    yield "# ---- the parent"
    yield "species D carried by CO {"
    yield "  fup = 0.2; bp = 1"
    for organ in one.organs:
        yield f"  kp.{organ} = {_ORGANS[organ][2]!r}"
    yield "}"
    yield "param k_empty = 2.5 [1/h]"
    yield "param ka = 1.2 [1/h]"
    yield "param k_lost = 0.1 [1/h]"
    yield "process emptying : stomach.D -> bowel.D  rate k_empty * stomach.D.A"
    yield "process uptake : bowel.D -> gut.D  rate ka * bowel.D.A"
    yield "process lost : bowel.D -> outside  rate k_lost * bowel.D.A"
    yield "param clr = 3.0 [L/h]"
    yield "process renal : kidney.D -> outside  rate clr * kidney.D.Cu"
    yield from _pathways(one)
    yield ""
    yield "state area = 0 [umol*h/L]"
    yield "process adding : outside -> area  rate venous.D.C"
    yield ""
    yield "observe Cp = venous.D.C in [umol/L]"
    yield "scenario doses {"
    yield "  dose D 330 [umol] into stomach at 0 [h]"
    yield "  dose D 165 [umol] into venous at 24 [h] over 1 [h]"
    yield "  dose D 330 [umol] into stomach at 48 [h]"
    yield "  run 72 [h]"
    yield "}"


def _pathways(one: Body) -> Iterator[str]:
    """Three ways out of the liver."""
    for k, (vmax, km) in enumerate(((60.0, 2.0), (40.0, 8.0), (30.0, 0.5)), start=1):
        target = f"m{k}_liver.M{k}" if k <= one.metabolites else "outside"
        if one.saturable:
            yield f"param vmax{k} = {vmax!r} [umol/h]"
            yield f"param km{k} = {km!r} [umol/L]"
            rate = f"mm(vmax{k}, km{k}, liver.D.Cu)"
        else:
            yield f"param clint{k} = {vmax / km!r} [L/h]"
            rate = f"clint{k} * liver.D.Cu"
        yield f"process pathway{k} : liver.D -> {target}  rate {rate}"


def _metabolite(one: Body, k: int) -> Iterator[str]:
    """The body of one metabolite, with the flows of the parent's: what has no organ of its own is in rest."""
    organs = one.metabolite_organs
    flows = {organ: [organ] for organ in organs if organ != "lung"}
    for organ in _with_flow(one.organs):
        if organ in flows:
            continue
        flows["liver" if organ in _PORTAL else "rest"].append(organ)
    yield f"# ---- metabolite {k}"
    yield f"param CO{k} = {_sum(_with_flow(one.organs))}"
    yield from _circulation(f"m{k}_", f"CO{k}", organs, {organ: _sum(all_) for organ, all_ in flows.items()})
    yield f"species M{k} carried by CO{k} {{"
    yield "  bp = 1"
    for organ in organs:
        # Every metabolite is a little different from the last, so that no two equations are the same.
        yield f"  kp.m{k}_{organ} = {round(_ORGANS[organ][2] ** 0.5 * (0.6 + 0.05 * k), 4)!r}"
    yield "}"
    yield f"param clm{k} = {round(4.0 + 0.8 * k, 3)!r} [L/h]"
    where = "kidney" if "kidney" in organs else "rest"
    yield f"process renal{k} : m{k}_{where}.M{k} -> outside  rate clm{k} * m{k}_{where}.M{k}.Cout"
    if k + 3 <= one.metabolites:
        yield f"param clf{k} = {round(2.0 + 0.3 * k, 3)!r} [L/h]"
        yield (
            f"process further{k} : m{k}_liver.M{k} -> m{k + 3}_liver.M{k + 3}  "
            f"rate clf{k} * m{k}_liver.M{k}.Cout"
        )


def _circulation(prefix: str, name: str, organs: tuple[str, ...], flows: dict[str, str]) -> Iterator[str]:
    """Blood, tissues and the paths between them."""
    yield f"blood {prefix}arterial {{ volume = v_arterial }}"
    yield f"blood {prefix}venous {{ volume = v_venous }}"
    for organ in organs:
        flow = "" if organ == "lung" else f"; flow = {flows[organ]}"
        yield f"tissue {prefix}{organ} {{ volume = v_{organ}{flow} }}"
    portal = [prefix + o for o in organs if o in _PORTAL]
    apart = [prefix + o for o in organs if o not in (*_PORTAL, "lung", "liver")]
    yield f"circulation {name} {{"
    yield f"  {prefix}venous -> {prefix}lung -> {prefix}arterial"
    yield f"  {prefix}arterial -> {_set(apart)} -> {prefix}venous"
    if portal:
        yield f"  {prefix}arterial -> {_set(portal)} -> {prefix}liver -> {prefix}venous"
        yield f"  {prefix}arterial -> {prefix}liver"
    else:
        yield f"  {prefix}arterial -> {prefix}liver -> {prefix}venous"
    yield "}"


def _set(nodes: list[str]) -> str:
    return nodes[0] if len(nodes) == 1 else "{" + ", ".join(nodes) + "}"


def _with_flow(organs: tuple[str, ...]) -> list[str]:
    return [organ for organ in organs if _ORGANS[organ][1]]


def _sum(organs: list[str]) -> str:
    return " + ".join(f"q_{organ}" for organ in organs)
