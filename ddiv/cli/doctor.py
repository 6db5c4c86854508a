"""What this machine can run, and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

from ddiv.common.machine import PACKAGES, usable_cores
from ddiv.common.paths import cache_folder, is_temporary, named
from ddiv.trial.store import Store, StoreError

GIGABYTE = 1024**3

# A full embedded run keeps about 0.2 GB of records; a worker needs about 1 GB of memory.
STORE_GIGABYTES, WORKER_GIGABYTES = 0.5, 1.0

CACHES = {"DDIV_CACHE": "decoded", "DDIV_IMAGES": "images", "DDIV_DATA": "data"}


@dataclass(frozen=True)
class Check:
    """One line of the doctor's answer.

    mark: "ok", "note" (works, but...) or "NO" (does not work); what: the thing that was looked at;
    found: its state.
    """

    mark: str
    what: str
    found: str


def examine(store: Store) -> Iterator[Check]:
    """Look at Python, packages, processor, memory, GPU, the store and the shipped model."""
    enough = sys.version_info >= (3, 11)
    yield Check(
        "ok" if enough else "NO",
        "Python",
        platform.python_version() + ("" if enough else "; 3.11 or later is needed"),
    )
    for package in PACKAGES:
        try:
            yield Check("ok", package, metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Check("NO", package, "not installed: pip install -e .")
    cores = usable_cores()
    yield Check("ok", "cores", f"{cores}; one trial a core at once, so -n {cores} is a good choice")
    yield _memory()
    for name, look in (
        ("torch", _device),
        ("pre-trained CLIP", _clip),
        ("browser", _browser),
        ("caches", _caches),
    ):
        yield _guarded(name, look)
    yield _store(store)


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except Exception as error:  # the doctor goes on to the next organ
        return Check("NO", name, f"{type(error).__name__}: {error}")


def _memory() -> Check:
    if not hasattr(os, "sysconf"):
        return Check("note", "memory", "unknown on this system")
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIGABYTE
    return Check(
        "ok" if free > 2 * WORKER_GIGABYTES else "note",
        "memory",
        f"{free:.1f} GB free, enough for about {int(free / WORKER_GIGABYTES)} workers",
    )


def _device() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("ok", "GPU", f"{torch.cuda.get_device_name()}; trials are trained on it")
    return Check("ok", "GPU", "none that torch can use; the embedded profile does not need one")


def _clip() -> Check:
    from ddiv.models.clip import load_embedded_clip

    count = sum(weight.numel() for weight in load_embedded_clip().visual.parameters())
    return Check(
        "ok",
        "pre-trained CLIP",
        f"shipped weights are whole ({count:,} parameters in the image tower)",
    )


def _browser() -> Check:
    paths = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    browser = next(filter(None, paths), None)
    return Check(
        "ok" if browser else "note",
        "browser",
        browser or "no Chromium: the tests that open the report in one are skipped",
    )


def _caches() -> Check:
    by_variable = {variable: cache_folder(variable, name) for variable, name in CACHES.items()}
    folders = {*by_variable.values()}
    unnamed = {folder for variable, folder in by_variable.items() if not named(variable)}
    lost = sorted(folder.parent for folder in unnamed if is_temporary(folder))
    if lost:
        return Check(
            "note",
            "caches",
            f"there is no home folder to write into: they are below {lost[0]}, which a restart may "
            f"empty; {', '.join(CACHES)} name other folders",
        )
    return Check("ok", "caches", ", ".join(map(str, sorted(folders))))


def _store(store: Store) -> Check:
    try:
        store.check_writable()
        held = len(store.keys())
    except StoreError as error:
        return Check("NO", "store", str(error))
    free = shutil.disk_usage(store.root).free / GIGABYTE
    return Check(
        "ok" if free > STORE_GIGABYTES else "note",
        "store",
        f"{store.root} holds {held} records; {free:.1f} GB free on its disk",
    )
