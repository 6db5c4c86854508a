"""A user's own folder of images, in the layout CLASS/FILE, SPLIT/CLASS/FILE or DOMAIN/CLASS/FILE.

SPLIT is train or training, beside test, val, valid or validation (the first of these that is
there). Without a folder to test on each class is divided by the SHA-256 of its files' paths: the
test images are the same whatever `per_class` is.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from typing import NamedTuple

import msgspec

from ddiv.common.digests import file_digest, is_digest
from ddiv.common.files import cache_folder, write_atomically
from ddiv.common.machine import usable_cores
from ddiv.data.dataset import Dataset
from ddiv.data.decoded import VARIABLE, Example, dataset, of_files, ranked
from ddiv.data.root import FOLDER_VARIABLE, BadData, NoData, data_root
from ddiv.study import Images

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")

TRAINING, TESTING = ("train", "training"), ("test", "val", "valid", "validation")

DEEPEST = 5  # levels of folders that are searched; no layout has more than three


class Listed(NamedTuple):
    """An image file: its path from the folder on, its size in bytes, when it was last changed."""

    name: str
    size: int
    changed: int


class Layout(NamedTuple):
    """Image files by class to train on, and by domain and class to test on.

    For a domain without any, test images are divided off from the training images.
    """

    training: Mapping[str, Sequence[Listed]]
    tests: Mapping[str, Mapping[str, Sequence[Listed]]]

    @property
    def files(self) -> list[Listed]:
        """All files, sorted."""
        parts = (self.training, *self.tests.values())
        return sorted(file for part in parts for files in part.values() for file in files)


def absent_images(spec: Images) -> str | None:
    """Why the folder is not at hand, and what to do; None where it is."""
    folder = data_root() / spec.folder
    if not folder.is_dir():
        return (
            f"there is no folder {folder}: put the images there, or let --data-root (or "
            f"{FOLDER_VARIABLE}) name what holds {spec.folder}"
        )
    missing = [name for name in spec.domains if not (folder / name).is_dir()]
    if missing:
        return f"{folder} has no folder {missing[0]}: put that domain's images there, as CLASS/FILE"
    return None


def pinned(spec: Images) -> Images:
    """The spec with the digest of its folder's present files.

    It stays as it is where it has a digest, or where there is no folder. Raises BadData where the
    folder has none of the layouts.
    """
    if spec.digest or absent_images(spec):
        return spec
    return msgspec.structs.replace(spec, digest=digest(spec, layout(spec)))


def digest(spec: Images, present: Layout) -> str:
    """SHA-256 over the paths and contents of all files of a folder.

    They are read once: the digest is kept beside the decoded images, under paths, sizes and times
    of change. Raises BadData on a file that cannot be read.
    """
    folder, files = data_root() / spec.folder, present.files
    listing = "".join(f"{part}\n" for part in (folder.absolute(), *files))
    stamps = hashlib.sha256(listing.encode("utf-8", "surrogateescape"))
    kept = cache_folder(VARIABLE, "decoded").expanduser() / f"{stamps.hexdigest()[:32]}.digest"
    with suppress(OSError):
        if is_digest(text := kept.read_text("ascii", "replace")):
            return text
    try:
        with ThreadPool(usable_cores()) as pool:
            contents = pool.map(lambda file: file_digest(folder / file.name), files)
    except OSError as error:
        raise BadData(
            f"{error.filename} cannot be read ({error.strerror}): look at the disk and at its "
            "permissions"
        ) from error
    total = hashlib.sha256()
    for file, content in zip(files, contents):
        total.update(os.fsencode(f"{file.name}\n{content}\n"))
    with suppress(OSError):  # a digest that is not kept is computed again
        write_atomically(kept, total.hexdigest().encode(), durable=False)
    return total.hexdigest()


def load_images(spec: Images) -> Dataset:
    """The images of a folder: uint8 (n, 3, side, side); labels int64 (n,).

    Labels are numbers into the sorted names of its classes. Raises NoData where the folder is not
    at hand, BadData where it is not the one that the spec names, or cannot be used.
    """
    if reason := absent_images(spec):
        raise NoData(reason)
    files = layout(spec)
    if spec.digest != (now := digest(spec, files)):
        raise BadData(
            f"the study names the images in {data_root() / spec.folder} by the digest "
            f"{spec.digest or '(none)'}, and what lies there has {now}: put the files back as they "
            "were, or take the new digest into the study (all its trials are then made anew)"
        )
    classes = sorted({name for part in (files.training, *files.tests.values()) for name in part})
    numbers = {name: number for number, name in enumerate(classes)}

    def examples(by_class: Mapping[str, Sequence[Listed]]) -> list[Example]:
        pairs = [(file, numbers[name]) for name, listed in by_class.items() for file in listed]
        sources = of_files(data_root(), (f"{spec.folder}/{file.name}" for file, _ in pairs))
        return ranked(map(Example, sources, (label for _, label in pairs)), spec.split_seed)

    tests = {domain: examples(by_class) for domain, by_class in files.tests.items()}
    training = examples(files.training)
    first = spec.test_domains[0]
    if not tests[first]:
        training, tests[first] = _divided(training, spec.test_share, classes)
    limited = {
        domain: ranked(test, spec.split_seed, spec.test_per_class) for domain, test in tests.items()
    }
    return dataset(ranked(training, spec.split_seed, spec.per_class), limited, classes, spec.side)


def _divided(
    examples: Sequence[Example], share: float, classes: Sequence[str]
) -> tuple[list[Example], list[Example]]:
    """Examples for training and for testing; of each class the first by rank are for testing."""
    counts = Counter(example.label for example in examples)
    if lonely := [classes[label] for label, count in counts.items() if count < 2]:
        raise BadData(
            f"the class {min(lonely)!r} has one image, and one to train on and one to test on are "
            "needed: add some, or take the class out"
        )
    left = {label: min(max(round(share * count), 1), count - 1) for label, count in counts.items()}
    training: list[Example] = []
    testing: list[Example] = []
    for example in examples:
        (testing if left[example.label] > 0 else training).append(example)
        left[example.label] -= 1
    return training, testing


def layout(spec: Images) -> Layout:
    """Which of the layouts a folder has, and the files in it.

    Raises BadData where it has none of them.
    """
    folder = data_root() / spec.folder
    files = sorted(_images(str(folder), "", DEEPEST))
    if not files:
        raise BadData(
            f"{folder} holds no image ({', '.join(SUFFIXES)}): put them there as CLASS/FILE or "
            "DOMAIN/CLASS/FILE"
        )
    if spec.domains:
        first, *others = spec.domains
        parts = {domain: _by_class(folder, files, domain) for domain in spec.domains}
        return Layout(parts[first], {first: {}, **{domain: parts[domain] for domain in others}})
    (domain,) = spec.test_domains
    # Folders that hold folders: a class that is called "train" holds images.
    splits = {file.name.split("/")[0] for file in files if file.name.count("/") > 1}
    training, testing = (
        [name for word in words for name in sorted(splits) if name.casefold() == word]
        for words in (TRAINING, TESTING)
    )
    if len(training) > 1:
        raise BadData(
            f"{folder} has {' and '.join(training)}, and one folder to train on is needed: move "
            "one of them away"
        )
    if not training:
        return Layout(_by_class(folder, files), {domain: {}})
    return Layout(
        _by_class(folder, files, training[0]),
        {domain: _by_class(folder, files, testing[0]) if testing else {}},
    )


def _images(folder: str, before: str, levels: int) -> Iterator[Listed]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if entry.is_dir():
                if levels > 1:
                    yield from _images(entry.path, f"{before}{entry.name}/", levels - 1)
            elif entry.name.lower().endswith(SUFFIXES):
                status = entry.stat()
                yield Listed(before + entry.name, status.st_size, status.st_mtime_ns)


def _by_class(
    folder: os.PathLike[str], files: Iterable[Listed], part: str = ""
) -> dict[str, list[Listed]]:
    """The files below one folder of a folder ("": itself) by class.

    Raises BadData where some lie too deep.
    """
    by_class: dict[str, list[Listed]] = defaultdict(list)
    start = part and f"{part}/"
    for file in files:
        if file.name.startswith(start):
            name, *rest = file.name.removeprefix(start).split("/")
            if len(rest) > 1:
                raise BadData(
                    f"{folder} holds {file.name}, deeper than {start}CLASS/FILE: name its domains "
                    "in the study if it has some (the first to train on), or move the images of "
                    "each class into one folder"
                )
            if rest:  # a file beside the classes belongs to none
                by_class[name].append(file)
    return dict(by_class)
