"""What the claims' questions come to on the authors' published tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import msgspec

from ddiv.claim import Threshold
from ddiv.finding import Asked, Finding, Unanswered
from ddiv.finding.published import agrees, groups, labels
from ddiv.report.document import short
from ddiv.report.schema import TableAnswer

FILE = Path(__file__).parent / "answers.json"


class Published(TableAnswer, frozen=True, kw_only=True, omit_defaults=True):
    """One question of a claim, answered by the tables."""

    claim: str


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of all questions, with where they are from."""

    source: str
    commit: str
    command: str
    answers: tuple[Published, ...]


def published(found: Iterable[tuple[Asked, Finding | Unanswered]]) -> Iterator[Published]:
    """The answers of a run on published tables, without its controls, in the claims' order."""
    for asked, answer in found:
        if asked.claim.control:
            continue
        name, variant = asked.claim.id, asked.variant
        if isinstance(answer, Unanswered):
            yield Published(claim=name, variant=variant, verdict=answer.word, note=answer.reason)
            continue
        evidence = answer.evidence
        # Not of a value as it stands, which would be a number of the tables.
        compares = not any(isinstance(part, Threshold) for part in asked.question.parts())
        yield Published(
            claim=name,
            variant=variant,
            verdict=evidence.verdict,
            agree=sum(agrees(asked.question, row) for row in answer.effects),
            of=evidence.n,
            p=short(evidence.p, 3),
            effects=tuple(short(list(evidence.effects), 4)) if compares else (),
            labels=labels(asked) if compares else (),
            unit=asked.question.unit,
            direction=asked.question.direction,
            groups=tuple(
                (part.name, part.agree, part.of) for part in groups(asked, answer.effects)
            ),
            caveats=answer.caveats,
        )


@cache
def shipped() -> Shipped:
    """The answers that are in the package."""
    return msgspec.json.decode(FILE.read_bytes(), type=Shipped)
