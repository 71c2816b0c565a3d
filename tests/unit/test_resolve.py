"""What the names, units, families and functions of a spec mean once it is resolved."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbpkc.language.diagnostics import SpecError
from pbpkc.language.evaluate import NotEvaluable, evaluate, evaluate_definitions
from pbpkc.language.expression import to_text
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse, read_source

GENERAL = """
state y = 1
process p : y -> outside rate 1 [1/h] * y
scenario s { run 1 [h] }
"""

ONE_COMPARTMENT = """
species X { mw = 300 [g/mol] }
lumen gut
pool plasma { volume = 10 [L] }
sink out
param ka = 1 [1/h]
param cl = 2 [L/h]
process absorption : gut -> plasma rate ka * gut.A
process elimination : plasma -> out rate cl * plasma.C
observe Cp = plasma.C in [mg/L]
scenario s { dose X 100 [mg] into gut; run 24 [h] }
"""

BODY = """
param CO = 300 [L/h]
blood arterial { volume = 2 [L] }
blood venous { volume = 4 [L] }
tissue lung { volume = 0.5 [L] }
tissue liver { volume = 1.8 [L] }
circulation CO { venous -> lung -> arterial; arterial -> liver -> venous }
sink out
scenario s { dose X 1 [umol] into venous; run 24 [h] }
"""


def model(*parts: str, head: str = "model m") -> Model:
    return resolve(parse(SourceFile("m.pbpk", "\n".join(["pbpk 1", head, *parts]) + "\n")))


def refused(*parts: str, head: str = "model m") -> list[str]:
    with pytest.raises(SpecError) as error:
        model(*parts, head=head)
    return [f"{d.code}: {d.message}" for d in error.value.diagnostics]


def values(found: Model, **overrides: float) -> Callable[[str], float]:
    return evaluate_definitions({k: d.expr for k, d in found.definitions.items()}, overrides)


def number(text: str, *parts: str) -> float:
    """The canonical value of an expression."""
    return float(values(model(GENERAL, *parts, f"param asked_for = {text}"))("asked_for"))


# ------------------------------------------------------------------ arithmetic


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2^3^2", 512.0),
        ("(2^3)^2", 64.0),
        ("-2^2", -4.0),
        ("(-2)^2", 4.0),
        ("2^-1", 0.5),
        ("7 - 2 - 1", 4.0),
        ("8 / 4 / 2", 1.0),
        ("8 / 4 * 2", 4.0),
        ("2 + 3 * 4 - 6 / 2", 11.0),
        ("1 - 2 + 3 - 4 + 5", 3.0),
        ("50 [%]", 0.5),
        ("exp(0) + ln(1) + log10(1000) + sqrt(16)", 8.0),
        ("min(3, 1, 2) + max(3, 1, 2) + abs(-4)", 8.0),
        ("floor(2.7) + ceil(2.2)", 5.0),
        ("sin(0) + cos(0)", 1.0),
        ("if(1 < 2 and 3 >= 3, 10, 20)", 10.0),
        ("if(1 > 2 or 2 > 3, 10, 20)", 20.0),
        ("if(1 > 2, 1 / 0, 20)", 20.0),
        ("sum(i^2 for i in 1..4)", 30.0),
        ("sum(i * j for i in 1..2, j in 1..3)", 18.0),
        ("hill(2 [mg/L], 2 [mg/L], 3)", 0.5),
        ("mm(10, 5, 5)", 5.0),
        ("mm(10, 5, 5, competitive(3, 3))", 50 / 15),
        ("mm(10, 5, 5, uncompetitive(3, 3))", 50 / 15),
        ("mm(10, 5, 5, substrate(5))", 50 / 15),
        ("q10(2, 310.15 [K], 300.15 [K])", 2.0),
    ],
)
def test_arithmetic(text: str, expected: float) -> None:
    assert number(text) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 [mg]", 1e-6),
        ("1 [g/mol]", 1e-9),
        ("60 [mL/min]", 3.6),
        ("2 [day] + 3 [h]", 51.0),
        ("1 [mg] / 1 [g/mol]", 1000.0),
        ("4 [kg]^0.5 * 2 [kg]^0.5", math.sqrt(8)),
        ("sqrt(16 [m^2])", 40.0),
        ("37 [degC]", 310.15),
        ("-5 [degC]", 268.15),
        ("37 [degC] - 36 [degC]", 1.0),
        ("q10(2, 47 [degC], 37 [degC])", 2.0),
    ],
)
def test_units_become_canonical_numbers(text: str, expected: float) -> None:
    assert number(text) == pytest.approx(expected, rel=1e-12)


def test_exponents_of_units_are_exact() -> None:
    found = model(
        GENERAL,
        "covariate BW = 70 [kg]",
        "param CO = 6.5 [L/min] * (BW / 70 [kg])^0.75",
        "param k = CO / BW^(3/4)",
    )
    assert str(found.definitions["k"].expr.dim) == "L/kg^0.75/h"


def test_a_root_of_a_negative_number_has_no_value() -> None:
    found = model(GENERAL, "param z = (-8)^0.5")
    with pytest.raises(ValueError, match=r"-8 has no real power 0\.5"):
        values(found)("z")


def test_a_name_without_a_value_is_named() -> None:
    found = model(ONE_COMPARTMENT)
    with pytest.raises(NotEvaluable, match=r"gut\.X"):
        evaluate(found.definitions["absorption"].expr, {"ka": 1.0}.__getitem__)


# ------------------------------------------------------------------ names


def test_declarations_have_no_order() -> None:
    forth = model(GENERAL, "param a = b + 1", "param b = c * 2", "param c = 3")
    assert values(forth)("a") == 7


def test_the_only_species_may_be_left_out() -> None:
    short = model(ONE_COMPARTMENT)
    named = model(ONE_COMPARTMENT.replace("gut -> plasma", "gut.X -> plasma.X").replace("gut.A", "gut.X.A"))
    assert short.arrows == named.arrows
    assert short.definitions == named.definitions


def test_the_name_of_a_process_is_its_rate() -> None:
    found = model(ONE_COMPARTMENT, "let twice = 2 * elimination")
    assert values(found, **{"plasma.X": 5.0})("twice") == 2 * 2 * 5 / 10


def test_attributes_can_be_read() -> None:
    found = model(ONE_COMPARTMENT, "param z = plasma.volume * 2", "param w = X.mw")
    assert (values(found)("z"), values(found)("w")) == (20.0, pytest.approx(3e-7))


def test_arguments_and_indices_hide_outer_names() -> None:
    assert number("f(5) + ka", "param ka = 1", "function f(ka) = ka * 2") == 11
    assert number("sum(ka for ka in 1..3)", "param ka = 100") == 6


def test_a_function_is_written_out_so_it_works_for_any_unit() -> None:
    found = model(GENERAL, "function twice(x) = x + x", "param a = twice(3 [mg])", "param b = twice(2 [h])")
    assert to_text(found.definitions["a"].expr) == "3 [mg] + 3 [mg]"
    assert to_text(found.definitions["b"].expr) == "2 [h] + 2 [h]"


def test_functions_may_call_functions() -> None:
    assert number("g(2)", "function f(x) = x^2", "function g(x) = f(x + 1) + f(x)") == 13


def test_the_arguments_of_a_function_do_not_leak_into_another() -> None:
    (problem,) = refused(GENERAL, "function f(x) = g(1) + x", "function g(y) = x * y", "param z = f(2)")
    assert problem == "unknown-name: 'x' is not declared"


def test_names_are_case_sensitive_and_a_near_one_is_warned_of() -> None:
    found = model(GENERAL, "param k = 1", "param K = 2", "param z = k + K")
    assert values(found)("z") == 3
    assert [w.code for w in found.warnings if w.code == "case"] == ["case"]


def test_what_nobody_reads_is_warned_of() -> None:
    found = model(GENERAL, "param k = 1", "covariate BW = 70 [kg]")
    assert [w.message for w in found.warnings] == ["nobody reads 'k'"]


# ------------------------------------------------------------------ families


def test_a_family_by_size() -> None:
    found = model(
        "state x<3> = 2",
        "process p for i in 1..3 : x<i> -> outside rate 1 [1/h] * x<i>",
        "scenario s { run 1 [h] }",
    )
    assert [s.name for s in found.states] == ["x<1>", "x<2>", "x<3>"]
    assert [a.name for a in found.arrows] == ["p<1>", "p<2>", "p<3>"]


def test_a_family_by_its_own_index() -> None:
    found = model(GENERAL, "param k<i> for i in 2..4 = 10 * i", "param z = k<2> + k<4>")
    assert values(found)("z") == 60


def test_a_masked_family_covers_part_of_a_param_family() -> None:
    found = model(
        GENERAL,
        "param K<3,3> = 7",
        "masked K<i,i> for i in 1..3 ~ uniform(0, 1)",
        "masked K<i,i+1> for i in 1..2 ~ uniform(0, 4)",
        "param z = sum(K<i,j> for i in 1..3, j in 1..3)",
    )
    assert {d.name for d in found.masked} == {"K<1,1>", "K<2,2>", "K<3,3>", "K<1,2>", "K<2,3>"}
    assert values(found)("z") == 3 * 0.5 + 2 * 2 + 4 * 7


def test_chains_along_a_family_may_run_in_either_direction() -> None:
    up = model(
        GENERAL, "param k<1> for j in 1..1 = 1", "param k<i> for i in 2..200 = k<i-1> + 1", "param z = k<200>"
    )
    down = model(
        GENERAL, "param k<i> for i in 1..199 = k<i+1> + 1", "param k<200> for j in 1..1 = 1", "param z = k<1>"
    )
    assert values(up)("z") == values(down)("z") == 200


def test_a_problem_of_a_family_is_said_once() -> None:
    problems = refused(
        "state x<20> = 1",
        "process p for i in 1..20 : x<i> -> outside rate k<i> * x<i>",
        "scenario s { run 1 [h] }",
    )
    assert problems == ["unknown-name: 'k<1>' is not declared"]


# ------------------------------------------------------------------ states and concentrations


def test_states_are_what_is_carried_moved_dosed_or_started() -> None:
    found = model(
        BODY,
        "species X carried by CO { mw = 300 [g/mol]; bp = 1; kp = 2 }",
        "species M { mw = 200 [g/mol] }",
        "species K { mw = 100 [g/mol] }",
        "pool depot { volume = 1 [L] }",
        "start depot.K = 2 [umol]",
        "process met : liver.X -> out.M rate 1 [1/h] * liver.X.A",
    )
    assert {s.name: s.reason for s in found.states} == {
        "arterial.X": "'X' is carried by CO",
        "venous.X": "'X' is carried by CO",
        "lung.X": "'X' is carried by CO",
        "liver.X": "'X' is carried by CO",
        "depot.K": "a `start` line gives it an initial amount",
        "out.M": "process 'met' touches it",
    }
    assert [s.name for s in found.states if s.sink] == ["out.M"]


# Kb = kb = kp/BP = kpu*fup/BP; Cout = C/Kb, Cp = Cout/BP, Cu = fup*Cp (equations of the language).
@pytest.mark.parametrize("given", ["kp = 3", "kb = 3 / 0.9", "kpu = 3 / 0.2"])
def test_the_three_partition_coefficients_mean_the_same(given: str) -> None:
    found = model(
        BODY,
        f"species X carried by CO {{ mw = 300 [g/mol]; bp = 0.9; fup = 0.2; {given} }}",
        "let c = liver.C",
        "let out_ = liver.Cout",
        "let plasma_ = liver.Cp",
        "let free = liver.Cu",
        "let blood_plasma = venous.Cp",
        "let blood_free = venous.Cu",
    )
    at = values(found, **{"liver.X": 18.0, "venous.X": 4.0})
    assert at("c") == 10.0
    assert at("out_") == pytest.approx(10 * 0.9 / 3, rel=1e-14)
    assert at("plasma_") == pytest.approx(10 / 3, rel=1e-14)
    assert at("free") == pytest.approx(0.2 * 10 / 3, rel=1e-14)
    assert at("blood_plasma") == pytest.approx(1 / 0.9, rel=1e-14)
    assert at("blood_free") == pytest.approx(0.2 / 0.9, rel=1e-14)


def test_only_what_is_read_is_demanded() -> None:
    found = model(BODY, "species X carried by CO { mw = 300 [g/mol]; kb = 2 }")
    assert "X.bp" not in found.definitions and "X.fup" not in found.definitions


def test_an_own_coefficient_goes_before_the_general_one() -> None:
    found = model(BODY, "species X carried by CO { mw = 300 [g/mol]; bp = 1; kp = 2; kp.liver = 5 }")
    assert (values(found)("X.kp.liver"), values(found)("X.kp.lung")) == (5, 2)


def test_coefficients_of_another_kind_may_stand_beside_a_general_one() -> None:
    found = model(
        BODY,
        "species X carried by CO { mw = 300 [g/mol]; bp = 0.5; kp = 2; kb.liver = 5 }",
        "let out_ = liver.Cout",
    )
    assert values(found, **{"liver.X": 18.0})("out_") == pytest.approx(10 / 5)


def test_a_state_written_in_degrees_celsius_is_kept_in_kelvin() -> None:
    found = model(
        "state T = 37 [degC]", "ode T = 1 [K/h]", "observe y = T in [K]", "scenario s { run 1 [h] }"
    )
    (state,) = found.states
    assert (state.unit.text, state.unit.offset) == ("K", 0)
    assert state.start is not None and evaluate(state.start, {}.__getitem__) == pytest.approx(310.15)


def test_a_remainder_closes_a_volume() -> None:
    body = BODY.replace("arterial -> liver", "arterial -> {liver, rest}")
    found = model(
        body,
        "tissue rest { volume = remainder(70 [L]); flow = 10 [L/h] }",
        "species X carried by CO { mw = 1 [g/mol]; bp = 1; kp = 1 }",
    )
    assert values(found)("rest.volume") == pytest.approx(70 - 2 - 4 - 0.5 - 1.8)
    assert found.nodes["rest"].remainder == "70 [L]"


# ------------------------------------------------------------------ masked parameters


@pytest.mark.parametrize(
    ("prior", "median", "arguments"),
    [
        ("lognormal(2 [1/h], cv = 50 [%])", 2.0, {"median": 2.0, "sdlog": math.sqrt(math.log(1.25))}),
        ("lognormal(2 [1/h], sdlog = 0.4)", 2.0, {"median": 2.0, "sdlog": 0.4}),
        ("normal(3 [1/h], sd = 1 [1/h])", 3.0, {"mean": 3.0, "sd": 1.0}),
        ("normal(3 [1/h], cv = 10 [%])", 3.0, {"mean": 3.0, "sd": 0.3}),
        ("uniform(1 [1/h], 2 [1/h])", 1.5, {"low": 1.0, "high": 2.0}),
        ("beta(2, 2)", 0.5, {"a": 2.0, "b": 2.0}),
        ("halfnormal(sd = 2 [1/h])", 2 * 0.6744897501960817, {"sd": 2.0}),
        (
            "lognormal(1 [1/min], cv = 1e200)",
            60.0,
            {"median": 60.0, "sdlog": math.sqrt(2 * 200 * math.log(10))},
        ),
    ],
)
def test_priors(prior: str, median: float, arguments: dict[str, float]) -> None:
    found = model(GENERAL, f"masked k ~ {prior}", "param z = k")
    (k,) = found.masked
    assert evaluate(k.expr, {}.__getitem__) == pytest.approx(median, rel=1e-14)
    assert k.mask is not None and k.mask.prior is not None
    assert dict(k.mask.prior.arguments) == pytest.approx(arguments, rel=1e-14)


@pytest.mark.parametrize(
    ("line", "scale", "bounds"),
    [
        ("lognormal(1 [1/h], cv = 1) in (0.1, 10) [1/h]", "log", (0.1, 10.0)),
        ("lognormal(1 [1/h], cv = 1) in (6, 600) [1/day]", "log", (0.25, 25.0)),
        ("lognormal(1 [1/h], cv = 1) in (0, 10) [1/h]", "natural", (0.0, 10.0)),
        ("lognormal(1 [1/h], cv = 1) in (0.1, 10) [1/h] scale natural", "natural", (0.1, 10.0)),
        ("normal(0, sd = 1)", "natural", (-math.inf, math.inf)),
        ("uniform(1, 2)", "log", (1.0, 2.0)),
        ("beta(2, 3)", "natural", (0.0, 1.0)),
    ],
)
def test_bounds_and_scale(line: str, scale: str, bounds: tuple[float, float]) -> None:
    (k,) = model(GENERAL, f"masked k ~ {line}", "param z = k").masked
    assert k.mask is not None
    assert (k.mask.scale, (k.mask.low, k.mask.high)) == (scale, pytest.approx(bounds))


# ------------------------------------------------------------------ other files


@pytest.fixture
def body_file(tmp_path: Path) -> Path:
    (tmp_path / "body.pbpk").write_text(
        "pbpk 1\nmodel body { organism human }\n"
        "covariate BW = 70 [kg] in (30, 150) [kg]\nparam CO = 4 [L/h/kg] * BW\n"
        + BODY.replace("param CO = 300 [L/h]\n", "").replace(
            "scenario s { dose X 1 [umol] into venous; run 24 [h] }\n", ""
        )
    )
    return tmp_path


def read(folder: Path, *lines: str) -> Model:
    path = folder / "m.pbpk"
    path.write_text("\n".join(["pbpk 1", "model m", *lines]) + "\n")
    return resolve(parse(read_source(path)))


DRUG = (
    "species X carried by CO { mw = 300 [g/mol]; bp = 1; kp = 2 }",
    "scenario s { dose X 1 [umol] into venous; run 1 [h] }",
)


def test_a_used_file_brings_its_names_and_its_organism(body_file: Path) -> None:
    found = read(body_file, 'use "body.pbpk"', *DRUG)
    assert (found.organism, found.name) == ("human", "m")
    assert values(found)("CO") == 280
    assert [Path(f.name).name for f in found.files] == ["m.pbpk", "body.pbpk"]


def test_set_gives_a_used_name_another_value(body_file: Path) -> None:
    found = read(body_file, 'use "body.pbpk"', "set BW = 40 [kg]", "set liver.volume = 1 [L]", *DRUG)
    assert (values(found)("CO"), values(found)("liver.volume")) == (160, 1)


def test_set_keeps_unit_and_bounds(body_file: Path) -> None:
    for line, problem in (
        ("set BW = 20 [kg]", "out-of-bounds"),
        ("set BW = 40 [L]", "unit-mismatch"),
        ("set CO = 3 [L]", "unit-mismatch"),
    ):
        with pytest.raises(SpecError) as error:
            read(body_file, 'use "body.pbpk"', line, *DRUG)
        assert [d.code for d in error.value.diagnostics] == [problem]


def test_a_declaration_left_out_may_be_declared_anew(body_file: Path) -> None:
    found = read(body_file, 'use "body.pbpk" without CO', "param CO = 5 [L/h]", *DRUG)
    assert values(found)("CO") == 5


def test_a_file_reached_twice_is_read_once(body_file: Path) -> None:
    (body_file / "other.pbpk").write_text('pbpk 1\nuse "body.pbpk"\nparam extra = 2 * CO\n')
    assert values(read(body_file, 'use "body.pbpk"', 'use "other.pbpk"', *DRUG))("extra") == 560


# ------------------------------------------------------------------ scenarios


def test_a_child_copies_its_parent_and_replaces_what_it_names() -> None:
    found = model(
        ONE_COMPARTMENT,
        "covariate BW = 70 [kg]",
        "scenario a { set BW = 60 [kg]; dose X 1 [mg] into gut; dose X 2 [mg] into gut at 2 [h]; run 5 [h] }",
        "scenario b from a { run 9 [h] }",
        "scenario c from b { set BW = 50 [kg]; dose X 3 [mg] into plasma }",
    )
    b, c = found.scenarios["b"], found.scenarios["c"]
    assert (len(b.doses), to_text(b.run)) == (2, "9 [h]")
    assert [(d.state, to_text(d.amount)) for d in c.doses] == [("plasma.X", "3 [mg] / X.mw")]
    assert [(name, to_text(value)) for name, value in c.sets] == [("BW", "50 [kg]")]
    assert to_text(c.run) == "9 [h]"


def test_scenarios_may_stand_before_their_parents() -> None:
    found = model(
        ONE_COMPARTMENT, "scenario b from a { run 9 [h] }", "scenario a { dose X 1 [mg] into gut; run 5 [h] }"
    )
    assert list(found.scenarios) == ["s", "b", "a"]
    assert len(found.scenarios["b"].doses) == 1


# ------------------------------------------------------------------ models without units


def test_time_without_a_unit() -> None:
    found = model(
        "state x = 1",
        "process p : x -> outside rate 2 * x",
        "scenario s { run 3 }",
        head="model m { time [1] }",
    )
    assert found.time_unit.text == "1"
    assert (
        "unit-mismatch"
        in refused(
            "state x = 1",
            "process p : x -> outside rate 2 [1/h] * x",
            "scenario s { run 3 }",
            head="model m { time [1] }",
        )[0]
    )


def test_unit_checks_are_notes_in_a_spec_from_a_unit_free_source() -> None:
    found = model(
        "state x = 1",
        "param k = 2",
        "process p : x -> outside rate k * x",
        "scenario s { run 1 [h] }",
        head="model m { units none }",
    )
    assert [(w.severity, w.code) for w in found.warnings] == [("note", "unit-mismatch")]


# ------------------------------------------------------------------ the text of a bound expression


def _arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(pair, st.sampled_from([" + ", " - ", " * ", " / "])).map(
            lambda p: f"({p[0][0]}){p[1]}({p[0][1]})"
        ),
        st.tuples(pair, st.sampled_from([" + ", " - ", " * "])).map(lambda p: f"{p[0][0]}{p[1]}{p[0][1]}"),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, st.integers(-2, 3)).map(lambda p: f"({p[0]})^{p[1]}"),
        pair.map(lambda p: f"if({p[0]} < {p[1]}, {p[0]}, {p[1]})"),
        pair.map(lambda p: f"max({p[0]}, {p[1]})"),
    )


_texts = st.recursive(st.integers(1, 9).map(str) | st.just("0.25") | st.just("k"), _arithmetic, max_leaves=8)


@settings(derandomize=True, deadline=None, max_examples=150, database=None)
@given(_texts)
def test_the_text_of_an_expression_reads_as_the_expression(text: str) -> None:
    def value(written: str) -> tuple[str, float | str]:
        found = model(GENERAL, "param k = 1.5", f"param asked_for = {written}")
        try:
            return to_text(found.definitions["asked_for"].expr), float(values(found)("asked_for"))
        except (ArithmeticError, ValueError) as error:
            return to_text(found.definitions["asked_for"].expr), type(error).__name__

    shown, expected = value(text)
    again, found = value(shown)
    assert again == shown
    assert found == pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else found == expected
