"""What is specific of an arm: beyond what a slower or shorter training alone would have done.

At each seed the study's optimisation controls, all finished, make two curves: over the learning
rate and over the length of the training. Each is known between neighbouring members only, linearly
in the log of the clean training loss. An arm's specific effect on an outcome is its distance from
the nearer of the two curves at the arm's own loss, if it lies on the same side of both, less the
margin: the distance that mere optimisers beside the curves keep (`ddiv.finding.calibration`). Else
it is 0. Loss is measured after treatment, so nothing causal is said.

An arm cannot be matched where a curve does not pass its loss, or where that is too small to tell
networks apart. Its seed counts as no effect: to leave seeds out would be to select them on the
outcome. With too many such seeds nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ddiv.claim import Bench, Effects, OfData, Question, Unmatched
from ddiv.claim.bench import MOST_UNMATCHED
from ddiv.evidence import Evidence
from ddiv.finding.calibration import FEWEST, Calibration
from ddiv.finding.finding import withheld
from ddiv.finding.reader import Reader, SeedBench
from ddiv.outcome import LOSS, Outcome, Score, Snapshot, passes
from ddiv.outcome import effect as effect_of
from ddiv.study import Study
from ddiv.treatment import BASELINE, Treatment

# Clean losses below this are of networks that fit every example: their order is round-off.
LOSS_FLOOR = 1e-3

RATE, LENGTH = 0, 1

_CURVES = ("learning rate", "length")


@dataclass(frozen=True)
class Rivals:
    """What the optimiser alone does at one seed: states of the two curves at an arm's loss."""

    seat: SeedBench
    _found: dict[tuple[Treatment, int, Treatment], list[Snapshot] | str] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def at(self, arm: Treatment, curve: int, centre: Treatment = BASELINE) -> list[Snapshot]:
        """The states in which a curve passes the arm's clean loss, one or more.

        The curve goes through `centre` in place of the baseline; an arm that is a member itself is
        left out of it. Raises Unmatched.
        """
        place = (arm, curve, centre)
        if place not in self._found:
            self._found[place] = self._passes(*place)
        found = self._found[place]
        if isinstance(found, str):
            raise Unmatched(found)
        return found

    def _passes(self, arm: Treatment, curve: int, centre: Treatment) -> list[Snapshot] | str:
        loss = self.seat.state(arm).scores[LOSS]
        if not loss >= LOSS_FLOOR:
            return f"{arm.label}: its clean loss {loss:.2g} lies below {LOSS_FLOOR:g}"
        members = [
            centre if member.is_baseline else member for member in self.seat.study.family[curve]
        ]
        states = [self.seat.state(member) for member in members if member != arm]
        found = passes(states, loss)
        return found or f"{arm.label}: no {_CURVES[curve]} leads to its clean loss {loss:.3g}"

    def both(self, arm: Treatment) -> list[Snapshot]:
        """The states of both curves. Raises Unmatched."""
        return [*self.at(arm, RATE), *self.at(arm, LENGTH)]


class SpecificBench(Bench, frozen=True, kw_only=True):
    """One seed's arms, of whose effects only what is specific counts.

    Groups that are compared in direction are each compared with one of the curves, the first one
    with that of the learning rates, or where `swapped` with that of the lengths. Then the curve of
    the lengths goes through the `replicate` of the baseline, so that their noise is not shared.
    """

    rivals: Rivals
    calibration: Calibration
    best: Treatment
    replicate: Treatment = BASELINE
    swapped: bool = False

    def effect(self, outcome: Outcome, arm: Treatment, base: Treatment = BASELINE) -> float:
        if not base.is_baseline:
            raise ValueError(f"what is specific is told of the baseline, not of {base.label}")
        if arm.is_baseline:
            return 0.0
        return shrunk(nearest(self.distances(outcome, arm)), self._margin(outcome))

    def distances(self, outcome: Outcome, arm: Treatment) -> list[float]:
        """How far an arm is from each of its rivals: from both curves, wherever they pass its loss.
        Raises Unmatched.
        """
        rivals = self.rivals.both(arm)
        # Of accuracy and calibration the rival is also the optimiser that one would choose.
        if isinstance(outcome, Score) and arm != self.best:
            rivals = [*rivals, self.state(self.best)]
        return self._distances(outcome, arm, rivals)

    def compared(
        self, arm: Treatment, base: Treatment = BASELINE
    ) -> Iterator[tuple[Snapshot, Snapshot]]:
        if arm.is_baseline:
            return
        try:
            yield from ((self.state(arm), rival) for rival in self.rivals.both(arm))
        except Unmatched:
            return

    def vector(
        self, outcomes: Iterable[Outcome], arms: Sequence[Treatment], base: Treatment = BASELINE
    ) -> list[float]:
        """A group's mean distances from its curve, by outcome; 0 where the group is not beyond both
        curves by more than the margin. Raises Unmatched.
        """
        own = LENGTH if base.is_baseline == self.swapped else RATE
        matched = list(self._matched(arms))
        return [self._entry(outcome, matched, own, len(arms)) for outcome in outcomes]

    def _matched(self, arms: Sequence[Treatment]) -> Iterator[Treatment]:
        """The arms that both curves pass. Raises Unmatched where too many are not among them."""
        missing: list[str] = []
        for arm in arms:
            try:
                self._at(arm, RATE), self._at(arm, LENGTH)
            except Unmatched as reason:
                missing.append(str(reason))
            else:
                yield arm
        if len(missing) > MOST_UNMATCHED * len(arms):
            raise Unmatched(missing[0])

    def _at(self, arm: Treatment, curve: int) -> list[Snapshot]:
        return self.rivals.at(arm, curve, self.replicate if curve == LENGTH else BASELINE)

    def _entry(self, outcome: Outcome, arms: Sequence[Treatment], own: int, of: int) -> float:
        # A mean over the arms comes first: noise that single arms have is less of it.
        from_rates, from_lengths = (
            sum(nearest(self._distances(outcome, arm, self._at(arm, curve))) for arm in arms) / of
            for curve in (RATE, LENGTH)
        )
        margin = self._margin(outcome)
        if abs(nearest([from_rates, from_lengths])) <= margin:
            return 0.0
        return shrunk(from_lengths if own == LENGTH else from_rates, margin)

    def _distances(
        self, outcome: Outcome, arm: Treatment, rivals: Iterable[Snapshot]
    ) -> list[float]:
        if isinstance(outcome, OfData):
            raise ValueError(f"{outcome.label} is read off data, which no optimiser moves")
        state = self.state(arm)
        return [effect_of(outcome, state, rival) for rival in rivals]

    def _margin(self, outcome: Outcome) -> float:
        margin = self.calibration.margin(outcome)
        if margin is None:
            raise LookupError(f"the margin of {outcome.label} is not known")
        return margin


