"""Treatments: sets of parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import msgspec

from ddiv.common.errors import TrialFailed
from ddiv.common.values import LARGEST, Value
from ddiv.treatment.calls import called, called_twice, named
from ddiv.treatment.part import OwnPart, Part
from ddiv.treatment.parts import BUILT_IN, Stored, is_built_in
from ddiv.treatment.standing import standing_for
from ddiv.treatment.synthetic import MIXES, Added, Filtered, Synthetic

PartT = TypeVar("PartT", bound=Part)


class Treatment(Value, frozen=True):
    """A set of parts, at most one of each kind, kept in one canonical order.

    Empty: the baseline. A part of a user's own is kept as the value that stands for it; raises
    ValueError as `standing_for` does.
    """

    parts: tuple[Stored, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.parts, tuple | list):
            msgspec.structs.force_setattr(self, "parts", tuple(map(_stored, self.parts)))
        super().__post_init__()
        kinds = [_kind(part) for part in self.parts]
        if len(set(kinds)) < len(kinds):
            raise ValueError(
                f"a treatment holds one part of a kind, got {self.label}"
                + _of_one_name([part for part in self.parts if isinstance(part, OwnPart)])
            )
        ordered = tuple(sorted(self.parts, key=_kind))
        if ordered != self.parts:
            msgspec.structs.force_setattr(self, "parts", ordered)
        if sum(isinstance(part, MIXES) for part in self.parts) > 1:
            raise ValueError(
                "synthetic examples replace real ones, filtered or not, or are added to them, and "
                f"not both, got {self.label}"
            )
        for hook in ("loss", "gradients"):
            having = [part.label for part in self.parts if hook in part.hooks]
            if len(having) > 1:
                raise ValueError(
                    f"one part of a treatment has the hook `{hook}`, and {' and '.join(having)} "
                    "have it: leave one out, or write one part that does both"
                )

    @classmethod
    def of(cls, *parts: Part | OwnPart) -> Treatment:
        """The treatment of these parts, without those that do nothing (rate, decay or share 0)."""
        acting = (p for p in parts if not (isinstance(p, Part) and p.does_nothing))
        return cls(tuple(map(_stored, acting)))

    def __add__(self, other: Part | OwnPart | Treatment) -> Treatment:
        added = other.parts if isinstance(other, Treatment) else (other,)
        return Treatment.of(*self.parts, *added)

    def part(self, kind: type[PartT]) -> PartT | None:
        """The part of this kind, or None. Raises as `acting` on a kind of a user's own."""
        parts = self.parts if kind in BUILT_IN else self.acting
        return next((part for part in parts if isinstance(part, kind)), None)

    @property
    def acting(self) -> tuple[Part, ...]:
        """The parts with their hooks, in order.

        Raises NoModel where no file of this run defines the class of one of a user's own.
        """
        return tuple(map(_acting, self.parts))

    def with_hook(self, name: str) -> tuple[Part, ...]:
        """The parts that have this hook of their own, in order. Raises as `acting` for these."""
        return tuple(_acting(part) for part in self.parts if name in part.hooks)

    def seed(self, seed: int) -> int:
        """The seed that this arm's random draws come from in the replicate `seed`.

        Raises as `with_hook`, and TrialFailed where a hook of a user's own returns no seed.
        """
        for part in self.with_hook("seed"):
            seed = called_twice(part, "seed", partial(called, part, "seed", seed))
            if type(seed) is not int or not 0 <= seed <= LARGEST:
                raise TrialFailed(
                    f"{named(part, 'seed')} has to return a whole number from 0 to 2**63 - 1, and "
                    f"returned {seed!r:.80}"
                )
        return seed

    @property
    def mixes(self) -> Synthetic | Added | Filtered | None:
        """The part that mixes synthetic examples with real ones, or None."""
        return next((part for part in self.parts if isinstance(part, MIXES)), None)

    @property
    def is_baseline(self) -> bool:
        return not self.parts

    @property
    def label(self) -> str:
        return " + ".join(part.label for part in self.parts) or "baseline"

    @property
    def group(self) -> str:
        """The family that plots and tables put this arm in."""
        if self.is_baseline:
            return "baseline"
        if len(self.parts) == 1:
            return self.parts[0].family
        # of several parts the place of dropout does not count
        families = {part.family.removesuffix(" in one place") for part in self.parts}
        return families.pop() if len(families) == 1 else "combination"


# Doses from the smallest to the largest, each with its arm.
Ladder = tuple[tuple[float, Treatment], ...]


def ladder(part: Callable[[Any], Part], doses: Iterable[float], without: float = 0.0) -> Ladder:
    """(dose, treatment) from the smallest dose to the largest: `part(dose)` for each of `doses`.

    The baseline is among them, at the dose `without`.
    """
    arms = {without: BASELINE}
    for dose in doses:
        arms.setdefault(dose, Treatment.of(part(dose)))
    return tuple((dose, arms[dose]) for dose in sorted(arms))


def _acting(part: Stored) -> Part:
    return part.part() if isinstance(part, OwnPart) else part


def _stored(part: object) -> Stored:
    if isinstance(part, OwnPart) or is_built_in(part):
        return part  # type: ignore[return-value]
    if isinstance(part, Part):
        return standing_for(part)
    if isinstance(part, type) and issubclass(part, Part):
        raise ValueError(
            f"a part of a treatment is a {part.__name__} and not the class: write "
            f"{part.__name__}(...)"
        )
    remedy = (
        "join treatments by +"
        if isinstance(part, Treatment)
        else "derive its class from ddiv.treatment.Part"
    )
    raise ValueError(f"a treatment is made of parts, got {part!r:.80}: {remedy}")


def _of_one_name(own: list[OwnPart]) -> str:
    """What to do where parts of different files have one name; "" where none have."""
    names = [part.name for part in own]
    for name in names:
        if len({part.source for part in own if part.name == name}) > 1:
            return f": two classes are called {name}, so rename one of them"
    return ""


def _kind(part: Stored) -> tuple[str, str]:
    return type(part).__name__, part.name if isinstance(part, OwnPart) else ""


BASELINE = Treatment()
