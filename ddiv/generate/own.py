"""Synthetic examples from a generator of a user's own (`ddiv.treatment.own_generator`)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ddiv.common.draws import generator, stream
from ddiv.common.own import called
from ddiv.data.dataset import Dataset
from ddiv.treatment import Setting
from ddiv.treatment.own_generator import OwnGenerator


def sample(spec: OwnGenerator, setting: Setting, data: Dataset, seed: int) -> Any:
    """What the function returns; `ddiv.generate.check` has still to look at it.

    Raises NoModel where no file of this run defines it, TrialFailed where it raises.
    """
    given = data.inputs.copy(), data.labels.astype(np.int64), tuple(data.classes)
    with _seeded(stream(seed, "own generator")):
        made = called(spec, *given, setting, generator(seed, "own generator's draws"))
    return made.detach().cpu().numpy() if isinstance(made, torch.Tensor) else made


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators, from which fresh networks are drawn, and then put them back."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)
