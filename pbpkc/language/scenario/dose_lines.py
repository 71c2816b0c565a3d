"""Dose lines of a scenario, and the lines of a data block that say where its doses go."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.diagnostics import Label, respelt, similar
from pbpkc.language.expression import Expr, div
from pbpkc.language.model import Dose
from pbpkc.language.source import Span
from pbpkc.language.structure.spaces import compartment, read_space
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import AMOUNT, MASS, ONE, Dimension

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


#: Doses that one line may repeat.
MOST_DOSES = 100_000

_DOSE_WORDS = ("at", "over", "rate", "every", "count", "lag", "fraction", "steady")

#: What a CMT line may say of the doses of a file; the file itself says when, and how often.
_ROW_WORDS = ("over", "rate", "lag", "fraction")

#: Where a value of a scenario stands: no unknown term may be called.
_A_DOSE = Context(unknowns=False, where="a dose")


class DoseLines:
    """Binds dose lines.

    Parameters
    ----------
    table : Table
    reasons : dict of str to str
        Of the states that a scenario makes exist, why; those of doses are added.
    """

    def __init__(self, table: Table, reasons: dict[str, str]) -> None:
        self.table, self.reasons = table, reasons

    def place(self, ref: n.Ref, species: str, reason: str) -> str:
        """The state a dose goes into."""
        table = self.table
        node = table.indexed(ref.parts[0], Context())
        if node in table.scope.sites:
            table.lost_end = True
            raise table.binder.fail(
                "misplaced",
                f"'{node}' is a site, where blood is sampled; nothing can be given there",
                ref.span,
                help="dose into the tissue or the blood itself",
            )
        if node in table.scope.states and len(ref.parts) == 1:
            table.lost_end = True
            raise table.binder.fail(
                "misplaced",
                f"'{node}' is a state, and no species is dosed into it",
                ref.span,
                help=f"write dose 100 into {node}, without a species",
            )
        try:
            space, rest = read_space(table, node, ref.parts[1:])
        except Unbound:
            table.lost_end = True
            raise
        if node not in table.scope.nodes or rest:
            table.lost_end = True
            near = similar(ref.text, table.scope.nodes)
            names = ", ".join(dict.fromkeys(k.split("<")[0] for k in table.scope.nodes))
            raise table.binder.fail(
                "unknown-name",
                f"there is no compartment '{ref.text}'",
                ref.span,
                help=f"a compartment with a similar name exists: '{near}'"
                if near
                else f"compartments are {names}"
                if names
                else "a dose goes into a node: declare `lumen gut`",
                fixes=respelt(ref.span, ref.parts[0].name, table.scope.nodes),
            )
        table.read_names.add(ref.parts[0].name)
        if not species:
            return ""
        try:
            state = compartment(table, node, space, species, ref)
        except Unbound:
            table.lost_end = True
            raise
        self.reasons.setdefault(state, reason)
        return state

    def named_species(self, part: n.Part) -> str:
        """The declared species of a name."""
        table = self.table
        if part.name not in table.scope.species:
            table.lost_end = True
            near = similar(part.name, table.scope.species)
            raise table.binder.fail(
                "unknown-name",
                f"there is no species '{part.name}'",
                part.span,
                help=f"a species with a similar name exists: '{near}'"
                if near
                else "species are " + ", ".join(table.scope.species)
                if table.scope.species
                else "declare it: species X { mw = 300 [g/mol] }",
                fixes=respelt(part.span, part.name, table.scope.species),
            )
        table.read_names.add(part.name)
        return part.name

    def amount(self, node: n.SyntaxExpr, species: str) -> Expr:
        """An amount of substance; a mass is divided by the molar mass."""
        table = self.table
        expr = table.binder.bind(node, _A_DOSE)
        return self.in_moles(expr, species, node.span)

    def in_moles(self, expr: Expr, species: str, span: Span) -> Expr:
        """An amount or a mass as an amount."""
        table = self.table
        if expr.dim == MASS:
            return div(expr, table.name(table.attribute(species, "mw", span)))
        if expr.dim != AMOUNT and not table.unit_free:
            raise table.binder.mismatch("a dose is an amount or a mass", expr, MASS, span)
        return expr

    def state_place(self, ref: n.Ref) -> str:
        """The general state a dose without a species goes into."""
        table = self.table
        name = table.indexed(ref.parts[0], Context())
        if name in table.state_units and len(ref.parts) == 1:
            table.read_names.add(ref.parts[0].name)
            return name
        if name in table.scope.nodes:
            known = list(table.scope.species)
            raise table.binder.fail(
                "which-species",
                f"a dose into '{ref.text}' names its species",
                ref.span,
                help=f"write dose {known[0] if known else 'X'} ... into {ref.text}",
            )
        near = similar(ref.text, table.scope.states)
        raise table.binder.fail(
            "unknown-name",
            f"there is no state '{ref.text}'",
            ref.span,
            help=f"a state with a similar name exists: '{near}'"
            if near
            else "a dose without a species goes into a `state`; one into a compartment names its species",
            fixes=respelt(ref.span, ref.parts[0].name, table.scope.states),
        )

    def _state_dose(self, line: n.DoseLine) -> Dose:
        table = self.table
        state = self.state_place(line.into)
        amount = table.binder.bind_as(
            line.amount,
            table.state_units[state].dimension,
            _A_DOSE,
            f"a dose into '{state}' has its unit",
        )
        return self.moments(line.when, line.span, state, state, amount)

    def dose(self, line: n.DoseLine, scenario: str) -> Dose:
        """A dose line of a scenario."""
        if line.species is None:
            return self._state_dose(line)
        found: list[str] = []
        with suppress(Unbound):
            found.append(self.named_species(line.species))
        # The place is looked at in any case, so that both are reported.
        state = self.place(line.into, found[0] if found else "", f"dosed in scenario '{scenario}'")
        if not found:
            raise Unbound()
        species = found[0]
        amount = self.amount(line.amount, species)
        return self.moments(line.when, line.span, species, state, amount)

    def moments(
        self, moments: tuple[n.When, ...], span: Span, species: str, state: str, amount: Expr | None
    ) -> Dose:
        """A dose with its `at`, `over` or `rate`, `every` and `count`, `lag` and `fraction`."""
        table = self.table
        binder, time = table.binder, table.time
        given: dict[str, Expr] = {}
        count: int | None = None
        seen: dict[str, Span] = {}
        for moment in moments:
            word = moment.word
            if word in seen:
                raise binder.fail(
                    "duplicate-name",
                    f"`{word}` is said twice",
                    moment.span,
                    others=(Label(seen[word], "first here"),),
                    help="leave one of them out, or write two doses",
                )
            seen[word] = moment.span
            if word not in _DOSE_WORDS:
                raise binder.fail(
                    "misplaced",
                    f"`{word}` does not belong to a dose",
                    moment.span,
                    help="a dose takes at, over or rate, every with count or steady, lag, fraction",
                )
            if amount is None and word not in _ROW_WORDS:
                raise binder.fail(
                    "misplaced",
                    f"`{word}` does not belong to a line of a data block",
                    moment.span,
                    help="the file says when and how often (II, ADDL, SS); the line may say over, rate, lag, "
                    "fraction",
                )
            if word == "steady":
                continue
            assert moment.value is not None
            if word == "count":
                number = binder.constant(moment.value, ONE, "the count of doses is a whole number")
                if number > MOST_DOSES:
                    raise binder.fail(
                        "too-large",
                        f"the count of doses is {number:g}; at most {MOST_DOSES} are accepted",
                        moment.span,
                        help="write a smaller count, or an infusion in place of many small doses",
                    )
                if number != int(number) or number < 1:
                    raise binder.fail(
                        "not-whole",
                        f"the count of doses is {number:g}, which is no whole number from 1",
                        moment.span,
                        help="write for example every 12 [h] count 6",
                    )
                count = int(number)
                continue
            if word == "rate":
                if state in table.scope.states:
                    wanted_rate = table.state_units[state].dimension / time
                    rule = f"the rate of an infusion into '{state}' has its unit per time"
                    given[word] = binder.bind_as(moment.value, wanted_rate, _A_DOSE, rule)
                    continue
                expr = binder.bind(moment.value, _A_DOSE)
                if expr.dim == MASS / time:
                    expr = div(expr, table.name(table.attribute(species, "mw", moment.span)))
                elif expr.dim != AMOUNT / time and not table.unit_free:
                    raise binder.mismatch(
                        "the rate of an infusion is an amount or a mass per time",
                        expr,
                        MASS / time,
                        moment.span,
                    )
                given[word] = expr
                continue
            wanted: Dimension = ONE if word == "fraction" else time
            what = "a fraction is dimensionless" if word == "fraction" else f"`{word}` is a time"
            given[word] = binder.bind_as(moment.value, wanted, _A_DOSE, what)
        # A CMT line may have both: RATE -2 and -1 of the file say which of them a row means.
        if "over" in given and "rate" in given and amount is not None:
            raise binder.fail(
                "infusion",
                "this infusion is given by `over` and by `rate`",
                span,
                help="leave one of them out: the other follows from the amount",
            )
        steady = "steady" in seen
        if ("every" in given) != (count is not None or steady):
            lacks = "`count` or `steady`" if "every" in given else "`every`"
            how = "every 12 [h] steady" if steady else "every 12 [h] count 6"
            raise binder.fail("repeat", f"this dose repeats without {lacks}", span, help=f"write {how}")
        return Dose(
            species,
            state,
            amount,
            given.get("at"),
            given.get("over"),
            given.get("rate"),
            given.get("every"),
            count if count is not None or steady else 1,
            given.get("lag"),
            given.get("fraction"),
            steady=steady,
            span=span,
        )
