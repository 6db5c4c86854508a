"""Loss of power: what the kernel has written to a disk image at a random moment, mounted again.

The store lies in an ext4 file system on a loop device whose journal is committed by fsync alone.
At the moment of the loss all processes die, and the image is copied before the kernel writes what
it still holds in memory; the copy is the disk after the loss.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.campaign import judge, seen
from tests.campaign.bench import Bench, NotPossible, Round, rerun
from tests.campaign.scene import Scene

MEGABYTES = 64


def records(bench: Bench) -> Round:
    """The power goes while records are trained."""
    return _loss(bench, "pictures")


def answers(bench: Bench) -> Round:
    """The power goes while answers are paid for."""
    return _loss(bench, "answers")


def _loss(bench: Bench, kind: str) -> Round:
    round, right = Round(), bench.right[kind]
    image, copy = bench.folder / "disk.img", bench.folder / "disk-after.img"
    bench.folder.mkdir(parents=True, exist_ok=True)
    image.unlink(missing_ok=True)
    with open(image, "wb") as file:
        file.truncate(MEGABYTES << 20)
    _root("mkfs.ext4", "-q", "-F", str(image))
    with mounted(image, bench.folder / "disk") as disk:
        scene = right.scene.at(disk / "home")
        os.sync()
        running = scene.start()
        lost = bench.await_moment(scene, running)
        before, kept = seen.settled(scene.store), _settled_answers(scene)
        running.signal(signal.SIGKILL)
        shutil.copyfile(image, copy)
        done = round.ended(running.end())
    if not lost:
        return round
    round.did["losses of power"] += 1
    with mounted(copy, bench.folder / "disk") as disk:
        scene = Scene(scene.target, scene.kind, disk / "home", scene.files, scene.url)
        gone = [path for path in kept if not (scene.folder / path).exists()]
        round.faults += [judge.Fault("lost", f"the paid answer {path}") for path in gone]
        round.did["answers at risk"] += len(kept)
        round.did["records at risk"] += len(before)
        if not gone and bench.rng.random() < 0.5 and (scene.store / "runs").exists():
            done = scene.ddiv("report", "--out", str(scene.folder / "lost.html"))
            round.ended(done)
        rerun(bench, scene, round, before)
    return round


def _settled_answers(scene: Scene) -> list[Path]:
    import time

    sure = time.time() - seen.SETTLED
    return [
        path.relative_to(scene.folder)
        for path in scene.cache.glob("*/*.json")
        if not path.name.startswith(".") and path.stat().st_ctime < sure
    ]


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """A disk image as a folder; without commits of its own within the time of a round."""
    folder.mkdir(parents=True, exist_ok=True)
    _root("mount", "-o", "loop,commit=900", str(image), str(folder))
    try:
        yield folder
    finally:
        _root("umount", "-l", str(folder))


def _root(*command: str) -> None:
    if os.geteuid() != 0:
        raise NotPossible("loop devices are mounted by root alone")
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or error
        raise NotPossible(f"{' '.join(command)}: {told}") from error
