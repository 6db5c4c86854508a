"""Datasets as arrays in memory, loaded from the specs of `ddiv.study`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from ddiv.store import Record
from ddiv.study import (
    Arrays,
    Complaints,
    ComplaintsWorld,
    Data,
    Digits,
    DomainNet,
    Images,
    Own,
    Published,
    World,
)
from ddiv.text.pack import unpack


@dataclass(frozen=True)
class Dataset:
    """Inputs and their labels, to train on and to test on.

    Inputs are images uint8 (n, 3, h, w), or texts in an array (n,) of str (dtype object); labels
    are integers (n,), numbers into `classes`. `tests` maps a domain to its (inputs, labels); the
    first domain is the training domain.
    """

    inputs: np.ndarray
    labels: np.ndarray
    tests: Mapping[str, tuple[np.ndarray, np.ndarray]]
    classes: tuple[str, ...]


def are_texts(inputs: np.ndarray) -> bool:
    """Whether these inputs of a dataset are texts; everything else is images."""
    return inputs.dtype == object


class Shown(NamedTuple):
    """Images uint8 (n, 3, h, w) or texts (n,), and labels (n,)."""

    inputs: np.ndarray
    labels: np.ndarray


def samples_of(record: Record) -> Shown:
    """The examples that a generator drew, from the record that holds them."""
    arrays = record.arrays
    return Shown(arrays["images"] if "images" in arrays else unpack(arrays), arrays["labels"])


@lru_cache(maxsize=4)
def load(spec: Data) -> Dataset:
    """The dataset of a spec; the last four are kept in memory.

    Raises ValueError on an impossible spec, NoData or BadData (`ddiv.data.root`) where data is not
    at hand or not usable.
    """
    match spec:
        case World() | ComplaintsWorld():
            return load_world(spec)
        case Digits():
            from ddiv.data.digits import load_digits

            return load_digits(spec)
        case Complaints():
            from ddiv.data.complaints import load_complaints

            return load_complaints(spec)
        case Images():
            from ddiv.data.folder import load_images

            return load_images(spec)
        case Arrays():
            from ddiv.data.arrays import load_arrays

            return load_arrays(spec)
        case Published():
            from ddiv.data.published import load_published

            return load_published(spec)
        case DomainNet():
            from ddiv.data.domainnet import load_domainnet

            return load_domainnet(spec)
        case Own():
            from ddiv.data.own import load_own

            return load_own(spec)
    raise TypeError(f"no loader for {spec!r}")


def absent(spec: Data) -> str | None:
    """Why the data of a spec is not at hand, and how to get it, in one line; None where it is.

    Nothing is decoded.
    """
    from ddiv.data import arrays, csv_file, domainnet, folder, own, published
    from ddiv.data.root import NoData

    match spec:
        case Images():
            return folder.absent(spec)
        case Published():
            return published.absent(spec)
        case DomainNet():
            return domainnet.absent(spec)
        case Own():
            return own.absent(spec)
        case Arrays() | Complaints():
            try:
                if isinstance(spec, Arrays):
                    arrays.locate(spec)
                else:
                    csv_file.find(spec.digest)
            except NoData as error:
                return str(error)
    return None


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
    inputs = world.draw(train, world.domains[0], 2 * spec.seed)
    tests = {
        domain: (world.draw(test, domain, 2 * spec.seed + 1), test) for domain in world.domains
    }
    return Dataset(inputs, train, tests, world.classes)


def drawn_at_will(spec: Data, labels: np.ndarray) -> np.ndarray | None:
    """Training data with these labels (n,), drawn by code; None for data that is finite."""
    if not isinstance(spec, World | ComplaintsWorld):
        return None
    world = _world(spec)
    return world.draw(labels, world.domains[0], 2 * spec.seed)


class _World(NamedTuple):
    """The fine-tuning classes of a world, its domains, and draw(labels, domain, seed)."""

    classes: tuple[str, ...]
    domains: tuple[str, ...]
    draw: Callable[[np.ndarray, str, int], np.ndarray]


def _world(spec: World | ComplaintsWorld) -> _World:
    if isinstance(spec, World):
        from ddiv.data import world

        _require_version(spec, world.WORLD_VERSION, "image world")
        names = tuple(kind.name for kind in world.FINETUNE_CLASSES)
        return _World(names, world.DOMAINS, partial(world.render, world.FINETUNE_CLASSES))
    from ddiv.data import complaints_world

    _require_version(spec, complaints_world.WORLD_VERSION, "world of complaints")
    classes = complaints_world.FINETUNE_CLASSES
    return _World(classes, complaints_world.REGISTERS, partial(complaints_world.write, classes))


def _require_version(spec: World | ComplaintsWorld, version: int, name: str) -> None:
    if spec.version != version:
        raise ValueError(
            f"this ddiv draws version {version} of the {name}, the spec asks for {spec.version}: "
            "install the ddiv that made it, or take the profile's present studies"
        )
