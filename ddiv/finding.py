"""Findings: a question put to a study, answered from stored records.

The same code answers inside pytest and for `ddiv report`; it never trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Literal

import msgspec
import numpy as np

from ddiv import outcome as outcomes
from ddiv import truncation
from ddiv.caveats import RELIABLE_SHARE, hardly_trained, of_fits, of_gaps, of_tails, of_training
from ddiv.claim import (
    Bench,
    Claim,
    Derived,
    Effects,
    Measured,
    OfData,
    Question,
    Unmatched,
    jobs,
    view,
)
from ddiv.evidence import Evidence, Verdict
from ddiv.ledger import Entry
from ddiv.outcome import Match, Score, Snapshot, Spectral, Trained, Truncated
from ddiv.span import HELD, Outside
from ddiv.store import Record, Store, StoreError
from ddiv.study import Study
from ddiv.treatment import BASELINE, EvaluationDropout, ShuffledLabels, Treatment
from ddiv.trial import Job, Trial, key, trial

# A control that comes out supported fails the run, so each is judged at a fiftieth of the level: a
# run with up to fifty controls then raises a false alarm with probability alpha at most. Twelve
# seeds that agree reach that bar.
CONTROL_SHARE, CONTROL_SEEDS = 50, 12


class Asked(msgspec.Struct, frozen=True):
    """A question as one test of one run asked it: all that is needed to answer it again.

    `seeds` are those spent on it; `order` is the test's place in the run; `expected` what the
    ledger knows of it.
    """

    claim: Claim
    study: Study
    variant: str
    question: Question
    seeds: tuple[int, ...]
    alpha: float
    test: str
    order: int = 0
    expected: Entry | None = None
    not_applicable: str | None = None
    error: str | None = None

    def jobs(self) -> list[Job]:
        """Every trial or view that the answer rests on."""
        return jobs(self.question, self.study, self.seeds)


@dataclass(frozen=True)
class Finding:
    """The answer: evidence at equal epochs, fit-matched evidence beside it, and what to keep in
    mind.

    `definitions`: (name, verdict) under every named definition of the outcome, that of the claim
    first (empty where there is one only). `matched_note` says where the fit could not be matched;
    `caveats` are sentences. `withheld`: the power-law fits behind the outcome cannot be relied on,
    so the verdict is inconclusive whatever the effects say. `hardly_trained`: arms, or the
    baseline, hardly fit their training set. `effects` are those of the question, a row a seed;
    `derived` are further numbers that they tell, such as a threshold.
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
    derived: tuple[Derived, ...] = ()
    jobs: tuple[str, ...] = field(default=(), repr=False)
    hardly_trained: bool = False


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
        """The record of a job.

        Raises KeyError where the store has none, CorruptRecord where it is damaged.
        """
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
    seed: int

    def trained(self, arm: Treatment) -> Trained:
        return self.reader.trained(trial(self.study, arm, self.seed))

    def state(self, arm: Treatment) -> Snapshot:
        return self.trained(arm).after

    def before(self, arm: Treatment) -> Snapshot:
        return self.trained(arm).before

    def of_data(self, outcome: OfData, arm: Treatment) -> float:
        """What the view of an arm says of its data."""
        return outcome.read(
            self.reader.record(view(self.study, arm, self.seed, outcome.embedder)).facts
        )

    def match(self, arm: Treatment) -> Match:
        """The baseline at the arm's clean training loss.

        Raises Unmatched where it never passes it.
        """
        baseline, loss = self.trained(BASELINE), self.state(arm).scores["loss/train"]
        if not baseline.trajectory:
            raise Unmatched(
                "the study's recipe names no checkpoints, so the baseline's trajectory is not known"
            )
        match = baseline.matched(loss)
        if match is None:
            raise Unmatched(f"{arm.label}: the baseline never passes its clean loss {loss:.3g}")
        return match

    def bench(self, matched: Literal["early", "between", "late"] | None = None) -> Bench:
        """At equal epochs, or fit-matched to one of the states of `outcome.Match`."""
        base = (
            (lambda arm: getattr(self.match(arm), matched))
            if matched
            else (lambda arm: self.state(BASELINE))
        )
        return Bench(self.state, base, self.of_data, self.before)


