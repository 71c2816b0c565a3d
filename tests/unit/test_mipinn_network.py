"""Sine networks as a basis: their training through the head, their files, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_case import call
from mipinn_case import loaded, trained, write

from pbpkc import load
from pbpkc.engines.mipinn import checkpoint
from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.candidates import Candidates
from pbpkc.engines.mipinn.fast import FastModel
from pbpkc.engines.mipinn.features import svd_basis
from pbpkc.engines.mipinn.forcing import Forcing
from pbpkc.engines.mipinn.least_squares import LeastSquaresHead
from pbpkc.engines.mipinn.material import Material, gather
from pbpkc.engines.mipinn.network.head import TorchHead
from pbpkc.engines.mipinn.network.loss import loss_of
from pbpkc.engines.mipinn.network.options import NetworkOptions
from pbpkc.engines.mipinn.network.segments import Segments, as_tensors
from pbpkc.engines.mipinn.network.state_file import NetworkFile
from pbpkc.engines.mipinn.snapshots import Snapshot
from pbpkc.engines.mipinn.structure import structure
from pbpkc.engines.mipinn.tasks import bound
from pbpkc.engines.mipinn.training import train
from pbpkc.engines.mipinn.training_options import TrainingOptions

NETWORK = NetworkOptions(steps=60, width=64, tasks=10)
OPTIONS = TrainingOptions(
    tasks=40, held_out=6, basis="network", head="least-squares", branches=(2,), features=(8,), network=NETWORK
)
KIND = "bolus into gut.X"


@lru_cache(maxsize=1)
def material() -> Material:
    return gather(loaded().compiled, trained("po")[0], OPTIONS)


@lru_cache(maxsize=4)
def parts(count: int) -> tuple[Basis, list[Snapshot], TorchHead, Segments]:
    """Singular vectors, the snapshots, and both in torch."""
    compiled, found = loaded().compiled, material()
    makers = Candidates(compiled, trained("po")[0], found, OPTIONS)
    like = svd_basis(found.grids[KIND], found.snapshots[KIND], makers.branch(KIND, 2), count)
    every = structure(compiled, np.arange(len(compiled.state_names)))
    head = TorchHead(loaded().torch(), every, like, "cpu")
    return (
        like,
        found.snapshots[KIND],
        head,
        as_tensors(compiled, like, found.snapshots[KIND], found.tasks, "cpu"),
    )


def test_the_torch_head_finds_what_the_numpy_head_finds() -> None:
    compiled = loaded().compiled
    like, found, head, segments = parts(10)
    features = head.orthonormal(torch.as_tensor(like.features))
    basis = replace(like, features=features.numpy())
    model = trained("po")[1].model
    kinds = {KIND: replace(model.kinds[KIND], basis=basis)}
    fast = FastModel(compiled, replace(model, kinds=kinds), None, np.zeros(0, dtype=np.intp), "least-squares")
    assert isinstance(fast.solver, LeastSquaresHead)
    squares = LeastSquaresHead(fast.structure, fast.solver.reads, together=False)
    solved = head.solve(segments, features, 8).w.numpy()
    for i, one in enumerate(found[:4]):
        p = material().tasks[one.task].p[None]
        zero = np.zeros((1, len(one.y0)))
        forcing = Forcing(
            np.array([one.segment.t0]), one.y0[None], one.segment.u[None], one.segment.slope, zero
        )
        w = squares.solve(fast.plan(KIND, 1.0), bound(compiled, p, False), forcing, solved[i], None).w[0]
        assert np.allclose(w, solved[i], rtol=1e-4, atol=1e-6 * np.abs(w).max())


@pytest.mark.parametrize(("objective", "count"), [("physics", 4), ("projection", 4), ("both", 8)])
def test_the_gradient_of_the_loss_is_that_of_the_whole_solve(objective: str, count: int) -> None:
    """The curvature of the residual is left out, as Gauss and Newton do: less than a hundredth here."""
    like, _, head, segments = parts(count)
    batch = segments.picked(torch.arange(5))
    generator = np.random.default_rng(0)
    start = torch.as_tensor(like.features, dtype=torch.float64)
    found = []
    for _ in range(8):
        way = torch.as_tensor(like.features[..., ::-1].copy() * generator.standard_normal((1, count, 1)))
        way = way - way[..., :1]

        def value(at: float, way: torch.Tensor = way) -> tuple[float, float]:
            moved = torch.tensor(at, dtype=torch.float64, requires_grad=True)
            loss = loss_of(head, batch, head.orthonormal(start + moved * way), objective, 12)
            (slope,) = torch.autograd.grad(loss, moved)
            return loss.item(), slope.item()

        up, down = value(1e-3 + 1e-6)[0], value(1e-3 - 1e-6)[0]
        found.append(((up - down) / 2e-6, value(1e-3)[1]))
    difference, slope = np.array(found).T
    assert np.linalg.norm(difference - slope) < 0.02 * np.linalg.norm(difference)


def test_training_lowers_the_loss_and_beats_random_features() -> None:
    compiled, family = loaded().compiled, trained("po")[0]
    made = train(compiled, family, OPTIONS)
    loss = made.model.record["loss"][KIND]  # type: ignore[index]
    first, last = (np.mean([v for _, v in loss[part]]) for part in (slice(0, 5), slice(-5, None)))
    assert last < first - 0.3
    random = train(compiled, family, replace(OPTIONS, basis="random"))
    assert made.chosen.median < 0.3 * random.chosen.median
    assert not made.chosen.failed and made.cpu_seconds["networks"] > 0.0


def test_the_file_holds_the_network_behind_the_features(tmp_path: Path) -> None:
    write(tmp_path)
    made = load(tmp_path / "saturable.pbpk").meta_train(tmp_path / "m", scenario="po", options=OPTIONS)
    again = checkpoint.read(tmp_path / "m")
    assert again.kinds["start"].network is None
    one = again.kinds[KIND]
    assert one.network is not None
    nodes = one.basis.grid.nodes
    assert np.array_equal(one.network.features_at(nodes), one.basis.features)
    assert not np.any(one.network.features_at(np.zeros(1)))
    between = np.sqrt(nodes[1:-1] * nodes[2:])
    told = one.basis.features @ one.basis.grid.values_at(between).T
    assert np.max(np.abs(one.network.features_at(between) - told)) < 0.05 * np.abs(told).max()
    assert made.training.model.record["options"]["network"]["objective"] == "physics"  # type: ignore[index]


def test_a_stopped_training_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    model = load(tmp_path / "saturable.pbpk")
    short = replace(OPTIONS, network=replace(NETWORK, steps=12, keep=5))
    model.meta_train(tmp_path / "whole", scenario="po", options=short)
    put, steps = NetworkFile.put, []

    def stopping(self: NetworkFile, state: dict[str, np.ndarray]) -> None:
        put(self, state)
        steps.append(int(state["step"][0]))
        raise KeyboardInterrupt

    monkeypatch.setattr(NetworkFile, "put", stopping)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            model.meta_train(tmp_path / "stopped", scenario="po", options=short)
    assert steps == [5, 10] and list((tmp_path / "stopped.partial").glob("network-*.safetensors"))
    monkeypatch.setattr(NetworkFile, "put", put)
    model.meta_train(tmp_path / "stopped", scenario="po", options=short)
    assert (tmp_path / "stopped").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not (tmp_path / "stopped.partial").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--device", "cuda"), 2, "device is 'cuda', and there is no GPU to use: "),
        (("--objective", "luck"), 2, "objective is 'luck'; accepted are physics, projection, both"),
        (("--features", "24"), 3, "a step of the network's training needs about "),
    ],
)
def test_what_cannot_be_trained_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, words: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    if code == 3:
        monkeypatch.setattr("pbpkc.jobs.meta_train.step_memory", lambda *_: 1e15)
    write(tmp_path)
    ran = call(
        "meta-train", "saturable.pbpk", "-s", "po", "-o", "m", "--basis", "network", *arguments, cwd=tmp_path
    )
    assert ran.code == code and words in ran.err and not ran.out
    assert not list(tmp_path.glob("m*"))


def test_choices_of_networks_need_the_network(tmp_path: Path) -> None:
    write(tmp_path)
    ran = call("meta-train", "saturable.pbpk", "-s", "po", "-o", "m", "--steps", "3", cwd=tmp_path)
    assert ran.code == 2 and "--steps is a choice of --basis network; the basis is svd" in ran.err


def test_a_user_trains_a_network(tmp_path: Path) -> None:
    write(tmp_path)
    ran = call(
        "meta-train", "saturable.pbpk", "-s", "po", "-o", "m", "--basis", "network", "--steps", "10",
        "--objective", "both", "--tasks", "20", "--held-out", "3", "--features", "8", cwd=tmp_path,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert f"  {KIND}: " in ran.out and "after 10 steps" in ran.out and "for networks" in ran.out
