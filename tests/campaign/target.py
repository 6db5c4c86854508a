"""The commands of one checkout, and the processes that run them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# How often an undisturbed run's time a command may take, and at least how many seconds.
TIMES, LEAST = 8.0, 120.0


@dataclass(frozen=True)
class Done:
    """A command that ended, or that was ended when the patience was over (`hung`)."""

    command: tuple[str, ...]
    status: int
    text: str  # stdout and stderr together
    hung: bool = False


@dataclass
class Running:
    """A command under way, in a process group of its own; its output goes to a file."""

    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    output: Path
    patience: float

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Send a signal to the whole group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def children(self) -> list[int]:
        """The processes that the first one started: xdist's workers."""
        pid = self.process.pid
        with suppress(OSError):
            return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
        return []

    def end(self) -> Done:
        """Wait for the end; a group that does not end is killed."""
        hung = False
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            hung = True
        # Workers whose controller was killed end by themselves; nobody waits for a stopped one.
        self.signal(signal.SIGKILL)
        return Done(self.command, self.process.wait(), self.text(), hung)


@dataclass
class Target:
    """A checkout of ddiv's repository, the Python that has it installed, and where output goes."""

    repository: Path
    python: str
    scratch: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    commands: int = 0
    patience: float = 3600.0  # seconds that a command may take

    def start(
        self, *arguments: str, before: tuple[str, ...] = (), **environment: str | None
    ) -> Running:
        """Start `python -m ARGUMENTS` in the checkout; `before` are words before that command."""
        self.commands += 1
        self.scratch.mkdir(parents=True, exist_ok=True)
        output = self.scratch / f"output-{self.commands}.txt"
        command = (self.python, "-m", *arguments)
        given = os.environ | self.environment | environment
        given.pop("PYTEST_ADDOPTS", None)
        with open(output, "wb") as file:
            process = subprocess.Popen(
                (*before, *command),
                cwd=self.repository,
                env={name: value for name, value in given.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(command, process, output, self.patience)

    def run(self, *arguments: str, **more: str | None) -> Done:
        return self.start(*arguments, **more).end()


def until(condition, seconds: float, running: Running) -> bool:
    """Poll until a condition holds. False where the command ended or the time was over first."""
    end = time.monotonic() + seconds
    while not condition():
        if running.process.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def words(command: Sequence[str]) -> str:
    """A command as one line, without the path of the interpreter."""
    import shlex

    return shlex.join(("python", *command[1:]))
