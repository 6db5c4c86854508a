"""A full disk: a small file system that a ballast fills at a random moment, and frees again."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.campaign import judge, seen
from tests.campaign.bench import Bench, NotPossible, Round, rerun
from tests.campaign.judge import TOLD
from tests.campaign.target import words


def disk(bench: Bench) -> Round:
    """The disk fills while a run trains, or was full before; later there is room again."""
    round, right = Round(), bench.right[bench.rng.choice(("pictures", "pictures", "answers"))]
    with _tmpfs(bench.folder / "small", 24) as small:
        scene = right.scene.at(small / "home")
        ballast = small / "ballast"
        at_start = bench.rng.random() < 0.25
        if at_start:
            _fill(ballast, bench.rng.choice((0, 0, 4096, 40_000)))
        running = scene.start()
        if at_start or bench.await_moment(scene, running):
            _fill(ballast, bench.rng.choice((0, 0, 4096, 40_000)))
            round.did["full disks"] += 1
        before = seen.finished(scene.store)
        done = round.ended(running.end())
        before = seen.finished(scene.store) | before
        # What a full run printed, and what it could still write, must not hold a wrong verdict.
        round.faults += judge.of_page(scene.page(), right.page, done)
        for arguments in (("report", "--out", str(bench.folder / "full.html")), ("trials",)):
            round.ended(scene.ddiv(*arguments))
        ballast.unlink(missing_ok=True)
        round.ended(scene.ddiv("report", "--out", str(bench.folder / "freed.html")))
        round.faults += judge.of_page(seen.page(bench.folder / "freed.html"), right.page, done)
        rerun(bench, scene, round, before)
    return round


def report(bench: Bench) -> Round:
    """The page goes to a device that is full, or to a full disk."""
    round, scene = Round(), bench.copy("answers", "store")
    with _tmpfs(bench.folder / "small", 1) as small:
        # A device of the round's own: what is renamed onto it must not replace the machine's.
        device = small / "full"
        _device(device)
        _fill(small / "ballast", 0)
        for out in (device, small / "page.html"):
            done = round.ended(scene.ddiv("report", "--out", str(out)))
            round.did["pages without room"] += 1
            if done.status == 0 or not (TOLD.search(done.text) or "space" in done.text):
                text = f"{words(done.command)}: status {done.status}: {done.text[-500:]!r}"
                round.faults.append(judge.Fault("wrong end", text))
        if not device.is_char_device():
            text = "ddiv report --out DEVICE put a file in the device's place"
            round.faults.append(judge.Fault("wrong end", text))
    return round


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 7))  # as /dev/full
    except OSError as error:
        raise NotPossible(f"a device that is full cannot be made: {error}") from error


def _fill(ballast: Path, left: int) -> None:
    """Take all room of a file system but so many bytes."""
    with suppress(OSError), open(ballast, "ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 65536)
    if left and ballast.exists():
        os.truncate(ballast, max(0, ballast.stat().st_size - left))


@contextmanager
def _tmpfs(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "campaign", str(folder)]
    mount = subprocess.run(command, capture_output=True, text=True, check=False)
    if mount.returncode:
        raise NotPossible(f"a small file system cannot be mounted: {mount.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
