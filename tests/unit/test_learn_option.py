"""``--learn``: an unknown term becomes masked parameters, and everything else goes on as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_case import call

from pbpkc.jobs.loaded import LoadedModel, load
from pbpkc.language.options.option_text import OptionError

SPEC = """\
pbpk 1
model pool "One pool, how it empties is not known"
species D { mw = 100 [g/mol] }
pool plasma { volume = 10 [L] }
sink gone
unknown v (c [umol/L] in (0, 100) [umol/L]) -> [umol/h] {
  range (0, 2000) [umol/h]; rising in c; at (0 [umol/L]) = 0 [umol/h]; default 3 [L/h] * c
}
process out : plasma -> gone rate v(plasma.C)
observe Cp = plasma.C in [umol/L] error prop(2 [%])
scenario s { dose D 800 [umol] into plasma at 0 [h]; run 12 [h] }
scenario m { data "d.csv" {
  column TIME [h]; column AMT [umol]; CMT 1 dose D into plasma; DVID 1 observe Cp
} }
check mass, positive
"""

TRUTH = "v = 150 [umol/h] * c / (30 [umol/L] + c)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learn")
    (folder / "pool.pbpk").write_text(SPEC)
    times = np.array([0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 10])
    run = load(folder / "pool.pbpk").simulate("s", times=times, unknown=TRUTH)
    noise = np.exp(0.02 * np.random.default_rng(3).standard_normal(len(times)))
    rows = [
        f"1,{t},0,.,1,.,{y!r}" for t, y in zip(times, (run.observables["Cp"] * noise).tolist(), strict=True)
    ]
    (folder / "d.csv").write_text(
        "\n".join(["ID,TIME,EVID,CMT,DVID,AMT,DV", "1,0,1,1,.,800,.", *rows]) + "\n"
    )
    return folder


@pytest.fixture(scope="module")
def spec(folder: Path) -> LoadedModel:
    return load(folder / "pool.pbpk")


@pytest.mark.parametrize("form", ["basis", "network"])
def test_every_check_holds_of_a_learned_term(form: str, folder: Path) -> None:
    done = call("check", str(folder / "pool.pbpk"), "--learn", f"v={form}")
    assert done.code == 0
    assert "claims: rates keep their promise" in done.out
    assert "constant" in done.out
    assert "it keeps what is declared" in done.out


def test_the_default_is_the_start_and_coefficients_have_names(spec: LoadedModel) -> None:
    learned = spec.with_settings(learn="v = basis(4)")
    assert [d.name for d in learned.model.masked] == ["v.level", "v.bend1", "v.bend2", "v.bend3", "v.bend4"]
    assert not learned.model.unknowns
    plain, start = spec.simulate("s"), learned.simulate("s")
    assert start.observables["Cp"] == pytest.approx(plain.observables["Cp"], rel=1e-3)
    steep = learned.simulate("s", set="v.bend1 = 3 [1]")
    assert np.abs(steep.observables["Cp"] - start.observables["Cp"]).max() > 1


def test_unknown_and_learn_together_begin_at_the_form_given(spec: LoadedModel) -> None:
    learned = spec.with_settings(unknown=TRUTH, learn="v")
    exact = spec.simulate("s", unknown=TRUTH)
    assert learned.simulate("s").observables["Cp"] == pytest.approx(exact.observables["Cp"], rel=0.1)


@pytest.mark.parametrize("form", ["basis", "network"])
def test_a_fit_finds_the_curve_from_data(form: str, spec: LoadedModel) -> None:
    fit = spec.fit(learn=f"v={form}", starts=1, rtol=1e-8)
    (subject,) = fit.fits
    assert subject.outcome == "converged"
    learned = spec.with_settings(learn=f"v={form}").learned[0]
    c = np.linspace(0, 75, 40)
    curve = learned.form.values(learned.unknown, [c], np.array(subject.theta))
    truth = 150 * c / (30 + c)
    assert np.sqrt(np.mean((curve - truth) ** 2)) < 0.04 * truth.max()
    # The priors of coefficients count, so every one has a standard error.
    assert np.all(np.isfinite(np.diag(subject.covariance)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w", "no unknown term 'w'"),
        ("v = spline", "no form 'spline'"),
        ("v = basis(1)", "2 to 20"),
        ("v = = basis", "names no unknown term"),
    ],
)
def test_what_cannot_be_learned_is_said(text: str, message: str, spec: LoadedModel) -> None:
    with pytest.raises(OptionError, match=message):
        spec.with_settings(learn=text)


@pytest.mark.parametrize("form", ["basis", "network"])
@pytest.mark.parametrize("name", ["w", "x", "value", "level"])
def test_an_argument_called_like_a_part_of_the_form(form: str, name: str, tmp_path: Path) -> None:
    text = SPEC.replace("(c [umol/L]", f"({name} [umol/L]").replace("rising in c", f"rising in {name}")
    (tmp_path / "pool.pbpk").write_text(text.replace("[L/h] * c", f"[L/h] * {name}"))
    (tmp_path / "same.pbpk").write_text(SPEC)
    found, same = (
        load(tmp_path / f"{k}.pbpk").with_settings(learn=f"v = {form}").simulate("s", times=[0.0, 3.0])
        for k in ("pool", "same")
    )
    assert found.observables["Cp"][1] == same.observables["Cp"][1]


def test_a_term_is_learned_once(spec: LoadedModel) -> None:
    with pytest.raises(OptionError, match="left to learn"):
        spec.with_settings(learn=["v", "v"])


def test_two_calls_of_a_term_share_its_coefficients(tmp_path: Path) -> None:
    text = SPEC.replace("rate v(plasma.C)", "rate 0.5 * v(plasma.C) + 0.5 * v(0.5 * plasma.C)")
    path = tmp_path / "two.pbpk"
    path.write_text(text)
    spec = load(path)
    learned = spec.with_settings(learn="v")
    assert len(learned.model.masked) == 8
    assert learned.learned[0].calls == (("v.c",), ("v.2.c",))
    assert learned.simulate("s").observables["Cp"] == pytest.approx(
        spec.simulate("s").observables["Cp"], rel=1e-3
    )
