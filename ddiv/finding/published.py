"""What a finding on published tables says, study by study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ddiv.claim import Effects, Question
from ddiv.evidence import Evidence
from ddiv.finding.asked import Asked
from ddiv.study import Tables


class Group(NamedTuple):
    """Sets of tables that have something in common: how many agree with the claim, of how many."""

    name: str
    agree: int
    of: int


def labels(asked: Asked) -> tuple[str, ...]:
    """The sets of tables behind a question, in the order of its seeds; empty where it was put to
    trained networks.
    """
    data = asked.study.data
    return tuple(data.sets[seed].label for seed in asked.seeds) if isinstance(data, Tables) else ()


def agrees(question: Question, effects: Effects) -> bool:
    """Whether one replicate's effects are as claimed, all of them where there are several."""
    return question.direction * question.judge([effects], 0.05).effect > 0


def groups(asked: Asked, effects: Sequence[Effects]) -> tuple[Group, ...]:
    """How many sets agree with the claim, by group, in the order of the study's sets."""
    data = asked.study.data
    if not isinstance(data, Tables):
        return ()
    found: dict[str, list[bool]] = {}
    for seed, row in zip(asked.seeds, effects):
        found.setdefault(data.sets[seed].group, []).append(agrees(asked.question, row))
    return tuple(Group(name, sum(each), len(each)) for name, each in found.items())


def by_sign(asked: Asked, effects: Sequence[Effects], evidence: Evidence) -> str:
    """How many published studies agree with the claim, in all and by group, with the test's p."""
    parts = groups(asked, effects)
    agree, of = sum(part.agree for part in parts), sum(part.of for part in parts)
    several = len(parts) > 1 and all(part.name for part in parts)
    shown = ", ".join(f"{part.name} {part.agree} of {part.of}" for part in parts) if several else ""
    return (
        f"{agree} of {of} published stud{'y agrees' if of == 1 else 'ies agree'} with the claim"
        + (f" ({shown})" if shown else "")
        + f", exact two-sided sign test p = {evidence.p:.2g}"
    )
