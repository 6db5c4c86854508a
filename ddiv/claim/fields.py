"""Whether the fields of a question are what they are to be, told when the question is made.

`ddiv.claim.returned` looks closer, but some questions count their arms before.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType, MethodType
from typing import Literal

import msgspec
from msgspec import inspect

from ddiv.outcome.own import Maker
from ddiv.study import Number
from ddiv.study.experiments import ExperimentMaker
from ddiv.treatment import Treatment

Wanted = Literal["outcome", "reading", "treatment", "ladder", "tuple", "number", "anything"]

_EXPECTED = {
    "outcome": 'expected an outcome, such as Spectral("alpha")',
    "reading": 'expected a number of an experiment, such as my_experiment("error")',
    "treatment": "expected a Treatment",
    "ladder": "expected `tuple`",
    "tuple": "expected `tuple`",
    "number": "expected a number",
}


class BadQuestion(ValueError):
    """The body of a claim returned nothing that a study can be asked; the message says why."""


def require_fields(question: msgspec.Struct) -> None:
    """Raise BadQuestion where a field holds what belongs into another, or was not called."""
    kind = type(question)
    fields = _fields(kind)
    for name, wanted in fields.items():
        value = getattr(question, name)
        if not _fits(value, wanted):
            why = _uncalled(name, value, wanted) or _misplaced(name, value, wanted, fields)
            raise BadQuestion(f"{kind.__name__}: its `{name}` is {why}")
        if wanted == "ladder" and any(map(_is_reversed, value)):
            raise BadQuestion(
                f"{kind.__name__}: its `{name}` has (treatment, dose): write (dose, treatment)"
            )


def a(value: object) -> str:
    """What messages call a value: a dict."""
    noun = type(value).__name__
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Wanted]:
    """What each field holds, in the order in which they are given."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return {field.name: _wanted(field.type) for field in described.fields}


def _wanted(kind: inspect.Type) -> Wanted:
    match kind:
        case inspect.VarTupleType(item_type=inspect.TupleType()):
            return "ladder"
        case inspect.VarTupleType():
            return "tuple"
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case inspect.StructType(cls=cls):
            if cls is Number:
                return "reading"
            return "treatment" if cls is Treatment else "outcome"
        case inspect.UnionType(types=types) if all(
            isinstance(each, inspect.StructType) for each in types
        ):
            return "outcome"
    return "anything"


def _fits(value: object, wanted: Wanted) -> bool:
    match wanted:
        case "outcome":  # of an outcome's function, `returned` says more
            return isinstance(value, msgspec.Struct | Maker) and not isinstance(
                value, Treatment | Number
            )
        case "reading":
            return isinstance(value, Number)
        case "treatment":
            return isinstance(value, Treatment)
        case "ladder" | "tuple":
            return isinstance(value, tuple | list)
        case "number":
            return not isinstance(value, msgspec.Struct | str | tuple | list) and not callable(
                value
            )
        case "anything":
            return True


def _is_reversed(rung: object) -> bool:
    return isinstance(rung, tuple | list) and len(rung) == 2 and isinstance(rung[0], Treatment)


def _uncalled(name: str, value: object, wanted: Wanted) -> str:
    """What a function or a class in the place of its result is; "" for anything else."""
    match value:
        case type():
            return f"the class {value.__name__}: write {value.__name__}(...)"
        case MethodType():
            called = f"{type(value.__self__).__name__.lower()}.{value.__name__}()"
            return f"the method {value.__name__}, call it: {called}"
        case ExperimentMaker():
            return f"{value!r}: call it"
        case FunctionType() if wanted == "reading":
            return (
                f"the function {value.__name__}: decorate it with @experiment(...) of ddiv.study, "
                "and call it with the name of a number"
            )
        case FunctionType() if wanted == "outcome":
            return (
                f"the function {value.__name__}: decorate it with @of_network(...), "
                "@of_outputs(...) or @of_spectrum(...) of ddiv.outcome, and call it: "
                f"{value.__name__}()"
            )
        case FunctionType():
            return f"the function {value.__name__}, call it"
    return ""


def _misplaced(name: str, value: object, wanted: Wanted, fields: dict[str, Wanted]) -> str:
    """What a value of another kind is, and what it should be."""
    expected = _EXPECTED[wanted]
    if name == "direction":
        expected = "expected RISES or FALLS of ddiv.evidence"
    hint = ""
    if wanted in ("ladder", "tuple"):
        if isinstance(value, dict):
            hint = f": write tuple({name}.items())"
        elif isinstance(value, Treatment) and wanted == "tuple":
            hint = ": write (arm,) for a single one"
    others = {each for each in fields.values() if each not in (wanted, "anything")}
    if not hint and not isinstance(value, str) and any(_fits(value, each) for each in others):
        hint = f" (in order, its fields are {', '.join(fields)})"
    return f"{a(value)}, {expected}{hint}"
