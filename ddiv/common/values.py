"""Frozen values that name studies, treatments and jobs, their fields checked when they are made.

msgspec checks the types of what it reads, not of what is made in Python. A bad number would crash
hours later. And JSON has no NaN: a value with one would share its key with the value with None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from itertools import repeat
from numbers import Integral, Real
from typing import Any

import msgspec
from msgspec import inspect

from ddiv.common.printed import is_shown

# Torch, numpy and msgspec's JSON take whole numbers up to here.
LARGEST = 2**63 - 1

LONGEST = 200  # characters of a name

Settle = Callable[[Any], Any]


class Value(msgspec.Struct, frozen=True, cache_hash=True):
    """A frozen value whose fields are of their types; numbers are finite.

    Numbers of numpy become plain ones, and lists tuples. Raises ValueError, which names the field,
    on everything else. Subclasses with a `__post_init__` of their own call this one first.
    """

    def __post_init__(self) -> None:
        for name, settle in _fields(type(self)):
            given = getattr(self, name)
            try:
                settled = settle(given)
            except ValueError as error:
                raise ValueError(
                    f"`{name}` of {type(self).__name__} is {error}, got {given!r:.80}"
                ) from None
            if settled is not given:
                msgspec.structs.force_setattr(self, name, settled)

    def at_least(self, least: int, *names: str) -> None:
        """Raise ValueError where a field of these names is less than `least`."""
        for name in names:
            if (given := getattr(self, name)) < least:
                raise ValueError(
                    f"`{name}` of {type(self).__name__} is at least {least}, got {given!r:.80}"
                )


def require_name(what: str, name: str) -> None:
    """Raise ValueError on a name that cannot be read or typed.

    It is empty, has white space around it, is longer than `LONGEST`, or holds control characters.
    """
    if not name or name != name.strip() or len(name) > LONGEST or not all(map(is_shown, name)):
        raise ValueError(
            f"{what} has 1 to {LONGEST} characters, no control characters and no white space "
            f"around it, got {name!r:.80}"
        )


@cache
def _fields(kind: type) -> tuple[tuple[str, Settle], ...]:
    """The fields of a struct with the functions that settle their values."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return tuple((field.name, _settle(field.type)) for field in described.fields)


def _settle(kind: inspect.Type) -> Settle:
    match kind:
        case inspect.IntType():
            return _whole
        case inspect.FloatType():
            return _finite
        case inspect.BoolType():
            return _bool
        case inspect.StrType():
            return _text
        case inspect.NoneType():
            return _none
        case inspect.LiteralType(values=values):
            return partial(_one_of, values)
        case inspect.VarTupleType(item_type=item):
            return partial(_tuple, settles=repeat(_settle(item)))
        case inspect.TupleType(item_types=items):
            return partial(_tuple, settles=[*map(_settle, items)], length=len(items))
        case inspect.StructType(cls=cls):
            return partial(_instance, classes=(cls,))
        case inspect.UnionType(types=types):
            # One look for all structs: treatments are made by the thousand, of a dozen kinds.
            classes = tuple(part.cls for part in types if isinstance(part, inspect.StructType))
            others = [_settle(part) for part in types if not isinstance(part, inspect.StructType)]
            of_structs = partial(_instance, classes=classes)
            return partial(_either, settles=[*others, of_structs]) if others else of_structs
    raise TypeError(f"a value has no field of the type {kind}")


def _whole(given: Any) -> int:
    if type(given) is int and -LARGEST <= given <= LARGEST:
        return given
    if isinstance(given, bool) or not isinstance(given, Integral):
        raise ValueError("a whole number")
    number = int(given)
    if abs(number) > LARGEST:
        raise ValueError("a whole number of at most 2**63 - 1")
    return number


def _finite(given: Any) -> float:
    if type(given) is float and math.isfinite(given):
        return given or 0.0  # -0.0 equals 0.0, and JSON tells them apart
    if isinstance(given, int) and not isinstance(given, bool):
        return _whole(given)  # written as 1, it stays the 1 that labels know
    if isinstance(given, bool) or not isinstance(given, Real):
        raise ValueError("a number")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number or 0.0


def _bool(given: Any) -> bool:
    if not isinstance(given, bool):
        raise ValueError("True or False")
    return given


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("text")
    if not given.isascii() and any("\ud800" <= character <= "\udfff" for character in given):
        raise ValueError("text that UTF-8 can hold")
    return given if type(given) is str else str(given)


def _none(given: Any) -> None:
    if given is not None:
        raise ValueError("nothing")


def _one_of(values: Sequence[object], given: Any) -> object:
    if not isinstance(given, str) or given not in values:
        raise ValueError(f"one of {', '.join(map(repr, values))}")
    return str(given)


def _tuple(given: Any, settles: Iterable[Settle], length: int | None = None) -> tuple[Any, ...]:
    """A tuple, list or row of numbers as a tuple; itself where nothing in it changes."""
    items = given.tolist() if getattr(given, "ndim", 0) else given
    if not isinstance(items, tuple | list) or len(items) != (length or len(items)):
        raise ValueError(f"a tuple of {length}" if length else "a tuple")
    settled = tuple(_part(settle, item) for settle, item in zip(settles, items))
    same = type(given) is tuple and all(new is old for new, old in zip(settled, items))
    return given if same else settled


def _part(settle: Settle, item: Any) -> Any:
    try:
        return settle(item)
    except ValueError as error:
        raise ValueError(f"a tuple, each part of it {error}") from None


def _instance(given: Any, classes: tuple[type, ...]) -> Any:
    if isinstance(given, type) and issubclass(given, classes):
        raise ValueError(f"a {given.__name__} and not the class: write {given.__name__}(...)")
    if not isinstance(given, classes):
        raise ValueError(" or ".join(f"a {cls.__name__}" for cls in classes))
    return given


def _either(given: Any, settles: Sequence[Settle]) -> Any:
    reasons = []
    for settle in settles:
        try:
            return settle(given)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(" or ".join(filter(None, dict.fromkeys(reasons))))
