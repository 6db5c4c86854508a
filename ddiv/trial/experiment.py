"""From an `Experiment` to a record: what a function returns of its draws."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
import torch

from ddiv.common.draws import stream
from ddiv.common.errors import TrialFailed
from ddiv.common.own import called, titled
from ddiv.trial.at_hand import Draws
from ddiv.trial.job import Experiment
from ddiv.trial.provenance import provenance, start
from ddiv.trial.store import Record


def perform(job: Experiment, device: torch.device) -> Record:
    """Call the function of an experiment.

    Facts: `numbers`, by name. Raises NoModel where no file of this run defines the function,
    TrialFailed where it raises, or returns anything but the numbers that it names.
    """
    started = start()
    with _seeded(stream(job.draws, "global")):
        returned = called(job.call, Draws(job.draws, job.data, device))
    facts = {"numbers": _numbers(job, returned), "provenance": provenance(device, started)}
    return Record(job, facts, {})


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the generators that a whole process shares, and put them back in the end.

    Layers of torch are initialised from one of them, and what a job draws must depend on nothing
    that ran before it.
    """
    kept = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(kept[0])
            np.random.set_state(kept[1])


def _numbers(job: Experiment, returned: Any) -> dict[str, float]:
    named = titled(job.call)
    if not isinstance(returned, Mapping):
        kind = "nothing" if returned is None else f"a {type(returned).__name__}"
        raise TrialFailed(f"{named} returns {kind}: return its numbers by name, {{'error': 0.1}}")
    if wrong := {*returned} ^ {*job.call.numbers}:
        raise TrialFailed(
            f"{named} returns {', '.join(map(str, returned)) or 'no number'}, and its decorator "
            f"names {', '.join(job.call.numbers)}: let them agree on {', '.join(map(str, wrong))}"
        )
    return {name: _number(named, name, value) for name, value in returned.items()}


def _number(named: str, name: str, value: Any) -> float:
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real) or not np.isfinite(float(value)):
        raise TrialFailed(
            f"the number {name} of {named} is {value!r:.80}: return a finite number, as float(...)"
        )
    return float(value)
