"""Blood flows: networks with known answers, and what is wrong with a published table."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pytest

from pbpkc.language.diagnostics import SpecError
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.structure.flows import SolvedFlows, Vessel, balance_equations, solve_flows
from pbpkc.language.syntax.parse import parse

ONE = Fraction(1)

BODY = [
    ("venous", "lung"),
    ("lung", "arterial"),
    ("arterial", "skin"),
    ("skin", "venous"),
    ("arterial", "gut"),
    ("gut", "liver"),
    ("arterial", "liver"),
    ("liver", "venous"),
]
TRUNK = ["venous", "lung", "arterial"]


def solve(
    vessels: list[Vessel] = BODY,
    supplies: Mapping[str, str] | None = None,
    outflows: Mapping[str, str] | None = None,
    paths: Mapping[Vessel, str] | None = None,
) -> SolvedFlows:
    return solve_flows(
        vessels, balance_equations(vessels, TRUNK, "CO", supplies or {}, outflows or {}, paths or {})
    )


# ------------------------------------------------------------------ elimination


def test_the_trunk_carries_the_total() -> None:
    solved = solve(supplies={"skin": "skin", "gut": "gut"})
    assert solved.flows["venous", "lung"] == solved.flows["lung", "arterial"] == {"CO": ONE}


def test_what_is_not_given_is_left_to_the_balance() -> None:
    solved = solve(supplies={"skin": "skin", "gut": "gut"})
    assert solved.flows["arterial", "liver"] == {"CO": ONE, "skin": -ONE, "gut": -ONE}
    assert solved.flows["liver", "venous"] == {"CO": ONE, "skin": -ONE}
    assert (solved.undetermined, solved.free, solved.conditions) == ((), 0, ())


def test_an_outflow_gives_the_supply() -> None:
    solved = solve(supplies={"gut": "gut"}, outflows={"liver": "out"})
    assert solved.flows["arterial", "liver"] == {"out": ONE, "gut": -ONE}
    assert solved.flows["arterial", "skin"] == {"CO": ONE, "out": -ONE}


def test_too_little_is_given() -> None:
    solved = solve(supplies={"skin": "skin"})
    assert solved.free == 1
    assert set(solved.undetermined) == {("arterial", "gut"), ("gut", "liver"), ("arterial", "liver")}


def test_too_much_is_given() -> None:
    solved = solve(supplies={"skin": "skin", "gut": "gut", "liver": "liver"})
    assert solved.undetermined == ()
    ((where, combination),) = solved.conditions[:1]
    assert where in ("venous", "arterial")
    assert {name: abs(c) for name, c in combination.items()} == {"CO": 1, "skin": 1, "gut": 1, "liver": 1}


def test_a_shunt_takes_its_part_away() -> None:
    vessels = [*BODY, ("gut", "venous")]
    solved = solve(vessels, supplies={"skin": "skin", "gut": "gut"}, paths={("gut", "venous"): "shunt"})
    assert solved.flows["gut", "liver"] == {"gut": ONE, "shunt": -ONE}
    assert solved.flows["liver", "venous"] == {"CO": ONE, "skin": -ONE, "shunt": -ONE}


def test_vessels_in_series_and_parallel() -> None:
    # a -> {b, c} -> d: four vessels, two of them free.
    vessels = [("v", "a"), ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "v")]
    equations = balance_equations(vessels, ["v", "a"], "CO", {"b": "b"}, {}, {})
    solved = solve_flows(vessels, equations)
    assert solved.flows["c", "d"] == {"CO": ONE, "b": -ONE}
    assert solved.flows["d", "v"] == {"CO": ONE}


# ------------------------------------------------------------------ through the language

HEAD = """
param CO = 300 [L/h]
blood arterial { volume = 2 [L] }
blood venous { volume = 4 [L] }
tissue lung { volume = 0.5 [L] }
species X carried by CO { mw = 300 [g/mol]; bp = 0.9; fup = 0.2; kp = 1.5 }
observe Cp = venous.Cp in [mg/L]
scenario s { dose X 100 [mg] into venous; run 24 [h] }
"""

PATHS = """
circulation CO {
  venous -> lung -> arterial
  arterial -> {skin, gut} -> venous
}
"""


def model(text: str, head: str = HEAD) -> Model:
    return resolve(parse(SourceFile("m.pbpk", f"pbpk 1\nmodel m\n{head}\n{text}\n")))


def refused(text: str, head: str = HEAD) -> list[str]:
    with pytest.raises(SpecError) as error:
        model(text, head)
    return [d.render() for d in error.value.diagnostics]


def flows(found: Model) -> dict[str, float]:
    """Flows in percent of the total."""
    lookup = evaluate_definitions({k: d.expr for k, d in found.definitions.items()}, {})
    return {f"{e.source} -> {e.target}": round(100 * lookup(e.flow) / lookup("CO"), 6) for e in found.edges}


def liver(outflow: float) -> str:
    return f"""
