"""A line of progress that is seen under xdist too.

Workers cannot reach the terminal, so a thread of the controlling process reads the run's folder.
pytest captures what tests print, so the line is written to a copy of the standard output that was
made before capturing began.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, TextIO

from ddiv.common.files import write_atomically
from ddiv.common.printed import one_line
from ddiv.common.units import duration
from ddiv.run.cluster import machines
from ddiv.run.files import Unreadable, read, sealed
from ddiv.run.limits import Further
from ddiv.run.notes import Finished, journal, working
from ddiv.run.run import PlannedJobs
from ddiv.run.waiting import told

if TYPE_CHECKING:
    import pytest


# Seconds between looks until there is something to tell: small studies train in a blink.
FIRST = 0.25

# A forecast of less is not told: it would be wrong before it is read.
LEAST_SECONDS = 5.0


def _none() -> Collection[str]:
    return ()


class ProgressLine:
    """Prints how many trials are done, running and left.

    It looks every `period` seconds and prints a line if the numbers changed. `answered` gives the
    tests whose questions have an answer.
    """

    def __init__(
        self,
        folder: Path,
        slots: int,
        period: float = 10.0,
        answered: Callable[[], Collection[str]] = _none,
    ) -> None:
        self.folder, self.slots, self.period = folder, slots, period
        self.answered = answered
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, reporter: pytest.TerminalReporter | None) -> None:
        """Begin; where `reporter` is None there is no terminal, and nothing is printed."""
        if reporter is None or sys.__stdout__ is None:
            return
        try:
            copy = os.dup(sys.__stdout__.fileno())
            out = os.fdopen(copy, "w", encoding=sys.__stdout__.encoding, errors="replace")
        except (OSError, AttributeError, ValueError):
            return  # no standard output: nobody to tell
        self._thread = threading.Thread(target=self._watch, args=(out, reporter), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, out: TextIO, reporter: pytest.TerminalReporter) -> None:
        last, column = None, 0
        with suppress(OSError), out:  # nobody reads it any more: nobody to tell
            while not self._stop.wait(FIRST if last is None else self.period):
                text = describe(self.folder, self.slots, self.answered())
                if text and text != last:
                    # pytest may have written more dots on its line since the last time. Then a new
                    # line is begun.
                    before, column = column, _column(reporter)
                    out.write(("\n" if column not in (0, before) else "") + one_line(text) + "\n")
                    out.flush()
                    last = text


def _column(reporter: pytest.TerminalReporter) -> int:
    """How wide the line is that pytest is writing; 0 where this pytest does not say."""
    writer = getattr(reporter, "_tw", None)
    column: int = getattr(writer, "width_of_current_line", 0)
    return column


def save_further(folder: Path, more: Further) -> None:
    """Write down what undecided claims may ask for, for the line of progress."""
    with suppress(OSError):
        write_atomically(folder / "further.json", sealed(more), durable=False)


def describe(folder: Path, slots: int, answered: Collection[str] = ()) -> str | None:
    """One line on a run's trials, and on what they wait for; `answered` are the tests that ask for
    no more.

    None before the plan is there, and when nothing is left to measure or to wait for.
    """
    return " · ".join(filter(None, [_trials(folder, slots, answered), *told(folder)])) or None


def _trials(folder: Path, slots: int, answered: Collection[str]) -> str | None:
    try:
        plan = read(folder / "plan.json", PlannedJobs)
    except Unreadable:
        return None
    done, now = {line.key: line for line in journal(folder)}, working(folder)
    # Seeds that undecided claims asked for later are not in the plan.
    known = {*plan.missing, *done, *(state.key for state in now)}
    cluster = machines.told(folder)
    running = cluster.running if cluster else len(now)
    total = max(len(known), len(done) + running)
    more = total - len(plan.missing)
    if len(done) == total:
        return None
    parts = [
        f"trials: {len(done)} of {total} done"
        + (f" ({more} for undecided claims)" if more else ""),
        f"{running} running" + (f" {cluster}" if cluster else ""),
        f"{total - len(done) - running} waiting",
    ]
    most = len(_further(folder, answered) - known)
    if done:
        each = mean(line.seconds for line in done.values())
        kinds = [plan.missing.get(key, "") for key in known - done.keys()]
        left = _work(kinds, done.values()) - each * sum(state.share for state in now)
        parts.append(f"{each:.1f} s each")
        seen = {line.kind for line in done.values()}
        unseen = sum(bool(kind) and kind not in seen for kind in kinds)
        about = "very roughly" if 2 * unseen > len(kinds) else "about"
        if (seconds := left / max(1, running or slots)) >= LEAST_SECONDS:
            parts.append(f"{about} {duration(seconds)} {'for these' if most else 'left'}")
        elif not most:
            parts.append("a few seconds left")
    if most:
        parts.append(f"then at most {most} more, for claims that stay undecided")
    if now:
        newest = max(now, key=lambda state: state.since)
        parts.append(f"now {newest.label} ({newest.share:.0%})")
    return " · ".join(parts)


def _further(folder: Path, answered: Collection[str]) -> set[str]:
    """The keys of the jobs that questions without an answer may ask for."""
    try:
        more = read(folder / "further.json", Further)
    except Unreadable:
        return set()
    return {
        more.keys[place]
        for test, places in more.tests.items()
        if test not in answered
        for place in places
    }


def _work(kinds: Iterable[str], done: Collection[Finished]) -> float:
    """Seconds that jobs of these kinds take, by the mean of those of their kind that are done.

    A kind of which none is done counts as the mean of all.
    """
    each = mean(line.seconds for line in done)
    by_kind: dict[str, list[float]] = defaultdict(list)
    for line in done:
        by_kind[line.kind].append(line.seconds)
    means = {kind: mean(seconds) for kind, seconds in by_kind.items()}
    return sum(means.get(kind, each) for kind in kinds)
