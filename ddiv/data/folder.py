"""A user's own folder of images, in the layout CLASS/FILE, SPLIT/CLASS/FILE or DOMAIN/CLASS/FILE.

SPLIT is train or training, beside test, val, valid or validation (the first of these that is
there). Without a folder to test on each class is divided by the SHA-256 of its files' paths: the
test images are the same whatever `per_class` is.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import msgspec

from ddiv.common.digests import file_digest, is_digest
from ddiv.common.files import contents as read
from ddiv.common.files import write_atomically
from ddiv.common.machine import usable_cores
from ddiv.common.paths import cache_folder
from ddiv.data.dataset import Dataset
from ddiv.data.decoded import VARIABLE, Example, dataset, drawn, of_files, ranked
from ddiv.data.listing import SUFFIXES, Listed, Listing, listed
from ddiv.data.root import FOLDER_VARIABLE, BadData, NoData, data_root
from ddiv.study import Images

TRAINING, TESTING = ("train", "training"), ("test", "val", "valid", "validation")


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
    if not os.path.isdir(folder):  # False also where it may not be looked at
        return (
            f"there is no folder {folder}: put the images there, or let --data-root (or "
            f"{FOLDER_VARIABLE}) name what holds {spec.folder}"
        )
    missing = [name for name in spec.domains if not os.path.isdir(folder / name)]
    if missing:
        there = ", ".join(_folders(folder)) or "none"
        return (
            f"{folder} has no folder {missing[0]}: put that domain's images there, as CLASS/FILE, "
            f"or name other domains (its folders: {there})"
        )
    return None


def pinned(spec: Images) -> Images:
    """The spec with the digest of its folder's present files, and the domain that it has.

    It stays as it is where it has a digest, or where there is no folder. Raises BadData where the
    folder has none of the layouts, or several domains of which the spec names none.
    """
    if spec.digest or absent_images(spec):
        return spec
    if not spec.domains:
        domains = _domains(listed(data_root() / spec.folder))
        spec = msgspec.structs.replace(spec, domains=domains)
    return msgspec.structs.replace(spec, digest=digest(spec, layout(spec)))


def _domains(found: Listing) -> tuple[str, ...]:
    """The domain of a folder in the layout DOMAIN/CLASS/FILE; none in another layout.

    Raises BadData where there are several: nothing tells which of them is for training.
    """
    domains = _splits(found)
    deep = all(file.name.count("/") != 1 for file in found.images)
    if not deep or any(name.casefold() in (*TRAINING, *TESTING) for name in domains):
        return ()
    if len(domains) > 1:
        raise BadData(
            f"{found.folder} has the domains {', '.join(domains)}, and it is not known which is to "
            f"train on: name them in the study, that one first, as domains={tuple(domains)}"
        )
    return tuple(domains)


def _folders(folder: Path) -> list[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
    return []


def digest(spec: Images, present: Layout) -> str:
    """SHA-256 over the paths and contents of all files of a folder.

    They are read once: the digest is kept beside the decoded images, under paths, sizes and times
    of change, with a checksum. Raises BadData on a file that cannot be read.
    """
    folder, files = data_root() / spec.folder, present.files
    listing = "".join(f"{part}\n" for part in (os.path.realpath(folder), *files))
    stamps = hashlib.sha256(listing.encode("utf-8", "surrogateescape"))
    cache = cache_folder(VARIABLE, "decoded")

    def kept(text: str) -> Path:
        """The file that keeps a digest; its name has a checksum of that."""
        return cache / f"{stamps.hexdigest()[:32]}-{zlib.crc32(text.encode()):08x}.digest"

    for path in cache.glob(f"{stamps.hexdigest()[:32]}-*.digest"):
        with suppress(OSError):
            if is_digest(text := read(path).decode("ascii", "replace")) and path == kept(text):
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
        write_atomically(kept(total.hexdigest()), total.hexdigest().encode(), durable=False)
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
    pools = [training, *tests.values()]
    first = spec.test_domains[0]
    if not tests[first]:
        training, tests[first] = _divided(training, spec.test_share, classes)
    limited = {
        domain: drawn(test, spec.split_seed, spec.test_per_class) for domain, test in tests.items()
    }
    chosen = drawn(training, spec.split_seed, spec.per_class)
    return dataset(chosen, limited, classes, spec.side, pools)


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

    Raises BadData where it has none of them, and where a part of it cannot be used.
    """
    folder = data_root() / spec.folder
    found = listed(folder)
    if spec.domains:
        first, *others = spec.domains
        parts = {domain: _by_class(found, domain) for domain in spec.domains}
        return Layout(parts[first], {first: {}, **{domain: parts[domain] for domain in others}})
    (domain,) = spec.test_domains
    splits = _splits(found)
    training, testing = (
        [name for word in words for name in splits if name.casefold() == word]
        for words in (TRAINING, TESTING)
    )
    if len(training) > 1:
        raise BadData(
            f"{folder} has {' and '.join(training)}, and one folder to train on is needed: move "
            "one of them away"
        )
    if not training:
        return Layout(_by_class(found), {domain: {}})
    return Layout(
        _by_class(found, training[0]), {domain: _by_class(found, testing[0]) if testing else {}}
    )