def nearest(values: Sequence[float]) -> float:
    """The value that is nearest to 0; 0 where their signs differ."""
    table = np.asarray(values, dtype=float)
    if np.isnan(table).any():
        return float("nan")
    agree = abs(np.sign(table).sum()) == len(table)
    return float(table[np.abs(table).argmin()]) if agree else 0.0


def shrunk(value: float, margin: float) -> float:
    """The value, nearer to 0 by the margin."""
    return float(np.sign(value) * max(0.0, abs(value) - margin))


class Specific(NamedTuple):
    """The evidence on what is specific, its effects by seed, the seeds at which it cannot be told,
    and a note on what it lacks. Without a calibration there is no evidence.
    """

    evidence: Evidence | None
    effects: tuple[Effects, ...] = ()
    unmatched: tuple[int, ...] = ()
    note: str | None = None


def untold(question: Question, study: Study, reader: Reader) -> str:
    """Why a question that may have a specific verdict has none on this study; "" where it has."""
    calibration, note = reader.calibration(study)
    return note if calibration is None else lacking(question, calibration)


def lacking(question: Question, calibration: Calibration) -> str:
    """Why a calibration does not serve a question; "" where it does."""
    unknown = [one.label for one in question.outcomes() if calibration.margin(one) is None]
    if not unknown:
        return ""
    told = f"the calibration has no margin for {', '.join(unknown)}"
    if calibration.held_out_matched >= FEWEST:
        return told
    return (
        f"{told}: of {calibration.held_out} optimisers held out {calibration.held_out_matched} "
        f"could be matched, {FEWEST} are needed"
    )


def benches(seat: SeedBench, question: Question, calibration: Calibration) -> list[SpecificBench]:
    """The benches that a question is answered from at one seed: a second one where directions are
    compared, in which the curves change places.
    """
    replicate = getattr(question, "replicate", BASELINE)
    rivals = Rivals(seat)
    return [
        SpecificBench(
            seat.state,
            seat.of_data,
            seat.before,
            rivals=rivals,
            calibration=calibration,
            best=calibration.best_member,
            replicate=replicate,
            swapped=swapped,
        )
        for swapped in ((False, True) if not replicate.is_baseline else (False,))
    ]


def specific(
    question: Question, by_seed: Mapping[int, Sequence[Bench]], alpha: float, width: int
) -> Specific:
    """The evidence on what is specific, at level `alpha`, of each seed's `benches`.

    width: how many effects a seed has.
    """
    effects: list[Effects] = []
    reasons: dict[int, str] = {}
    for seed, at in by_seed.items():
        try:
            ways = [question.answer(bench) for bench in at]
            effects.append(tuple(map(nearest, zip(*ways))))
        except Unmatched as reason:
            effects.append((0.0,) * width)
            reasons[seed] = str(reason)
    known = tuple(tuple(np.nan_to_num(row).tolist()) for row in effects)
    found = question.judge(known, alpha)
    note = None
    if reasons:
        where = f"{len(reasons)} of {len(by_seed)} seeds"
        first, said = next(iter(reasons.items()))
        why = f"(seed {first}: {said})"
        if len(reasons) > MOST_UNMATCHED * len(by_seed):
            found, note = withheld(found), f"cannot be matched at {where} {why}"
        else:
            note = f"cannot be matched at {where}, which count as no effect {why}"
    return Specific(found, known, tuple(reasons), note)
