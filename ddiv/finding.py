"""Findings: a question put to a study, answered from stored records.

The same code answers inside pytest and for `ddiv report`; it never trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from statistics import mean
from typing import Literal

import msgspec
import numpy as np

from ddiv import outcome as outcomes
from ddiv.claim import Bench, Claim, Effects, Question, Unmatched, depends_on_fit, jobs, view
from ddiv.evidence import Evidence, Verdict
from ddiv.ledger import Entry
from ddiv.outcome import Match, Outcome, Snapshot, Spectral, Trained, Vendi
from ddiv.store import Record, Store, StoreError
from ddiv.study import Clip, Study
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial import Job, key, trial

# A verdict on a fitted metric needs at least half of the fits behind it (over layers, arms and seeds) to be reliable.
RELIABLE_SHARE = 0.5

# A control that comes out supported fails the run, so each is judged at a fiftieth of the level: a run with up to fifty
# controls then raises a false alarm with probability alpha at most. Twelve seeds that agree reach that bar.
CONTROL_SHARE, CONTROL_SEEDS = 50, 12


class Asked(msgspec.Struct, frozen=True):
    """A question as one test of one run asked it: all that is needed to answer it again.

    `seeds` are those spent on it; `order` is the test's place in the run; `expected` what the ledger knows of it.
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
    expected: Entry | None = None
    not_applicable: str | None = None
    error: str | None = None

    def jobs(self) -> list[Job]:
        """Every trial or view that the answer rests on."""
        return jobs(self.question, self.study, self.embedder, self.seeds)


@dataclass(frozen=True)
class Finding:
    """The answer: evidence at equal epochs, fit-matched evidence beside it, and what to keep in mind.

    `definitions`: (name, verdict) under every named definition of the outcome, that of the claim first (empty where
    there is one only). `matched_note` says where the fit could not be matched; `caveats` are sentences. `withheld`:
    the power-law fits behind the outcome cannot be relied on, so the verdict is inconclusive whatever the effects say.
    `effects` are those of the question, a row a seed.
    """

    asked: Asked
    evidence: Evidence
    effects: tuple[Effects, ...]
    matched: Evidence | None = None
    matched_seeds: tuple[int, ...] = ()
    matched_note: str | None = None
    definitions: tuple[tuple[str, Verdict], ...] = ()
    caveats: tuple[str, ...] = ()
    withheld: bool = False
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

    def match(self, arm: Treatment) -> Match:
        """The baseline at the arm's clean training loss. Raises Unmatched where it never passes it."""
        loss = self.state(arm).scores["loss/train"]
        match = outcomes.matched(self._trajectory, loss)
        if match is None:
            raise Unmatched(f"{arm.label}: the baseline never passes its clean loss {loss:.3g}")
        return match

    @cached_property
    def _trajectory(self) -> list[Snapshot]:
        return self.trained(BASELINE).trajectory

    def bench(self, matched: Literal["early", "between", "late"] | None = None) -> Bench:
        """At equal epochs, or fit-matched to one of the states of `outcome.Match`."""
        base = (lambda arm: getattr(self.match(arm), matched)) if matched else (lambda arm: self.state(BASELINE))
        return Bench(self.state, base, self.vendi)


def answer(asked: Asked, reader: Reader) -> Finding:
    """Answer a question from the store. Raises KeyError where a record is missing."""
    question = asked.question
    seats = [SeedBench(reader, asked.study, asked.embedder, seed) for seed in asked.seeds]
    effects = tuple(question.answer(seat.bench()) for seat in seats)
    evidence = question.judge(effects, asked.alpha)
    matched, seeds, note = _fit_matched(asked, seats) if depends_on_fit(question) else (None, (), None)
    shares = _reliable_shares(asked, seats)
    # Where all that was measured is what the fits cannot tell, it decides nothing; with other metrics beside, it is a caveat.
    unreliable = len(shares) == 1 and min(shares.values()) < RELIABLE_SHARE
    if unreliable:
        evidence, matched = withheld(evidence), matched and withheld(matched)
    return Finding(asked, evidence, effects, matched, seeds, note, tuple(_definitions(asked, seats, evidence)),
                   tuple(_unreliable(shares)), unreliable, tuple(map(key, asked.jobs())))


