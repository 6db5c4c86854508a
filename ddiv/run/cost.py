"""What a run costs: time, memory, disk, money."""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """What one job costs: seconds of work (None: not known) and bytes on the disk."""

    seconds: float | None
    bytes: float


class NotCalibrated(ValueError):
    """The cost of a job cannot be measured here; the message says why."""
