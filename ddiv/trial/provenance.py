"""Where and with which libraries a record was made."""

from __future__ import annotations

import platform
import time
from typing import Any, NamedTuple

import torch

from ddiv.common.machine import device_name


class Started(NamedTuple):
    """When something began: in seconds since the epoch, and by a clock that nobody sets."""

    at: float
    clock: float


def start() -> Started:
    """The present moment."""
    return Started(time.time(), time.monotonic())


def provenance(device: torch.device, started: Started) -> dict[str, Any]:
    """Where and with which versions a record was made, and when. It is no part of the key."""
    import open_clip
    import torchvision
    import transformers

    return {
        "started": started.at,
        "seconds": time.monotonic() - started.clock,
        "device": device.type,
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torchvision": str(torchvision.__version__),
        "open_clip": str(open_clip.__version__),
        "transformers": str(transformers.__version__),
    }
