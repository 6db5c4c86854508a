"""Random streams: each kind of randomness of a trial has one of its own, derived from the seed.

So two arms at equal seeds share initialisation and data order, whatever else they draw. Torch is
imported by what draws from it alone: plans and reports, which do without, name streams too.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def stream(seed: int, purpose: str) -> int:
    """The seed of one random stream of a trial, from SHA-256: purposes never share draws."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:7], "big")


def generator(seed: int, purpose: str) -> torch.Generator:
    """A CPU generator for one purpose: draws are made on the CPU so that devices agree on them."""
    import torch

    return torch.Generator().manual_seed(stream(seed, purpose))


def permutation(n: int, draws: torch.Generator) -> np.ndarray:
    """The numbers from 0 to n - 1 in random order, int64 (n,)."""
    import torch

    order: np.ndarray = torch.randperm(n, generator=draws).numpy()
    return order
