"""The options that pytest has with ddiv, and the run that they describe."""

from __future__ import annotations

import os
import shutil
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ddiv.common.machine import usable_cores
from ddiv.data.root import FOLDER_VARIABLE
from ddiv.finding import ledger
from ddiv.profiles.choose import PROFILES, profile
from ddiv.profiles.profile import Profile
from ddiv.profiles.study_file import of_file
from ddiv.run import run as runs

if TYPE_CHECKING:
    import pytest

# The options that decide what a test asks, with their defaults.
ASKING: dict[str, object] = {
    "profile": "embedded",
    "study": None,
    "data_root": None,
    "store": None,
    "seeds": None,
    "max_seeds": None,
    "first_seed": 0,
}


def add(group: pytest.OptionGroup) -> None:
    """Add the options to a group of pytest's parser."""
    group.addoption(
        "--profile",
        default=ASKING["profile"],
        metavar="NAME",
        help=f"the studies to run: {', '.join(PROFILES)} (default: embedded)",
    )
    group.addoption(
        "--study",
        metavar="FILE",
        help="a file of studies to put the claims to in place of a profile's: a Python file that "
        "defines STUDY, a ddiv.study.Study (or STUDIES, a tuple of them), or a TOML file of the "
        "same",
    )
    group.addoption(
        "--data-root",
        metavar="FOLDER",
        help="where the data sets lie that ddiv doesn't make itself (default: $DDIV_DATA, or "
        "ddiv/data in the user's cache folder); `ddiv fetch` lists them. Tests of a study without "
        "its data are skipped, saying so",
    )
    group.addoption(
        "--plan",
        action="store_true",
        help="run no test: say how many trials the selected tests need and how many are stored, "
        "and what time, disk and memory the others take on this machine, by stored records and a "
        "short calibration",
    )
    group.addoption(
        "--seeds",
        type=int,
        metavar="N",
        help="seeds that every claim starts with (default: the profile's)",
    )
    group.addoption(
        "--max-seeds",
        type=int,
        metavar="N",
        help="a claim that is still undecided gets more seeds, up to N (default: the profile's; "
        "fewer than 6 cannot decide)",
    )
    group.addoption(
        "--first-seed",
        type=int,
        default=ASKING["first_seed"],
        metavar="N",
        help="number the seeds from N: another N repeats the claims with fresh draws (default: 0; "
        "the ledger speaks of the seeds from 0)",
    )
    group.addoption(
        "--budget",
        metavar="TIME",
        help="after this time (90s, 30m, 2h) no claim gets more seeds than it has",
    )
    group.addoption(
        "--store", metavar="FOLDER", help="where records are kept (default: .ddiv, or $DDIV_STORE)"
    )
    group.addoption(
        "--report", metavar="FILE", help="the page to write (default: reports/PROFILE.html)"
    )
    group.addoption(
        "--device",
        metavar="NAME",
        help="where to train: cpu, cuda, cuda:1 (default: CUDA if there)",
    )
    group.addoption(
        "--slots",
        type=int,
        metavar="N",
        help="trials in flight at once over all workers (default: one per core, one thread each; "
        "on a GPU as many as its free memory takes)",
    )


def set_data_root(options: Namespace) -> None:
    """Put the folder of --data-root into the environment, for workers and `ddiv.data.root`.

    Raises ValueError where there is no such folder.
    """
    if options.data_root:
        if not Path(options.data_root).is_dir():
            raise ValueError(
                f"--data-root: there is no folder {options.data_root}. "
                "`ddiv fetch` says what may lie in it"
            )
        os.environ[FOLDER_VARIABLE] = str(Path(options.data_root).resolve())


def chosen(options: Namespace) -> Profile:
    """The profile that is named, or that of the file of studies. Raises ValueError."""
    return of_file(Path(options.study)) if options.study else profile(options.profile)


def started(
    options: Namespace, studies: Profile, root: Path, command: str, strict: bool
) -> runs.Run:
    """The run that begins now, of a project in the folder `root`.

    Raises ValueError on options that are not possible, and on a ledger that cannot be read.
    """
    ledger.entries(root / ledger.FILE)  # raises BadLedger now, not at the first claim
    count = studies.seeds if options.seeds is None else options.seeds
    seeds, most = runs.block_of_seeds(
        options.first_seed, count, options.max_seeds, studies.max_seeds
    )
    return runs.Run(
        id=runs.new_id(),
        command=command,
        profile=studies.name,
        seeds=seeds,
        alpha=0.05,
        workers=len(getattr(options, "tx", None) or ["main"]),
        device=options.device or "auto",
        strict=strict,
        started=time.time(),
        max_seeds=most,
        budget=runs.seconds(options.budget),
        options=tuple(asking(options, root)),
        slots=options.slots or usable_cores(),
    )


def slots(options: Namespace) -> int:
    """How many trials are measured at once: --slots, else one per core, or what the GPU takes.

    Raises NoSuchDevice.
    """
    wanted: int | None = options.slots
    has_gpu = shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists()
    if options.device is None and not has_gpu:
        # torch would say the same, and takes seconds to import.
        return wanted or usable_cores()
    from ddiv.trial.devices import choose_device, trials_at_once

    device = choose_device(options.device)
    return wanted or trials_at_once(device)


def asking(options: Namespace, root: Path) -> Iterator[str]:
    """The options of `ASKING` that do not have their defaults, as arguments for a rerun.

    Paths are written as they are seen from the folder `root`, in which a rerun works.
    """
    for name, default in ASKING.items():
        value = getattr(options, name)
        if value == default or (name == "profile" and options.study):
            continue
        if name in ("study", "data_root", "store"):
            path = Path(value).resolve()
            value = path.relative_to(root) if path.is_relative_to(root) else path
        yield from (f"--{name.replace('_', '-')}", str(value))
