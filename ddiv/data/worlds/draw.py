"""From the description of a world to its arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from ddiv.data.dataset import Dataset
from ddiv.data.worlds.kept import pictures
from ddiv.study import ComplaintsWorld, Data, TwoComplaints, World


def load_world(spec: World | ComplaintsWorld) -> Dataset:
    """A world's fine-tuning classes, balanced: training data of the first domain, tests of each.

    Raises ValueError where the spec asks for another version of the world than this code draws.
    """
    world = _world(spec)
    numbers = range(len(world.classes))
    train = np.repeat(numbers, spec.train_per_class)
    test = np.repeat(numbers, spec.test_per_class)

    # Examples of one seed share their random details (poses and textures), so training and tests
    # take different seeds.
    def parts() -> list[np.ndarray]:
        tests = (world.draw(test, domain, 2 * spec.seed + 1) for domain in world.domains)
        return [world.draw(train, world.domains[0], 2 * spec.seed), *tests]

    if isinstance(spec, World):
        bounds = len(train) + len(test) * np.arange(len(world.domains))
        total = len(train) + len(test) * len(world.domains)
        inputs, *tests = np.split(pictures(spec, (total, *world.shape), parts), bounds)
    else:
        inputs, *tests = parts()
    by_domain = {domain: (each, test) for domain, each in zip(world.domains, tests)}
    return Dataset(inputs, train, by_domain, world.classes)


def drawn_at_will(spec: Data, labels: np.ndarray) -> np.ndarray | None:
    """Training data with these labels (n,), drawn by code; None for data that is finite."""
    if not isinstance(spec, World | ComplaintsWorld):
        return None
    world = _world(spec)
    return world.draw(labels, world.domains[0], 2 * spec.seed)


class _World(NamedTuple):
    """The fine-tuning classes of a world, its domains, and draw(labels, domain, seed).

    `shape` is that of one picture; () of a text.
    """

    classes: tuple[str, ...]
    domains: tuple[str, ...]
    draw: Callable[[np.ndarray, str, int], np.ndarray]
    shape: tuple[int, ...] = ()


def _world(spec: World | ComplaintsWorld) -> _World:
    if isinstance(spec, World):
        from ddiv.data.worlds import images as world

        _require_version(spec, world.WORLD_VERSION, "image world")
        names = tuple(kind.name for kind in world.FINETUNE_CLASSES)
        draw = partial(world.render, world.FINETUNE_CLASSES)
        return _World(names, world.DOMAINS, draw, (3, world.SIZE, world.SIZE))
    from ddiv.data.worlds import complaints as complaints_world

    _require_version(spec, complaints_world.WORLD_VERSION, "world of complaints")
    if isinstance(spec, TwoComplaints):
        kinds = tuple(complaints_world.KINDS)
        return _World(kinds, complaints_world.REGISTERS, complaints_world.write_kinds)
    classes = complaints_world.FINETUNE_CLASSES
    return _World(classes, complaints_world.REGISTERS, partial(complaints_world.write, classes))


def _require_version(spec: World | ComplaintsWorld, version: int, name: str) -> None:
    if spec.version != version:
        raise ValueError(
            f"this ddiv draws version {version} of the {name}, the spec asks for {spec.version}: "
            "install the ddiv that made it, or take the profile's present studies"
        )
