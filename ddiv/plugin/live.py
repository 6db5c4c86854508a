"""The page while the run goes on, written by one process: a thread of the controlling one."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ddiv.common.errors import NotWritten
from ddiv.run import run as runs
from ddiv.trial.store import StoreError

if TYPE_CHECKING:
    from ddiv.plugin.session import Session
    from ddiv.report.live import Live

FIRST = 60.0  # seconds until the first page

# Of the run's time; it counts against a single core, and most machines have more.
SHARE = 0.015


class LivePage:
    """Writes the page after a minute, and then as seldom as keeps its cost at `SHARE` of the time.

    Nothing that goes wrong here is told: the page at the end is the run's, and it says why it
    cannot be written.
    """

    def __init__(self, session: Session, first: float = FIRST) -> None:
        self.session, self.first = session, first
        self.spent = 0.0  # seconds of a core
        self.written: list[Path] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, before the next question of the page that is being written, if one is."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        pages, wait = None, self.first
        while not self._stop.wait(wait):
            from ddiv.report.live import Live

            pages = pages or Live(self.session.store, self.session.run)
            begun = time.thread_time()
            with suppress(StoreError, NotWritten, OSError):
                self._write(pages)
            cost = time.thread_time() - begun
            self.spent += cost
            wait = self._wait(cost)

    def _wait(self, cost: float) -> float:
        """Seconds until another page that costs as much leaves the whole within `SHARE`."""
        return max(self.first, (self.spent + cost) / SHARE - self.session.seconds)

    def _write(self, pages: Live) -> None:
        from ddiv.common.outputs import write_output
        from ddiv.report.render import render

        asked, begun = pages.look(), time.thread_time()
        if not asked:
            return
        seconds = self.session.seconds
        limit = max(1.0, SHARE * seconds)

        def goes_on() -> bool:
            return not self._stop.is_set() and time.thread_time() - begun < limit

        page = pages.page(seconds, self._wait(limit), goes_on)
        if self._stop.is_set():
            return
        names = {runs.name_of(one.test) for one in asked}
        path = self.session.page_of(names)
        html = render(page).encode()
        if not self._stop.is_set():
            write_output(path, html)
            self.written.append(path)
