"""What the limit on seeds means for a run, told before it trains: whether claims can be decided,
and how many trials they may ask for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

import msgspec

from ddiv import trial as trials
from ddiv.evidence import MOST_SEEDS, RISES, judge
from ddiv.finding import CONTROL_SEEDS, Asked
from ddiv.profiles.profile import Profile
from ddiv.run.run import Run
from ddiv.trial import Job
from ddiv.trial.store import Store


@cache
def fewest(alpha: float) -> int:
    """The fewest seeds that can decide a claim at this level: all of them agree."""
    enough = (
        n for n in range(1, MOST_SEEDS) if judge([1.0] * n, RISES, alpha=alpha).decided_at == n
    )
    return next(enough)


def too_few(run: Run, profile: Profile) -> str:
    """A line where a run allows fewer seeds than its profile, and too few to decide; else ""."""
    needed, most = fewest(run.alpha), max(run.max_seeds, run.headline_seeds)
    if most >= min(needed, profile.max_seeds) or all(s.fixed_sample for s in profile.studies):
        return ""
    return (
        f"--max-seeds {most} can decide no claim: {needed} seeds that agree are the fewest (a few "
        "kinds of claim need one more), so every verdict will be inconclusive"
    )


def at_most(asked: Asked, most: int) -> Asked:
    """The question with all the seeds that it may get (`ddiv.finding.seeds.undecided`)."""
    if asked.study.fixed_sample:
        return asked
    first = asked.seeds[0]
    count = max(most, CONTROL_SEEDS) if asked.claim.control else most
    seeds = tuple(range(first, first + max(count, len(asked.seeds))))
    return msgspec.structs.replace(asked, seeds=seeds)


class Further(msgspec.Struct):
    """The missing jobs that questions may still ask for: their keys, and by test their places."""

    keys: list[str]
    tests: dict[str, list[int]]


def further(asked: Iterable[Asked], run: Run, plan: Collection[Job], store: Store) -> Further:
    """What questions may ask for beside the plan, if they stay undecided. Surprises may get more
    (`ddiv.finding.surprise`).
    """
    places: dict[Job, int | None] = dict.fromkeys(plan)  # None: planned, or stored
    keys: list[str] = []
    tests: dict[str, list[int]] = {}

    def place(job: Job) -> int | None:
        if job not in places:
            places[job] = None if job in store else len(keys)
            if places[job] is not None:
                keys.append(trials.key(job))
        return places[job]

    for question in asked:
        if question.not_applicable:
            continue
        jobs = trials.with_requirements(at_most(question, run.most(question)).jobs())
        if found := [at for at in map(place, jobs) if at is not None]:
            tests[question.test] = found
    return Further(keys, tests)
