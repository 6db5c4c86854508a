"""Images decoded once: from files, archives or arrays into one array on disk, which is read by
mapping it.

    DDIV_CACHE/KEY-SIDE.npy    uint8 (n, 3, side, side); KEY is a hash over what names the n images and their content

Without DDIV_CACHE the folder is ddiv/decoded in the user's cache folder. What is deleted there is
decoded anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from PIL import Image, ImageOps

from ddiv.data.root import BadData
from ddiv.datasets import Dataset
from ddiv.machine import usable_cores
from ddiv.progress import duration
from ddiv.store import cache_folder

VARIABLE = "DDIV_CACHE"
# Raise it when the same image comes to give other pixels.
DECODING = 1
CHUNK = 512
QUIET_SECONDS = 5.0  # work that takes longer says how far it is
GIGABYTE = 1e9


class Source(NamedTuple):
    """One image to decode: `name` tells it from others, on every machine alike; `stamp` changes
    when its content does.
    """

    name: str
    stamp: str
    open: Callable[[], Image.Image]


class Example(NamedTuple):
    """An image and the number of its class."""

    source: Source
    label: int


def ranked(examples: Iterable[Example], seed: int, per_class: int = 0) -> list[Example]:
    """The examples in the order of the SHA-256 of seed and name, at most `per_class` of a class (0:
    all).

    The order is random, but the same on every machine; neighbours are of any class.
    """
    taken: Counter[int] = Counter()
    kept = []
    for one in sorted(
        examples, key=lambda one: hashlib.sha256(os.fsencode(f"{seed}/{one.source.name}")).digest()
    ):
        taken[one.label] += 1
        if not per_class or taken[one.label] <= per_class:
            kept.append(one)
    return kept


def of_files(folder: Path, names: Iterable[str]) -> Iterable[Source]:
    """The images in these files below a folder. Raises BadData where one is missing."""
    for name in names:
        try:
            status = os.stat(folder / name)
        except OSError as error:
            raise BadData(
                f"the image {name} below {folder} cannot be read ({error.strerror}): unpack or copy the data "
                "anew"
            ) from error
        yield Source(
            name,
            f"{status.st_size} {status.st_mtime_ns}",
            lambda path=folder / name: Image.open(path),
        )


def of_array(name: str, images: np.ndarray) -> list[Source]:
    """The images of an array uint8 (n, h, w, 3), called `name`/0 and so on."""
    digest = hashlib.sha256(np.ascontiguousarray(images)).hexdigest()
    return [
        Source(f"{name}/{number}", digest, lambda image=image: Image.fromarray(image))
        for number, image in enumerate(images)
    ]


def dataset(
    training: Sequence[Example],
    tests: Mapping[str, Sequence[Example]],
    classes: Sequence[str],
    side: int,
) -> Dataset:
    """These examples as a dataset of decoded images.

    Raises BadData where a class has no image to train on, or none in a domain, and as `decoded`
    does.
    """
    require_all("the training set", [one.label for one in training], classes)
    for domain, examples in tests.items():
        require_all(f"the domain {domain!r}", [one.label for one in examples], classes)
    arrays = {domain: _arrays(examples, side) for domain, examples in tests.items()}
    return Dataset(*_arrays(training, side), arrays, tuple(classes))


def require_all(where: str, labels: Iterable[int], classes: Sequence[str]) -> None:
    """Raise BadData unless there are two classes or more and each of them is among the labels."""
    if len(classes) < 2:
        raise BadData(
            f"the data has {len(classes)} class(es), a classifier needs two: look at its folders or labels"
        )
    if empty := sorted({*range(len(classes))} - {*map(int, labels)}):
        more = f" (and {len(empty) - 1} more)" * (len(empty) > 1)
        raise BadData(
            f"the class {classes[empty[0]]!r}{more} has no example in {where}: add some, take the class out "
            "everywhere, or leave that domain out of the study"
        )


def _arrays(examples: Sequence[Example], side: int) -> tuple[np.ndarray, np.ndarray]:
    return decoded([one.source for one in examples], side), np.array(
        [one.label for one in examples], dtype=np.int64
    )


def pixels(image: Image.Image, side: int) -> np.ndarray:
    """An image as uint8 (3, side, side): upright, in RGB on white, its shorter side resized to
    `side`, its centre.

    Resizing is bilinear and antialiased, as torchvision's Resize and CenterCrop do it with an image
    of PIL's.
    """
    from torchvision.transforms import functional as F

    rgb = _in_rgb(ImageOps.exif_transpose(image))
    return np.asarray(F.center_crop(F.resize(rgb, side), side)).transpose(2, 0, 1)


def _in_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, which PIL would cut off at 255
        image = Image.fromarray(
            (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        )
    if image.mode == "F":
        raise ValueError("floating-point pixels have no range: save it with 8 bits a channel")
    if image.has_transparency_data:
        # what lies under transparent pixels is arbitrary, often black
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def decoded(sources: Sequence[Source], side: int) -> np.ndarray:
    """The images as uint8 (n, 3, side, side), mapped from the cache, into which they are decoded
    first if need be.

    Several processes that ask for the same at once decode it once. Writing into the array changes
    nothing on disk. Raises BadData on an image that doesn't decode, and where the disk has no room.
    """
    total = hashlib.sha256(f"{DECODING} {side}\n".encode())
    for one in sources:
        total.update(os.fsencode(f"{one.name}\n{one.stamp}\n"))
    folder = cache_folder(VARIABLE, "decoded").expanduser()
    path, shape = folder / f"{total.hexdigest()[:32]}-{side}.npy", (len(sources), 3, side, side)
    if (found := _whole(path, shape)) is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if (found := _whole(path, shape)) is None:
                _require_room(folder, np.prod(shape, dtype=int))
                _write(path, sources, side)
    except OSError as error:
        raise BadData(
            f"the decoded images cannot be written into {folder} ({error.strerror or error}): free some space, or "
            f"let {VARIABLE} name another folder"
        ) from error
    if found is None and (found := _whole(path, shape)) is None:
        raise BadData(
            f"the decoded images in {path} cannot be read back: look at the disk, or let {VARIABLE} name another "
            "folder"
        )
    return found


def _whole(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        # copy on write: torch wants arrays that could be written
        found = np.load(path, mmap_mode="c")
    except (OSError, ValueError, EOFError):  # absent or cut short
        return None
    return found if found.shape == shape and found.dtype == np.uint8 else None


def _require_room(folder: Path, needed: int) -> None:
    if needed > (free := shutil.disk_usage(folder).free):
        raise OSError(
            None, f"{needed / GIGABYTE:.1f} GB are needed and {free / GIGABYTE:.1f} GB are free"
        )


def _write(path: Path, sources: Sequence[Source], side: int) -> None:
    # Written, not mapped: on a full disk a mapping kills the process.
    draft, started, said = path.with_suffix(".part"), time.monotonic(), time.monotonic()
    try:
        with open(draft, "wb") as file, ThreadPool(usable_cores()) as pool:
            shape = (len(sources), 3, side, side)
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|u1", "fortran_order": False, "shape": shape}
            )
            for done in range(0, len(sources), CHUNK):
                if done and time.monotonic() - said > QUIET_SECONDS:
                    said = time.monotonic()
                    left = (said - started) / done * (len(sources) - done)
                    print(
                        f"images decoded: {done} of {len(sources)}, about {duration(left)} left",
                        file=sys.stderr,
                    )
                for image in pool.imap(
                    lambda one: _pixels_of(one, side), sources[done : done + CHUNK]
                ):
                    file.write(image.tobytes())
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _pixels_of(source: Source, side: int) -> np.ndarray:
    try:
        with source.open() as image:
            return pixels(image, side)
    except Exception as error:  # decoders raise all sorts of errors on damaged files
        raise BadData(
            f"the image {source.name} cannot be decoded ({str(error) or type(error).__name__}): replace it, or "
            "take it out of the data"
        ) from error
