"""Questions about the numbers of experiments (`ddiv.study.experiments`), seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects, TooFewArms
from ddiv.claim.question import OneEffect
from ddiv.common.ties import less
from ddiv.common.values import Value
from ddiv.evidence import Evidence, Method
from ddiv.outcome import Outcome
from ddiv.study import Number
from ddiv.treatment import Treatment


class Condition(Value, frozen=True):
    """A number lies above (below) a bound, or on it, wherever something is claimed at all."""

    number: Number
    direction: int
    bound: float

    def met(self, bench: Bench) -> bool:
        """Whether it holds at a seed."""
        return self.direction * (bench.of_experiment(self.number) - self.bound) >= 0


class Panel(Value, frozen=True):
    """What the picture of a finding shows in place of its effects: a curve a name over the places
    `x`, which `xlabel` calls; each curve has one number a place.
    """

    xlabel: str
    x: tuple[float | str, ...]
    curves: tuple[tuple[str, tuple[Number, ...]], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.curves or any(len(numbers) != len(self.x) for _, numbers in self.curves):
            raise ValueError(f"each curve of a panel has {len(self.x)} numbers, one a place of `x`")


class OfExperiments(OneEffect, frozen=True, kw_only=True):
    """A question about numbers; nothing is trained for it, and it has no arms.

    `provided`: what is claimed is claimed where these hold. A seed at which one does not says
    nothing, and where they are many no verdict is reached (`ddiv.finding.conditions`). `shown`: the
    picture of its findings, where the effects would tell too little.
    """

    provided: tuple[Condition, ...] = ()
    shown: Panel | None = None

    def arms(self) -> Iterator[Treatment]:
        return iter(())

    def outcomes(self) -> Iterator[Outcome]:
        return iter(())

    def read(self) -> Iterator[Number]:
        """The numbers that effects are computed of."""
        raise NotImplementedError

    def numbers(self) -> Iterator[Number]:
        drawn = (
            chain.from_iterable(numbers for _, numbers in self.shown.curves) if self.shown else ()
        )
        return chain(self.read(), (each.number for each in self.provided), drawn)


class Place(msgspec.Struct, frozen=True):
    """A point of a plane: what it is called, the path that it is on, and its coordinates."""

    label: str
    path: str
    x: Number
    y: Number


class Measured(OfExperiments, frozen=True, tag="measured"):
    """A number lies above (below) a bound.

    `plane` are places that its plot shows in place of it, those of one path joined in their order.
    """

    number: Number
    direction: int
    bound: float = 0.0
    plane: tuple[Place, ...] = ()

    def read(self) -> Iterator[Number]:
        yield self.number
        for place in self.plane:
            yield from (place.x, place.y)

    def answer(self, bench: Bench) -> Effects:
        return (less(bench.of_experiment(self.number), self.bound),)

    @property
    def method(self) -> str:
        return "sign e-process on per-seed numbers" + ", less the bound" * bool(self.bound)

    @property
    def unit(self) -> str:
        return self.number.label + (f" minus {self.bound:g}" if self.bound else "")


class Compared(OfExperiments, frozen=True, tag="compared"):
    """A number is larger (smaller) than the `reference`, of the same seed, or with a `margin` above
    0 not smaller (not larger) by more than that.

    `beside` are further numbers that its plot shows.
    """

    number: Number
    reference: Number
    direction: int
    margin: float = 0.0
    beside: tuple[Number, ...] = ()

    def read(self) -> Iterator[Number]:
        yield self.reference
        yield self.number
        yield from self.beside

    def answer(self, bench: Bench) -> Effects:
        number, reference = map(bench.of_experiment, (self.number, self.reference))
        return (less(number, reference - self.direction * self.margin),)

    @property
    def method(self) -> str:
        shifted = ", shifted by the margin of non-inferiority" * bool(self.margin)
        return f"sign e-process on per-seed differences of two numbers{shifted}"

    @property
    def unit(self) -> str:
        shift = "plus" if self.direction > 0 else "minus"
        margin = f", {shift} the margin of {self.margin:g}" if self.margin else ""
        return f"{self.number.label}, less {self.reference.label}{margin}"


class Graded(OfExperiments, frozen=True, tag="graded"):
    """A number rises (falls) along a ladder of (dose, number): the slope over the ranks of doses.

    `along` says what the doses are.
    """

    doses: tuple[tuple[float, Number], ...]
    direction: int
    along: str = "dose"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.doses) < 2:
            raise TooFewArms(f"a slope needs 2 doses or more, got {len(self.doses)}")

    def read(self) -> Iterator[Number]:
        return (number for _, number in self.doses)

    def answer(self, bench: Bench) -> Effects:
        values = [bench.of_experiment(number) for _, number in self.doses]
        return (evidence.trend([dose for dose, _ in self.doses], values),)

    @property
    def method(self) -> str:
        return "sign e-process on per-seed slopes over dose ranks"

    @property
    def unit(self) -> str:
        return f"{self.doses[0][1].meaning}, per step of {self.along}"


class Everywhere(OfExperiments, frozen=True, tag="everywhere"):
    """A number lies above (below) a bound at every dose of a ladder of (dose, number).

    `along` says what the doses are.
    """

    doses: tuple[tuple[float, Number], ...]
    direction: int
    bound: float = 0.0
    along: str = "dose"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.doses:
            raise TooFewArms("a ladder needs 1 dose or more")

    def read(self) -> Iterator[Number]:
        return (number for _, number in self.doses)

    def answer(self, bench: Bench) -> Effects:
        return tuple(less(bench.of_experiment(number), self.bound) for _, number in self.doses)

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        return evidence.every(list(zip(*effects)), self.direction, alpha=alpha, method=method)

    @property
    def method(self) -> str:
        return "sign e-process on the per-seed numbers at each dose; the weakest decides"

    @property
    def unit(self) -> str:
        minus = f" minus {self.bound:g}" if self.bound else ""
        return f"{self.doses[0][1].meaning}{minus}, at the weakest {self.along}"
