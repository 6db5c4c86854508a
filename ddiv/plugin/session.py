"""What one process of a pytest session works with."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ddiv import trial as trials
from ddiv.claim.declare import ClaimTest
from ddiv.finding import Asked, Finding, Reader, answered, replicate
from ddiv.plugin.ahead import Ahead
from ddiv.plugin.answers import Answers
from ddiv.plugin.faults import Namesakes
from ddiv.plugin.live import LivePage
from ddiv.profiles.profile import Profile
from ddiv.run import absent
from ddiv.run import run as runs
from ddiv.run.crew import Crew
from ddiv.run.progress import ProgressLine
from ddiv.study import Study
from ddiv.trial import Job, Samples
from ddiv.trial.store import Store, StoreError

if TYPE_CHECKING:
    from ddiv.plugin.cluster import Drive

SESSION = pytest.StashKey["Session"]()

# The question of a test.
ASKED = pytest.StashKey[Asked]()

# How many trials its answer rests on at the first seeds.
TRIALS = pytest.StashKey[int]()

# The name of a study whose data or weights are not at hand, and how to get them.
ABSENT = pytest.StashKey[tuple[str, str]]()

# Why a test is skipped. Not a marker: then pytest's summary would show one line for every test.
SKIPPED = pytest.StashKey[str]()

# Why the test of a claim asks nothing, though its study could be asked.
BROKEN = pytest.StashKey[str]()

# What a worker of xdist tells the controlling process at its end (`Session.lost`).
LOST = "ddiv_lost"


@dataclass
class Session:
    """The values that one process of a pytest session works with."""

    store: Store
    profile: Profile
    run: runs.Run
    crew: Crew
    reader: Reader
    report: Path
    project: Path = Path()  # the folder that the store, the page and the ledger are looked for in
    line: ProgressLine | None = None
    live: LivePage | None = None  # where the page is written while the run goes on
    answers: Answers = field(default_factory=Answers)
    faults: dict[ClaimTest, str] = field(default_factory=dict)  # what is wrong with tests
    namesakes: Namesakes = field(default_factory=Namesakes)
    wrong: tuple[str, ...] = ()  # why studies of the user's file are no part of the profile
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)  # claims by ABSENT
    named: bool = False  # whether the command line names the page
    fuller: Path | None = None  # the page that this run's would have replaced
    told: list[str] = field(default_factory=list)  # what the collection has to tell, a line each
    written: bool = False  # whether the report of this run is there
    unwritten: str = ""  # why it is not there
    errors: str = ""  # how many findings of the report are errors, in words
    drive: Drive | None = None  # in the process that drives a cluster
    on_nodes: Mapping[str, str] | None = None  # on a cluster: what no node has, and why
    ahead: Ahead | None = None  # looks at questions while tests wait for a cluster
    lost: str = ""  # why not all of this run could be saved
    unsaved: int = 0  # the number of questions among that
    _unsaved: dict[str, Asked] = field(default_factory=dict)
    _before: float = field(default_factory=time.time)
    _begun: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long the run has lasted; a clock that is set meanwhile changes nothing."""
        return max(0.0, self._before - self.run.started) + time.monotonic() - self._begun

    def in_time(self) -> bool:
        """Whether claims may still get more seeds."""
        return self.run.budget is None or self.seconds < self.run.budget

    def answer(self, asked: Asked) -> Finding:
        """The answer to a question whose records are all there."""
        return answered(asked, self.reader, definitions=False)

    def replicated(self, asked: Asked, obtain: Callable[[Asked], Finding]) -> Finding:
        """The answer to a question with as many seeds as it gets in this run."""

        def stored(asked: Asked) -> bool:
            return self.crew.has(asked.jobs())

        most = self.run.most(asked)
        return replicate(asked, obtain, most, self.in_time, stored, self.run.surprise_seeds)

    def absent(self, study: Study) -> str | None:
        """Why the data or weights of a study are not at hand where it is trained."""
        if self.on_nodes is None:
            return absent.data_or_weights(study)
        return self.on_nodes.get(study.name)

    def absent_samples(self, study: Study, jobs: Iterable[Job]) -> str | None:
        """Why samples that these jobs read are not at hand, and cannot be made."""
        if self.on_nodes is None:
            return absent.samples(jobs, self.store)
        reason = self.on_nodes.get(absent.of_generator(study.name))
        needed = (each for job in jobs for each in trials.requires(job)) if reason else ()
        lacking = any(isinstance(each, Samples) and each not in self.store for each in needed)
        return reason if lacking else None

    def note(self, asked: Asked) -> None:
        """Write a test's question down for the page; what cannot be written, again at the end."""
        self._unsaved[asked.test] = asked
        with suppress(StoreError):
            self._save(asked)

    def _save(self, asked: Asked) -> None:
        runs.save_asked(self.store, self.run.id, asked)
        del self._unsaved[asked.test]

    def save_rest(self) -> None:
        """Save once more what could not be saved: free space may have been made meanwhile."""
        try:
            self.crew.save_again()
            if self.drive is not None:
                self.drive.driver.keeper.save_again()
            for asked in list(self._unsaved.values()):
                self._save(asked)
        except StoreError as error:
            self.lost = str(error)
        self.unsaved += len(self._unsaved)

    @property
    def binding(self) -> bool:
        """Whether it is worth telling that a claim of the ledger's is now inconclusive.

        A run with fewer or other seeds, or with a budget, decides less than the one that the
        ledger was written from, and then nothing has changed.
        """
        return (
            self.run.max_seeds >= self.profile.max_seeds
            and self.run.budget is None
            and self.run.seeds[0] == 0
        )

    def page_of(self, asked: Collection[str]) -> Path:
        """Where the page of these questions goes, by the names of their files: a file that is named
        is written; else no fuller page is replaced.
        """
        from ddiv.report.where import beside_fuller

        return (
            self.report
            if self.named
            else beside_fuller(self.store, self.run.id, asked, self.report)
        )

    @property
    def folder(self) -> Path:
        return runs.folder(self.store, self.run.id)
