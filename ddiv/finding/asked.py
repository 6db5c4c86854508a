"""A question as one test of one run asked it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ddiv.claim import Claim, Effects, Question, jobs
from ddiv.evidence import Evidence, decided_exactly
from ddiv.finding.ledger import Entry
from ddiv.study import Study
from ddiv.trial import Job

# Why a question has no answer, where nothing went wrong: the first is the `error` of a question
# until its test has come to an answer or to an error of its own.
ENDED = "the run ended before an answer"
GONE = "a trial that it needs is not in the store"

# A run has many controls, and one that comes out supported is told and costs seeds, so each is
# judged at a fiftieth of the level. Whether it fails the run is for `ddiv.finding.surprise` to say.
CONTROL_SHARE = 50


class Asked(msgspec.Struct, frozen=True):
    """A question as one test of one run asked it, with all that answers it again.

    `seeds` are those spent on it, `order` is the test's place in the run, `expected` is the
    ledger's entry on it, `error` why the run came to no answer. `among` is the number of questions
    of the run, and `ledger` says whether a ledger has entries of the run's profile: from them
    follows whether a verdict fails the run (`ddiv.finding.surprise`). A question that no
    calibration serves is not `matched`: optimisation controls would be trained for a verdict that
    it cannot have.
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
    among: int = 1
    ledger: bool = False
    matched: bool = True

    @property
    def level(self) -> float:
        """The level of the run; `alpha` is that of this question, and smaller for a control."""
        return self.alpha * CONTROL_SHARE if self.claim.control else self.alpha

    @property
    def failed(self) -> bool:
        """Whether an error kept the run from an answer."""
        return self.error not in (None, ENDED, GONE)

    def judge(self, effects: Sequence[Effects], question: Question | None = None) -> Evidence:
        """The evidence of the effects, a row a seed, on the question or another form of it.

        A study's fixed sample is judged by the exact test.
        """
        question = question or self.question
        bets = question.judge(effects, self.alpha)
        if not self.study.fixed_sample:
            return bets
        return decided_exactly(bets, question.judge(effects, self.alpha, "exact"))

    def jobs(self) -> list[Job]:
        """Every trial or view that the answer rests on."""
        return jobs(self.question, self.study, self.seeds, self.matched)
