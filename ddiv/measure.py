"""From a job to a record, on the device at hand."""

from __future__ import annotations

import torch

from ddiv.store import Record
from ddiv.train import Progress, diversity, train
from ddiv.trial import Job, Trial


class NoSuchDevice(ValueError):
    """The device asked for is not on this machine; the message names those that are."""


def measure(job: Job, device: str | None, progress: Progress) -> Record:
    """Measure one job. One CPU thread: trials run side by side (see `ddiv.plan`).

    Raises NoSuchDevice, and what the training raises.
    """
    torch.set_num_threads(1)
    chosen = choose_device(device)
    return train(job, chosen, progress) if isinstance(job, Trial) else diversity(job, chosen)


def choose_device(name: str | None) -> torch.device:
    """The named device, or CUDA where it works, else the CPU. Raises NoSuchDevice."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise NoSuchDevice(f"--device {name} cannot be used ({str(error).splitlines()[0]}); this machine has: "
                           f"{', '.join(there)}") from error
    return device
