"""From a job to a record, on the device at hand."""

from __future__ import annotations

from collections.abc import Mapping

from ddiv.trial.devices import choose_device, prepare
from ddiv.trial.job import DataView, Experiment, GeneratorFit, Job, Samples, Trial
from ddiv.trial.store import Record
from ddiv.trial.tabled import is_tabled, read_tables
from ddiv.trial.train import Progress, train
from ddiv.trial.view import diversity


def measure(
    job: Job, records: Mapping[Job, Record], device: str | None, progress: Progress
) -> Record:
    """Measure one job, given the records that it reads (`trial.requires`).

    On a CPU it takes one thread, since trials run side by side (see `ddiv.run.crew`). Raises
    NoSuchDevice, and the errors of training. What is read from published tables needs no device.
    """
    if is_tabled(job):
        return read_tables(job)
    chosen = choose_device(device)
    prepare(chosen)
    match job:
        case Trial():
            return train(job, chosen, progress, records)
        case DataView():
            return diversity(job, chosen, records)
        case GeneratorFit():
            from ddiv.trial.samples import fit

            return fit(job, chosen, progress, records)
        case Samples():
            from ddiv.trial.samples import sample

            return sample(job, chosen, progress, records)
        case Experiment():
            from ddiv.trial.experiment import perform

            return perform(job, chosen)
    raise TypeError(f"no way to measure {job!r}")
