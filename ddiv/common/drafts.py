"""Drafts: what is being written and has not got its name yet, and who writes it.

A process that is killed while it writes leaves a draft. Its name says who wrote it, so that anybody
can tell a dead process's draft from one that is being written now, and delete it.

    .NAME.PLACE-PID-START.RANDOM     PLACE: this boot of this machine, and its namespace of
                                     processes; START: when the process PID began, in clock ticks
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

# Nothing is written for an hour without a byte reaching the disk. So a draft that was not touched
# for so long is abandoned, also where its writer ran on another machine or before a restart.
ABANDONED_SECONDS = 3600

_DRAFT = re.compile(r".+\.(?P<owner>[0-9a-f]{8}-\d+-\d+)\.[0-9a-f]{8}")

# Drafts of versions that did not name the writer: of a record or of a file named by a digest.
_UNSIGNED = re.compile(r"\.?([0-9a-f]{16,64}|probe)[\w.-]*\.([0-9a-f]{8}|part)")


def draft_of(path: Path) -> Path:
    """Where this process writes what is to be called `path`: beside it, under a name of its own.

    Of a long name only the beginning is taken, because a file system takes 255 bytes.
    """
    return path.with_name(f".{path.name[:50]}.{signature()}.{uuid.uuid4().hex[:8]}")


def signature() -> str:
    """A name of this process that no other has, on other machines and of later times neither."""
    return f"{_place()}-{os.getpid()}-{_began(os.getpid()) or 0}"


def alive(owner: str) -> bool | None:
    """Whether the process with this `signature` runs; None where that cannot be known from here."""
    place, _, rest = owner.partition("-")
    pid, _, began = rest.partition("-")
    if place != _place() or not pid.isdecimal():
        return None
    try:
        os.kill(int(pid), 0)
    except OverflowError:
        return False
    except OSError as error:
        if error.errno == errno.ESRCH:
            return False
    now = _began(int(pid))
    return now is None or began in (now, "0")


def sweep(*folders: Path, drafts_only: bool = False) -> None:
    """Delete the drafts that dead processes left directly in these folders.

    In a folder of `drafts_only` these may have any name. What cannot be read or deleted stays: a
    draft harms nobody.
    """
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    if _is_abandoned(entry, drafts_only):
                        _delete(entry)


def _is_abandoned(entry: os.DirEntry[str], any_name: bool) -> bool:
    signed = _DRAFT.fullmatch(entry.name)
    if not (signed or any_name or _UNSIGNED.fullmatch(entry.name)):
        return False
    living = alive(signed["owner"]) if signed else None
    if living is None:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED_SECONDS
    return not living


def _delete(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        os.unlink(entry.path)


@cache
def _place() -> str:
    """The boot of this machine and this namespace of processes, in eight characters."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts = [Path("/proc/sys/kernel/random/boot_id").read_text("ascii")]
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _began(pid: int) -> str | None:
    """When a process began, in clock ticks since the start of the machine.

    "" where it is dead and only not yet buried, None where the system doesn't say.
    """
    try:
        # The second field is a name in brackets, which may hold anything.
        state, *fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return "" if state in (b"Z", b"X") else fields[18].decode()
    except (OSError, ValueError, IndexError):
        return None
