"""From a job to a record, on the device at hand."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ddiv.store import Record
from ddiv.train import Progress, train
from ddiv.trial import GeneratorFit, Job, Samples, Trial, View
from ddiv.views import diversity


class NoSuchDevice(ValueError):
    """The device asked for is not on this machine; the message names those that are."""


def measure(job: Job, records: Mapping[Job, Record], device: str | None, progress: Progress) -> Record:
    """Measure one job, given the records that it reads (`trial.requires`). One CPU thread: trials run side by side (see `ddiv.plan`).

    Raises NoSuchDevice, and what the training raises.
    """
    torch.set_num_threads(1)
    chosen = choose_device(device)
    match job:
        case Trial():
            return train(job, chosen, progress, records)
        case View():
            return diversity(job, chosen, records)
        case GeneratorFit():
            from ddiv.generate.jobs import fit

            return fit(job, chosen, progress, records)
        case Samples():
            from ddiv.generate.jobs import sample

            return sample(job, chosen, progress, records)
    raise TypeError(f"no way to measure {job!r}")


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
