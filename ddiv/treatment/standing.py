"""From a part of a user's own to the value that stands for it; what is wrong with it is told."""

from __future__ import annotations

import inspect
from difflib import get_close_matches

import msgspec

from ddiv.common.own import own
from ddiv.common.values import Value, require_name
from ddiv.treatment.part import HOOKS, OwnPart, Part
from ddiv.treatment.parts import BUILT_IN

# How much a method's name is like a hook's when it is taken for that hook misspelt.
_LIKE = 0.75


def standing_for(part: Part) -> OwnPart:
    """The value that stands for a part of a user's own, whose class this process then knows.

    Raises ValueError, which says what to do, on a class that is not at the top level of a file, is
    not frozen, has the name of a part of ddiv's, or no hook; on hooks that cannot be called; and on
    doses that are no numbers, texts, True or False.
    """
    kind = type(part)
    _require_class(kind)
    doses = _doses(part)
    _require_hooks(part)
    label, family = part.label, part.family
    for what, words in (("label", label), ("family", family)):
        if not isinstance(words, str):
            raise ValueError(f"the {what} of the part {kind.__name__} is text, got {words!r:.80}")
        require_name(f"the {what} of the part {kind.__name__}", words)
    if not isinstance(part.stream, str):
        raise ValueError(f"the stream of the part {kind.__name__} is text, got {part.stream!r:.80}")
    hooks = tuple(sorted(part.hooks))
    # A claim's file may ask at its top level, and again in a test's body: one arm, one key.
    return own(OwnPart, kind, doses, asked_by=False, title=label, group=family, hooks=hooks)


def _require_class(kind: type[Part]) -> None:
    name = kind.__name__
    if not kind.__struct_config__.frozen:
        raise ValueError(
            f"the part {name} can be changed after it is made, and names trials: leave "
            "`frozen=False` out"
        )
    if name in {each.__name__ for each in BUILT_IN}:
        raise ValueError(f"{name!r} is a part of ddiv's: give your class another name")
    for each in BUILT_IN:
        if issubclass(kind, each) and kind.label is each.label:
            raise ValueError(
                f"the part {name} has the label of ddiv's {each.__name__}: give it a `label` of "
                "its own"
            )


def _doses(part: Part) -> dict[str, str | int | float | bool]:
    """The doses of a part by field, settled also where it has a `__post_init__` of its own."""
    name = type(part).__name__
    taken = [each for each in part.__struct_fields__ if hasattr(Part, each)]
    if taken:
        raise ValueError(
            f"the part {name} has a dose called {taken[0]!r}, which a part has as a hook or a "
            "property: give it another name"
        )
    Value.__post_init__(part)
    doses = {}
    for field in msgspec.structs.fields(part):
        dose = getattr(part, field.name)
        if not isinstance(dose, str | int | float | bool):
            raise ValueError(
                f"the dose {field.name!r} of the part {name} is a {type(dose).__name__}, and a "
                "dose is a number, text, True or False, since it names trials: give it a field for "
                "each"
            )
        # 1 and 1.0 are equal, and JSON tells them apart
        doses[field.name] = float(dose) if field.type is float else dose
    return doses


def _require_hooks(part: Part) -> None:
    kind = type(part)
    for name in dir(kind):
        if like := _misspelt(kind, name):
            raise ValueError(
                f"the part {kind.__name__} has no hook {name!r}: did you mean {like!r}? (a method "
                f"of another purpose begins with an underscore)"
            )
    if not part.hooks:
        raise ValueError(
            f"the part {kind.__name__} has no hook, so it does nothing: write one of "
            f"{', '.join(HOOKS)} (help(ddiv.treatment.Part))"
        )
    for name in sorted(part.hooks):
        arguments = list(inspect.signature(getattr(Part, name)).parameters)[1:]
        try:
            inspect.signature(getattr(part, name)).bind(*arguments)
        except (TypeError, ValueError) as error:
            first = next(iter(inspect.signature(getattr(kind, name)).parameters), "")
            without = "" if first == "self" else " (its first parameter is `self`, before these)"
            raise ValueError(
                f"the hook `{name}` of the part {kind.__name__} is called as "
                f"{name}({', '.join(arguments)}), and cannot be: {error}{without}"
            ) from error


def _misspelt(kind: type[Part], name: str) -> str:
    """The hook that a method was meant to be; "" where it is none that is misspelt."""
    if name.startswith("_") or hasattr(Part, name) or not callable(getattr(kind, name)):
        return ""
    return next(iter(get_close_matches(name, HOOKS, 1, _LIKE)), "")
