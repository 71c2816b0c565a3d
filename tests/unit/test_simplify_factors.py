from __future__ import annotations

import pytest
import sympy as sp

from pbpkc.compiler.simplify.factors import collected

Q, V, K, a, b, c = sp.symbols("Q V K a b c", real=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Q * a - Q * b, Q * (a - b)),
        (a / V + b / V, (a + b) / V),
        (Q * a / V - Q * b / V + c, c + Q * (a - b) / V),
        (a + a * b, a * (1 + b)),
        (Q * a + K * b, Q * a + K * b),
        (2 * a + 2 * b, 2 * a + 2 * b),
        (sp.exp(Q * a + Q * b), sp.exp(Q * (a + b))),
        (a * b + a * c + K * c, a * (b + c) + K * c),
    ],
)
def test_shared_factors_are_written_once(before: sp.Expr, after: sp.Expr) -> None:
    found = collected(before)
    assert found == after
    assert sp.expand(found - before) == 0


def test_the_expression_never_gets_longer() -> None:
    terms = [Q * a / V, -Q * b / V, K * a, K * c / V, Q * K, -c]
    for size in range(1, len(terms) + 1):
        before = sp.Add(*terms[:size])
        assert sp.count_ops(collected(before)) <= sp.count_ops(before)


def test_a_power_that_does_not_cancel_is_collected() -> None:
    a, b, x, g = sp.symbols("a b x g", real=True)
    found = collected(a * x ** (g - 1) + b * x ** (g - 1))
    assert found == x ** (g - 1) * (a + b)
