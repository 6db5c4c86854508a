"""Images decoded once: from files, archives or arrays into one array on disk, read by mapping it.

    DDIV_CACHE/KEY-SIDE.npy    uint8 (n, 3, side, side) (`ddiv.data.mapped`); KEY is a hash over the
                               names and stamps of the n images

Without DDIV_CACHE the folder is ddiv/decoded in the user's cache folder. Deleted and damaged files
are decoded anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ddiv.common.drafts import sweep
from ddiv.common.locks import held
from ddiv.common.machine import usable_cores
from ddiv.common.paths import cache_folder
from ddiv.common.pictures import opened, strictly, upright
from ddiv.common.printed import is_shown
from ddiv.common.units import duration
from ddiv.data import mapped
from ddiv.data.dataset import Dataset
from ddiv.data.root import BadData

VARIABLE = "DDIV_CACHE"

DECODING = 2  # to be raised when the same image comes to give other pixels

CHUNK = 512

FEW = 8  # a set of less than this part of its pool is decoded without the others

QUIET_SECONDS = 5.0  # work that takes longer says how far it is

GIGABYTE = 1e9

MOST_PIXELS = 2**26  # that an image has after resizing, before its middle is cut out


class Source(NamedTuple):
    """One image to decode.

    `name` tells it from others, on every machine alike; `stamp` changes when its content does.
    """

    name: str
    stamp: str
    open: Callable[[], Image.Image]


class Example(NamedTuple):
    """An image and the number of its class."""

    source: Source
    label: int


def ranked(examples: Iterable[Example], seed: int, per_class: int = 0) -> list[Example]:
    """The examples by the SHA-256 of seed and name, at most `per_class` of a class (0: all).

    The order is random, but the same on every machine; neighbours are of any class.
    """

    def rank(example: Example) -> bytes:
        return hashlib.sha256(os.fsencode(f"{seed}/{example.source.name}")).digest()

    taken: Counter[int] = Counter()
    kept = []
    for example in sorted(examples, key=rank):
        taken[example.label] += 1
        if not per_class or taken[example.label] <= per_class:
            kept.append(example)
    return kept


def drawn(examples: Iterable[Example], seed: int, per_class: int = 0) -> list[Example]:
    """The same examples as `ranked` takes, in an order that is the same for all seeds.

    So whole sets are the same at all seeds.
    """
    return ranked(ranked(examples, seed, per_class), 0)


def of_files(folder: Path, names: Iterable[str]) -> Iterable[Source]:
    """The images in these files below a folder.

    Another file in the place of one has another stamp, even of its size and time of change: the
    time of its last change of state is the system's own, and folders of equal files elsewhere have
    other paths. Raises BadData where one is missing, or no file.
    """
    place = os.path.realpath(folder)
    for name in names:
        try:
            status = os.stat(folder / name)
        except OSError as error:
            raise BadData(
                f"the image {name} below {folder} cannot be read ({error.strerror}): unpack or "
                "copy the data anew"
            ) from error
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise BadData(f"{name} below {folder} is no file: unpack or copy the data anew")
        stamp = f"{place} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        yield Source(name, stamp, partial(opened, folder / name))


def of_array(name: str, images: np.ndarray) -> list[Source]:
    """The images of an array uint8 (n, h, w, 3), called `name`/0 and so on."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    return [
        Source(f"{name}/{number}", digest, partial(Image.fromarray, image))
        for number, image in enumerate(images)
    ]


def dataset(
    training: Sequence[Example],
    tests: Mapping[str, Sequence[Example]],
    classes: Sequence[str],
    side: int,
    pools: Iterable[Iterable[Example]] = (),
) -> Dataset:
    """These examples as a dataset of decoded images.

    Replicates draw examples anew from the same `pools`, which are decoded once; a set that is a
    small part of its pool is decoded by itself. Raises BadData where a class has no image to train
    on, or none in a domain, and as `decoded` does.
    """
    require_all("the training set", [example.label for example in training], classes)
    for domain, examples in tests.items():
        require_all(f"the domain {domain!r}", [example.label for example in examples], classes)
    whole = [drawn(pool, 0) for pool in pools]
    arrays = {domain: _arrays(examples, side, whole) for domain, examples in tests.items()}
    return Dataset(*_arrays(training, side, whole), arrays, tuple(classes))


def require_all(where: str, labels: Iterable[int], classes: Sequence[str]) -> None:
    """Raise BadData unless there are two classes or more and each of them is among the labels.

    Their names must be text that can be shown.
    """
    if len(classes) < 2:
        raise BadData(
            f"the data has {len(classes)} class(es), a classifier needs two: look at its folders "
            "or labels"
        )
    for name in classes:  # which pages, tables and terminals show
        if not name.strip() or not all(map(is_shown, name)):
            raise BadData(
                f"the name {name!r:.80} of a class is empty, or holds control characters or bytes "
                "that are no UTF-8: rename it"
            )
    if empty := sorted({*range(len(classes))} - {*map(int, labels)}):
        more = f" (and {len(empty) - 1} more)" * (len(empty) > 1)
        raise BadData(
            f"the class {classes[empty[0]]!r}{more} has no example in {where}: add some, take the "
            "class out everywhere, or leave that domain out of the study"
        )


