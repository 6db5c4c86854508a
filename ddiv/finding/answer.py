"""Findings: a question put to a study, answered from stored records.

The same code answers inside pytest and for `ddiv report`; it never trains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import mean

import numpy as np

from ddiv import outcome as outcomes
from ddiv.claim import Bench, Effects, OfData, Question
from ddiv.evidence import Evidence, Verdict
from ddiv.finding.asked import Asked
from ddiv.finding.calibration import Calibration
from ddiv.finding.caveats import (
    RELIABLE_SHARE,
    Floor,
    floors,
    hardly_trained,
    of_fits,
    of_floors,
    of_gaps,
    of_tables,
    of_tails,
    of_training,
)
from ddiv.finding.conditions import of_conditions, unmet
from ddiv.finding.estimates import estimates
from ddiv.finding.finding import Finding, withheld
from ddiv.finding.negligible import negligible
from ddiv.finding.reader import Reader, SeedBench, require_domains
from ddiv.finding.specific import Specific, benches, lacking, specific
from ddiv.outcome import Outcome, Score, Spectral, Truncated
from ddiv.treatment import BASELINE, EvaluationDropout, ShuffledLabels, Treatment, Unswitched
from ddiv.trial import Job, Trial, key, trial, truncation
from ddiv.trial.store import NoRecord

NO_FAMILY = (
    "published tables have no slower or shorter training of the baseline, so nothing can be said "
    "of what is specific"
)
# Why a question that a calibration would serve by now has no specific verdict.
UNMATCHED = "the run had no calibration of the study: ask the claims once more"
# Parts of arms that are not to fit the clean training set, or are measured there with dropout on.
_UNFIT = (ShuffledLabels, EvaluationDropout, Unswitched)


def answer(asked: Asked, reader: Reader, definitions: bool = True) -> Finding:
    """Answer a question from the store; where only the verdict is asked for, without `definitions`.

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
    conditions = unmet(question, benches)
    effects = conditions.without(tuple(map(_known, answers)))
    evidence = _weigh(asked, question, effects, shares)
    if conditions.many:
        evidence = withheld(evidence)
    calibration, note = reader.calibration(asked.study)
    beyond = Specific(None)
    if asked.study.fixed_sample:
        calibration, beyond = None, Specific(None, note=NO_FAMILY * question.has_specific or None)
    elif question.has_specific:
        beyond = Specific(None, note=note)
        if calibration and not asked.matched:
            beyond = Specific(None, note=lacking(question, calibration) or UNMATCHED)
        elif calibration:
            beyond = _specific(question, seats, calibration, asked.alpha, len(effects[0]))
    if unreliable(shares) and beyond.evidence:
        beyond = beyond._replace(evidence=withheld(beyond.evidence))
    accuracies = _training_accuracies(asked, set(needed), reader)
    untrained = hardly_trained(accuracies, _chance(asked, reader)) if accuracies else []
    deciding = () if unreliable(shares) else tuple(question.outcomes())
    at_floor = _floors(asked.question, benches)
    fits = {outcome: share for outcome, share in shares.items() if outcome not in at_floor}
    caveats = (
        *of_fits(fits, deciding),
        *of_floors(at_floor, deciding),
        *of_tails(_tails(asked.question, benches)),
        *of_gaps(answers),
        *of_conditions(conditions),
        *of_training(untrained, accuracies),
        *of_tables(asked.question, asked.study),
    )
    return Finding(
        asked,
        evidence,
        effects,
        specific=beyond.evidence,
        specific_note=beyond.note,
        specific_effects=beyond.effects,
        specific_unmatched=beyond.unmatched,
        calibration=calibration,
        definitions=tuple(_definitions(asked, benches, evidence)) if definitions else (),
        caveats=caveats,
        withheld=unreliable(shares) or conditions.many,
        derived=question.derived(effects),
        estimates=estimates(question, seats, benches) if definitions else (),
        jobs=tuple(map(key, needed)),
        hardly_trained=bool(untrained),
        negligible=negligible(question, evidence.effect, calibration),
    )


