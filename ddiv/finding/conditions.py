"""Whether the conditions hold under which something is claimed of experiments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ddiv.claim import Bench, Condition, Effects, Question
from ddiv.claim.bench import MOST_UNMATCHED
from ddiv.claim.experiments import OfExperiments


class Unmet(NamedTuple):
    """By seed, the conditions that do not hold there."""

    by_seed: tuple[tuple[Condition, ...], ...]

    @property
    def many(self) -> bool:
        """Whether more seeds than `MOST_UNMATCHED` of them lack one: then nothing is decided."""
        return sum(map(bool, self.by_seed)) > MOST_UNMATCHED * len(self.by_seed)

    def without(self, effects: Sequence[Effects]) -> tuple[Effects, ...]:
        """The effects, with 0 at seeds that lack a condition: they stay in the bet, as ties.

        To leave them out would be to choose seeds by what they show.
        """
        return tuple(
            (0.0,) * len(row) if lacking else row for row, lacking in zip(effects, self.by_seed)
        )


def unmet(question: Question, benches: Sequence[Bench]) -> Unmet:
    """What each seed lacks of the conditions of a question and of its parts."""
    parts = [part for part in question.parts() if isinstance(part, OfExperiments)]
    conditions = dict.fromkeys(each for part in parts for each in part.provided)
    return Unmet(
        tuple(tuple(each for each in conditions if not each.met(bench)) for bench in benches)
    )


def of_conditions(found: Unmet) -> Iterator[str]:
    """A sentence on every condition that does not hold at some seed."""
    for condition in dict.fromkeys(each for lacking in found.by_seed for each in lacking):
        without = sum(condition in lacking for lacking in found.by_seed)
        side = "at least" if condition.direction > 0 else "at most"
        ends = ", so it decides nothing here." if found.many else "; they count as ties."
        yield (
            f"What is claimed needs {condition.number.label} to be {side} {condition.bound:g}, and "
            f"{without} of {len(found.by_seed)} seeds are without it{ends}"
        )