def withheld(evidence: Evidence) -> Evidence:
    """The same evidence with the verdict inconclusive: numbers that cannot be relied on decide nothing."""
    return msgspec.structs.replace(evidence, verdict="inconclusive", decided_at=None)


def undecided(finding: Finding, most: int) -> bool:
    """Whether more seeds, up to `most`, could still decide: not where they could not even if all of them agreed.

    A control gets up to CONTROL_SEEDS, as long as it could still come out supported.
    """
    asked, effects = finding.asked, finding.effects
    awaited = {"supported"} if asked.claim.control else {"supported", "contradicted"}
    left = (max(most, CONTROL_SEEDS) if asked.claim.control else most) - len(effects)
    if left < 1 or finding.withheld or finding.evidence.verdict != "inconclusive":
        return False
    k, size = len(effects[0]), 1 + 10 * max(abs(effect) for row in effects for effect in row)
    directions = product((1, -1), repeat=k) if k <= 2 else [(1,) * k, (-1,) * k]
    return any(asked.question.judge([*effects, *[tuple(size * sign for sign in row)] * left], asked.alpha).verdict
               in awaited for row in directions)


def _fit_matched(asked: Asked, seats: list[SeedBench]) -> tuple[Evidence | None, tuple[int, ...], str | None]:
    effects, seeds, reasons, unclear = [], [], [], 0
    for seat in seats:
        try:
            ways = [asked.question.answer(seat.bench(at)) for at in ("early", "between", "late")]
        except Unmatched as reason:
            reasons.append(f"seed {seat.seed}: {reason}")
            continue
        effects.append(cautious(ways))
        unclear += any(effect == 0 for effect in effects[-1]) and any(map(any, ways))
        seeds.append(seat.seed)
    notes = [f"unmatched at {len(reasons)} of {len(seats)} seeds ({'; '.join(reasons)})"] if reasons else []
    if unclear:
        notes.append(f"at {unclear} of {len(seats)} seeds the direction depends on where between two checkpoints the baseline is "
                     "taken, which counts as no effect")
    evidence = asked.question.judge(effects, asked.alpha) if effects else None
    return evidence, tuple(seeds), "; ".join(notes) or None


def cautious(ways: Sequence[Effects]) -> Effects:
    """What effects are at least, however the baseline is matched: the one nearest to 0, or 0 where signs differ."""
    table = np.array(ways)
    nearest = np.take_along_axis(table, np.abs(table).argmin(axis=0)[None], axis=0)[0]
    return tuple(np.where(np.abs(np.sign(table).sum(axis=0)) == len(table), nearest, 0.0).tolist())


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


def _definitions(asked: Asked, seats: list[SeedBench], evidence: Evidence) -> Iterator[tuple[str, Verdict]]:
    question = asked.question
    outcome = next(iter(question.outcomes()))
    if not hasattr(question, "replace_outcome"):
        return
    convolutions = isinstance(outcome, Spectral) and any(
        view.endswith("/flat") for view in seats[0].state(next(iter(question.arms()))).views)
    named = outcomes.definitions(outcome, convolutions)
    if isinstance(outcome, Vendi):
        scored = seats[0].vendi(next(iter(question.arms())))
        named = [one for one in named if one.key in scored]
    if len(named) == 1:
        return
    yield named[0].label, evidence.verdict
    for other in named[1:]:
        again = question.replace_outcome(other)
        effects = [again.answer(seat.bench()) for seat in seats]
        # A fit that does not exist (a tail of five in a layer of six) is no effect rather than no verdict.
        yield other.label, again.judge(np.nan_to_num(effects), asked.alpha).verdict
