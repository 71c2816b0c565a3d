"""The `Model`: a spec with every name bound, every unit checked and the blood flows solved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.expression import Expr
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.units import Unit


@dataclass(frozen=True)
class Prior:
    """A distribution as written, its arguments in canonical units.

    Parameters
    ----------
    family : {"lognormal", "normal", "uniform", "beta", "halfnormal"}
    arguments : mapping of str to float
        lognormal: ``median``, ``sdlog``; normal: ``mean``, ``sd``; uniform: ``low``, ``high``;
        beta: ``a``, ``b``; halfnormal: ``sd``.
    """

    family: str
    arguments: Mapping[str, float]


@dataclass(frozen=True)
class Mask:
    """What makes a parameter estimated: prior, bounds (canonical units) and scale.

    `counted`: the prior counts in every estimate, also of maximum likelihood. So it is for coefficients of
    a learned form, which the data need not determine one by one.
    """

    prior: Prior | None
    low: float
    high: float
    scale: str  # "log" | "natural"
    counted: bool = False


@dataclass(frozen=True)
class Definition:
    """One named quantity.

    Parameters
    ----------
    name : str
        ``CO``, ``K<1,2>``, ``liver.volume``, ``APAP.kp.liver``, ``liver.APAP.Cout``, ``ugt`` (a rate),
        ``Q.arterial.liver`` (the flow of a circulation's edge).
    kind : {"covariate", "input", "param", "masked", "let", "attribute", "flow", "concentration", "rate", \
"volume", "absent"}
        "volume" is that of a space of a tissue, "absent" a `ps` written as the number 0.
    expr : Expr
        Its value. For a masked parameter the median of its prior.
    unit : Unit
        Shown in reports: the unit it was written in where there is one, else the canonical one.
    mask : Mask, optional
        For an estimated parameter.
    bounds : tuple of float, optional
        Of a covariate or an input, canonical units.
    hold : {"", "last", "next", "linear"}
        How a covariate or an input that may change during a run goes on between two points; "" for what
        keeps its value.
    derived : bool
        Made by the compiler (a concentration, a flow), not written by the user.
    """

    name: str
    kind: str
    expr: Expr
    unit: Unit
    doc: str = ""
    source: str = ""
    mask: Mask | None = None
    bounds: tuple[float, float] | None = None
    derived: bool = False
    hold: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class State:
    """One differential equation: an amount of a species in a node (umol), or a general state.

    Parameters
    ----------
    name : str
        ``liver.APAP`` or ``x<3>``. An expression reads it by this name.
    unit : Unit
        umol, or the unit a general state was declared in; the state is kept in it.
    start : Expr or None
        Initial value, None for zero.
    reason : str
        Why the state exists.
    """

    name: str
    unit: Unit
    start: Expr | None
    reason: str
    node: str | None = None
    species: str | None = None
    sink: bool = False
    space: str | None = None  # "blood" or "tissue" of a permeability-limited tissue
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Node:
    """A place: blood, tissue, pool, lumen or sink.

    `volume` and `vascular` (the blood in a tissue, part of its volume) name their definitions, if any.
    """

    name: str
    kind: str
    volume: str | None
    like: str | None = None
    doc: str = ""
    remainder: str | None = None  # definition closed by remainder(total): the total's text
    vascular: str | None = None
    organism: str | None = None  # of its body, which may be another than the model's
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Species:
    """A substance. `attributes` maps ``mw``, ``fup``, ``kp.liver`` ... to definition names."""

    name: str
    doc: str
    carried_by: tuple[str, ...]
    attributes: Mapping[str, str]
    acids: tuple[Expr, ...] = ()
    bases: tuple[Expr, ...] = ()
    neutral: bool = False  # pka = neutral()
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Edge:
    """A blood vessel of a circulation: `flow` names the definition of its flow (L/h)."""

    circulation: str
    source: str
    target: str
    flow: str
    trunk: bool = False


@dataclass(frozen=True)
class Arrow:
    """A process: one rate, who loses and who gains.

    Parameters
    ----------
    name : str
    kind : {"process", "flow", "circulation", "passive", "ode"}
    rate : str
        Name of the definition of its rate (amount per time; a state's unit per time).
    reversible : bool
        ``<->``: the rate may have either sign.
    consumes : tuple of (state name, Fraction)
    produces : tuple of (state name, Expr)
        The coefficient is an expression when a `split` divides the product.
    open : bool
        One end is `outside`.
    """

    name: str
    kind: str
    rate: str
    reversible: bool
    consumes: tuple[tuple[str, Fraction], ...]
    produces: tuple[tuple[str, Expr], ...]
    open: bool = False
    doc: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Argument:
    """An argument of an unknown term, bounds in canonical units."""

    name: str
    unit: Unit
    low: float
    high: float


@dataclass(frozen=True)
class Unknown:
    """A typed function whose form is not known.

    `range` is in canonical units; `shapes` are pairs ("rising" | "falling", argument name); `anchors`
    are pairs (argument values, value), all canonical numbers; `default` reads the argument names.
    """

    name: str
    arguments: tuple[Argument, ...]
    unit: Unit
    range: tuple[float, float] | None
    shapes: tuple[tuple[str, str], ...]
    anchors: tuple[tuple[tuple[float, ...], float], ...]
    default: Expr | None
    doc: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ErrorModel:
    """Residual error. `kind`: "prop", "add", "combined", "lognormal" or "given".

    `proportional` (dimensionless; the log-scale standard deviation for lognormal) and `additive`
    (dimension of the observable) are names of definitions or constants as expressions.
    """

    kind: str
    proportional: Expr | None = None
    additive: Expr | None = None


@dataclass(frozen=True)
class Observable:
    """What is measured. `expr` has the dimension of `unit` (the molar mass is already in it)."""

    name: str
    expr: Expr
    unit: Unit
    error: ErrorModel | None
    lloq: Expr | None
    doc: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Dose:
    """A `dose` line, or what a CMT line of a data block says of the doses in a file.

    `species` is the name of the state where that is a general one. `amount` is an amount of substance (the
    molar mass is already in it), None on a CMT line, where `mw` converts the file's AMT when that is a mass.
    `every` and `count` repeat. One that is `steady` has been given for ever; without a `count` it goes on
    until the run ends.
    """

    species: str
    state: str
    amount: Expr | None
    at: Expr | None = None
    over: Expr | None = None
    rate: Expr | None = None
    every: Expr | None = None
    count: int | None = 1
    lag: Expr | None = None
    fraction: Expr | None = None
    mw: Expr | None = None
    steady: bool = False
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Column:
    """`column target = header [unit] * factor`.

    `target` is a word of the data format, a covariate, an input, or an observable (wide data); of the words
    SD, LLOQ and CENS one may belong to an observable: ``SD<Cp>``.
    """

    target: str
    header: str
    unit: Unit | None
    factor: Expr | None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class DataBlock:
    """How a scenario reads a data file."""

    path: str
    columns: tuple[Column, ...]
    dose_rows: tuple[tuple[str, int, Dose], ...]  # ("CMT", 1, Dose)
    observe_rows: tuple[tuple[str, int, str, Unit | None], ...]  # ("DVID", 1, "Cp", unit)
    keep: tuple[tuple[str, float, float], ...]
    keep_spans: tuple[Span, ...] = field(default=(), compare=False, repr=False)  # of each `keep`
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Change:
    """``set name = value at t``: a covariate with `hold`, or an input, that changes during a run.

    Without `lasting` it is a point of the curve of `name`, which `hold` joins with the point before;
    with `lasting` the curve is left for that long. `every` and `count` repeat.
    """

    name: str
    value: Expr
    at: Expr
    lasting: Expr | None = None
    every: Expr | None = None
    count: int = 1
    hold: str = "last"
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Scenario:
    """What is done to a body: settings, starts, doses, resets, changes, a horizon or a data file."""

    name: str
    doc: str
    sets: tuple[tuple[str, Expr], ...]  # definition name, value
    starts: tuple[tuple[str, Expr], ...]  # state name, value
    doses: tuple[Dose, ...]
    run: Expr | None
    data: DataBlock | None
    resets: tuple[Expr, ...] = ()  # times at which all states go back to the start
    changes: tuple[Change, ...] = ()
    rests: bool = False  # the run begins in the steady state without doses
    after: str | None = None  # it begins where the run of this scenario ends
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Variation:
    """One line of a `population`: how a quantity differs between people.

    Parameters
    ----------
    name : str
        Of a covariate, param, masked parameter or attribute.
    family : {"lognormal", "normal", "uniform", "beta", "halfnormal"}
    arguments : mapping of str to Expr
        By name, as written: ``median``, ``mean``, ``cv``, ``sdlog``, ``sd``, ``low``, ``high``, ``a``, ``b``.
        Without ``median`` or ``mean`` the distribution is centred on the model's value. Spreads may read
        params and masked parameters.
    low, high : float
        Bounds that truncate, canonical units: those of the line, else those of the covariate or the mask,
        else infinite.
    """

    name: str
    family: str
    arguments: Mapping[str, Expr]
    low: float
    high: float
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Correlation:
    """``correlate left, right = value``: of the normal scores of two varied quantities."""

    left: str
    right: str
    value: Expr
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Population:
    """How people differ; drawn from by `pbpkc.body.people`."""

    name: str
    doc: str
    variations: tuple[Variation, ...]
    correlations: tuple[Correlation, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ValueCheck:
    """`check expression in (low, high) [unit]`; bounds canonical.

    The expression applies ``auc auc_inf cmax tmax cmin last thalf value`` (as `Apply.op`) to names
    ``scenario.observable``.
    """

    text: str
    expr: Expr
    low: float
    high: float
    unit: Unit
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Model:
    """A spec, bound and checked. `definitions` stand in the order they were written."""

    name: str
    title: str
    organism: str | None
    time_unit: Unit
    definitions: Mapping[str, Definition]
    nodes: Mapping[str, Node]
    species: Mapping[str, Species]
    states: tuple[State, ...]
    arrows: tuple[Arrow, ...]
    edges: tuple[Edge, ...]
    unknowns: Mapping[str, Unknown]
    observables: tuple[Observable, ...]
    scenarios: Mapping[str, Scenario]
    demands: tuple[str, ...]  # of "mass", "volume", "positive"
    checks: tuple[ValueCheck, ...]
    files: tuple[SourceFile, ...]
    warnings: tuple[Diagnostic, ...]
    populations: Mapping[str, Population] = field(default_factory=dict)

    @property
    def masked(self) -> tuple[Definition, ...]:
        """The parameters to be estimated, in declaration order."""
        return tuple(d for d in self.definitions.values() if d.mask is not None)
