"""Frozen dataclasses of plain values to JSON and back, without a digit lost.

Numbers are written as Python prints them, which reads back to the same bits. JSON has no nan: it is
``null``, and ``null`` where a number is expected reads back as nan.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import TypeVar, cast

T = TypeVar("T")


def to_plain(value: object) -> object:
    """Dataclasses, tuples and mappings as dicts and lists; numbers that are not finite as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): to_plain(entry) for name, entry in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def from_plain(kind: type[T], data: object) -> T:
    """A dataclass from what `to_plain` made of it.

    Raises
    ------
    ValueError
        If the data are not of that shape.
    """
    try:
        return cast(T, _read(kind, data))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"data do not describe a {kind.__name__}: {error}") from error


@cache
def _hints(kind: type) -> Mapping[str, object]:
    # Working them out takes longer than all the rest of reading a value.
    return typing.get_type_hints(kind)


def _read(kind: object, data: object) -> object:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        entries = cast(Mapping[str, object], data)
        return kind(**{f.name: _read(hints[f.name], entries[f.name]) for f in dataclasses.fields(kind)})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if data is None else _read(next(a for a in arguments if a is not type(None)), data)
    if origin is tuple:
        if not isinstance(data, list):
            raise TypeError(f"expected a list, found {type(data).__name__}")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_read(arguments[0], entry) for entry in data)
        return tuple(_read(argument, entry) for argument, entry in zip(arguments, data, strict=True))
    if kind is float:
        return math.nan if data is None else float(cast(float, data))
    if isinstance(kind, type) and kind in (int, str, bool) and not isinstance(data, kind):
        raise TypeError(f"expected {kind.__name__}, found {type(data).__name__}")
    return data