def answer(asked: Asked, reader: Reader) -> Finding:
    """Answer a question from the store.

    Raises KeyError where a record is missing, StoreError where one is damaged or not of the study's
    domains.
    """
    needed = asked.jobs()
    for job in needed:
        if isinstance(job, Trial):
            require_domains(asked.study, reader.record(job).facts["domains"])
    seats = [SeedBench(reader, asked.study, seed) for seed in asked.seeds]
    benches = [seat.bench() for seat in seats]
    shares = _reliable_shares(asked.question, benches)
    question = asked.question.relying_on(
        {outcome for outcome, share in shares.items() if share >= RELIABLE_SHARE}
    )
    answers = [question.answer(bench) for bench in benches]
    effects = tuple(map(_known, answers))
    evidence = _weigh(question, effects, shares, asked.alpha)
    narrowed = msgspec.structs.replace(asked, question=question)
    matched, seeds, note = (
        _fit_matched(narrowed, seats) if question.fit_matters else (None, (), None)
    )
    if unreliable(shares) and matched:
        matched = withheld(matched)
    accuracies = _training_accuracies(asked, reader)
    untrained = hardly_trained(accuracies, _chance(asked, reader)) if accuracies else []
    deciding = () if unreliable(shares) else tuple(question.outcomes())
    said = (
        *of_fits(shares, deciding),
        *of_tails(_tails(asked.question, benches)),
        *of_gaps(answers),
        *of_training(untrained, accuracies),
    )
    return Finding(
        asked,
        evidence,
        effects,
        matched,
        seeds,
        note,
        tuple(_definitions(asked, benches, evidence)),
        said,
        unreliable(shares),
        question.derived(effects),
        tuple(map(key, needed)),
        bool(untrained),
    )


def require_domains(study: Study, found: Iterable[str]) -> None:
    """Raise StoreError where the data of a study was found to have other domains than the study
    says.
    """
    if (found := tuple(found)) != study.domains:
        raise StoreError(
            f"the data of the study {study.name} has the domains {found}, and the study says {study.domains}: name "
            "them in the data's order, that of the training set first. What is trained stays good"
        )


def _training_accuracies(asked: Asked, reader: Reader) -> dict[Treatment, float]:
    """Mean accuracy on the clean training set of each arm that is asked of, but for those that are
    meant not to fit it; empty where nothing is trained for the question, or the baseline is not
    among them.
    """
    if all(isinstance(outcome, OfData) for outcome in asked.question.outcomes()):
        return {}
    arms = [
        arm
        for arm in dict.fromkeys(asked.question.arms())
        if not arm.part(ShuffledLabels) and not arm.part(EvaluationDropout)
    ]
    trained = {arm: [trial(asked.study, arm, seed) for seed in asked.seeds] for arm in arms}
    found = {
        arm: mean(reader.record(job).facts["clean"]["accuracy"] for job in jobs)
        for arm, jobs in trained.items()
        if all(map(reader.has, jobs))
    }
    return found if BASELINE in found else {}


def _chance(asked: Asked, reader: Reader) -> float:
    return 1 / reader.record(trial(asked.study, BASELINE, asked.seeds[0])).facts["classes"]


def _known(effects: Effects) -> Effects:
    """What has no value at a seed (a phase that cannot be told, an exponent of five eigenvalues) is
    no effect there.
    """
    return tuple(np.nan_to_num(effects).tolist())


def replicate(
    asked: Asked,
    obtain: Callable[[Asked], Finding],
    most: int,
    in_time: Callable[[], bool] = lambda: True,
) -> Finding:
    """Answer with the seeds of `asked`, and with one more at a time while that can still decide and
    is in time.

    obtain(asked) answers a question, measuring first what it needs; most: the seeds after which no
    more are asked for.
    """
    finding = obtain(asked)
    while undecided(finding, most) and in_time():
        asked = msgspec.structs.replace(asked, seeds=(*asked.seeds, max(asked.seeds) + 1))
        finding = obtain(asked)
    return finding


def unreliable(shares: Mapping[Measured, float]) -> bool:
    """Whether all that was measured is what the fits cannot tell.

    With other metrics beside it, that is a caveat.
    """
    return max(shares.values()) < RELIABLE_SHARE


def _weigh(
    question: Question, effects: Sequence[Effects], shares: Mapping[Measured, float], alpha: float
) -> Evidence:
    evidence = question.judge(effects, alpha)
    return withheld(evidence) if unreliable(shares) else evidence


def withheld(evidence: Evidence) -> Evidence:
    """The same evidence with the verdict inconclusive: numbers that cannot be relied on decide
    nothing.
    """
    return msgspec.structs.replace(evidence, verdict="inconclusive", decided_at=None)


def undecided(finding: Finding, most: int) -> bool:
    """Whether more seeds, up to `most`, could still decide: not where they could not even if all of
    them agreed.

    A control gets up to CONTROL_SEEDS, as long as it could still come out supported.
    """
    asked, effects = finding.asked, finding.effects
    awaited = {"supported"} if asked.claim.control else {"supported", "contradicted"}
    left = (max(most, CONTROL_SEEDS) if asked.claim.control else most) - len(effects)
    if left < 1 or finding.withheld or finding.evidence.verdict != "inconclusive":
        return False
    return any(
        asked.question.judge([*effects, *[row] * left], asked.alpha).verdict in awaited
        for row in asked.question.extremes(effects)
    )


