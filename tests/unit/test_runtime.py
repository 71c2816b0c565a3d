"""Calling generated code: shapes, edges, unknown terms, torch transforms, loading."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch
from generated_modules import compiled_stages, generated, pump
from hand_systems import Draft

from pbpkc.private_folder import private_folder
from pbpkc.runtime import load as loading
from pbpkc.runtime import load_numpy, load_torch
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.torch_model import TorchModel

B, T = 3, 5
AT = ("rhs", "rates", "jacobian", "d_rhs_dp", "observe", "d_observe_dy", "d_observe_dp")
OF = ("initial_state", "d_initial_dp", "noise", "d_noise_dp", "lloq")


def numpy_model(name: str) -> CompiledModel:
    _, module = compiled_stages(name)
    return load_numpy(module, {"pump": pump} if name == "edges" else None)


def torch_model(name: str) -> TorchModel:
    _, module = compiled_stages(name)
    return load_torch(module, {"pump": pump} if name == "edges" else None)


def batch(model: CompiledModel | TorchModel, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    t = rng.uniform(0.0, 20.0, (B, T))
    y = rng.uniform(0.1, 90.0, (B, T, len(model.state_names)))
    p = model.parameters() * rng.uniform(0.8, 1.2, (B, len(model.parameter_names)))
    u = rng.uniform(0.0, 9.0, (B, T, len(model.input_names)))
    return t, y, p, u


# ---- shapes


@pytest.mark.parametrize("name", ["saturable", "edges", "circulation"])
def test_arrays_give_what_single_states_give(name: str) -> None:
    model = numpy_model(name)
    t, y, p, u = batch(model)
    for quantity in AT:
        together = getattr(model, quantity)(t, y, p, u)
        for b in range(B):
            for k in range(T):
                alone = getattr(model, quantity)(t[b, k], y[b, k], p[b], u[b, k])
                # The same operations in the same order; only exp, log and powers may differ by a rounding.
                np.testing.assert_allclose(together[b, k], alone, rtol=1e-14, atol=0.0)
    for quantity in OF:
        together = getattr(model, quantity)(p)
        for b in range(B):
            np.testing.assert_allclose(together[b], getattr(model, quantity)(p[b]), rtol=1e-14)


@pytest.mark.parametrize("load", [numpy_model, torch_model])
def test_leading_axes_combine(load) -> None:  # noqa: ANN001
    model = load("edges")
    t, y, p, u = batch(model)
    if load is torch_model:
        t, y, p, u = (torch.as_tensor(x) for x in (t, y, p, u))
    full = p[:, None, :] + 0 * y[..., :1]  # (B, T, P)
    expected = model.rhs(t, y, full, u)
    assert expected.shape == (B, T, 4)
    assert (model.rhs(t, y, p, u) == expected).all()
    assert (model.rhs(t, y, p, u, model.prepare(p)) == expected).all()
    assert (model.rhs(t, y, full, u, model.prepare(full)) == expected).all()
    one = p[0]
    same = model.rhs(t, y, one, u)
    assert same.shape == (B, T, 4)
    assert (same[0] == expected[0]).all()
    # y (T, S) with one p, with one u, with a number for t.
    assert (model.rhs(t[0], y[0], one, u[0]) == expected[0]).all()
    assert model.rhs(1.5, y[0], one, u[0, 0]).shape == (T, 4)
    # y (B, S) with p (B, P): one p for each state.
    assert (model.rhs(t[:, 0], y[:, 0], p, u[:, 0]) == expected[:, 0]).all()
    # One state, many parameters.
    assert model.rhs(0.0, y[0, 0], p, u[0, 0]).shape == (B, 4)
    derivative = model.d_rhs_dp(t, y, p, u)
    c = model.prepare(p)
    assert (model.d_rhs_dp(t, y, p, u, c, model.prepare_derivatives(p, c)) == derivative).all()
    assert model.noise(p).shape == (B, 2, 2)
    assert model.lloq(one).shape == (2,)


def test_lists_and_whole_numbers_are_taken_as_numbers() -> None:
    model = numpy_model("oral")
    p = model.parameters()
    found = model.rhs(0, [10, 20, 0], list(p), [1, 0])
    assert found.dtype == float
    np.testing.assert_array_equal(found, model.rhs(0.0, np.array([10.0, 20.0, 0.0]), p, np.array([1.0, 0.0])))


def test_infusions_add_to_their_state() -> None:
    model = numpy_model("oral")
    y, p = np.array([1.0, 2.0, 0.0]), model.parameters()
    without, with_one = model.rhs(0.0, y, p, np.zeros(2)), model.rhs(0.0, y, p, np.array([0.0, 7.0]))
    np.testing.assert_allclose(with_one - without, [0.0, 7.0, 0.0], rtol=1e-14)


def test_dense_forms_put_values_where_the_manifest_says() -> None:
    model = numpy_model("edges")
    t, y, p, u = batch(model)
    for quantity, rows, columns in (("jacobian", 4, 4), ("d_observe_dy", 2, 4)):
        dense = getattr(model, f"{quantity}_dense")(t, y, p, u)
        assert dense.shape == (B, T, rows, columns)
        at_row, at_column = model.sparsity(quantity)
        np.testing.assert_array_equal(dense[..., at_row, at_column], getattr(model, quantity)(t, y, p, u))
    names = model.parameter_index
    chosen = [names["volume"], names["sigma"], names["vmax"]]
    everything = list(range(len(model.parameter_names)))
    for quantity in ("d_rhs_dp", "d_observe_dp"):
        call = getattr(model, f"{quantity}_dense")
        np.testing.assert_array_equal(call(t, y, p, u, chosen), call(t, y, p, u, everything)[..., chosen])
    assert not model.d_rhs_dp_dense(t, y, p, u, [names["sigma"]]).any()
    assert model.d_initial_dp_dense(p, chosen).shape == (B, 4, 3)
    noise = model.d_noise_dp_dense(p[0], chosen)
    assert noise.shape == (2, 2, 3)
    assert noise[0, 0].tolist() == [0.0, 1.0, 0.0]  # the proportional error of Cp is sigma itself
    assert model.d_rhs_dp_dense(t, y, p, u, []).shape == (B, T, 4, 0)


def test_names_are_indexed() -> None:
    model = numpy_model("edges")
    assert model.state_index["store.X"] == 2
    assert model.input_index["tad(X)"] == 4
    assert model.observable_index["ratio"] == 1
    assert model.parameters()[model.parameter_index["km"]] == 8.0


# ---- edges of arithmetic


def rooted() -> Draft:
    d = Draft("rooted")
    d.parameter("k", 2.0)
    d.parameter("n", 1.5)
    d.state("a")
    d.state("b")
    d.rate("root", d["a"] ** d["n"] / (d["k"] ** d["n"] + d["a"] ** d["n"]), {"a": -1, "b": 1})
    d.rate("half", d["k"] * d["a"] ** 0.5, {"a": -1, "b": 1})
    d.rate("inverse", d["k"] / d["b"], {"b": -1})
    d.output("y", d["a"])
    return d


@pytest.mark.parametrize("as_array", [False, True])
def test_a_state_just_below_zero_is_taken_as_zero(as_array: bool) -> None:
    model = load_numpy(generated(rooted().system(), torch=False))
    below, zero = np.array([-1e-14, 1.0]), np.array([0.0, 1.0])
    if as_array:
        below, zero = below[None], zero[None]
    p, u = model.parameters(), np.zeros(0)
    np.testing.assert_array_equal(model.rates(0.0, below, p, u), model.rates(0.0, zero, p, u))
    assert np.isfinite(model.d_rhs_dp(0.0, zero, p, u)).all()


@pytest.mark.parametrize("as_array", [False, True])
def test_division_by_zero_is_a_value_and_no_warning(as_array: bool) -> None:
    model = load_numpy(generated(rooted().system(), torch=False))
    y = np.array([4.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates = model.rates(0.0, y[None] if as_array else y, model.parameters(), np.zeros(0))
    assert rates.ravel()[2] == np.inf
    assert rates.ravel()[1] == 4.0


def test_constants_that_cannot_be_computed_are_inf_everywhere() -> None:
    d = Draft("division")
    d.parameter("a", 1.0)
    d.parameter("b", 0.0)
    d.state("x")
    d.constant("c1", d["a"] / d["b"])
    d.constant("c2", d["c1"] / (1 + d["c1"]))
    d.rate("r", d["c1"] * d["x"], {"x": -1})
    d.output("y", d["x"] + d["c2"])
    model = load_numpy(generated(d.system(), torch=False))
    p = model.parameters()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = model.prepare(p)
        dc = model.prepare_derivatives(p, c)
        assert c[0] == np.inf
        assert np.isnan(c[1])
        assert model.rhs(0.0, np.ones(1), p, np.zeros(0), c)[0] == -np.inf
        assert model.d_rhs_dp(0.0, np.ones(1), p, np.zeros(0), c, dc).shape == (2,)


def test_very_large_exponents_overflow_to_inf() -> None:
    d = Draft("large")
    d.parameter("k", 1.0)
    d.state("x")
    d.rate("r", sp.exp(d["k"] * d["x"]), {"x": 1})
    d.output("y", sp.log(d["x"]))
    model = load_numpy(generated(d.system(), torch=False))
    p, u = model.parameters(), np.zeros(0)
    assert model.rhs(0.0, np.array([1e4]), p, u)[0] == np.inf
    assert model.observe(0.0, np.array([0.0]), p, u)[0] == -np.inf
    assert np.isnan(model.observe(0.0, np.array([-1.0]), p, u)[0])


# ---- unknown terms


def test_a_term_without_default_asks_for_a_function() -> None:
    _, module = compiled_stages("edges")
    for load in (load_numpy, load_torch):
        with pytest.raises(ValueError, match=r'--unknown "pump = expression"'):
            load(module)
        with pytest.raises(
            ValueError, match=r"'pumpe' is not an unknown term of this model; .*absorbed, pump"
        ):
            load(module, {"pump": pump, "pumpe": pump})
        with pytest.raises(ValueError, match="a function of its arguments is needed"):
            load(module, {"pump": 3.0})
    with pytest.raises(ValueError, match="it has no unknown terms"):
        load_numpy(compiled_stages("oral")[1], {"pump": pump})


def test_derivatives_of_a_plain_function_are_differences_and_said_to_be() -> None:
    _, module = compiled_stages("edges")
    plain = load_numpy(module, {"pump": lambda c: c / (40.0 + c)})
    exact = load_numpy(module, {"pump": pump})
    assert plain.inexact_unknowns == ("pump",)
    assert exact.inexact_unknowns == ()
    t, y, p, u = batch(exact)
    np.testing.assert_allclose(plain.jacobian(t, y, p, u), exact.jacobian(t, y, p, u), rtol=1e-7, atol=1e-9)
    assert (plain.rhs(t, y, p, u) == exact.rhs(t, y, p, u)).all()


def test_torch_differentiates_a_plain_function_exactly() -> None:
    _, module = compiled_stages("edges")
    arguments = [torch.as_tensor(x) for x in batch(numpy_model("edges"))]
    plain = load_torch(module, {"pump": lambda c: c / (40.0 + c)})
    exact = load_torch(module, {"pump": pump})
    for quantity in ("jacobian", "d_rhs_dp"):
        found, expected = getattr(plain, quantity)(*arguments), getattr(exact, quantity)(*arguments)
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-15)


def test_a_constant_function_and_one_that_ignores_an_argument_have_zero_derivatives() -> None:
    _, module = compiled_stages("edges")
    arguments = [torch.as_tensor(x) for x in batch(numpy_model("edges"))]
    fixed = torch.tensor(0.3, dtype=torch.float64)
    for function in (lambda c: 0.3, lambda c: fixed, lambda c: 0.3 + 0 * c):
        model = load_torch(module, {"pump": function, "absorbed": lambda c, e: torch.exp(-e)})
        numpy = load_numpy(module, {"pump": lambda c: 0.3, "absorbed": lambda c, e: np.exp(-e)})
        found = model.jacobian(*arguments).numpy()
        np.testing.assert_allclose(
            found, numpy.jacobian(*(x.numpy() for x in arguments)), rtol=1e-8, atol=1e-9
        )


def test_a_network_in_place_of_an_unknown_term_learns_through_the_analytic_jacobian() -> None:
    _, module = compiled_stages("edges")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    model = load_torch(module, {"pump": lambda c: net(c.unsqueeze(-1)).squeeze(-1)})
    t, y, p, u = (torch.as_tensor(x) for x in batch(model))
    loss = model.jacobian(t, y, p, u).square().mean() + model.residual(t, y, y, p, u).square().mean()
    loss.backward()
    weights = net[0].weight
    analytic = weights.grad[2, 0].item()
    with torch.no_grad():
        step = 1e-6
        values = []
        for sign in (1.0, -1.0):
            weights[2, 0] += sign * step
            terms = (model.jacobian(t, y, p, u), model.residual(t, y, y, p, u))
            values.append(sum(x.square().mean().item() for x in terms))
            weights[2, 0] -= sign * step
    assert analytic == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


# ---- torch


@pytest.mark.parametrize("name", ["saturable", "edges", "circulation"])
def test_residual_and_its_derivatives(name: str) -> None:
    model = torch_model(name)
    t, y, p, u = (torch.as_tensor(x) for x in batch(model))
    dydt = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(model.residual(t, y, dydt, p, u), dydt - model.rhs(t, y, p, u))
    by_state = torch.func.vmap(
        torch.func.vmap(torch.func.jacrev(model.residual, argnums=1), (0, 0, 0, None, 0))
    )
    found = model.dense("jacobian", model.d_residual_dy(t, y, p, u))
    torch.testing.assert_close(found, by_state(t, y, dydt, p, u), rtol=1e-12, atol=1e-12)
    by_parameter = torch.func.vmap(
        torch.func.vmap(torch.func.jacrev(model.residual, argnums=3), (0, 0, 0, None, 0))
    )
    found = model.dense("d_rhs_dp", model.d_residual_dp(t, y, p, u))
    torch.testing.assert_close(found, by_parameter(t, y, dydt, p, u), rtol=1e-11, atol=1e-11)
    some = model.dense("d_rhs_dp", model.d_residual_dp(t, y, p, u), columns=[2, 0])
    assert torch.equal(some, found[..., [2, 0]])


def test_batches_equal_vmap() -> None:
    model = torch_model("edges")
    t, y, p, u = (torch.as_tensor(x) for x in batch(model))
    for quantity in AT:
        function = getattr(model, quantity)
        assert torch.equal(torch.func.vmap(function)(t, y, p, u), function(t, y, p, u)), quantity


def test_forward_and_reverse_mode_agree() -> None:
    model = torch_model("edges")
    t, y, p, u = (torch.as_tensor(x)[0] for x in batch(model))
    forward = torch.func.vmap(torch.func.jacfwd(model.rhs, argnums=1), (0, 0, None, 0))(t, y, p, u)
    backward = torch.func.vmap(torch.func.jacrev(model.rhs, argnums=1), (0, 0, None, 0))(t, y, p, u)
    torch.testing.assert_close(forward, backward, rtol=1e-13, atol=1e-13)


def test_at_a_tie_autograd_takes_the_side_of_the_analytic_derivative() -> None:
    model = torch_model("edges")
    _, _, p, u = (torch.as_tensor(x)[0] for x in batch(model))
    volume = model.prepare(p)[0]
    # blood at 5 umol/L exactly: the corner of max(0, C - 5).
    y = torch.stack(
        [torch.tensor(3.0, dtype=torch.float64), 5.0 * volume, torch.tensor(9.0), torch.tensor(0.0)]
    )
    automatic = torch.func.jacrev(model.rhs, argnums=1)(1.0, y, p, u[0])
    torch.testing.assert_close(automatic, model.dense("jacobian", model.jacobian(1.0, y, p, u[0])))


def test_single_precision_stays_single() -> None:
    model = torch_model("edges")
    t, y, p, u = (torch.as_tensor(x) for x in batch(model))
    single = model.rhs(t.float(), y.float(), p.float(), u.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), model.rhs(t, y, p, u), rtol=1e-4, atol=1e-3)


def test_torch_equals_numpy() -> None:
    for name in ("saturable", "edges"):
        one, other = numpy_model(name), torch_model(name)
        t, y, p, u = batch(one)
        tensors = [torch.as_tensor(x) for x in (t, y, p, u)]
        for quantity in AT:
            found = getattr(other, quantity)(*tensors).numpy()
            np.testing.assert_allclose(found, getattr(one, quantity)(t, y, p, u), rtol=1e-12, atol=1e-12)


def test_no_torch_text_no_torch_model() -> None:
    with pytest.raises(ValueError, match="torch=True"):
        load_torch(generated(rooted().system(), torch=False))


# ---- loading


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    private_folder.cache_clear()
    loading.load_text.cache_clear()
    yield tmp_path / "pbpkc" / "generated"
    private_folder.cache_clear()
    loading.load_text.cache_clear()


def test_text_is_kept_in_a_folder_only_its_user_can_write(cache: Path) -> None:
    load_numpy(compiled_stages("oral")[1])
    files = list(cache.glob("*.py"))
    assert len(files) == 1
    assert files[0].read_text() == compiled_stages("oral")[1].numpy_text
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert not list(cache.glob("*.tmp"))


def test_a_file_that_was_changed_is_not_run(cache: Path) -> None:
    load_numpy(compiled_stages("oral")[1])
    path = next(cache.glob("*.py"))
    path.write_text("raise RuntimeError('not what was generated')")
    loading.load_text.cache_clear()
    assert load_numpy(compiled_stages("oral")[1]).state_names[0] == "gut.THEO"
    assert path.read_text() == compiled_stages("oral")[1].numpy_text


def test_old_texts_are_forgotten(cache: Path) -> None:
    load_numpy(compiled_stages("oral")[1])
    old = next(cache.glob("*.py"))
    os.utime(old, (0, 0))
    load_numpy(compiled_stages("saturable")[1])
    assert not old.exists()


def test_without_a_cache_folder_a_temporary_one_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    private_folder.cache_clear()
    loading.load_text.cache_clear()
    assert load_numpy(compiled_stages("oral")[1]).state_names[0] == "gut.THEO"
    folder = private_folder()
    assert "pbpkc-" in folder.name
    private_folder.cache_clear()
    loading.load_text.cache_clear()


def test_many_processes_may_load_at_once(cache: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from generated_modules import compiled_stages;"
        "from pbpkc.runtime import load_numpy;"
        "m = load_numpy(compiled_stages('circulation')[1]);"
        "print(float(m.rhs(0.0, [1.0] * 7, m.parameters(), [0.0]).sum()))"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert len(set(outputs)) == 1


def test_models_travel_to_other_processes() -> None:
    model = pickle.loads(pickle.dumps(numpy_model("edges")))
    t, y, p, u = batch(model)
    np.testing.assert_array_equal(model.rhs(t, y, p, u), numpy_model("edges").rhs(t, y, p, u))
    assert model.inexact_unknowns == ()
    assert isinstance(pickle.loads(pickle.dumps(torch_model("saturable"))), TorchModel)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_sum_of_rhs, (numpy_model("saturable"),))
    assert found == _sum_of_rhs(numpy_model("saturable"))


def _sum_of_rhs(model: CompiledModel) -> float:
    return float(model.rhs(0.0, np.ones(4), model.parameters(), np.zeros(0)).sum())
