"""What a generated numpy module imports: its words, and the class that turns columns into arrays.

The equations are written once for floats and for arrays. A single state vector is unpacked into
Python floats, which is several times faster than numpy for a few dozen numbers (a solver calls the
right-hand side thousands of times); more axes are unpacked into arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from pbpkc.runtime.unknown_term import UnknownTerm as _UnknownTerm
from pbpkc.runtime.unknown_term import resolve_unknowns

Value = Any  # a float, or an array whose shape is that of the leading axes
Columns = Sequence[Value]

nan = math.nan
inf = math.inf

# ---- the words of generated code; each takes floats or arrays


def exp(x: Value) -> Value:
    """Exponential function."""
    return math.exp(x) if x.__class__ is float else np.exp(x)


def log(x: Value) -> Value:
    """Natural logarithm."""
    return math.log(x) if x.__class__ is float else np.log(x)


def sqrt(x: Value) -> Value:
    """Square root; 0 for negative x (see `power`)."""
    if x.__class__ is float:
        return math.sqrt(x) if x > 0.0 else 0.0 * x
    return np.sqrt(np.maximum(x, 0.0))


def sin(x: Value) -> Value:
    """Sine."""
    return math.sin(x) if x.__class__ is float else np.sin(x)


def cos(x: Value) -> Value:
    """Cosine."""
    return math.cos(x) if x.__class__ is float else np.cos(x)


def tan(x: Value) -> Value:
    """Tangent."""
    return math.tan(x) if x.__class__ is float else np.tan(x)


def tanh(x: Value) -> Value:
    """Hyperbolic tangent."""
    return math.tanh(x) if x.__class__ is float else np.tanh(x)


def absolute(x: Value) -> Value:
    """Absolute value."""
    return abs(x)


def sign(x: Value) -> Value:
    """-1, 0 or 1."""
    return float((x > 0.0) - (x < 0.0)) if x.__class__ is float else np.sign(x)


def floor(x: Value) -> Value:
    """Largest whole number that is not above x, as a float."""
    return float(math.floor(x)) if x.__class__ is float else np.floor(x)


def ceil(x: Value) -> Value:
    """Smallest whole number that is not below x, as a float."""
    return float(math.ceil(x)) if x.__class__ is float else np.ceil(x)


def where(condition: Any, a: Value, b: Value) -> Value:
    """`a` where the condition holds, `b` elsewhere; both have been computed."""
    if condition.__class__ is bool:
        return a if condition else b
    return np.where(condition, a, b)


def minimum(a: Value, b: Value) -> Value:
    """The smaller one."""
    if a.__class__ is float and b.__class__ is float:
        return a if a <= b else b
    return np.minimum(a, b)


def maximum(a: Value, b: Value) -> Value:
    """The larger one."""
    if a.__class__ is float and b.__class__ is float:
        return a if a >= b else b
    return np.maximum(a, b)


def power(b: Value, n: Value) -> Value:
    """b**n for an exponent that need not be whole; a negative b counts as 0.

    Solvers try states a rounding error below zero. There b**n is not real; the limit from above is
    what the equations mean.
    """
    if b.__class__ is float:
        return (b if b > 0.0 else 0.0 * b) ** n
    return np.power(np.maximum(b, 0.0), n)


def power_slope(b: Value, n: Value) -> Value:
    """Derivative of b**n by b, n * b**(n - 1); 0 where b is 0 or negative and n below 1.

    There the slope is infinite from above and 0 from below. An empty compartment is where most models
    start: with an infinite number in its Jacobian no solver makes a first step, and 0 is exact to one side.
    """
    if b.__class__ is float and n.__class__ is float:
        return n * power(b, n - 1.0) if b > 0.0 or n >= 1.0 else 0.0 * b
    finite = np.greater(b, 0.0) | np.greater_equal(n, 1.0)
    inside = np.where(finite, b, 1.0)
    return np.where(finite, n * np.power(np.maximum(inside, 0.0), n - 1.0), 0.0 * b)


def power_log(b: Value, n: Value) -> Value:
    """b**n * log(b), the derivative of b**n by n; 0 where b is 0 or negative."""
    if b.__class__ is float and n.__class__ is float:
        return b**n * math.log(b) if b > 0.0 else 0.0 * b
    positive = np.where(np.less_equal(b, 0.0), 1.0, b)  # log(1) is 0; NaN stays NaN
    return np.power(positive, n) * np.log(positive)


# ---- unknown terms


class UnknownTerm(_UnknownTerm):
    """An unknown term for floats and numpy arrays."""

    def bind(self, function: Callable[..., Any], partials: Callable[..., Any] | None) -> BoundTerm:
        """The term with a function in its place."""
        return BoundTerm(self, function, partials)


class BoundTerm:
    """A function in place of an unknown term.

    Its `partials` are the function's own where it has them; otherwise central differences with a
    step of ``eps**(1/3)`` of the argument's range, accurate to about 1e-10 of the function's variation.
    """

    def __init__(
        self, term: _UnknownTerm, function: Callable[..., Any], partials: Callable[..., Any] | None
    ) -> None:
        self.name = term.name
        self.exact = partials is not None
        self._function = function
        self._partials = partials
        self._widths = tuple(high - low for low, high in term.ranges)

    def __call__(self, *arguments: Value) -> Value:
        """The value."""
        return self._function(*arguments)

    def partials(self, *arguments: Value) -> tuple[Value, ...]:
        """Derivatives by each argument."""
        if self._partials is not None:
            return tuple(self._partials(*arguments))
        return tuple(self._difference(arguments, k) for k in range(len(arguments)))

    def _difference(self, arguments: tuple[Value, ...], k: int) -> Value:
        width = self._widths[k]
        scale = width if math.isfinite(width) and width > 0.0 else np.maximum(np.abs(arguments[k]), 1.0)
        step = np.finfo(float).eps ** (1 / 3) * scale
        high, low = arguments[k] + step, arguments[k] - step
        above = self._function(*arguments[:k], high, *arguments[k + 1 :])
        below = self._function(*arguments[:k], low, *arguments[k + 1 :])
        return (above - below) / (high - low)


# ---- the module


class NumpyModule:
    """The equations of one model for numpy.

    Shapes: y (..., S), t a number or (...), u (..., K), p (P,) or (..., P) with the leading axes of y;
    p (B, P) against y (B, T, S) means one row of p for each of B (p with one axis less than y and at
    least two). `c` is what `prepare` gave for the same p, `dc` what `prepare_derivatives` gave; both
    are computed where left out. Units as the module's header says.

    Division by zero and the like give inf or nan as in numpy, without a warning.

    Parameters
    ----------
    unknowns : mapping of str to callable, optional
        In place of unknown terms. A callable may have an attribute `partials`: a function that gives
        the tuple of derivatives by each argument.

    Raises
    ------
    ValueError
        If an unknown term has neither a default nor a callable, or a name is not an unknown term's.
    """

    states: ClassVar[tuple[str, ...]]
    parameters: ClassVar[tuple[str, ...]]
    inputs: ClassVar[tuple[str, ...]]
    observables: ClassVar[tuple[str, ...]]
    unknown_terms: ClassVar[tuple[UnknownTerm, ...]]

    _prepare: Callable[..., tuple[Value, ...]]
    _prepare_derivatives: Callable[..., tuple[Value, ...]]
    _rhs: Callable[..., tuple[Value, ...]]
    _rates: Callable[..., tuple[Value, ...]]
    _jacobian: Callable[..., tuple[Value, ...]]
    _d_rhs_dp: Callable[..., tuple[Value, ...]]
    _observe: Callable[..., tuple[Value, ...]]
    _d_observe_dy: Callable[..., tuple[Value, ...]]
    _d_observe_dp: Callable[..., tuple[Value, ...]]
    _d_rhs_du: Callable[..., tuple[Value, ...]]
    _d_observe_du: Callable[..., tuple[Value, ...]]
    _initial_state: Callable[..., tuple[Value, ...]]
    _d_initial_dp: Callable[..., tuple[Value, ...]]
    _noise: Callable[..., tuple[Value, ...]]
    _d_noise_dp: Callable[..., tuple[Value, ...]]
    _lloq: Callable[..., tuple[Value, ...]]

    def __init__(self, unknowns: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self.unknowns: dict[str, BoundTerm] = resolve_unknowns(self.unknown_terms, unknowns)

    def prepare(self, p: ArrayLike) -> tuple[Value, ...]:
        """Constants: all that depends on p only, to be passed on as `c`."""
        p = np.asarray(p, dtype=float)
        if p.ndim == 1:
            try:
                return self._prepare(p.tolist())
            except (ArithmeticError, ValueError):
                pass  # Python's floats raise where numpy gives inf or nan
        with np.errstate(all="ignore"):
            return _as_given(self._prepare(_columns(p)), p)

    def prepare_derivatives(self, p: ArrayLike, c: tuple[Value, ...] | None = None) -> tuple[Value, ...]:
        """Derivatives of the constants by parameters, to be passed on as `dc`."""
        p = np.asarray(p, dtype=float)
        c = self.prepare(p) if c is None else c
        if p.ndim == 1:
            try:
                return self._prepare_derivatives(p.tolist(), c)
            except (ArithmeticError, ValueError):
                pass
        with np.errstate(all="ignore"):
            return _as_given(self._prepare_derivatives(_columns(p), _numpy(c)), p)

    def rhs(self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None) -> np.ndarray:
        """dy/dt, shape (..., S), each in its state's unit per h."""
        return self._at(self._rhs, t, y, p, u, c)

    def rates(self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None) -> np.ndarray:
        """The rates v of dy/dt = N v, shape (..., R)."""
        return self._at(self._rates, t, y, p, u, c)

    def jacobian(self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None) -> np.ndarray:
        """d(dy/dt)/dy: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._at(self._jacobian, t, y, p, u, c)

    def d_rhs_dp(
        self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None, dc: Any = None
    ) -> np.ndarray:
        """d(dy/dt)/dp: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._at(self._d_rhs_dp, t, y, p, u, c, dc, with_dc=True)

    def observe(self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None) -> np.ndarray:
        """Observables, shape (..., O), each in its unit."""
        return self._at(self._observe, t, y, p, u, c)

    def d_observe_dy(
        self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None
    ) -> np.ndarray:
        """d(observable)/dy: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._at(self._d_observe_dy, t, y, p, u, c)

    def d_observe_dp(
        self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None, dc: Any = None
    ) -> np.ndarray:
        """d(observable)/dp at a fixed state: values at the manifest's rows and columns, shape (..., nnz)."""
        return self._at(self._d_observe_dp, t, y, p, u, c, dc, with_dc=True)

    def d_rhs_du(self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None) -> np.ndarray:
        """d(dy/dt)/du: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._at(self._d_rhs_du, t, y, p, u, c)

    def d_observe_du(
        self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None
    ) -> np.ndarray:
        """d(observable)/du at a fixed state: values at the manifest's rows and columns, shape (..., nnz)."""
        return self._at(self._d_observe_du, t, y, p, u, c)

    def initial_state(self, p: ArrayLike, c: Any = None) -> np.ndarray:
        """State before any dose, shape (..., S)."""
        return self._of(self._initial_state, p, c)

    def d_initial_dp(self, p: ArrayLike, c: Any = None, dc: Any = None) -> np.ndarray:
        """d(initial state)/dp: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._of(self._d_initial_dp, p, c, dc, with_dc=True)

    def noise(self, p: ArrayLike, c: Any = None) -> np.ndarray:
        """Residual error, shape (..., O, 2): proportional (1), additive (the observable's unit)."""
        values = self._of(self._noise, p, c)
        return values.reshape(*values.shape[:-1], len(self.observables), 2)

    def d_noise_dp(self, p: ArrayLike, c: Any = None, dc: Any = None) -> np.ndarray:
        """d(noise)/dp: values at the manifest's rows (2 * observable + part) and columns."""
        return self._of(self._d_noise_dp, p, c, dc, with_dc=True)

    def lloq(self, p: ArrayLike, c: Any = None) -> np.ndarray:
        """Lower limits of quantification in the observables' units, nan for none, shape (..., O)."""
        return self._of(self._lloq, p, c)

    def columns(
        self, quantity: str, t: Value, y: Columns, p: Columns, u: Columns, c: Any, dc: Any = None
    ) -> tuple[Value, ...]:
        """One quantity in the form the generated code gives it, entry by entry.

        For callers that know what varies: an entry is a float where everything it reads is, so that states
        given as floats cost next to nothing beside those given as arrays.

        Parameters
        ----------
        quantity : str
            ``rhs``, ``jacobian``, ``d_rhs_dp``, ``d_rhs_du``, ``observe``, ``d_observe_dy``,
            ``d_observe_dp``, ``d_observe_du``.
        t : float or array
        y, p, u : sequence of (float or array)
            Entries of the states, parameters and inputs; arrays of one shape or such that broadcast.
        c, dc : tuple
            As `prepare` and `prepare_derivatives` gave them, with axes that broadcast to those of `y`.
        """
        function = getattr(self, f"_{quantity}")
        more = () if dc is None else (dc,)
        with np.errstate(all="ignore"):
            try:
                values: tuple[Value, ...] = function(t, y, p, u, c, *more)
            except (ArithmeticError, ValueError):  # Python's floats raise where numpy gives inf or nan
                columns = [[np.asarray(x, dtype=float) for x in group] for group in (y, p, u)]
                values = function(np.asarray(t, dtype=float), *columns, *(_numpy(x) for x in (c, *more)))
        return values

    def _at(
        self,
        function: Callable[..., tuple[Value, ...]],
        t: ArrayLike,
        y: ArrayLike,
        p: ArrayLike,
        u: ArrayLike,
        c: tuple[Value, ...] | None,
        dc: tuple[Value, ...] | None = None,
        with_dc: bool = False,
    ) -> np.ndarray:
        y, p, u = np.asarray(y), np.asarray(p), np.asarray(u)
        if y.ndim == 1 and p.ndim == 1 and u.ndim == 1 and (t.__class__ is float or np.ndim(t) == 0):
            if c is None:
                c = self.prepare(p)
            more = ((self.prepare_derivatives(p, c) if dc is None else dc),) if with_dc else ()
            try:
                values = function(float(t), y.tolist(), p.tolist(), u.tolist(), c, *more)  # type: ignore[arg-type]
                return np.array(values, dtype=float)
            except (ArithmeticError, ValueError):
                pass  # Python's floats raise where numpy gives inf or nan
        return self._at_arrays(function, np.asarray(t, float), y, p, u, c, dc, with_dc)

    def _at_arrays(
        self,
        function: Callable[..., tuple[Value, ...]],
        t: np.ndarray,
        y: np.ndarray,
        p: np.ndarray,
        u: np.ndarray,
        c: tuple[Value, ...] | None,
        dc: tuple[Value, ...] | None,
        with_dc: bool,
    ) -> np.ndarray:
        p = p.astype(float, copy=False)
        c = _numpy(self.prepare(p) if c is None else c)
        if with_dc:
            dc = _numpy(self.prepare_derivatives(p, c) if dc is None else dc)
        if p.ndim >= 2 and p.ndim == y.ndim - 1:
            p = p[..., None, :]
            c = tuple(x[..., None] if x.ndim else x for x in c)
            dc = tuple(x[..., None] if x.ndim else x for x in dc or ())
        more = (dc,) if with_dc else ()
        with np.errstate(all="ignore"):
            values = function(
                t, _columns(y.astype(float, copy=False)), _columns(p), _columns(u.astype(float)), c, *more
            )
        shape = np.broadcast_shapes(t.shape, y.shape[:-1], p.shape[:-1], u.shape[:-1])
        return _stacked(values, shape)

    def _of(
        self,
        function: Callable[..., tuple[Value, ...]],
        p: ArrayLike,
        c: tuple[Value, ...] | None,
        dc: tuple[Value, ...] | None = None,
        with_dc: bool = False,
    ) -> np.ndarray:
        p = np.asarray(p, dtype=float)
        if p.ndim == 1:
            one = self.prepare(p) if c is None else c
            rest = ((self.prepare_derivatives(p, one) if dc is None else dc),) if with_dc else ()
            try:
                return np.array(function(p.tolist(), one, *rest), dtype=float)
            except (ArithmeticError, ValueError):
                pass  # Python's floats raise where numpy gives inf or nan
        c = _numpy(self.prepare(p) if c is None else c)
        more = (_numpy(self.prepare_derivatives(p, c) if dc is None else dc),) if with_dc else ()
        with np.errstate(all="ignore"):
            return _stacked(function(_columns(p), c, *more), p.shape[:-1])


def _as_given(values: tuple[Value, ...], p: np.ndarray) -> tuple[Value, ...]:
    """Floats for one parameter vector, arrays for several."""
    return tuple(float(x) for x in values) if p.ndim == 1 else values


def _columns(x: np.ndarray) -> list[np.ndarray]:
    """The last axis as a list; of a vector the entries, as arrays without axes."""
    return [x[..., k] for k in range(x.shape[-1])]


def _numpy(values: tuple[Value, ...]) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(x, dtype=float) for x in values)


def _stacked(values: tuple[Value, ...], shape: tuple[int, ...]) -> np.ndarray:
    result = np.empty((*shape, len(values)))
    for k, value in enumerate(values):
        result[..., k] = value
    return result