def _splits(found: Listing) -> list[str]:
    """Folders that hold folders: a class that is called "train" holds images."""
    deep = {file.name.split("/")[0] for file in found.images if file.name.count("/") > 1}
    classes = {file.name.split("/")[0] for file in found.images if file.name.count("/") == 1}
    holding = {name.split("/")[0] for name in found.folders if "/" in name}
    return sorted(deep | (holding - classes))


def _by_class(found: Listing, part: str = "") -> dict[str, list[Listed]]:
    """The images below one folder of a folder ("": itself) by class.

    Raises BadData where something there would have to be left out without a word.
    """
    start = part and f"{part}/"
    for name, fault in found.faults.items():
        if name in (".", part) or name.startswith(start):
            raise BadData(f"{found.folder / name} {fault}: mend it, or take it away")
    by_class: dict[str, list[Listed]] = defaultdict(list)
    for file in found.images:
        if file.name.startswith(start):
            name, *rest = file.name.removeprefix(start).split("/")
            if len(rest) > 1:
                raise _too_deep(found, file.name, start)
            if rest:  # a file beside the classes belongs to none
                by_class[name].append(file)
    if deep := [name for name in found.deeper if name.startswith(start)]:
        raise _too_deep(found, deep[0], start)
    if not by_class and not any(name.startswith(start) for name in found.folders):
        raise BadData(
            f"{found.folder / part} holds no image ({', '.join(SUFFIXES)}) in a folder of its "
            "class: put them there as CLASS/FILE or DOMAIN/CLASS/FILE"
        )
    for folder in found.folders:
        if folder.startswith(start) and "/" not in (name := folder.removeprefix(start)):
            _require_all_read(found, folder, name in by_class)
    return dict(by_class)


def _too_deep(found: Listing, name: str, start: str) -> BadData:
    return BadData(
        f"{found.folder} holds {name}, deeper than {start}CLASS/FILE: name its domains in the "
        "study if it has some (the first to train on), or move the images of each class into one "
        "folder"
    )


def _require_all_read(found: Listing, folder: str, has_images: bool) -> None:
    """Raise BadData where a class's folder holds no image, or one that would not be read."""
    if unread := next(found.unlisted(folder), None):
        raise BadData(
            f"{found.folder / unread} is a picture, and its name ends in none of "
            f"{', '.join(SUFFIXES)}: rename or convert it and those like it, or take them away"
        )
    if not has_images:
        raise BadData(
            f"the class folder {found.folder / folder} holds no image ({', '.join(SUFFIXES)}): put "
            "some there, or take it away (a folder whose name begins with a dot is passed over)"
        )
