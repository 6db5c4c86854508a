"""How long an experiment takes, by one call of its function: nothing else is known of it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

import torch

from ddiv.run.cost import NotCalibrated
from ddiv.trial import Experiment
from ddiv.trial.experiment import perform

MOST_SECONDS = 20.0  # for which an experiment is tried

# What one call of each function took, by name and source.
_known: dict[tuple[str, str], float] = {}


def tried(job: Experiment, device: torch.device) -> float:
    """The seconds of one call of an experiment's function, with the first options that are met; the
    call stands for those with other options, and nothing is kept of what it returns.

    Raises NotCalibrated where it takes longer than `MOST_SECONDS`, and the errors of `perform`.
    """
    function = (job.call.name, job.call.source)
    if function not in _known:
        started = time.perf_counter()
        with _at_most(MOST_SECONDS, f"of {job.call.name}, a call of which takes longer than"):
            perform(job, device)
        _known[function] = time.perf_counter() - started
    return _known[function]


class _TooLong(BaseException):
    """Time is up. No `except Exception` in an experiment keeps it."""


@contextmanager
def _at_most(seconds: float, what: str) -> Iterator[None]:
    """Raise NotCalibrated where a piece of work takes longer than this.

    An alarm ends it. Where there is none, on Windows and beside the main thread, nothing does.
    """
    if not hasattr(signal, "setitimer") or current_thread() is not main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TooLong:
        raise NotCalibrated(f"{what} {seconds:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
