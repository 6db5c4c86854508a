"""DomainNet (Peng et al. 2019), cleaned version, from the official archives or unpacked from them.

    ROOT/domainnet/real.zip, ...          or the folders real/CLASS/FILE; archives stay packed
                   real_train.txt, ...    lists with lines "real/CLASS/FILE LABEL"; real_test.txt

The paper has 50,000 training images of 142 classes and doesn't say which. The list holds 120,906
training images of 345 classes, class after class, and 345 * 50,000 / 120,906 = 142.7: the first
50,000 lines of the list cover about 142 classes. Hence the classes are the first 142 by label that
every domain has test images of, and the images 50,000 of theirs by the SHA-256 of their paths (all,
where they are fewer).
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ddiv.common.pictures import opened
from ddiv.data.dataset import Dataset
from ddiv.data.decoded import Example, Source, dataset, drawn, of_files, ranked
from ddiv.data.root import BadData, NoData, data_root
from ddiv.study import DomainNet

FOLDER = "domainnet"

LARGEST = 2**28  # bytes of a picture once it is unpacked


class Line(NamedTuple):
    """A line of a list: a path below the folder, DOMAIN/CLASS/FILE, and its class among the 345."""

    path: str
    label: int

    @property
    def name(self) -> str:
        return self.path.split("/")[1]


def folder() -> Path:
    """Where DomainNet lies."""
    return data_root() / FOLDER


def absent_domainnet(spec: DomainNet) -> str | None:
    """Why DomainNet is not at hand, and what to do; None where it is."""
    for domain in spec.domains:
        lists = [f"{domain}_train.txt"] * (domain == spec.domains[0]) + [f"{domain}_test.txt"]
        missing = [name for name in lists if not os.path.isfile(folder() / name)]
        packed = os.path.isfile(folder() / f"{domain}.zip")
        if not os.path.isdir(folder() / domain) and not packed:
            missing.append(f"{domain}.zip, nor a folder {domain},")
        if missing:
            return f"there is no {missing[0]} in {folder()}: ddiv fetch domainnet"
    return None


def load_domainnet(spec: DomainNet) -> Dataset:
    """The images of DomainNet: uint8 (n, 3, side, side), labels int64 (n,).

    Labels are numbers into the classes in the official order. Raises NoData where it is not at
    hand, BadData where its lists or archives cannot be used.
    """
    if reason := absent_domainnet(spec):
        raise NoData(reason)
    training = lines(folder() / f"{spec.domains[0]}_train.txt", spec.domains[0])
    tests = {domain: lines(folder() / f"{domain}_test.txt", domain) for domain in spec.domains}
    chosen = choose([training, *tests.values()], spec.classes)
    numbers = {label: number for number, label in enumerate(chosen)}

    def examples(domain: str, listed: Sequence[Line]) -> list[Example]:
        kept = [line for line in listed if line.label in numbers]
        sources = _sources(domain, [line.path for line in kept])
        return [*map(Example, sources, (numbers[line.label] for line in kept))]

    for_training = examples(spec.domains[0], training)
    for_testing = {domain: examples(domain, listed) for domain, listed in tests.items()}
    limited = {
        domain: drawn(test, spec.split_seed, spec.test_per_class)
        for domain, test in for_testing.items()
    }
    return dataset(
        drawn(ranked(for_training, spec.split_seed)[: spec.train], 0),
        limited,
        [*chosen.values()],
        spec.side,
        [for_training, *for_testing.values()],
    )


def choose(lists: Sequence[Sequence[Line]], count: int) -> Mapping[int, str]:
    """The first `count` classes by label that all lists have, and their names.

    Raises BadData where there are fewer.
    """
    names: dict[int, str] = {}
    for line in chain.from_iterable(lists):
        if names.setdefault(line.label, line.name) != line.name:
            raise BadData(
                f"DomainNet's lists call class {line.label} both {names[line.label]!r} and "
                f"{line.name!r}: get the official ones, ddiv fetch domainnet"
            )
    common = sorted(set.intersection(*({line.label for line in listed} for listed in lists)))
    if len(common) < count:
        raise BadData(
            f"{len(common)} classes of DomainNet are in all lists in {folder()}, and the study "
            f"asks for {count}: get the official lists (ddiv fetch domainnet), or ask for fewer"
        )
    return {label: names[label] for label in common[:count]}


def lines(path: Path, domain: str) -> list[Line]:
    """A list of one domain's images.

    Raises BadData on a file that cannot be read, and on a line that names no such image, or one
    outside the folder.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(
            f"{path} cannot be read ({error}): get the official list, ddiv fetch domainnet"
        ) from error
    listed = []
    for number, text in enumerate(content.rstrip().splitlines(), start=1):
        match = re.fullmatch(rf"({re.escape(domain)}/[^/]+/[^/]+) ([0-9]{{1,9}})", text)
        if match is None or ".." in match[1].split("/"):
            raise BadData(
                f'{path}, line {number}: {text[:80]!r} is not "{domain}/CLASS/FILE LABEL": get '
                "the official list, ddiv fetch domainnet"
            )
        listed.append(Line(match[1], int(match[2])))
    return listed


def _sources(domain: str, paths: Sequence[str]) -> Iterable[Source]:
    if os.path.isdir(folder() / domain):
        return of_files(data_root(), (f"{FOLDER}/{path}" for path in paths))
    return of_archive(folder() / f"{domain}.zip", paths)


def of_archive(path: Path, names: Iterable[str]) -> list[Source]:
    """These images of a zip archive, which is not unpacked.

    Raises BadData where it is not whole, or not to be trusted.
    """
    remedy = "delete it and get it anew, ddiv fetch domainnet"
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # zipfile raises all sorts of errors on damaged archives
        raise BadData(f"{path} is no whole zip archive ({error}): {remedy}") from error
    members = {member.filename: member for member in archive.infolist()}
    if outside := [name for name in members if _leads_out(name)]:
        raise BadData(
            f"{path} holds {outside[0]!r}, which leads out of its folder, as no official one does: "
            f"{remedy}"
        )
    sources = []
    for name in names:
        if (member := members.get(name)) is None:
            raise BadData(f"{path} has no {name}, which its list names: {remedy}")
        if member.file_size > LARGEST:
            raise BadData(
                f"{name} in {path} would take {member.file_size} bytes, as no picture does: "
                f"{remedy}"
            )
        stamp = f"{member.CRC} {member.file_size}"
        sources.append(Source(f"{FOLDER}/{name}", stamp, partial(_opened, archive, member)))
    return sources


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Image.Image:
    return opened(archive.read(member))  # several threads at once may do so


def _leads_out(name: str) -> bool:
    return name.startswith("/") or ".." in re.split(r"[/\\]", name)
