"""Datasets as arrays in memory, loaded from the specs of `ddiv.study`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ddiv.study import Data, Digits, World


@dataclass(frozen=True)
class Dataset:
    """Images as uint8 (n, 3, h, w), labels as integers (n,).

    `tests` maps a domain to its (images, labels); the first domain is the training domain.
    """

    images: np.ndarray
    labels: np.ndarray
    tests: Mapping[str, tuple[np.ndarray, np.ndarray]]
    classes: tuple[str, ...]


@lru_cache(maxsize=4)
def load(spec: Data) -> Dataset:
    """The dataset of a spec; the last four are kept in memory. Raises ValueError on an impossible spec."""
    match spec:
        case World():
            return load_world(spec)
        case Digits():
            from ddiv.data.digits import load_digits

            return load_digits(spec)
    raise TypeError(f"no loader for {spec!r}")


def load_world(spec: World) -> Dataset:
    """The world's fine-tuning classes: training images of the first domain, tests of every domain, balanced.

    Raises ValueError where the spec asks for another version of the world than this code draws.
    """
    from ddiv.data.world import DOMAINS, FINETUNE_CLASSES, WORLD_VERSION, render

    if spec.version != WORLD_VERSION:
        raise ValueError(f"this ddiv draws version {WORLD_VERSION} of the image world, the spec asks for "
                         f"{spec.version}: install the ddiv that made it, or take the profile's present studies")
    classes = range(len(FINETUNE_CLASSES))
    train = np.repeat(classes, spec.train_per_class)
    test = np.repeat(classes, spec.test_per_class)
    # Pictures of one seed share their poses and textures, so training and test pictures take different seeds.
    images = render(FINETUNE_CLASSES, train, DOMAINS[0], 2 * spec.seed)
    tests = {domain: (render(FINETUNE_CLASSES, test, domain, 2 * spec.seed + 1), test) for domain in DOMAINS}
    return Dataset(images, train, tests, tuple(one.name for one in FINETUNE_CLASSES))