def _fit_matched(
    asked: Asked, seats: list[SeedBench]
) -> tuple[Evidence | None, tuple[int, ...], str | None]:
    question, effects, matched, reasons, unclear = asked.question, [], [], [], 0
    for seat in seats:
        try:
            ways = [_known(question.answer(seat.bench(at))) for at in ("early", "between", "late")]
        except Unmatched as reason:
            reasons.append(f"seed {seat.seed}: {reason}")
            continue
        effects.append(cautious(ways))
        unclear += any(effect == 0 for effect in effects[-1]) and any(map(any, ways))
        matched.append(seat)
    notes = (
        [f"unmatched at {len(reasons)} of {len(seats)} seeds ({'; '.join(reasons)})"]
        if reasons
        else []
    )
    if unclear:
        notes.append(
            f"at {unclear} of {len(seats)} seeds the direction depends on where between two checkpoints the baseline is "
            "taken, which counts as no effect"
        )
    if not effects:
        return None, (), "; ".join(notes) or None
    shares = _reliable_shares(question, [seat.bench("between") for seat in matched])
    if unreliable(shares):
        notes.append(
            f"only {min(shares.values()):.0%} of the fits compared can be relied on, so it decides nothing"
        )
    evidence = _weigh(question, effects, shares, asked.alpha)
    return evidence, tuple(seat.seed for seat in matched), "; ".join(notes) or None


def cautious(ways: Sequence[Effects]) -> Effects:
    """What effects are at least, however the baseline is matched: the one nearest to 0, or 0 where
    signs differ.
    """
    table = np.array(ways)
    nearest = np.take_along_axis(table, np.abs(table).argmin(axis=0)[None], axis=0)[0]
    return tuple(np.where(np.abs(np.sign(table).sum(axis=0)) == len(table), nearest, 0.0).tolist())


def _reliable_shares(question: Question, benches: Sequence[Bench]) -> dict[Measured, float]:
    """The share of fits, over layers, arms and seeds, that can be relied on, by outcome."""
    shares: dict[Measured, list[float]] = {}
    for part in question.parts():
        for outcome in part.outcomes():
            found = shares.setdefault(outcome, [])
            if not isinstance(outcome, OfData | Score):
                found += [
                    outcomes.reliability(outcome, *pair)
                    for bench in benches
                    for pair in part.compared(bench)
                ]
    return {outcome: mean(found) if found else 1.0 for outcome, found in shares.items()}


def _tails(question: Question, benches: Sequence[Bench]) -> dict[str, float]:
    """By part of the network, the mean over seeds of the share of directions that are the tail,
    where one is found.
    """
    asked = {
        outcome.part: outcome.tail
        for outcome in question.outcomes()
        if isinstance(outcome, Truncated)
    }
    sizes = {
        part: [truncation.size(bench.state(BASELINE).truncated, part, tail) for bench in benches]
        for part, tail in asked.items()
    }
    return {
        part: float(np.nanmean(found)) for part, found in sizes.items() if not np.isnan(found).all()
    }


def _definitions(
    asked: Asked, benches: Sequence[Bench], evidence: Evidence
) -> Iterator[tuple[str, Verdict]]:
    question, first = asked.question, next(iter(asked.question.arms()))
    outcome = next(iter(question.outcomes()))
    if not hasattr(question, "outcome"):
        return
    convolutions = isinstance(outcome, Spectral) and any(
        view.endswith("/flat") for view in benches[0].state(first).views
    )
    named = _named(outcome, convolutions)
    if isinstance(outcome, OfData):
        named = [one for one in named if _measured(one, benches[0], first)]
    if len(named) == 1:
        return
    yield named[0].label, evidence.verdict
    for other in named[1:]:
        again = question.replace_outcome(other)
        effects = [_known(again.answer(bench)) for bench in benches]
        yield (
            other.label,
            _weigh(again, effects, _reliable_shares(again, benches), asked.alpha).verdict,
        )


def _measured(outcome: OfData, bench: Bench, arm: Treatment) -> bool:
    """Whether a view holds an outcome under this definition: planted and older records may not hold
    all.
    """
    try:
        return bool(np.isfinite(bench.of_data(outcome, arm)))
    except KeyError:
        return False


def _named(outcome: Measured, convolutions: bool) -> list[Measured]:
    """The outcome under every named definition of it, itself first."""
    if isinstance(outcome, Outside):
        return [
            outcome,
            *(msgspec.structs.replace(outcome, held=held) for held in HELD if held != outcome.held),
        ]
    return outcomes.definitions(outcome, convolutions)
