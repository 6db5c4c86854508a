"""Findings: a question put to a study, answered from stored records.

The same code answers inside pytest and for `ddiv report`; it never trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Literal, get_args

import msgspec
import numpy as np

from ddiv import outcome as outcomes
from ddiv import truncation
from ddiv.caveats import RELIABLE_SHARE, hardly_trained, of_fits, of_gaps, of_tails, of_training
from ddiv.claim import Bench, Claim, Derived, Effects, OfData, Question, Unmatched, jobs, view
from ddiv.evidence import Evidence, Verdict
from ddiv.ledger import Entry
from ddiv.outcome import Match, Outcome, Score, Snapshot, Spectral, Trained, Truncated
from ddiv.store import Record, Store, StoreError
from ddiv.study import Study
from ddiv.treatment import BASELINE, EvaluationDropout, ShuffledLabels, Treatment
from ddiv.trial import Job, Trial, key, trial

# A control that comes out supported fails the run, so each is judged at a fiftieth of the level: a
# run with up to fifty controls then raises a false alarm with probability alpha at most. Twelve
# seeds that agree reach that bar.
CONTROL_SHARE, CONTROL_SEEDS = 50, 12

# The states of `outcome.Match` that a fit-matched effect is taken at.
At = Literal["early", "between", "late"]
MATCHES: tuple[At, ...] = get_args(At)


class Asked(msgspec.Struct, frozen=True):
    """A question as one test of one run asked it, with all that answers it again.

    `seeds` are those spent on it, `order` is the test's place in the run, `expected` is the
    ledger's entry on it.
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
    """The answer: evidence at equal epochs, fit-matched evidence beside it, and caveats.

    - `effects`: the question's, a row a seed; `derived`: further numbers read off them, such as a
      threshold;
    - `matched_note`: where the fit could not be matched;
    - `definitions`: (name, verdict) under every named definition of the outcome, that of the claim
      first (empty where there is one only);
    - `caveats`: sentences;
    - `withheld`: the power-law fits behind the outcome cannot be relied on, so the verdict is
      inconclusive whatever the effects;
    - `hardly_trained`: arms, or the baseline, hardly fit their training set.
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
    """One seed of a study at hand; questions are answered from its `bench()`."""

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
        """An outcome of an arm's training set, read off its view."""
        job = view(self.study, arm, self.seed, outcome.embedder)
        return outcome.read(self.reader.record(job).facts)

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

    def bench(self, matched: At | None = None) -> Bench:
        """At equal epochs, or fit-matched to one of the states of `outcome.Match`."""

        def base(arm: Treatment) -> Snapshot:
            if matched is None:
                return self.state(BASELINE)
            match = self.match(arm)
            return {"early": match.early, "between": match.between, "late": match.late}[matched]

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
    matched: Evidence | None = None
    seeds: tuple[int, ...] = ()
    note: str | None = None
    if question.fit_matters:
        narrowed = msgspec.structs.replace(asked, question=question)
        matched, seeds, note = _fit_matched(narrowed, seats)
    if unreliable(shares) and matched:
        matched = withheld(matched)
    accuracies = _training_accuracies(asked, reader)
    untrained = hardly_trained(accuracies, _chance(asked, reader)) if accuracies else []
    deciding = () if unreliable(shares) else tuple(question.outcomes())
    caveats = (
        *of_fits(shares, deciding),
        *of_tails(_tails(asked.question, benches)),
        *of_gaps(answers),
        *of_training(untrained, accuracies),
    )
    return Finding(
        asked,
        evidence,
        effects,
        matched=matched,
        matched_seeds=seeds,
        matched_note=note,
        definitions=tuple(_definitions(asked, benches, evidence)),
        caveats=caveats,
        withheld=unreliable(shares),
        derived=question.derived(effects),
        jobs=tuple(map(key, needed)),
        hardly_trained=bool(untrained),
    )


def require_domains(study: Study, found: Iterable[str]) -> None:
    """Raise StoreError where the domains found in a study's data are not those of the study."""
    domains = tuple(found)
    if domains != study.domains:
        raise StoreError(
            f"the data of the study {study.name} has the domains {domains}, and the study says "
            f"{study.domains}: name them in the data's order, that of the training set first. What "
            "is trained stays good"
        )


def _training_accuracies(asked: Asked, reader: Reader) -> dict[Treatment, float]:
    """Mean accuracy on the clean training set of each arm, without arms that are not to fit it.

    Empty where nothing is trained for the question, or the baseline is not among the arms.
    """
    if all(isinstance(outcome, OfData) for outcome in asked.question.outcomes()):
        return {}
    arms = [
        arm
        for arm in dict.fromkeys(asked.question.arms())
        if not arm.part(ShuffledLabels) and not arm.part(EvaluationDropout)
    ]
    trials = {arm: [trial(asked.study, arm, seed) for seed in asked.seeds] for arm in arms}
    accuracies = {
        arm: mean(reader.record(job).facts["clean"]["accuracy"] for job in jobs)
        for arm, jobs in trials.items()
        if all(map(reader.has, jobs))
    }
    return accuracies if BASELINE in accuracies else {}


def _chance(asked: Asked, reader: Reader) -> float:
    baseline = reader.record(trial(asked.study, BASELINE, asked.seeds[0]))
    return 1 / int(baseline.facts["classes"])


