"""`pytest claims` in a process of its own, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

from ddiv.run import run as runs
from ddiv.trial.store import Store
from tests.support.paths import ROOT


def command(folder: Path, *arguments: str) -> list[str]:
    """The command that keeps its store and its page in this folder."""
    return [
        *(sys.executable, "-m", "pytest", "claims", "-p", "no:cacheprovider"),
        *("--store", str(folder / "store"), "--report", str(folder / "page.html")),
        *arguments,
    ]


def claims(
    folder: Path, *arguments: str, project: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess:
    """A finished run of the project's claims."""
    return subprocess.run(
        command(folder, *arguments),
        cwd=project,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def seeds_of(store: Path) -> dict[str, tuple[int, ...]]:
    """The seeds of every claim of the newest run, by test."""
    records = Store(store)
    questions = runs.load_asked(records, runs.latest(records).id)
    assert questions and not any(question.error for question in questions)
    return {question.test: question.seeds for question in questions}
