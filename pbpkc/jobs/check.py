"""Everything `pbpkc check` does, in order: proofs, generated code, expectations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache, partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pbpkc.check.agreement import agree
from pbpkc.check.balance import prove_mass
from pbpkc.check.coverage import distinct_scenarios
from pbpkc.check.expectations import evaluate_expectation, scenarios_read
from pbpkc.check.positivity import prove_positivity
from pbpkc.check.proof import Proof
from pbpkc.check.report import CheckItem, CheckReport, Status
from pbpkc.check.residual import ACCEPTED, Jacobian, Residual, worst_defect
from pbpkc.check.unknown_terms import breaks_range, examine_unknown_terms, outside_declared
from pbpkc.check.volumes import prove_volumes
from pbpkc.compiler.missing.contradiction import sometimes_contradicts
from pbpkc.experiment.scenario import sampling_times
from pbpkc.jobs.simulate import bound_scenario
from pbpkc.jobs.tell_apart import tell_apart
from pbpkc.jobs.variants import Variants
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.model import Model
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.dense import DenseSolution, simulate_dense
from pbpkc.solve.figures import CurveFigures
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.steep import steep_suggestion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pbpkc.jobs.spec import Spec
    from pbpkc.runtime.compiled import CompiledModel

    #: The run of a scenario by its name: the model, its parameters, the solution.
    Runs = Callable[[str], tuple[CompiledModel, NDArray[np.float64], DenseSolution]]

#: Tolerances of the runs that expectations are read from, and of the run the residual is checked on.
EXPECTATION_OPTIONS = SolverOptions(rtol=1e-8)
RESIDUAL_OPTIONS = SolverOptions(method="radau", rtol=1e-6)


def check(
    loaded: Spec,
    torch: bool = True,
    progress: Callable[[str], None] | None = None,
    leave_out: Collection[str] = (),
) -> CheckReport:
    """Check a spec.

    Parameters
    ----------
    loaded : Spec
    torch : bool
        Whether the torch target takes part.
    progress : callable, optional
        Told the name of each group before it is checked.
    leave_out : collection of str
        Groups that are not wanted.
    """
    items: list[CheckItem] = []
    seconds: dict[str, float] = {}
    variants = Variants(loaded)
    runs = cache(partial(_reference_run, loaded.model, variants))
    steps: list[tuple[str, Callable[[], Iterable[CheckItem]]]] = [
        ("units", partial(_units, loaded)),
        ("flow", partial(_flows, loaded.model)),
        ("volume", partial(_volumes, loaded)),
        ("mass", partial(_mass, loaded)),
        ("positive", partial(_positive, loaded)),
        ("unknown", partial(_unknown, loaded, runs)),
        ("code", partial(_code, loaded, torch)),
        ("residual", partial(_residual, loaded, variants, runs, torch)),
        ("identifiable", partial(_identifiable, loaded, variants)),
        ("expectation", partial(_expectations, loaded, variants)),
    ]
    for group, work in steps:
        if group in leave_out:
            continue
        if progress is not None:
            progress(group)
        start = perf_counter()
        items.extend(work())
        seconds[group] = perf_counter() - start
    return CheckReport(tuple(items), seconds, loaded.generated.fingerprint)


def _units(loaded: Spec) -> Iterable[CheckItem]:
    model = loaded.model
    notes = [d for d in model.warnings if d.code == "unit-mismatch"]
    if notes:
        yield CheckItem("units", "", "note", f"{len(notes)} mismatches in a spec without units")
    else:
        count = len(model.definitions) + len(model.observables)
        yield CheckItem("units", "", "held", f"{count} quantities have consistent units")


def _flows(model: Model) -> Iterable[CheckItem]:
    if not model.edges:
        return
    lookup = evaluate_definitions({k: d.expr for k, d in model.definitions.items()}, {})
    for name in dict.fromkeys(e.circulation for e in model.edges):
        edges = [e for e in model.edges if e.circulation == name]
        nodes = dict.fromkeys(n for e in edges for n in (e.source, e.target))
        total = float(lookup(name))
        worst = max(
            abs(
                sum(lookup(e.flow) for e in edges if e.target == n)
                - sum(lookup(e.flow) for e in edges if e.source == n)
            )
            for n in nodes
        )
        # The balance was solved exactly; this is only rounding, and a check that the solution says so.
        status: Status = "held" if worst <= 1e-9 * total else "violated"
        yield CheckItem(
            "flow",
            name,
            status,
            f"inflow equals outflow at {len(nodes)} nodes ({len(edges)} vessels, {total:.4g} L/h)",
        )


def _volumes(loaded: Spec) -> Iterable[CheckItem]:
    demanded = "volume" in loaded.model.demands
    yield from _from_proofs(
        "volume", prove_volumes(loaded.stages.lowered), demanded, "volume is positive", "volumes are positive"
    )


def _dosed(model: Model) -> list[str]:
    doses = [
        d
        for s in model.scenarios.values()
        for d in (*s.doses, *(r[2] for r in (s.data.dose_rows if s.data else ())))
    ]
    return list(dict.fromkeys(d.species for d in doses))


def _mass(loaded: Spec) -> Iterable[CheckItem]:
    demanded = "mass" in loaded.model.demands
    proofs = prove_mass(loaded.system, _dosed(loaded.model))
    for proof in proofs:
        status, text = _status(proof, demanded), proof.explanation
        if proof.opened and demanded and status == "held":
            # What leaves to nowhere cannot be accounted for, which is what was demanded.
            status, text = "warning", f"{text}; a sink in place of `outside` would account for it"
        yield CheckItem("mass", proof.name, status, text)
    if demanded and not proofs:
        yield CheckItem("mass", "", "note", "no scenario doses a species, so there is no total to prove")


def _positive(loaded: Spec) -> Iterable[CheckItem]:
    demanded = "positive" in loaded.model.demands
    proofs = prove_positivity(loaded.system)
    volumes = [p for p in prove_volumes(loaded.stages.lowered) if p.status == "violated"]
    following = [p for p in proofs if not p.held and volumes and _without_volume(loaded.model, volumes, p)]
    if following:
        # A compartment without a volume makes amounts negative: the volume is what is wrong.
        names, of = ", ".join(p.name for p in following), ", ".join(v.name for v in volumes)
        verb = "fails" if len(following) == 1 else "fail"
        text = f"{names} {verb} at values at which {of} is not positive, and perhaps there alone"
        yield CheckItem("positive", "", _status(following[0], demanded), text)
        proofs = tuple(p for p in proofs if p not in following)
    yield from _from_proofs(
        "positive",
        proofs,
        demanded,
        *(f"{word}: rates keep their promise, no state is driven below zero" for word in ("claim", "claims")),
    )


def _without_volume(model: Model, volumes: Sequence[Proof], proof: Proof) -> bool:
    """Whether a counterexample is at values at which one of the volumes is not positive."""
    definitions = {name: d.expr for name, d in model.definitions.items()}
    given = {name: value for name, value in proof.point.items() if name in definitions}
    if not given:
        return False
    lookup = evaluate_definitions(definitions, given)
    try:
        return any(v.name in definitions and float(lookup(v.name)) <= 0 for v in volumes)
    except (KeyError, ValueError, ArithmeticError):
        return False


def _unknown(loaded: Spec, runs: Runs) -> Iterable[CheckItem]:
    for one in loaded.learned:
        count = f"a {one.form.kind} form with {len(one.form.coefficients)} coefficients"
        broken = sometimes_contradicts(one.form, one.unknown)
        text = f"{count}: it keeps what is declared for all that were drawn within their bounds"
        if broken is not None:
            text = f"{count}: within their bounds {broken}"
        yield CheckItem("unknown", one.unknown.name, "held" if broken is None else "violated", text)
    proofs = examine_unknown_terms(loaded.stages.lowered)
    demanded = "positive" in loaded.model.demands
    names = dict.fromkeys(p.name for p in proofs)
    kept = [n for n in names if all(p.held for p in proofs if p.name == n)]
    if kept:
        whose, verb = ("the form of", "agrees") if len(kept) == 1 else ("the forms of", "agree")
        yield CheckItem("unknown", "", "held", f"{whose} {', '.join(kept)} {verb} with what is declared")
    for proof in proofs:
        if not proof.held:
            # Positivity is proved from the declared range: a form outside it makes that proof void.
            status: Status = "violated" if demanded and breaks_range(proof) else "warning"
            yield CheckItem("unknown", proof.name, status, f"{proof.explanation} (declared: {proof.claim})")
    terms = [u for u in loaded.stages.lowered.unknowns if u.default is not None]
    for name in _written(loaded.model) if terms and not _without_form(loaded) else ():
        compiled, p, solution = runs(name)
        calls = _calls(compiled, p, solution)
        for term in terms:
            for text in outside_declared(term, calls.get(term.name, [])):
                yield CheckItem("unknown", name, "note", text)


def _calls(
    compiled: CompiledModel, p: NDArray[np.float64], solution: DenseSolution
) -> dict[str, list[tuple[NDArray[np.float64], ...]]]:
    """The arguments that each unknown term was given at the ends of the steps of a run."""
    if not solution.steps:
        return {}
    found: dict[str, list[tuple[NDArray[np.float64], ...]]] = {}

    def listening(name: str, form: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            found.setdefault(name, []).append(tuple(np.asarray(a, dtype=float) for a in arguments))
            return form(*arguments)

        return called

    forms = {name: listening(name, term) for name, term in compiled.module.unknowns.items()}
    ears = load_numpy(compiled.generated, forms)
    ends = [np.array([s.begin, s.end]) for s in solution.steps]
    y = np.concatenate([s.states(t) for s, t in zip(solution.steps, ends, strict=True)])
    u = np.concatenate([s.segment.inputs_at(t) for s, t in zip(solution.steps, ends, strict=True)])
    with np.errstate(all="ignore"):
        ears.rates(np.concatenate(ends), y, p, u)
        ears.observe(np.concatenate(ends), y, p, u)
    return found


def _from_proofs(
    group: str, proofs: Sequence[Proof], demanded: bool, one: str, many: str
) -> Iterable[CheckItem]:
    """One item for all that hold, one for each that does not."""
    held = [p for p in proofs if p.held]
    if held:
        yield CheckItem(group, "", "held", f"{len(held)} {one if len(held) == 1 else many}")
    for proof in proofs:
        if not proof.held:
            text = proof.explanation if proof.status == "violated" else f"not proved: {proof.explanation}"
            yield CheckItem(group, proof.name, _status(proof, demanded), f"{text} (the rule: {proof.claim})")


def _status(proof: Proof, demanded: bool) -> Status:
    if proof.held:
        return "held"
    return "violated" if demanded else "warning"


def _code(loaded: Spec, torch: bool) -> Iterable[CheckItem]:
    stages = loaded.stages
    found = agree(stages.analysed, stages.generated, torch=torch, original=stages.lowered)
    if found.ok:
        yield CheckItem("code", "", "held", found.summary())
    for difference in found.failures:
        yield CheckItem("code", difference.quantity, "violated", str(difference))
    for note in found.notes:
        yield CheckItem("code", "", "note", note)


def _written(model: Model) -> list[str]:
    """Scenarios that take nothing from a data file."""
    return [name for name, scenario in model.scenarios.items() if scenario.data is None]


def _reference_run(
    model: Model, variants: Variants, name: str
) -> tuple[CompiledModel, NDArray[np.float64], DenseSolution]:
    compiled, p, bound = bound_scenario(model, variants, name)
    assert bound.end is not None
    return compiled, p, simulate_dense(compiled, p, bound, bound.end, RESIDUAL_OPTIONS)


def _residual(loaded: Spec, variants: Variants, runs: Runs, torch: bool) -> Iterable[CheckItem]:
    if without := _without_form(loaded):
        names = _written(loaded.model)
        what = "the scenario" if len(names) == 1 else "these scenarios"
        if names:
            yield CheckItem("residual", ", ".join(names), "violated", f"{what} cannot be run: {without}")
        return
    stands_for = distinct_scenarios(loaded.model)
    for name in _written(loaded.model):
        if name not in stands_for:
            compiled, p, bound = bound_scenario(loaded.model, variants, name)
            outcome = simulate(compiled, p, bound, sampling_times(bound), EXPECTATION_OPTIONS).outcome
        else:
            compiled, p, solution = runs(name)
            outcome = solution.outcome
        if not outcome.ok:
            text = f"the scenario cannot be solved: {outcome.reason}; {outcome.suggestion}"
            yield CheckItem("residual", name, "violated", text)
        if not outcome.ok or name not in stands_for:
            continue
        residual = _torch_residual(compiled, p) if torch else _numpy_residual(compiled, p)
        defect = worst_defect(solution, residual, _jacobian(compiled, p), compiled.state_names)
        text = (
            f"integrates to zero over each of {defect.steps} steps of the reference solution "
            f"(largest defect {defect.ratio:.2g}, accepted {ACCEPTED:g} tolerances)"
        )
        if not defect.ok:
            text = (
                f"the residual of '{defect.state}' does not vanish on the reference solution at "
                f"{defect.time:.4g} h: {defect.ratio:.3g} tolerances, accepted are {ACCEPTED:g}"
            )
            if steep := steep_suggestion(compiled, p):
                text += f"; {steep}"
        elif stands_for[name]:
            text += f"; the same terms: {', '.join(stands_for[name])}"
        yield CheckItem("residual", name, "held" if defect.ok else "violated", text)


def _identifiable(loaded: Spec, variants: Variants) -> Iterable[CheckItem]:
    if not _without_form(loaded):
        yield from tell_apart(loaded, variants)
    elif loaded.model.masked and _written(loaded.model):
        yield CheckItem("identifiable", "", "note", "not examined, since no scenario can be run")


def _without_form(loaded: Spec) -> str | None:
    """Why nothing can be run: unknown terms that are called and have no default."""
    missing = [u.name for u in loaded.stages.lowered.unknowns if u.default is None]
    if not missing:
        return None
    names = ", ".join(f"'{name}'" for name in missing)
    what = "the unknown term {} has" if len(missing) == 1 else "the unknown terms {} have"
    return f'{what.format(names)} no default; write one, or give --unknown "{missing[0]} = expression"'


def _jacobian(compiled: CompiledModel, p: NDArray[np.float64]) -> Jacobian:
    return lambda t, y, u: compiled.jacobian_dense(t, y, p, u)


def _numpy_residual(compiled: CompiledModel, p: NDArray[np.float64]) -> Residual:
    return lambda t, y, dydt, u: dydt - compiled.rhs(t, y, p, u)


def _torch_residual(compiled: CompiledModel, p: NDArray[np.float64]) -> Residual:
    import torch

    from pbpkc.runtime.load import load_torch

    model = load_torch(compiled.generated)

    def residual(
        t: NDArray[np.float64], y: NDArray[np.float64], dydt: NDArray[np.float64], u: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        tensors = (torch.as_tensor(np.ascontiguousarray(x), dtype=torch.float64) for x in (t, y, dydt, p, u))
        return np.asarray(model.residual(*tensors).numpy())

    return residual


def _expectations(loaded: Spec, variants: Variants) -> Iterable[CheckItem]:
    model = loaded.model
    if model.checks and (without := _without_form(loaded)):
        what = "1 expectation has" if len(model.checks) == 1 else f"{len(model.checks)} expectations have"
        yield CheckItem("expectation", "", "violated", f"{what} no value: {without}")
        return
    factors = {o.name: float(o.unit.factor) for o in model.observables}
    runs: dict[str, CurveFigures] = {}

    def figure(what: str, scenario: str, observable: str, arguments: list[float]) -> float:
        if scenario not in runs:
            if model.scenarios[scenario].data is not None:
                raise ValueError(
                    f"scenario '{scenario}' takes its doses from a data file; name a written one"
                )
            compiled, p, bound = bound_scenario(model, variants, scenario)
            assert bound.end is not None
            solution = simulate_dense(compiled, p, bound, bound.end, EXPECTATION_OPTIONS)
            if not solution.outcome.ok:
                raise ValueError(f"scenario '{scenario}' cannot be solved: {solution.outcome.reason}")
            runs[scenario] = CurveFigures(solution, compiled.observable_names)
        return runs[scenario].figure(what, observable, arguments)

    for expected in model.checks:
        found = evaluate_expectation(expected, figure, factors)
        bounds = f"({found.low:.6g}, {found.high:.6g}) [{found.unit}]"
        if found.reason:
            text = f"{found.text} has no value: {found.reason}"
        else:
            text = f"{found.text} = {found.value:.6g}, expected in {bounds}"
        name = ", ".join(scenarios_read(expected))
        value = None if found.reason else found.value
        yield CheckItem("expectation", name, "held" if found.held else "violated", text, value)
