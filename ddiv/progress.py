"""Progress that is seen under xdist too: a thread of the controlling process reads the run's
folder.

Workers cannot reach the terminal, and pytest captures what tests print, so the line is written to a
copy of the standard output that was made before capturing began.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from statistics import mean

import msgspec

from ddiv.plan import journal, working
from ddiv.run import Plan


class ProgressLine:
    """Prints how many trials are done, running and left, at every `period` seconds in which that
    changed.
    """

    def __init__(self, folder: Path, slots: int, period: float = 10.0):
        self.folder, self.slots, self.period = folder, slots, period
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, reporter) -> None:
        """Begin; `reporter` is pytest's terminal reporter, or None where there is no terminal to
        write to.
        """
        if reporter is None:
            return
        try:
            out = os.fdopen(
                os.dup(sys.__stdout__.fileno()), "w", encoding="utf-8", errors="replace"
            )
        except (OSError, AttributeError, ValueError):
            return  # no standard output: nobody to tell
        self._thread = threading.Thread(target=self._watch, args=(out, reporter), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, out, reporter) -> None:
        last, shown, column = None, False, 0
        with out:
            while not self._stop.wait(self.period if shown else 1.0):
                text = describe(self.folder, self.slots)
                if text and text != last:
                    # pytest's line of dots may have grown since the last time: then leave it and
                    # begin a new one.
                    before, column = (
                        column,
                        getattr(getattr(reporter, "_tw", None), "width_of_current_line", 0),
                    )
                    out.write(("\n" if column not in (0, before) else "") + text + "\n")
                    out.flush()
                    last, shown = text, True


def describe(folder: Path, slots: int) -> str | None:
    """One line on a run's trials; None before the plan is there, or where nothing is left to
    measure.
    """
    try:
        plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=Plan)
    except (OSError, msgspec.DecodeError):
        return None
    done, now = {line.key: line for line in journal(folder)}, working(folder)
    # Seeds that undecided claims asked for later are not in the plan.
    known = {*plan.missing, *done, *(state.key for state in now)}
    total, more = len(known), len(known) - len(plan.missing)
    if len(done) == total:
        return None
    parts = [
        f"trials: {len(done)} of {total} done"
        + (f" ({more} for undecided claims)" if more else ""),
        f"{len(now)} running",
        f"{total - len(done) - len(now)} waiting",
    ]
    if done:
        each = mean(line.seconds for line in done.values())
        costs = {
            kind: mean(line.seconds for line in done.values() if line.kind == kind)
            for kind in {line.kind for line in done.values()}
        }
        left = sum(costs.get(plan.missing.get(key), each) for key in known - done.keys())
        left -= each * sum(state.share for state in now)
        parts += [
            f"{each:.1f} s each",
            f"about {duration(max(0.0, left) / max(1, len(now) or slots))} left",
        ]
    if now:
        newest = max(now, key=lambda state: state.since)
        parts.append(f"now {newest.label} ({newest.share:.0%})")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """45 s, 3 min 20 s, 2 h 5 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
