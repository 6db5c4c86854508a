"""What one process of a pytest session works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ddiv.finding import Asked, Reader
from ddiv.profiles.profile import Profile
from ddiv.run import run as runs
from ddiv.run.crew import Crew
from ddiv.run.progress import ProgressLine
from ddiv.trial.store import Store

SESSION = pytest.StashKey["Session"]()

# The question of a test.
ASKED = pytest.StashKey[Asked]()

# The name of a study whose data or weights are not at hand, and how to get them.
ABSENT = pytest.StashKey[tuple[str, str]]()

# Why a test is skipped. Not a marker: then pytest's summary would show one line for every test.
SKIPPED = pytest.StashKey[str]()

VERDICT = "ddiv verdict"


@dataclass
class Session:
    """The values that one process of a pytest session works with."""

    store: Store
    profile: Profile
    run: runs.Run
    crew: Crew
    reader: Reader
    report: Path
    line: ProgressLine | None = None
    unwritten: str = ""  # why the report is not there

    @property
    def binding(self) -> bool:
        """Whether a verdict other than the ledger's is a change.

        A run with fewer or other seeds, or with a budget, may well decide otherwise than the
        ledger says, and then nothing has changed.
        """
        return (
            self.run.max_seeds >= self.profile.max_seeds
            and self.run.budget is None
            and self.run.seeds[0] == 0
        )

    @property
    def folder(self) -> Path:
        return runs.folder(self.store, self.run.id)
