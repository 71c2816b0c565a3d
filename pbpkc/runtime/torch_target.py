"""What a generated torch module imports: its words, and the class that turns columns into tensors.

Everything is differentiable and works under `torch.func` transforms: no branch depends on a value.
Ties and edges take the same side as the analytic derivatives, so autograd equals them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pbpkc.runtime.unknown_term import UnknownTerm as _UnknownTerm
from pbpkc.runtime.unknown_term import resolve_unknowns

Value = Any  # a tensor whose shape is that of the leading axes, or a plain number

nan = math.nan
inf = math.inf

# ---- the words of generated code; each takes tensors or plain numbers


def _like(x: Value, other: Value) -> Tensor:
    """A plain number as a tensor of the dtype and device of `other`."""
    if isinstance(x, Tensor):
        return x
    if isinstance(other, Tensor):
        dtype = other.dtype if other.dtype.is_floating_point else torch.float64
        return torch.as_tensor(x, dtype=dtype, device=other.device)
    return torch.as_tensor(x, dtype=torch.float64)


def exp(x: Value) -> Tensor:
    """Exponential function."""
    return torch.exp(_like(x, None))


def log(x: Value) -> Tensor:
    """Natural logarithm."""
    return torch.log(_like(x, None))


def sqrt(x: Value) -> Tensor:
    """Square root; 0 for negative x (see `power`), and there with the slope from below, 0."""
    x = _like(x, None)
    return torch.where(x > 0.0, torch.sqrt(torch.where(x > 0.0, x, torch.ones_like(x))), 0.0 * x)


def sin(x: Value) -> Tensor:
    """Sine."""
    return torch.sin(_like(x, None))


def cos(x: Value) -> Tensor:
    """Cosine."""
    return torch.cos(_like(x, None))


def tan(x: Value) -> Tensor:
    """Tangent."""
    return torch.tan(_like(x, None))


def tanh(x: Value) -> Tensor:
    """Hyperbolic tangent."""
    return torch.tanh(_like(x, None))


def absolute(x: Value) -> Tensor:
    """Absolute value; derivative 0 at 0."""
    return torch.abs(_like(x, None))


def sign(x: Value) -> Tensor:
    """-1, 0 or 1."""
    return torch.sign(_like(x, None))


def floor(x: Value) -> Tensor:
    """Largest whole number that is not above x; derivative 0."""
    return torch.floor(_like(x, None))


def ceil(x: Value) -> Tensor:
    """Smallest whole number that is not below x; derivative 0."""
    return torch.ceil(_like(x, None))


def where(condition: Any, a: Value, b: Value) -> Value:
    """`a` where the condition holds, `b` elsewhere; both have been computed.

    Autograd sees both too: a derivative that is infinite on the side not taken gives NaN. The
    analytic derivatives do not suffer from that.
    """
    if isinstance(condition, bool):  # no tensor in it: the spec compares numbers
        return a if condition else b
    a = _like(a, b if isinstance(b, Tensor) else condition)
    return torch.where(condition, a, _like(b, a))


def minimum(a: Value, b: Value) -> Tensor:
    """The smaller one; at a tie the derivative is that of `a`."""
    a, b = _like(a, b), _like(b, a)
    return torch.where(a <= b, a, b)


def maximum(a: Value, b: Value) -> Tensor:
    """The larger one; at a tie the derivative is that of `a`."""
    a, b = _like(a, b), _like(b, a)
    return torch.where(a >= b, a, b)


def power(b: Value, n: Value) -> Tensor:
    """b**n for an exponent that need not be whole; a negative b counts as 0.

    Integration methods and networks try states a rounding error below zero. There b**n is not real;
    the limit from above is what the equations mean.
    """
    b = _like(b, n)
    # Where the slope by b is infinite from above, autograd takes that from below, as `power_slope`; the
    # value at 0 stands outside of the power, whose derivative would be infinite times 0.
    finite = _finite_slope(b, n)
    inside = torch.where(finite, b, torch.ones_like(b))
    return torch.where(finite, torch.pow(torch.clamp(inside, min=0.0), n), torch.pow(0.0 * b.detach(), n))


def power_slope(b: Value, n: Value) -> Tensor:
    """Derivative of b**n by b, n * b**(n - 1); 0 where b is 0 or negative and n below 1.

    From above the slope is infinite there; see the same word for numpy.
    """
    b = _like(b, n)
    finite = _finite_slope(b, n)
    inside = torch.where(finite, b, torch.ones_like(b))
    return torch.where(finite, n * torch.pow(torch.clamp(inside, min=0.0), n - 1.0), 0.0 * b)


def _finite_slope(b: Tensor, n: Value) -> Tensor:
    """Where b**n has a finite slope by b from above."""
    above: Tensor = (b > 0.0) | (n >= 1.0)
    return above


def power_log(b: Value, n: Value) -> Tensor:
    """b**n * log(b), the derivative of b**n by n; 0 where b is 0 or negative."""
    b = _like(b, n)
    positive = torch.where(b <= 0.0, torch.ones_like(b), b)  # log(1) is 0
    return torch.pow(positive, n) * torch.log(positive)


# ---- unknown terms


class UnknownTerm(_UnknownTerm):
    """An unknown term for tensors."""

    def bind(self, function: Callable[..., Any], partials: Callable[..., Any] | None) -> BoundTerm:
        """The term with a function in its place."""
        return BoundTerm(self, function, partials)


class BoundTerm:
    """A function in place of an unknown term.

    The function works element by element: an element of its value depends on the same element of its
    arguments only. They come as tensors of one shape. Its `partials` are its own where it has them;
    otherwise those of autograd.
    """

    def __init__(
        self, term: _UnknownTerm, function: Callable[..., Any], partials: Callable[..., Any] | None
    ) -> None:
        self.name = term.name
        self.exact = True
        self._function = function
        self._partials = partials

    def __call__(self, *arguments: Value) -> Value:
        """The value."""
        tensors = _same_shape(arguments)
        return self._value(*tensors)

    def partials(self, *arguments: Value) -> tuple[Value, ...]:
        """Derivatives by each argument."""
        tensors = _same_shape(arguments)
        if self._partials is not None:
            return tuple(self._partials(*tensors))
        pulled = torch.func.vjp(self._value, *tensors)
        value, pull_back = pulled[0], pulled[1]
        return tuple(pull_back(torch.ones_like(value)))

    def _value(self, *arguments: Tensor) -> Tensor:
        # A default that is a number gets the shape of its arguments here.
        value: Tensor = self._function(*arguments) + torch.zeros_like(arguments[0])
        return value


def _same_shape(arguments: Sequence[Value]) -> tuple[Tensor, ...]:
    like = next((a for a in arguments if isinstance(a, Tensor)), None)
    tensors = [_like(a, like) for a in arguments]
    shape = torch.broadcast_shapes(*(a.shape for a in tensors))  # type: ignore[no-untyped-call]
    return tuple(a.expand(shape) for a in tensors)


# ---- the module


class TorchModule:
    """The equations of one model for torch.

    Shapes: y and dydt (..., S), t a number or (...), u (..., K), p (P,) or (..., P) with the leading axes
    of y; p (B, P) against y (B, T, S) means one row of p for each of B (p with one axis less than y and
    at least two). `c` is what `prepare` gave for the same p, `dc` what `prepare_derivatives` gave; both
    are computed where left out. Results have the dtype and device of y. Units as the module's header
    says.

    Parameters
    ----------
    unknowns : mapping of str to callable, optional
        In place of unknown terms; see `BoundTerm`. A callable may have an attribute `partials`: a
        function that gives the tuple of derivatives by each argument.

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

    def prepare(self, p: Tensor) -> tuple[Value, ...]:
        """Constants: all that depends on p only, to be passed on as `c`."""
        return self._prepare(p.unbind(-1))

    def prepare_derivatives(self, p: Tensor, c: tuple[Value, ...] | None = None) -> tuple[Value, ...]:
        """Derivatives of the constants by parameters, to be passed on as `dc`."""
        return self._prepare_derivatives(p.unbind(-1), self.prepare(p) if c is None else c)

    def rhs(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """dy/dt, shape (..., S), each in its state's unit per h."""
        return self._at(self._rhs, t, y, p, u, c)

    def rates(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """The rates v of dy/dt = N v, shape (..., R)."""
        return self._at(self._rates, t, y, p, u, c)

    def residual(self, t: Value, y: Tensor, dydt: Tensor, p: Tensor, u: Tensor) -> Tensor:
        """What a trial solution leaves over, dydt - rhs, unscaled, shape (..., S).

        Its derivative by dydt is the identity; `d_residual_dy`, `d_residual_dp` and `d_residual_du` are the
        others.
        """
        return dydt - self.rhs(t, y, p, u)

    def d_residual_dy(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """d(residual)/dy at fixed dydt: values at the rows and columns of the manifest's `jacobian`."""
        return -self.jacobian(t, y, p, u, c)

    def d_residual_dp(
        self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None, dc: Any = None
    ) -> Tensor:
        """d(residual)/dp at fixed dydt: values at the rows and columns of the manifest's `d_rhs_dp`."""
        return -self.d_rhs_dp(t, y, p, u, c, dc)

    def d_residual_du(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """d(residual)/du at fixed dydt: values at the rows and columns of the manifest's `d_rhs_du`."""
        return -self.d_rhs_du(t, y, p, u, c)

    def jacobian(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """d(dy/dt)/dy: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._at(self._jacobian, t, y, p, u, c)

    def d_rhs_dp(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None, dc: Any = None) -> Tensor:
        """d(dy/dt)/dp: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._at(self._d_rhs_dp, t, y, p, u, c, dc, with_dc=True)

    def observe(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """Observables, shape (..., O), each in its unit."""
        return self._at(self._observe, t, y, p, u, c)

    def d_observe_dy(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """d(observable)/dy: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._at(self._d_observe_dy, t, y, p, u, c)

    def d_observe_dp(
        self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None, dc: Any = None
    ) -> Tensor:
        """d(observable)/dp at a fixed state: values at the manifest's rows and columns."""
        return self._at(self._d_observe_dp, t, y, p, u, c, dc, with_dc=True)

    def d_rhs_du(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """d(dy/dt)/du: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._at(self._d_rhs_du, t, y, p, u, c)

    def d_observe_du(self, t: Value, y: Tensor, p: Tensor, u: Tensor, c: Any = None) -> Tensor:
        """d(observable)/du at a fixed state: values at the manifest's rows and columns."""
        return self._at(self._d_observe_du, t, y, p, u, c)

    def initial_state(self, p: Tensor, c: Any = None) -> Tensor:
        """State before any dose, shape (..., S)."""
        return self._of(self._initial_state, p, c)

    def d_initial_dp(self, p: Tensor, c: Any = None, dc: Any = None) -> Tensor:
        """d(initial state)/dp: values at the rows and columns of the manifest, shape (..., nnz)."""
        return self._of(self._d_initial_dp, p, c, dc, with_dc=True)

    def noise(self, p: Tensor, c: Any = None) -> Tensor:
        """Residual error, shape (..., O, 2): proportional (1), additive (the observable's unit)."""
        values = self._of(self._noise, p, c)
        return values.reshape(*values.shape[:-1], len(self.observables), 2)

    def d_noise_dp(self, p: Tensor, c: Any = None, dc: Any = None) -> Tensor:
        """d(noise)/dp: values at the manifest's rows (2 * observable + part) and columns."""
        return self._of(self._d_noise_dp, p, c, dc, with_dc=True)

    def lloq(self, p: Tensor, c: Any = None) -> Tensor:
        """Lower limits of quantification in the observables' units, nan for none, shape (..., O)."""
        return self._of(self._lloq, p, c)

    def _at(
        self,
        function: Callable[..., tuple[Value, ...]],
        t: Value,
        y: Tensor,
        p: Tensor,
        u: Tensor,
        c: tuple[Value, ...] | None,
        dc: tuple[Value, ...] | None = None,
        with_dc: bool = False,
    ) -> Tensor:
        c = self.prepare(p) if c is None else c
        if with_dc:
            dc = self.prepare_derivatives(p, c) if dc is None else dc
        if p.ndim >= 2 and p.ndim == y.ndim - 1:
            p = p.unsqueeze(-2)
            c = _with_time_axis(c)
            dc = _with_time_axis(dc or ())
        t = _like(t, y)
        more = (dc,) if with_dc else ()
        values = function(t, y.unbind(-1), p.unbind(-1), u.unbind(-1), c, *more)
        leading = (t.shape, y.shape[:-1], p.shape[:-1], u.shape[:-1])
        shape = torch.broadcast_shapes(*leading)  # type: ignore[no-untyped-call]
        return _stacked(values, shape, y)

    def _of(
        self,
        function: Callable[..., tuple[Value, ...]],
        p: Tensor,
        c: tuple[Value, ...] | None,
        dc: tuple[Value, ...] | None = None,
        with_dc: bool = False,
    ) -> Tensor:
        c = self.prepare(p) if c is None else c
        more = ((self.prepare_derivatives(p, c) if dc is None else dc),) if with_dc else ()
        return _stacked(function(p.unbind(-1), c, *more), p.shape[:-1], p)


def _with_time_axis(values: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(x.unsqueeze(-1) if isinstance(x, Tensor) and x.ndim else x for x in values)


def _stacked(values: tuple[Value, ...], shape: Sequence[int], like: Tensor) -> Tensor:
    if not values:
        return like.new_empty((*shape, 0))
    return torch.stack([_like(x, like).to(like.dtype).expand(shape) for x in values], dim=-1)
