"""The paper's published datasets, read by torchvision from the data root.

The official splits are taken. Imagenette is the full-size one (160 and 320 px are others), and its
validation part is for testing. The training and validation parts of Flowers102 are for training, 20
images a class, its test part for testing. torchvision checks the MD5 of CIFAR and of Flowers102's
lists; this module checks the number of images of all datasets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from ddiv.data.dataset import Dataset
from ddiv.data.decoded import Example, Source, dataset, drawn, of_array, of_files
from ddiv.data.root import BadData, NoData, data_root
from ddiv.study import Published


class Split(NamedTuple):
    """One part of a published dataset: images, their labels, and the names of all classes."""

    sources: Sequence[Source]
    labels: Sequence[int]
    classes: Sequence[str]


class Cifar(Protocol):
    """The attributes of torchvision's CIFAR: images uint8 (n, 32, 32, 3), labels, classes."""

    data: np.ndarray
    targets: list[int]
    classes: list[str]


class PathDataset(Protocol):
    """One of torchvision's datasets of pairs (path of an image, label)."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> tuple[Path, int]: ...


class Layout(NamedTuple):
    """A dataset on disk: its folder below the root, files in it, its reader, its official sizes."""

    folder: str
    holding: tuple[str, ...]
    read: Callable[[Path], tuple[Split, Split]]
    train: int
    test: int


def absent_published(spec: Published) -> str | None:
    """Why the dataset is not at hand, and what to do; None where it is."""
    folder = data_root() / LAYOUTS[spec.name].folder
    missing = [name for name in LAYOUTS[spec.name].holding if not os.path.exists(folder / name)]
    return f"there is no {folder / missing[0]}: ddiv fetch {spec.name}" if missing else None


def load_published(spec: Published) -> Dataset:
    """The images of a published dataset: uint8 (n, 3, side, side), labels int64 (n,).

    The numbering of labels is the official one. Raises NoData where it is not at hand, BadData
    where it is not whole.
    """
    train, test = read(spec)
    training, tested = ([*map(Example, part.sources, part.labels)] for part in (train, test))
    return dataset(
        drawn(training, spec.split_seed, spec.per_class),
        {spec.name: drawn(tested, spec.split_seed, spec.test_per_class)},
        train.classes,
        spec.side,
        [training, tested],
    )


def read(spec: Published) -> tuple[Split, Split]:
    """The official parts to train and to test on, nothing decoded.

    Raises as `load_published` does.
    """
    if reason := absent_published(spec):
        raise NoData(reason)
    layout = LAYOUTS[spec.name]
    anew = f"delete {data_root() / layout.folder} and get it anew: ddiv fetch {spec.name}"
    try:
        parts = layout.read(data_root())
    except BadData:
        raise
    except Exception as error:
        # torchvision, pickle and scipy raise all sorts of errors on damaged files
        raise BadData(
            f"{spec.name} is not whole ({str(error) or type(error).__name__}): {anew}"
        ) from error
    train, test = (len(part.sources) for part in parts)
    if (train, test) != (layout.train, layout.test):
        raise BadData(
            f"{spec.name} has {train} images to train on and {test} to test on, the official one "
            f"has {layout.train} and {layout.test}: {anew}"
        )
    return parts


def _cifar10(root: Path) -> tuple[Split, Split]:
    from torchvision.datasets import CIFAR10

    return _of_arrays("cifar10", CIFAR10(root, train=True), CIFAR10(root, train=False))


def _cifar100(root: Path) -> tuple[Split, Split]:
    from torchvision.datasets import CIFAR100

    return _of_arrays("cifar100", CIFAR100(root, train=True), CIFAR100(root, train=False))


def _imagenette(root: Path) -> tuple[Split, Split]:
    from torchvision.datasets import Imagenette

    train, test = (Imagenette(root, split, loader=Path) for split in ("train", "val"))
    classes = [name for name, *_ in train.classes]
    return _of_paths(root, [train], classes), _of_paths(root, [test], classes)


def _flowers102(root: Path) -> tuple[Split, Split]:
    from torchvision.datasets import Flowers102

    train, validation, test = (
        Flowers102(root, split, loader=Path) for split in ("train", "val", "test")
    )
    training = _of_paths(root, [train, validation], train.classes)
    return training, _of_paths(root, [test], train.classes)


def _stanford_cars(root: Path) -> tuple[Split, Split]:
    from torchvision.datasets import StanfordCars

    train, test = (StanfordCars(root, split, loader=Path) for split in ("train", "test"))
    return _of_paths(root, [train], train.classes), _of_paths(root, [test], train.classes)


def _of_arrays(name: str, train: Cifar, test: Cifar) -> tuple[Split, Split]:
    return (
        Split(of_array(f"{name}/train", train.data), train.targets, train.classes),
        Split(of_array(f"{name}/test", test.data), test.targets, train.classes),
    )


def _of_paths(root: Path, parts: Iterable[PathDataset], classes: Sequence[str]) -> Split:
    """A split of torchvision's datasets whose loader returns the path in place of the image."""
    pairs = [part[place] for part in parts for place in range(len(part))]
    names = [path.relative_to(root).as_posix() for path, _ in pairs]
    return Split([*of_files(root, names)], [int(label) for _, label in pairs], classes)


LAYOUTS = {
    "cifar10": Layout(
        folder="cifar-10-batches-py",
        holding=("batches.meta", "data_batch_1", "test_batch"),
        read=_cifar10,
        train=50_000,
        test=10_000,
    ),
    "cifar100": Layout("cifar-100-python", ("meta", "train", "test"), _cifar100, 50_000, 10_000),
    "imagenette": Layout("imagenette2", ("train", "val"), _imagenette, 9_469, 3_925),
    "flowers102": Layout(
        folder="flowers-102",
        holding=("jpg", "imagelabels.mat", "setid.mat"),
        read=_flowers102,
        train=2_040,
        test=6_149,
    ),
    "stanford-cars": Layout(
        folder="stanford_cars",
        holding=(
            "devkit/cars_meta.mat",
            "devkit/cars_train_annos.mat",
            "cars_train",
            "cars_test",
            "cars_test_annos_withlabels.mat",
        ),
        read=_stanford_cars,
        train=8_144,
        test=8_041,
    ),
}
