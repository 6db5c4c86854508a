"""Findings: a question put to a study, answered from stored records.

The same code answers inside pytest and for `ddiv report`; it never trains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import mean

import msgspec
import numpy as np

from ddiv import outcome as outcomes
from ddiv.claim import Bench, Effects, OfData, Question, Unmatched
from ddiv.evidence import Evidence, Verdict
from ddiv.finding.asked import Asked
from ddiv.finding.caveats import (
    RELIABLE_SHARE,
    hardly_trained,
    of_fits,
    of_gaps,
    of_tails,
    of_training,
)
from ddiv.finding.finding import Finding, withheld
from ddiv.finding.reader import MATCHES, Reader, SeedBench, require_domains
from ddiv.outcome import Outcome, Score, Spectral, Truncated
from ddiv.treatment import BASELINE, EvaluationDropout, ShuffledLabels, Treatment
from ddiv.trial import Job, Trial, key, trial, truncation
from ddiv.trial.store import NoRecord


def answer(asked: Asked, reader: Reader) -> Finding:
    """Answer a question from the store.

    Raises NoRecord, a KeyError, where a record is missing, StoreError where one cannot be read or
    is not of the study's domains.
    """
    needed = asked.jobs()
    for job in needed:
        if isinstance(job, Trial):
            require_domains(asked.study, reader.record(job).facts["domains"])
    carried = asked.question.carried
    seats = [SeedBench(reader, asked.study, seed, carried) for seed in asked.seeds]
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
    accuracies = _training_accuracies(asked, set(needed), reader)
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


def _training_accuracies(
    asked: Asked, needed: Collection[Job], reader: Reader
) -> dict[Treatment, float]:
    """Mean accuracy on the clean training set of each arm that the question has trained, without
    arms that are not to fit it.

    Empty where nothing is trained for the question, or the baseline is not among the arms.
    """
    if all(isinstance(outcome, OfData) for outcome in asked.question.outcomes()):
        return {}
    arms = [
        arm
        for arm in dict.fromkeys(asked.question.arms())
        if not arm.part(ShuffledLabels) and not arm.part(EvaluationDropout)
    ]
    trials = {arm: [_trial(asked, arm, seed) for seed in asked.seeds] for arm in arms}
    accuracies = {
        arm: mean(reader.record(job).facts["clean"]["accuracy"] for job in jobs)
        for arm, jobs in trials.items()
        if all(job in needed for job in jobs)
    }
    return accuracies if BASELINE in accuracies else {}


def _chance(asked: Asked, reader: Reader) -> float:
    baseline = reader.record(_trial(asked, BASELINE, asked.seeds[0]))
    return 1 / int(baseline.facts["classes"])


def _trial(asked: Asked, arm: Treatment, seed: int) -> Trial:
    return trial(asked.study, arm, seed, asked.question.carried)


def _known(effects: Effects) -> Effects:
    """The effects with 0 where there is no value at a seed: a phase that cannot be told, say, or an
    exponent of five eigenvalues.
    """
    return tuple(np.nan_to_num(effects).tolist())


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
        group.endswith("/flat") for group in benches[0].state(first).layer_groups
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
    except NoRecord:
        raise
    except KeyError:
        return False
