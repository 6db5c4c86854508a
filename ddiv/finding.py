"""Findings: a question put to a study, answered from stored records.

The same code answers inside pytest and for `ddiv report`; it never trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import mean

import msgspec

from ddiv import outcome as outcomes
from ddiv.claim import Bench, Claim, Question, Unmatched, depends_on_fit, jobs, view
from ddiv.evidence import Evidence, judge
from ddiv.outcome import OTHER_DEFINITIONS, Outcome, Snapshot, Spectral, Trained
from ddiv.store import Record, Store, StoreError
from ddiv.study import Clip, Study
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial import Job, key, trial

# A verdict on a fitted metric needs at least half of the fits behind it (over layers, arms and seeds) to be reliable.
RELIABLE_SHARE = 0.5


class Asked(msgspec.Struct, frozen=True):
    """A question as one test of one run asked it: all that is needed to answer it again.

    `order` is the test's place in the run; `expected` the reason why it is known to be contradicted.
    """

    claim: Claim
    study: Study
    variant: str
    question: Question
    seeds: tuple[int, ...]
    embedder: Clip
    alpha: float
    test: str
    order: int = 0
    expected: str | None = None
    not_applicable: str | None = None
    error: str | None = None

    def jobs(self) -> list[Job]:
        """Every trial or view that the answer rests on."""
        return jobs(self.question, self.study, self.embedder, self.seeds)


@dataclass(frozen=True)
class Finding:
    """The answer: evidence at equal epochs, fit-matched evidence beside it, and what to keep in mind.

    `matched_note` says at which seeds the fit could not be matched; `caveats` are sentences.
    """

    asked: Asked
    evidence: Evidence
    matched: Evidence | None = None
    matched_note: str | None = None
    caveats: tuple[str, ...] = ()
    jobs: tuple[str, ...] = field(default=(), repr=False)


class Reader:
    """Trained records of a store, read once each."""

    def __init__(self, store: Store, records: Mapping[Job, Record] | None = None):
        self.store = store
        self._records = dict(records or {})
        self._trained: dict[Job, Trained] = {}
        self.damaged: dict[str, str] = {}

    def add(self, records: Mapping[Job, Record]) -> None:
        self._records.update(records)

    def record(self, job: Job) -> Record:
        """The record of a job. Raises KeyError where the store has none, CorruptRecord where it is damaged."""
        if job not in self._records:
            self._records[job] = self.store.load(job)
        return self._records[job]

    def has(self, job: Job) -> bool:
        """Whether the store has this record whole; damaged ones are noted in `damaged`, by key."""
        try:
            return self.record(job) is not None
        except KeyError:
            return False
        except StoreError as error:
            self.damaged[key(job)] = str(error)
            return False

    def trained(self, job: Job) -> Trained:
        if job not in self._trained:
            self._trained[job] = outcomes.read(self.record(job), self.store)
        return self._trained[job]


@dataclass(frozen=True)
class SeedBench:
    """One seed of a study at hand; `bench()` is what questions are answered from."""

    reader: Reader
    study: Study
    embedder: Clip
    seed: int

    def trained(self, arm: Treatment) -> Trained:
        return self.reader.trained(trial(self.study, arm, self.seed))

    def state(self, arm: Treatment) -> Snapshot:
        return self.trained(arm).after

    def vendi(self, arm: Treatment) -> Mapping[str, float]:
        return self.reader.record(view(self.study, arm, self.embedder, self.seed)).facts["vendi"]

    def matched_baseline(self, arm: Treatment) -> Snapshot:
        loss = self.state(arm).scores["loss/train"]
        state = outcomes.matched(self._trajectory, loss)
        if state is None:
            raise Unmatched(f"{arm.label}: the baseline never passes its clean loss {loss:.3g}")
        return state

    @cached_property
    def _trajectory(self) -> list[Snapshot]:
        return self.trained(BASELINE).trajectory

    def bench(self, fit_matched: bool = False) -> Bench:
        at_end = self.matched_baseline if fit_matched else lambda arm: self.state(BASELINE)
        return Bench(self.state, at_end, self.vendi)


def answer(asked: Asked, reader: Reader) -> Finding:
    """Answer a question from the store. Raises KeyError where a record is missing."""
    question, direction = asked.question, asked.question.direction
    seats = [SeedBench(reader, asked.study, asked.embedder, seed) for seed in asked.seeds]
    effects = [question.answer(seat.bench()) for seat in seats]
    evidence = judge(effects, direction, asked.alpha, asked.seeds)
    matched, note = (_fit_matched(asked, seats) if depends_on_fit(question) else (None, None))
    shares = _reliable_shares(asked, seats)
    if len(shares) == 1 and min(shares.values()) < RELIABLE_SHARE:
        # The only thing measured is one that the fits cannot tell; with other metrics beside it, it is a caveat.
        evidence, matched = withheld(evidence), matched and withheld(matched)
    caveats = (*_unreliable(shares), *_other_definitions(asked, seats, evidence))
    return Finding(asked, evidence, matched, note, caveats, tuple(map(key, asked.jobs())))


def withheld(evidence: Evidence) -> Evidence:
    """The same evidence with the verdict inconclusive: numbers that cannot be relied on decide nothing."""
    return msgspec.structs.replace(evidence, verdict="inconclusive")


def _fit_matched(asked: Asked, seats: list[SeedBench]) -> tuple[Evidence | None, str | None]:
    effects, seeds, reasons = [], [], []
    for seat in seats:
        try:
            effects.append(asked.question.answer(seat.bench(fit_matched=True)))
            seeds.append(seat.seed)
        except Unmatched as reason:
            reasons.append(f"seed {seat.seed}: {reason}")
    note = f"unmatched at {len(reasons)} of {len(seats)} seeds ({'; '.join(reasons)})" if reasons else None
    if not effects:
        return None, note
    return judge(effects, asked.question.direction, asked.alpha, seeds), note


def _reliable_shares(asked: Asked, seats: list[SeedBench]) -> dict[Outcome, float]:
    """The share of fits, over layers, arms and seeds, that can be relied on, by outcome."""
    arms, base = list(dict.fromkeys(asked.question.arms())), getattr(asked.question, "base", BASELINE)
    return {outcome: mean(outcomes.reliability(outcome, seat.state(arm), seat.state(base))
                          for seat in seats for arm in arms) if isinstance(outcome, Spectral) else 1.0
            for outcome in asked.question.outcomes()}


def _unreliable(shares: Mapping[Outcome, float]) -> Iterator[str]:
    """A sentence for every outcome of which some fits cannot be relied on."""
    for outcome, share in shares.items():
        if share < RELIABLE_SHARE:
            yield (f"Only {share:.0%} of the power-law fits behind {outcome.label} can be relied on (all layers, arms "
                   f"and seeds), so it decides nothing here.")
        elif share < 1:
            yield f"{share:.0%} of the power-law fits behind {outcome.label} can be relied on (all layers, arms and seeds)."


def _other_definitions(asked: Asked, seats: list[SeedBench], evidence: Evidence) -> Iterator[str]:
    question = asked.question
    for outcome in question.outcomes():
        other = OTHER_DEFINITIONS.get(outcome.metric) if isinstance(outcome, Spectral) else None
        if other and hasattr(question, "replace_outcome"):
            again = question.replace_outcome(Spectral(other, outcome.layers))
            verdict = judge([again.answer(seat.bench()) for seat in seats], question.direction, asked.alpha).verdict
            same = "the verdict is the same" if verdict == evidence.verdict else f"the verdict would be {verdict}"
            yield f"With {other.replace('_', ' ')} in place of {outcome.metric.replace('_', ' ')}, {same}."