def _known(effects: Effects) -> Effects:
    """The effects with 0 where there is no value at a seed: a phase that cannot be told, say, or an
    exponent of five eigenvalues.
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


def unreliable(shares: Mapping[Outcome, float]) -> bool:
    """Whether every outcome rests on fits that cannot be relied on.

    Where only some do, that is a caveat.
    """
    return max(shares.values()) < RELIABLE_SHARE


def _weigh(
    question: Question, effects: Sequence[Effects], shares: Mapping[Outcome, float], alpha: float
) -> Evidence:
    evidence = question.judge(effects, alpha)
    return withheld(evidence) if unreliable(shares) else evidence


def withheld(evidence: Evidence) -> Evidence:
    """The same evidence with the verdict inconclusive: unreliable numbers decide nothing."""
    return msgspec.structs.replace(evidence, verdict="inconclusive", decided_at=None)


def undecided(finding: Finding, most: int) -> bool:
    """Whether more seeds, up to `most`, could still decide, if all of them agreed.

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
    """The evidence at equal fit, its seeds, and a note on what could not be matched."""
    question, unclear = asked.question, 0
    effects: list[Effects] = []
    matched: list[SeedBench] = []
    reasons: list[str] = []
    notes: list[str] = []
    for seat in seats:
        try:
            ways = [_known(question.answer(seat.bench(at))) for at in MATCHES]
        except Unmatched as reason:
            reasons.append(f"seed {seat.seed}: {reason}")
            continue
        effects.append(cautious(ways))
        unclear += any(effect == 0 for effect in effects[-1]) and any(map(any, ways))
        matched.append(seat)
    if reasons:
        notes.append(f"unmatched at {len(reasons)} of {len(seats)} seeds ({'; '.join(reasons)})")
    if unclear:
        notes.append(
            f"at {unclear} of {len(seats)} seeds the direction depends on where between two "
            "checkpoints the baseline is taken, which counts as no effect"
        )
    if not effects:
        return None, (), "; ".join(notes) or None
    shares = _reliable_shares(question, [seat.bench("between") for seat in matched])
    if unreliable(shares):
        notes.append(
            f"only {min(shares.values()):.0%} of the fits compared can be relied on, so it decides "
            "nothing"
        )
    evidence = _weigh(question, effects, shares, asked.alpha)
    return evidence, tuple(seat.seed for seat in matched), "; ".join(notes) or None


def cautious(ways: Sequence[Effects]) -> Effects:
    """The effects that hold however the baseline is matched: of several the one nearest to 0, or 0
    where signs differ.
    """
    table = np.array(ways)
    nearest = np.take_along_axis(table, np.abs(table).argmin(axis=0)[None], axis=0)[0]
    agree = np.abs(np.sign(table).sum(axis=0)) == len(table)
    return tuple(np.where(agree, nearest, 0.0).tolist())


def _reliable_shares(question: Question, benches: Sequence[Bench]) -> dict[Outcome, float]:
    """The share of fits, over layers, arms and seeds, that can be relied on, by outcome."""
    shares: dict[Outcome, list[float]] = {}
    for part in question.parts():
        for outcome in part.outcomes():
            of_pairs = shares.setdefault(outcome, [])
            if not isinstance(outcome, OfData | Score):
                of_pairs += [
                    outcomes.reliability(outcome, *pair)
                    for bench in benches
                    for pair in part.compared(bench)
                ]
    return {outcome: mean(of_pairs) if of_pairs else 1.0 for outcome, of_pairs in shares.items()}


def _tails(question: Question, benches: Sequence[Bench]) -> dict[str, float]:
    """By part of the network, the mean over seeds of the share of directions that are the tail,
    where one is found.
    """
    tails = {
        outcome.part: outcome.tail
        for outcome in question.outcomes()
        if isinstance(outcome, Truncated)
    }
    sizes = {
        part: [truncation.size(bench.state(BASELINE).truncated, part, tail) for bench in benches]
        for part, tail in tails.items()
    }
    return {
        part: float(np.nanmean(by_seed))
        for part, by_seed in sizes.items()
        if not np.isnan(by_seed).all()
    }


def _definitions(
    asked: Asked, benches: Sequence[Bench], evidence: Evidence
) -> Iterator[tuple[str, Verdict]]:
    """The verdict under every named definition of a question's outcome, by the outcome's label."""
    question, first = asked.question, next(iter(asked.question.arms()))
    outcome = question.outcome
    if outcome is None:
        return
    convolutions = isinstance(outcome, Spectral) and any(
        view.endswith("/flat") for view in benches[0].state(first).views
    )
    definitions = [
        definition
        for definition in outcomes.definitions(outcome, convolutions)
        if _measured(definition, benches[0], first)
    ]
    if len(definitions) == 1:
        return
    yield definitions[0].label, evidence.verdict
    for definition in definitions[1:]:
        again = question.replace_outcome(definition)
        effects = [_known(again.answer(bench)) for bench in benches]
        shares = _reliable_shares(again, benches)
        yield definition.label, _weigh(again, effects, shares, asked.alpha).verdict


def _measured(outcome: Outcome, bench: Bench, arm: Treatment) -> bool:
    """Whether a record holds an outcome under this definition.

    Planted and older views may not hold all; what is read off a network is always there.
    """
    if not isinstance(outcome, OfData):
        return True
    try:
        return bool(np.isfinite(bench.of_data(outcome, arm)))
    except KeyError:
        return False
