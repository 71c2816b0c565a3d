"""Unknown terms of a generated module: their description, and which function stands in for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class UnknownTerm(ABC):
    """An unknown term as a generated module declares it; each target binds it in its own way.

    Parameters
    ----------
    name : str
    arguments : tuple of str
    ranges : tuple of (low, high)
        Of the arguments, canonical units.
    default, default_partials : callable or None
        The spec's default as a function of the arguments, and its derivatives by each.
    """

    name: str
    arguments: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]
    default: Callable[..., Any] | None
    default_partials: Callable[..., tuple[Any, ...]] | None

    @abstractmethod
    def bind(self, function: Callable[..., Any], partials: Callable[..., Any] | None) -> Any:
        """The term with a function, and that function's derivatives where it has them, in its place."""


def resolve_unknowns(
    terms: Sequence[UnknownTerm], given: Mapping[str, Callable[..., Any]] | None
) -> dict[str, Any]:
    """The bound term for each name: the callable given, else the default of the spec.

    Raises
    ------
    ValueError
        If a term has neither, or a name is not an unknown term's, or a value cannot be called.
    """
    given = dict(given or {})
    names = [term.name for term in terms]
    for name, function in given.items():
        if name not in names:
            has = "its unknown terms are " + ", ".join(names) if names else "it has no unknown terms"
            raise ValueError(f"unknowns: '{name}' is not an unknown term of this model; {has}")
        if not callable(function):
            raise ValueError(
                f"unknowns: the value for '{name}' is {function!r}; a function of its arguments is needed"
            )
    bound = {}
    for term in terms:
        if term.name in given:
            function = given[term.name]
            bound[term.name] = term.bind(function, getattr(function, "partials", None))
        elif term.default is not None:
            bound[term.name] = term.bind(term.default, term.default_partials)
        else:
            arguments = ", ".join(term.arguments)
            raise ValueError(
                f"the unknown term '{term.name}({arguments})' has no default; write one where it is "
                f'declared, or give it a form for this run: --unknown "{term.name} = expression"'
            )
    return bound
