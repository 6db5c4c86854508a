"""What a round is given and what it gives back."""

from __future__ import annotations

import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign import judge, scene, seen
from tests.campaign.scene import Right, Scene
from tests.campaign.server import Server
from tests.campaign.target import Done, Running, Target, until


class NotPossible(Exception):
    """A fault that this machine cannot make; the message says why."""


@dataclass
class Round:
    """One round's faults, what it did (`did`: "kills", "flips", ... with their number), and where
    it did it.
    """

    faults: list[judge.Fault] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)
    note: str = ""

    def ended(self, done: Done) -> Done:
        """Judge the output of a command; returns it."""
        self.faults += judge.of_output(done)
        return done


class Undisturbed(dict[str, Right]):
    """What an undisturbed run of each study leaves; the run is made when it is first asked for."""

    def __init__(self, target: Target, folder: Path, url: str):
        super().__init__()
        self.target, self.folder, self.url = target, folder, url

    def __missing__(self, name: str) -> Right:
        print(f"campaign: an undisturbed run of {name}", file=sys.stderr, flush=True)
        kind, home = scene.KINDS[name], self.folder / "right" / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        at = Scene(self.target, kind, home, self.folder / "files", self.url)
        self[name] = scene.undisturbed(at)
        return self[name]


@dataclass
class Bench:
    """The undisturbed runs, a folder for the round, its random numbers, and the server of texts."""

    right: Undisturbed
    folder: Path
    rng: random.Random
    server: Server

    def scene(self, kind: str) -> Scene:
        """A study whose store and cache are empty."""
        return self.right[kind].scene.at(self.folder / kind)

    def copy(self, kind: str, *parts: str) -> Scene:
        """A study with copies of the undisturbed run's store and cache, or of these parts."""
        return self.right[kind].scene.copied(self.folder / kind, parts or ("store", "cache"))

    def await_moment(self, at: Scene, running: Running) -> bool:
        """Wait until a random moment of a run: some records are there, and a while has passed.

        False where the run was over before.
        """
        whole = len(seen.finished(self.right[at.kind.name].scene.store))
        wanted, pause = self.rng.randrange(whole - 2), self.rng.random()
        until(lambda: len(seen.finished(at.store)) >= wanted, running.patience, running)
        until(lambda: False, pause, running)
        return running.process.poll() is None


def rerun(bench: Bench, at: Scene, round: Round, before: dict[str, tuple[int, int]]) -> None:
    """Run again without a fault, to the end, and judge how it ends."""
    done = round.ended(at.run(page="again.html"))
    right = bench.right[at.kind.name]
    round.faults += judge.of_end(at.page("again.html"), right.page, done)
    round.faults += judge.of_records(at.store, before)


RoundOf = Callable[[Bench], Round]
