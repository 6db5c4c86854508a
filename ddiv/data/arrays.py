"""A file of numpy arrays (.npz) as a dataset.

It holds `x_train`, `y_train`, `x_test`, `y_test` and, if the classes have names, `classes`. Images
are uint8 (n, h, w, 3), (n, 3, h, w), or grey (n, h, w); labels are whole numbers from 0 on, (n,) or
(n, 1).
"""

from __future__ import annotations

import math
import sys
import zipfile
from pathlib import Path

import numpy as np

from ddiv.common.machine import available_memory
from ddiv.data.dataset import Dataset
from ddiv.data.decoded import Example, dataset, drawn, of_array
from ddiv.data.root import FOLDER_VARIABLE, BadData, find
from ddiv.study import Arrays

WANTED = ("x_train", "y_train", "x_test", "y_test")


def locate(spec: Arrays) -> Path:
    """The file of a spec. Raises NoData where it is not at hand."""
    return find(
        spec.digest,
        ".npz",
        "arrays",
        f"put the file below the folder that --data-root (or {FOLDER_VARIABLE}) "
        "names, or the SHA-256 of another one (ddiv.common.digests.file_digest) into the study",
    )


def load_arrays(spec: Arrays) -> Dataset:
    """The images of a file: uint8 (n, 3, side, side); labels int64 (n,).

    Raises NoData where the file is not at hand, BadData where it cannot be used.
    """
    path = locate(spec)
    held = _held(path)
    if missing := [name for name in WANTED if name not in held]:
        raise BadData(
            f"{path} has no array {missing[0]!r}: write {', '.join(WANTED)} with numpy.savez"
        )
    images = {part: _images(path, f"x_{part}", held[f"x_{part}"]) for part in ("train", "test")}
    labels = {
        part: _labels(path, f"y_{part}", held[f"y_{part}"], len(images[part])) for part in images
    }
    count = 1 + max(max(numbers, default=0) for numbers in labels.values())
    if count > len(labels["train"]):
        raise BadData(
            f"the labels in {path} go up to {count - 1}, and {len(labels['train'])} images cannot "
            "be an example of each class from 0 on: number the classes without gaps"
        )
    classes = tuple(map(str, range(count)))
    if "classes" in held:
        classes = _classes(path, held["classes"])
    if len(classes) < count:
        raise BadData(
            f"{path} names {len(classes)} classes and has labels up to {count - 1}: give each "
            "class a name"
        )
    sides = {*images["train"].shape[1:3], *images["test"].shape[1:3]}
    if not spec.side and len(sides) > 1:
        raise BadData(
            f"the images in {path} are not square, or of several sizes: give the study's data a "
            "side"
        )
    examples = {
        part: [*map(Example, of_array(part, images[part]), labels[part])] for part in images
    }
    tests = {"arrays": drawn(examples["test"], spec.split_seed, spec.test_per_class)}
    return dataset(
        drawn(examples["train"], spec.split_seed, spec.per_class),
        tests,
        classes,
        spec.side or min(sides),
        examples.values(),
    )


def _held(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file that are known. Raises BadData where it cannot be read."""
    held = {}
    try:
        with zipfile.ZipFile(path) as file:
            for name in (*WANTED, "classes"):
                if f"{name}.npy" in file.namelist():
                    held[name] = _read(file, name)
    except Exception as error:  # numpy and zipfile raise all sorts of errors on damaged files
        raise BadData(
            f"{path} cannot be read ({str(error) or type(error).__name__}): write it with "
            "numpy.savez, of numbers and text only"
        ) from error
    return held


def _read(file: zipfile.ZipFile, name: str) -> np.ndarray:
    member = file.getinfo(f"{name}.npy")
    free = available_memory()
    if free is not None and member.file_size > free:
        raise ValueError(f"{name} takes {member.file_size / 1e9:.1f} GB, more than is free")
    with file.open(member) as content:
        version = np.lib.format.read_magic(content)
        header = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            header = np.lib.format.read_array_header_2_0
        shape, _, dtype = header(content)
    # Before numpy asks for the memory: a few bytes can name any shape.
    if math.prod(shape) * dtype.itemsize > member.file_size:
        raise ValueError(f"{name} was cut short")
    with file.open(member) as content:
        array: np.ndarray = np.lib.format.read_array(content, allow_pickle=False)
    return array


def _classes(path: Path, names: np.ndarray) -> tuple[str, ...]:
    if names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "replace")
    # numpy keeps any number for a character, and Python fails on what is none
    if names.dtype.kind == "U" and names.nbytes:
        numbers = np.frombuffer(names.astype(names.dtype.newbyteorder("=")).tobytes(), np.uint32)
        if numbers.max(initial=0) > sys.maxunicode:
            raise BadData(f"classes in {path} holds what is no text: write it anew")
    classes = tuple(map(str, names.ravel()))
    if names.ndim != 1 or len(set(classes)) < len(classes):
        raise BadData(
            f"classes in {path} is {names.dtype} {names.shape}, and it holds one name for each "
            "class, all of them different: write it anew"
        )
    return classes


def _images(path: Path, name: str, images: np.ndarray) -> np.ndarray:
    """The images as (n, h, w, 3)."""
    if images.dtype == np.uint8 and images.ndim == 4:
        colours_first = images.shape[1] in (1, 3) and images.shape[-1] not in (1, 3)
        images = images.transpose(0, 2, 3, 1) if colours_first else images
    if images.dtype == np.uint8 and images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise BadData(
            f"{name} in {path} is {images.dtype} {images.shape}, and images are uint8 (n, h, w, "
            "3), (n, 3, h, w) or, if grey, (n, h, w): convert it"
        )
    return images if images.shape[-1] == 3 else images.repeat(3, axis=-1)


def _labels(path: Path, name: str, labels: np.ndarray, wanted: int) -> list[int]:
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.shape != (wanted,) or flat.dtype.kind not in "iu" or min(flat.tolist(), default=0) < 0:
        raise BadData(
            f"{name} in {path} is {labels.dtype} {labels.shape}, and labels are {wanted} whole "
            "numbers from 0 on: convert it"
        )
    numbers: list[int] = flat.tolist()
    return numbers
