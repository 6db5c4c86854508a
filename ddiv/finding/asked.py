"""A question as one test of one run asked it."""

from __future__ import annotations

import msgspec

from ddiv.claim import Claim, Question, jobs
from ddiv.finding.ledger import Entry
from ddiv.study import Study
from ddiv.trial import Job


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
