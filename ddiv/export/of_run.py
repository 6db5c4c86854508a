"""The findings of a run as rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ddiv.evidence import Evidence
from ddiv.export.rows import SCHEMAS, FindingRow
from ddiv.finding import Asked, Finding, Reader, Unanswered, settled
from ddiv.run import run as runs
from ddiv.trial.store import Store


def findings(store: Store, run: runs.Run) -> Iterator[FindingRow]:
    """A row for every question of a run, in the order of its tests, answered from the records.

    Raises StoreError where the run's questions cannot be listed.
    """
    reader = Reader(store)
    for asked in runs.questions(store, run.id).asked:
        yield row(run, asked, settled(asked, reader, run.enough(asked), definitions=False))


def row(run: runs.Run, asked: Asked, answer: Finding | Unanswered) -> FindingRow:
    """The row of one question with its answer."""
    finding = None if isinstance(answer, Unanswered) else answer
    asked = finding.asked if finding else asked
    claim, question = asked.claim, asked.question
    claimed = finding.evidence if finding else None
    specific = finding.specific if finding else None
    outcomes = [outcome.label for outcome in question.outcomes()]
    numbers = [f"{number.name} of {number.experiment.label}" for number in question.numbers()]
    return FindingRow(
        schema=SCHEMAS[FindingRow],
        run=run.id,
        profile=run.profile,
        claim=claim.id,
        variant=asked.variant,
        study=asked.study.name,
        family=claim.family,
        control_of=claim.guards,
        statement=claim.statement,
        source=claim.source,
        test=asked.test,
        verdict=answer.word if isinstance(answer, Unanswered) else answer.judged.verdict,
        reason=answer.reason if isinstance(answer, Unanswered) else "",
        judged_by=claim.judged_by,
        outcome="; ".join(dict.fromkeys(outcomes + numbers)),
        direction="rises" if question.direction > 0 else "falls",
        unit=question.unit,
        alpha=asked.alpha,
        seeds=asked.seeds,
        effects=claimed.effects if claimed else (),
        claimed=claimed.verdict if claimed else None,
        effect=_known(claimed and claimed.effect),
        low=_known(claimed and claimed.interval[0]),
        high=_known(claimed and claimed.interval[1]),
        standardised=_known(claimed and claimed.standardised),
        evidence_for=_known(claimed and claimed.e_for),
        evidence_against=_known(claimed and claimed.e_against),
        decided_at=claimed.decided_at if claimed else None,
        p=_known(claimed and claimed.p),
        specific=specific.verdict if specific else None,
        specific_effect=_known(specific and specific.effect),
        specific_low=_known(specific and specific.interval[0]),
        specific_high=_known(specific and specific.interval[1]),
        specific_evidence_for=_known(specific and specific.e_for),
        specific_evidence_against=_known(specific and specific.e_against),
        specific_note=(finding.specific_note if finding else None) or "",
        negligible=finding.negligible if finding else None,
        withheld=bool(finding and finding.withheld),
        hardly_trained=bool(finding and finding.hardly_trained),
        expected=asked.expected.verdict if asked.expected else None,
        caveats=finding.caveats if finding else (),
    )


def _known(number: float | Evidence | None) -> float | None:
    """A number of the evidence; None where it is not known, or infinite."""
    return float(number) if isinstance(number, float | int) and math.isfinite(number) else None
