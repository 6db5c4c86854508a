"""Calls of a part's hooks: those of a user's own are watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ddiv.common.errors import TrialFailed
from ddiv.common.global_draws import drawn, states
from ddiv.common.printed import one_line
from ddiv.common.raised import place
from ddiv.treatment.part import Part
from ddiv.treatment.parts import is_built_in

# Which global generators a hook must leave alone.
Watch = Literal["all", "but torch", "none"]

# The hooks that are given `draws`, and those that noise in the network is sought in.
DRAWING = ("training_set", "batch")
_OF_NETWORK = ("network", "optimiser", "loss", "penalty", "gradients")

# Of this process: the hooks of parts that gave the same twice.
_repeated: set[tuple[Part, str]] = set()


def called(part: Part, hook: str, *arguments: Any, watch: Watch = "all") -> Any:
    """What a hook of a part returns.

    Of a part of a user's own, raises TrialFailed where it raises, and where it draws from a global
    generator that is watched.
    """
    function = getattr(part, hook)
    if is_built_in(part):
        return function(*arguments)
    before = watched(watch)
    try:
        result = function(*arguments)
    except TrialFailed:
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which a smaller batch may mend
            raise
        raise TrialFailed(
            f"{named(part, hook)} raised {type(error).__name__}: {one_line(error)}{_remedy(error)}"
            f"{place(error)}"
        ) from error
    require_undrawn(part, hook, before)
    return result


def called_twice(
    part: Part,
    hook: str,
    call: Callable[[], Any],
    alike: Callable[[Any, Any], bool] = lambda first, second: (first == second) is not False,
) -> Any:
    """What `call` of a hook returns; the first time it is called twice.

    Of a part of a user's own, raises TrialFailed where the second call returns something else: the
    hook keeps something from call to call, or draws from what nobody knows.
    """
    if is_built_in(part) or (part, hook) in _repeated:
        return call()
    first, second = call(), call()
    if not alike(first, second):
        raise TrialFailed(
            f"{named(part, hook)} returns something else when it is called again with the same "
            "arguments, so trials could not be repeated: keep nothing from call to call, and "
            + (
                "let all draws come from the `draws` that it is given"
                if hook in DRAWING
                else "draw nothing"
            )
        )
    _repeated.add((part, hook))
    return first


def watched(watch: Watch) -> dict[str, object]:
    """The states of the global generators that are watched."""
    if watch == "none":
        return {}
    return {
        name: state for name, state in states().items() if watch == "all" or "torch" not in name
    }


def require_undrawn(part: Part, hook: str, before: dict[str, object]) -> None:
    """Raise TrialFailed where one of these generators was drawn from since then."""
    if source := drawn(before):
        raise TrialFailed(
            f"{named(part, hook)} draws from {source}, which breaks the pairing of arms at equal "
            f"seeds: {_instead(hook)}"
        )


def _instead(hook: str) -> str:
    """What a hook does that would draw at random."""
    if hook in DRAWING:
        return "draw from the `draws` that it is given"
    if hook in _OF_NETWORK:
        weights = "new weights are drawn from torch, and " * (hook == "network")
        return (
            f"{weights}noise in the network belongs into a module that the hook `network` adds: "
            "its forward may draw from torch, as nn.Dropout does, whose generator every trial seeds"
        )
    return "it draws nothing at random"


def _remedy(error: Exception) -> str:
    """What helps against some errors of those who change what they are given; "" for others."""
    if "read-only" in str(error):
        return ": what it is given is not to be changed, work on a copy"
    if isinstance(error, AttributeError) and "immutable type: 'Recipe'" in str(error):
        return (
            ": a recipe is not to be changed, return another "
            "(msgspec.structs.replace(recipe, lr=0.1), say)"
        )
    return ""


def named(part: Part, hook: str) -> str:
    """What messages call a hook."""
    return f"the hook `{hook}` of the part {type(part).__name__}"


def wrong(part: Part, hook: str, wanted: str, got: object) -> TrialFailed:
    """The error about a hook that returned something else than wanted."""
    shape = getattr(got, "shape", None)
    of = f" {got.dtype} {tuple(shape)}" if shape is not None else ""  # type: ignore[attr-defined]
    if (device := getattr(got, "device", None)) is not None:
        of += f" on {device}"
    given = "None (is a `return` missing?)" if got is None else f"a {type(got).__name__}{of}"
    return TrialFailed(f"{named(part, hook)} has to return {wanted}, and returned {given}")