def _arrays(
    examples: Sequence[Example], side: int, pools: Iterable[Sequence[Example]]
) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array([example.label for example in examples], dtype=np.int64)
    names = [example.source.name for example in examples]
    for pool in pools:
        places = {example.source.name: place for place, example in enumerate(pool)}
        if len(pool) <= FEW * len(names) and places.keys() >= {*names}:
            images = decoded([example.source for example in pool], side)
            chosen = [places[name] for name in names]
            if chosen == [*range(len(pool))]:
                return images, labels
            return np.asarray(images)[chosen], labels
    return decoded([example.source for example in examples], side), labels


def pixels(image: Image.Image, side: int) -> np.ndarray:
    """The centre of an image as uint8 (3, side, side): upright, in RGB on white.

    Its shorter side is resized to `side`, bilinear and antialiased, as torchvision's Resize and
    CenterCrop do it with an image of PIL's. Raises ValueError on pixels without a range, and on an
    image so long and thin that it would fill the memory.
    """
    from torchvision.transforms import functional as F

    short, long = sorted(image.size)
    if not short:
        raise ValueError("it has no pixels")
    if side * side * (long / short) > MOST_PIXELS:
        raise ValueError(
            f"{image.width} x {image.height} pixels, resized to {side} at the shorter side, are "
            "too many: crop it"
        )
    return np.asarray(F.center_crop(F.resize(upright(image), side), side)).transpose(2, 0, 1)


def decoded(sources: Sequence[Source], side: int) -> np.ndarray:
    """The images as uint8 (n, 3, side, side), mapped from the cache.

    They are decoded into it first if need be. Several processes that ask for the same images at
    once decode them once. Writing into the array changes nothing on disk. Raises BadData on an
    image that doesn't decode, and where the disk has no room.
    """
    total = hashlib.sha256(f"{DECODING} {side}\n".encode())
    for source in sources:
        total.update(os.fsencode(f"{source.name}\n{source.stamp}\n"))
    folder = cache_folder(VARIABLE, "decoded")
    sweep(folder)
    path, shape = folder / f"{total.hexdigest()[:32]}-{side}.npy", (len(sources), 3, side, side)
    if (images := mapped.array(path, shape)) is not None:
        return images
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with held(path.with_suffix(".lock")):
            if (images := mapped.array(path, shape)) is None:
                _require_room(folder, np.prod(shape, dtype=int))
                _write(path, sources, side)
    except OSError as error:
        raise BadData(
            f"the decoded images cannot be written into {folder} ({error.strerror or error}): free "
            f"some space, or let {VARIABLE} name another folder"
        ) from error
    if images is None and (images := mapped.array(path, shape)) is None:
        raise BadData(
            f"the decoded images in {path} cannot be read back: look at the disk, or let "
            f"{VARIABLE} name another folder"
        )
    return images


def _require_room(folder: Path, needed: int) -> None:
    if needed > (free := shutil.disk_usage(folder).free):
        room = f"{needed / GIGABYTE:.1f} GB are needed and {free / GIGABYTE:.1f} GB are free"
        raise OSError(None, room)


def _write(path: Path, sources: Sequence[Source], side: int) -> None:
    path.with_suffix(".part").unlink(missing_ok=True)  # what a killed earlier version left
    with strictly(), ThreadPool(usable_cores()) as pool:
        mapped.write(path, (len(sources), 3, side, side), _contents(sources, side, pool))
    # Of an earlier version that was killed; this process has the lock.
    path.with_suffix(".part").unlink(missing_ok=True)


def _contents(sources: Sequence[Source], side: int, pool: ThreadPool) -> Iterator[bytes]:
    """The pixels of each image; says how far it is where that takes long."""
    started = reported = time.monotonic()
    for done in range(0, len(sources), CHUNK):
        if done and time.monotonic() - reported > QUIET_SECONDS:
            reported = time.monotonic()
            left = (reported - started) / done * (len(sources) - done)
            progress = f"images decoded: {done} of {len(sources)}"
            print(f"{progress}, about {duration(left)} left", file=sys.stderr)
        for image in pool.imap(partial(_pixels_of, side=side), sources[done : done + CHUNK]):
            yield image.tobytes()


def _pixels_of(source: Source, side: int) -> np.ndarray:
    try:
        with source.open() as image:
            return pixels(image, side)
    except Exception as error:  # decoders raise all sorts of errors on damaged files
        raise BadData(
            f"the image {source.name} cannot be decoded ({str(error) or type(error).__name__}): "
            "replace it, or take it out of the data"
        ) from error
