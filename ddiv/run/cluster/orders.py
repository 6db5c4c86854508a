"""What nodes are told, and what they answer: values that both sides know."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import ddiv
from ddiv.run.absent import of_generator
from ddiv.study import Study
from ddiv.trial import Job, Samples

__all__ = ["Answer", "Failed", "Made", "Node", "Orders", "Unfit", "differences", "needs"]


@dataclass(frozen=True)
class Orders:
    """What a node has to know before it measures anything.

    `token` names these orders among those of other runs. `versions` are those of the process that
    drives, `studies` those of the run. `device` is cpu or cuda. `data_root` and `store` are folders
    as nodes see them: that of the data, and a store that they share ("": none), in which there is
    the file `probe`. `code` holds the functions of a user's own (`ddiv.run.cluster.code`).
    """

    token: str
    versions: Mapping[str, str]
    studies: tuple[Study, ...]
    device: str = "cpu"
    data_root: str = ""
    store: str = ""
    probe: str = ""
    code: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Node:
    """A node as it sees itself: what differs from the driver, and what it lacks for which `needs`.

    `card` is the number of free bytes on its smallest GPU, 0 where it has none.
    """

    id: str
    name: str
    processor: str = ""
    card: int = 0
    differs: str = ""
    lacks: Mapping[str, str] = field(default_factory=dict)

    def can(self, job: Job) -> bool:
        """Whether this node can measure a job, as far as it knows."""
        return not self.differs and not any(need in self.lacks for need in needs(job))


@dataclass(frozen=True)
class Made:
    """The record of a job: its facts and arrays, the seconds that it took, and the node's name.

    `kept`: it is in the store that the nodes share, and nothing of it was sent.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    seconds: float
    node: str
    kept: bool = False


@dataclass(frozen=True)
class Failed:
    """Why a job could not be measured; another try would end alike."""

    text: str
    node: str


@dataclass(frozen=True)
class Unfit:
    """A node that cannot measure a job, which has to go to another."""

    node: Node


Answer = Made | Failed | Unfit


def needs(job: Job) -> tuple[str, ...]:
    """What a node needs for a job: what its study does, and for samples the study's generator."""
    if isinstance(job, Samples):
        return job.study, of_generator(job.study)
    return (job.study,)


@cache
def versions() -> dict[str, str]:
    """What has to be alike on all nodes: Python, torch without its build, and ddiv.

    ddiv has a digest of its sources besides: between two commits its version need not change.
    """
    total, folder = hashlib.sha256(), Path(ddiv.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\n" + path.read_bytes())
    try:
        number = metadata.version("ddiv")
    except metadata.PackageNotFoundError:  # it lies on the path
        number = ""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "torch": metadata.version("torch").partition("+")[0],
        "ddiv": f"{number} (sources {total.hexdigest()[:8]})".strip(),
    }


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """What differs between a node's versions and the driver's, in words; "" where nothing does."""
    return ", ".join(
        f"{name} is {theirs.get(name, 'not there')}, here {version}"
        for name, version in ours.items()
        if theirs.get(name) != version
    )