tissue gut {{ volume = 1 [L]; flow = 60 [L/h] }}
tissue liver {{ volume = 1.8 [L]; flow = 20 [L/h]; outflow = {outflow} [L/h] }}
tissue rest {{ volume = 60 [L] }}
circulation CO {{
  venous -> lung -> arterial
  arterial -> {{gut, liver, rest}}
  gut -> liver -> venous
  rest -> venous
}}
"""


def test_a_liver_given_twice_is_accepted_where_it_is_consistent() -> None:
    found = flows(model(liver(80)))
    assert found["liver -> venous"] == pytest.approx(100 * 80 / 300, abs=1e-6)
    assert found["arterial -> rest"] == pytest.approx(100 * 220 / 300, abs=1e-6)


def test_and_refused_where_it_is_not() -> None:
    (text,) = refused(liver(90))
    assert (
        "error[unbalanced-flow]: the flows around 'liver' do not balance: 3.333 % of CO is left over" in text
    )
    assert "liver.outflow 30 %, against liver.flow 6.667 % + gut.flow 20 % = 26.67 %" in text


def test_a_remainder_takes_what_is_left() -> None:
    tissues = (
        "tissue skin { volume = 3 [L]; flow = remainder(CO) }\n"
        "tissue gut { volume = 1 [L]; flow = 90 [%] * CO }"
    )
    assert flows(model(tissues + PATHS))["arterial -> skin"] == 10


def test_flows_follow_a_changed_total() -> None:
    tissues = "tissue skin { volume = 3 [L] }\ntissue gut { volume = 1 [L]; flow = 90 [L/h] }"
    found = model(tissues + PATHS)
    lookup = evaluate_definitions({k: d.expr for k, d in found.definitions.items()}, {"CO": 100.0})
    assert lookup("Q.arterial.skin") == 10.0


def test_a_site_mixes_by_flow() -> None:
    tissues = (
        "tissue skin { volume = 3 [L] }\ntissue gut { volume = 1 [L]; flow = 90 [L/h] }\n"
        "site arm drains skin, gut\nlet c = arm.X.C"
    )
    found = model(tissues + PATHS)
    amounts = {f"{n}.X": 0.0 for n in found.nodes} | {"skin.X": 3.0, "gut.X": 0.0}
    lookup = evaluate_definitions({k: d.expr for k, d in found.definitions.items()}, amounts)
    # 1 umol/L in skin leaves at BP/Kp = 0.6 umol/L with 210 of 300 L/h.
    assert lookup("c") == pytest.approx(0.6 * 210 / 300, rel=1e-14)


# ------------------------------------------------------------------ a table that does not close

# Blood flows of tissues in percent of the cardiac output, mL/min: the R package httk 2.7.4 tabulates both per
# kg^0.75 (Davies B, Morris T (1993) Pharm Res 10:1093-1095, as cited there). "liver" is all that leaves the
# liver. The parallel organs of the rabbit add up to 131.6 %.
PUBLISHED = {
    "human": (
        5600.0,
        {
            "adipose": 4.64,
            "bone": 4.2,
            "brain": 12.5,
            "heart": 4.29,
            "kidney": 22.1,
            "liver": 25.9,
            "muscle": 13.4,
            "skin": 5.36,
            "thyroid": 1.6,
            "rest": 1.81,
        },
    ),
    "rat": (
        74.0,
        {
            "adipose": 0.54,
            "bone": 12.2,
            "brain": 1.76,
            "heart": 5.27,
            "kidney": 12.4,
            "liver": 15.9,
            "muscle": 10.1,
            "skin": 7.84,
            "rest": 28.5,
        },
    ),
    "dog": (
        1200.0,
        {
            "adipose": 2.92,
            "bone": 1.08,
            "brain": 3.75,
            "heart": 4.5,
            "kidney": 18,
            "liver": 25.7,
            "muscle": 20.8,
            "skin": 8.33,
            "rest": 2.86,
        },
    ),
    "rabbit": (
        421.5,
        {
            "adipose": 7.59,
            "bone": 7.33,
            "brain": 6.7,
            "heart": 3.8,
            "kidney": 19,
            "liver": 42,
            "muscle": 36.8,
            "skin": 8.38,
        },
    ),
}


def species_body(name: str, left: str = "") -> tuple[str, str]:
    """The body of an animal and its total; the tissue `left`, perhaps an extra one, takes what is left."""
    total, table = PUBLISHED[name]
    tissues = [
        f"tissue {t} {{ volume = 1 [L]; outflow = {q * total / 100} [mL/min] }}"
        for t, q in table.items()
        if t != left
    ]
    if left:
        tissues.append(f"tissue {left} {{ volume = 1 [L]; flow = remainder(CO) }}")
    names = ", ".join(dict.fromkeys([*table, *([left] if left else [])]))
    circulation = f"circulation CO {{\n  venous -> lung -> arterial\n  arterial -> {{{names}}} -> venous\n}}"
    return "\n".join([*tissues, circulation]), f"param CO = {total} [mL/min]"


def with_total(total: str) -> str:
    return HEAD.replace("param CO = 300 [L/h]", total)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_flows_do_not_close(name: str) -> None:
    text, total = species_body(name)
    (problem,) = refused(text, with_total(total))
    assert "error[unbalanced-flow]" in problem
    assert f" = {sum(PUBLISHED[name][1].values()):.4g} %" in problem


def test_a_remainder_cannot_hide_that_the_rabbit_has_131_percent() -> None:
    text, total = species_body("rabbit", left="carcass")
    (problem,) = refused(text, with_total(total))
    assert (
        "error[negative-flow]: the remainder from 'arterial' to 'carcass' is negative: -31.6 % of CO"
        in problem
    )
    assert "CO 100 %, against" in problem and "= 131.6 %" in problem
    assert "help: the given flows may not add up to more than the total" in problem


def test_with_the_output_that_its_flows_suggest_the_rabbit_is_still_refused() -> None:
    # 212 mL/min/kg times 2.5 kg, instead of kg^0.75: 104.7 %.
    text, _ = species_body("rabbit", left="carcass")
    (problem,) = refused(text, with_total("param CO = 530 [mL/min]"))
    excess = sum(PUBLISHED["rabbit"][1].values()) * 421.5 / 530 - 100
    assert f"is negative: -{excess:.4g} % of CO" in problem


def test_a_remainder_completes_the_other_animals() -> None:
    for name in ("human", "rat", "dog"):
        text, total = species_body(name, left="carcass")
        found = flows(model(text, with_total(total)))
        assert found["arterial -> carcass"] == pytest.approx(100 - sum(PUBLISHED[name][1].values()), abs=1e-3)
        assert sum(q for vessel, q in found.items() if vessel.startswith("arterial ->")) == pytest.approx(
            100, abs=1e-3
        )


def test_a_large_remainder_is_said() -> None:
    text, total = species_body("dog", left="muscle")
    warnings = [w.render() for w in model(text, with_total(total)).warnings]
    assert any("large-remainder" in w and "the flow of 'muscle' holds 32.9 %" in w for w in warnings)