def _training_accuracies(
    asked: Asked, needed: Collection[Job], reader: Reader
) -> dict[Treatment, float]:
    """Mean accuracy on the clean training set of each arm that the question has trained, without
    arms that are not to fit it.

    Empty where nothing is trained for the question, or the baseline is not among the arms; of
    published tables it is not known.
    """
    if asked.study.fixed_sample or all(
        isinstance(outcome, OfData) for outcome in asked.question.outcomes()
    ):
        return {}
    arms = [
        arm
        for arm in dict.fromkeys(asked.question.arms())
        if not any(arm.part(kind) for kind in _UNFIT)
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
    return max(shares.values(), default=1.0) < RELIABLE_SHARE


def _weigh(
    asked: Asked, question: Question, effects: Sequence[Effects], shares: Mapping[Outcome, float]
) -> Evidence:
    evidence = asked.judge(effects, question)
    return withheld(evidence) if unreliable(shares) else evidence


def _specific(
    question: Question,
    seats: Sequence[SeedBench],
    calibration: Calibration,
    alpha: float,
    width: int,
) -> Specific:
    """The evidence on what is specific. Of fits that cannot be relied on it decides nothing.

    width: how many effects a seed has.
    """
    if why := lacking(question, calibration):
        return Specific(None, note=why)
    by_seed = {seat.seed: benches(seat, question, calibration) for seat in seats}
    found = specific(question, by_seed, alpha, width)
    at = [first for first, *_ in by_seed.values()]
    shares = _reliable_shares(question, at)
    if not unreliable(shares):
        return found
    told = f"only {min(shares.values()):.0%} of the fits compared can be relied on"
    if any(floor.hides for floor in _floors(question, at).values()):
        told = "most of the calibration error is what a calibrated network would show too"
    note = "; ".join(filter(None, (found.note, f"{told}, so it decides nothing")))
    return found._replace(evidence=found.evidence and withheld(found.evidence), note=note)


def _reliable_shares(question: Question, benches: Sequence[Bench]) -> dict[Outcome, float]:
    """The share of fits, over layers, arms and seeds, that can be relied on, by outcome; 0 for a
    calibration error that its floor hides.
    """
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
    reliable = {outcome: mean(found) if found else 1.0 for outcome, found in shares.items()}
    at_floor = _floors(question, benches)
    return reliable | {outcome: 0.0 for outcome, floor in at_floor.items() if floor.hides}


def _floors(question: Question, benches: Sequence[Bench]) -> dict[Outcome, Floor]:
    """The floors of a question's calibration errors, of the baseline (of the first arm where the
    question has no baseline).
    """
    scores = [outcome for outcome in question.outcomes() if isinstance(outcome, Score)]
    if not scores:
        return {}
    arms = [*question.arms()]
    arm = BASELINE if BASELINE in arms else arms[0]
    states = [bench.state(arm) for bench in benches]
    # Of published tables only the error itself is known, not what it would be by chance.
    known = [s for s in scores if all(f"ece_floor/{s.where}" in state.scores for state in states)]
    return floors(known, states)


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
    question = asked.question
    outcome = question.outcome
    if outcome is None:
        return
    first = next(iter(question.arms()))
    convolutions = isinstance(outcome, Spectral) and any(
        group.endswith("/flat") for group in benches[0].state(first).layer_groups
    )
    definitions = [
        definition
        for definition in outcomes.definitions(outcome, convolutions)
        if _measured(definition, benches[0], first)
        and not (asked.study.fixed_sample and outcomes.why_not(definition))
    ]
    if len(definitions) == 1:
        return
    yield definitions[0].label, evidence.verdict
    for definition in definitions[1:]:
        again = question.replace_outcome(definition)
        effects = [_known(again.answer(bench)) for bench in benches]
        shares = _reliable_shares(again, benches)
        yield definition.label, _weigh(asked, again, effects, shares).verdict


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
