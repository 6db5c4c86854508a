"""What a question tells in detail beside its verdict, over seeds: estimates with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from ddiv import evidence
from ddiv.claim import Bench, Curve, Question, Unmatched
from ddiv.finding.finding import Estimated
from ddiv.finding.reader import SeedBench
from ddiv.finding.specific import RATE, Rivals
from ddiv.outcome import Snapshot
from ddiv.treatment import Treatment

RIVAL = "the baseline at another learning rate, at the arms' clean loss"


def estimates(
    question: Question, seats: Sequence[SeedBench], benches: Sequence[Bench]
) -> tuple[Estimated, ...]:
    """The curves of a question over seeds, then those of its rivals where it asks for them."""
    found = [*_over_seeds([question.told(bench) for bench in benches])]
    if found and question.told_of_rivals:
        rivals = [*_of_rivals(question, seats)]
        found += (each._replace(name=RIVAL) for each in _over_seeds(rivals))
    return tuple(found)


def _of_rivals(question: Question, seats: Iterable[SeedBench]) -> Iterator[tuple[Curve, ...]]:
    """What each seed would tell if the optimiser had led to every arm's clean loss.

    Seeds at which the curve over learning rates does not pass one of them are left out.
    """
    for seat in seats:
        bench = seat.bench()
        try:
            yield question.told(
                Bench(_rival(seat, Rivals(seat)), bench.of_data, bench.before, bench.of_experiment)
            )
        except Unmatched:
            continue


def _rival(seat: SeedBench, rivals: Rivals) -> Callable[[Treatment], Snapshot]:
    def state(arm: Treatment) -> Snapshot:
        return seat.state(arm) if arm.is_baseline else rivals.at(arm, RATE)[0]

    return state


def _over_seeds(told: Sequence[tuple[Curve, ...]]) -> Iterator[Estimated]:
    """One estimate for each curve that all seeds have at the same places."""
    for same in zip(*told):
        first = same[0]
        if any(curve.at != first.at for curve in same):
            continue
        found = evidence.student([curve.values for curve in same])
        rows = (np.exp(row) if first.ratio else row for row in found)
        values, low, high = (tuple(row.tolist()) for row in rows)
        yield Estimated(first.name, first.at, values, low, high, len(same), first.ratio)
