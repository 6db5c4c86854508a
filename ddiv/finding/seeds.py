"""How many seeds a question gets: all that are stored, and one more while that can still tell."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ddiv.finding.asked import Asked
from ddiv.finding.finding import Finding
from ddiv.finding.surprise import evalue, is_sure, is_surprise, sure_at

# Twelve seeds that agree reach the bar of a control (`CONTROL_SHARE`).
CONTROL_SEEDS = 12

# The seeds that a surprise may get (`ddiv.finding.surprise`), unless --max-seeds says another
# number: if all of them agree they are sure among a thousand questions.
SURPRISE_SEEDS = 16


def replicate(
    asked: Asked,
    obtain: Callable[[Asked], Finding],
    most: int,
    in_time: Callable[[], bool] = lambda: True,
    stored: Callable[[Asked], bool] = lambda asked: False,
    most_of_surprise: int = 0,
) -> Finding:
    """Answer with the seeds of `asked` and with all further ones that are stored, then with one
    more at a time while that can still decide and is in time.

    obtain(asked) answers a question, measuring first what it needs; stored(asked) says whether
    nothing has to be measured for it; most: the seeds after which no more are looked at, except for
    a surprise (`most_of_surprise`).

    Consecutive seeds that the store has for all of a question's jobs are looked at though the
    verdict has fallen: the capital, which lists over a run are made of, need not end at the bar.
    The bet stays fair. How far the store reaches for a question depends on other questions, and so
    on results at the same seeds; but whether seed s + 1 was ever trained was decided from results
    up to seed s (each question begins at the first seed and goes on one by one), by a clock, or by
    a person who had seen no more. So the seed at which a question stops is a stopping time of the
    filtration of ALL that is drawn up to a seed. The e-processes are ones in that filtration,
    because seeds are independent: what any arm showed at seeds up to s says nothing on the draws of
    s + 1. (Shafer and Vovk 2019, "Game-theoretic foundations for probability and finance", chapter
    2; and the sources of ``ddiv.evidence``.) Nor does it matter that the same command, run once
    more, finds more seeds than before. What would break this is the choice of a seed for its own
    result: never delete a record because of what it says.
    """
    while True:
        asked = with_stored(asked, stored, most)
        finding = obtain(asked)
        if not (undecided(finding, most) or unsure(finding, most_of_surprise)) or not in_time():
            return finding
        asked = _with_next(asked)


def _with_next(asked: Asked) -> Asked:
    return msgspec.structs.replace(asked, seeds=(*asked.seeds, max(asked.seeds) + 1))


def with_stored(asked: Asked, stored: Callable[[Asked], bool], most: int) -> Asked:
    """The question with all further seeds, up to `most` in all, that are stored, one by one.

    A run's page asks for them once more: a question that was decided early did not see the seeds
    that others had trained later. Its verdict stays, because one that is reached is kept and one
    that had become impossible is not reached; the evidence grows, and with it the lists of a run.
    """
    while not asked.study.fixed_sample and len(asked.seeds) < _limit(asked, most):
        further = _with_next(asked)
        if not stored(msgspec.structs.replace(further, seeds=further.seeds[-1:])):
            break
        asked = further
    return asked


def _limit(asked: Asked, most: int) -> int:
    """The most seeds of a question that is no surprise."""
    return max(most, CONTROL_SEEDS) if asked.claim.control else most


def undecided(finding: Finding, most: int) -> bool:
    """Whether more seeds, up to `most`, could still decide, if all of them agreed.

    A control gets up to CONTROL_SEEDS, as long as it could still come out supported. A verdict that
    is withheld is pursued like any other: fits at further seeds may be ones to rely on, and others
    may train these seeds, so that the verdict would depend on who was first.
    """
    asked, effects = finding.asked, finding.judged_effects
    reached = finding.judged.verdict
    if finding.withheld:
        reached = asked.judge(effects).verdict
    if asked.study.fixed_sample:
        return False
    awaited = {"supported"} if asked.claim.control else {"supported", "contradicted"}
    left = _limit(asked, most) - len(effects)
    if left < 1 or reached != "inconclusive":
        return False
    return any(
        asked.question.judge([*effects, *[row] * left], asked.alpha).verdict in awaited
        for row in asked.question.extremes(effects)
    )


def unsure(finding: Finding, most: int) -> bool:
    """Whether a surprise is not sure yet and more seeds, up to `most`, could make it so, if all of
    them agreed.
    """
    asked, effects, side = finding.asked, finding.judged_effects, finding.judged.verdict
    left = most - len(effects)
    if asked.study.fixed_sample or left < 1 or not is_surprise(finding) or is_sure(finding):
        return False
    return any(
        evalue(asked.question.judge([*effects, *[row] * left], asked.alpha), side) >= sure_at(asked)
        for row in asked.question.extremes(effects)
    )
