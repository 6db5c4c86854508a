"""Several questions as one, and one of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects
from ddiv.claim.experiments import Compared, Graded, Measured
from ddiv.claim.question import Asking
from ddiv.claim.relations import Correlation, Separated
from ddiv.claim.simple import Change, Contrast, Further, NoWorse, Threshold, Trend
from ddiv.evidence import Evidence, Method
from ddiv.outcome import Outcome, Snapshot
from ddiv.study import Number
from ddiv.treatment import Treatment

Single = (
    Trend
    | Contrast
    | NoWorse
    | Change
    | Threshold
    | Further
    | Correlation
    | Separated
    | Measured
    | Compared
    | Graded
)


class All(Asking, frozen=True, tag="all"):
    """Every one of several questions of one effect holds, each in its own direction."""

    questions: tuple[Single, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.questions:
            raise ValueError("a claim of several parts needs at least one part")

    def arms(self) -> Iterator[Treatment]:
        return (arm for part in self.questions for arm in part.arms())

    def outcomes(self) -> Iterator[Outcome]:
        return (outcome for part in self.questions for outcome in part.outcomes())

    def numbers(self) -> Iterator[Number]:
        return (number for part in self.questions for number in part.numbers())

    def parts(self) -> tuple[Asking, ...]:
        return self.questions

    @property
    def has_specific(self) -> bool:
        return all(part.has_specific for part in self.questions)

    def compared(self, bench: Bench) -> Iterator[tuple[Snapshot, Snapshot]]:
        return (pair for part in self.questions for pair in part.compared(bench))

    def answer(self, bench: Bench) -> Effects:
        return tuple(
            part.direction * effect for part in self.questions for effect in part.answer(bench)
        )

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        return evidence.every(list(zip(*effects)), alpha=alpha, method=method)

    @property
    def method(self) -> str:
        return (
            "sign e-process on the per-seed effects of each part, positive as claimed; "
            "the weakest decides"
        )

    @property
    def unit(self) -> str:
        units = "; ".join(dict.fromkeys(part.unit for part in self.questions))
        return f"{units} (the weakest, positive as claimed)"
