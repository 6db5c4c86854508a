"""Whether code draws from the generators that a whole process shares.

Arms are compared at equal seeds because each purpose has a random stream of its own
(`ddiv.common.draws`). A draw from a global generator moves all later draws of it, in one arm and
not in another.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping

import numpy as np


def states() -> dict[str, object]:
    """The states of the global generators, by the name of what draws from them."""
    numpy = np.random.get_state(legacy=False)
    found: dict[str, object] = {
        "random": random.getstate(),
        "numpy.random": (numpy["state"]["key"].tobytes(), numpy["state"]["pos"], numpy["gauss"]),
    }
    if torch := sys.modules.get("torch"):
        found["torch"] = torch.get_rng_state().numpy().tobytes()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            found["torch.cuda"] = torch.cuda.get_rng_state().numpy().tobytes()
    return found


def drawn(before: Mapping[str, object]) -> str:
    """The first generator that has been drawn from since then; "" where none has."""
    now = states()
    return next((name for name, state in before.items() if now[name] != state), "")
