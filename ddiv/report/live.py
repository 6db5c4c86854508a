"""The page of a run that goes on: every question whose records are there is answered.

What is answered is not answered again until another seed of it is there, so that a page costs
little more than its writing. What is said of all findings together, and the pictures, come with the
page at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import msgspec

from ddiv import trial as trials
from ddiv.claim import NotApplicable
from ddiv.finding import Asked, Reader, Unanswered, settled
from ddiv.finding import Finding as Answer
from ddiv.finding.seeds import with_stored
from ddiv.report import gather, summary
from ddiv.report.answers import claims, finding
from ddiv.report.schema import Family, Finding, Page, Progress, RunFacts
from ddiv.run import planned
from ddiv.run import run as runs
from ddiv.run.files import Unreadable, read
from ddiv.run.notes import journal
from ddiv.trial.store import Store

WAITS = "its trials are not all there yet"


class Live:
    """The pages of one run, one after another."""

    def __init__(self, store: Store, run: runs.Run) -> None:
        self.store, self.run = store, run
        self.asked: list[Asked] = []  # the questions at the last look
        self._keys: dict[tuple[str, tuple[int, ...]], frozenset[str]] = {}
        self._answers: dict[str, Answer] = {}
        self._findings: dict[str, Finding] = {}

    def look(self) -> list[Asked]:
        """The questions of the run by now, as far as is known. Raises StoreError."""
        self.asked = planned.questions(self.store, self.run.id)
        return self.asked

    def page(self, seconds: float, again: float, goes_on: Callable[[], bool]) -> Page:
        """The page at this moment, `seconds` after the run's start; `again` is when the next comes.

        Where it does not go on, the questions that are left wait for the next page. Raises
        StoreError where the store cannot be listed.
        """
        asked = sorted(self.asked, key=gather.family_order)
        reader, present = Reader(self.store), frozenset(self.store.keys())
        shown = {one.test: self._shown(one, reader, present, goes_on) for one in asked}
        answered = [self._answers[one.test] for one in asked if one.test in self._answers]
        studies = {one.study.name: one.study for one in asked}
        done, needed = self._counted()
        return Page(
            title="ddiv: which claims hold",
            run_id=self.run.id,
            subtitle=gather.PAPER if any(map(gather.of_the_paper, asked)) else "",
            generated=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            profile=self.run.profile,
            command=self.run.command,
            alpha=self.run.alpha,
            seeds=self.run.seeds,
            progress=Progress(
                done=done,
                of=needed,
                answered=sum(one.verdict != "not run" for one in shown.values()),
                asked=len(asked),
                seconds=seconds,
                again=again,
            ),
            run=RunFacts(seconds=seconds, trials_trained=done, workers=self.run.workers),
            controls=summary.controls(answered, self.run.alpha),
            studies=tuple(gather.study_card(study, [], reader) for study in studies.values()),
            families=tuple(Family(name, name.capitalize()) for name in _families(asked)),
            claims=tuple(claims(asked, shown, self.run, {})),
        )

    def _shown(
        self, asked: Asked, reader: Reader, present: frozenset[str], goes_on: Callable[[], bool]
    ) -> Finding:
        """The question as the page shows it; the answer of an earlier look where it still holds."""
        if asked.not_applicable or asked.failed:
            return self._new(asked, settled(asked, reader), reader)
        asked = msgspec.structs.replace(asked, error=None)
        kept, before = self._findings.get(asked.test), self._answers.get(asked.test)
        if not self._there(asked, present):
            return kept or self._new(asked, Unanswered("not run", WAITS), reader)
        most = self.run.enough(asked)
        asked = with_stored(asked, lambda more: self._there(more, present), most)
        if kept and ((before and before.asked.seeds == asked.seeds) or not goes_on()):
            return kept
        if not goes_on():
            return self._new(asked, Unanswered("not run", WAITS), reader)
        answered = settled(asked, reader, len(asked.seeds))
        found = self._new(asked, answered, reader)
        if isinstance(answered, Answer):
            self._answers[asked.test], self._findings[asked.test] = answered, found
        return found

    def _new(self, asked: Asked, answered: Answer | Unanswered, reader: Reader) -> Finding:
        asked = answered.asked if isinstance(answered, Answer) else asked
        return finding(asked, answered, reader, self.run)

    def _there(self, asked: Asked, present: frozenset[str]) -> bool:
        place = asked.test, asked.seeds
        if place not in self._keys:
            needed: Iterable[trials.Job] = ()
            with suppress(NotApplicable):
                needed = asked.jobs()
            self._keys[place] = frozenset(map(trials.key, needed))
        return self._keys[place] <= present

    def _counted(self) -> tuple[int, int]:
        """How many trials the run has measured, and how many it needs as far as is known."""
        folder = runs.folder(self.store, self.run.id)
        done = {line.key for line in journal(folder)}
        needed = set(done)
        with suppress(Unreadable):
            needed.update(read(folder / "plan.json", runs.PlannedJobs).missing)
        return len(done), len(needed)


def _families(asked: Iterable[Asked]) -> Iterable[str]:
    return dict.fromkeys(one.claim.family for one in asked)
