"""Locks between the processes of a machine, and who holds one.

They are the operating system's, so those of a killed process are free at once. Where a file system
has none, nothing stands in for them: a file that means "locked" would outlive its process. A lock's
file tells who took it last, for those who wait.
"""

from __future__ import annotations

import errno
import os
import pwd
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from ddiv.common.drafts import alive, signature
from ddiv.common.files import contents

# What a call for a lock answers where the file system, or the server behind it, has none.
LOCKLESS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)

PATIENCE_SECONDS = 600.0  # for who does work that another may be doing

POLL_SECONDS = 0.2


class Holder(msgspec.Struct, frozen=True):
    """Who took a lock last: a process, its user and machine, and when, in seconds since the epoch.

    `owner` is the process's `ddiv.common.drafts.signature`.
    """

    owner: str
    pid: int
    user: str
    host: str
    since: float

    @property
    def stopped(self) -> bool:
        """Whether the process is suspended, on this machine: it will not go on by itself."""
        if not alive(self.owner):
            return False
        with suppress(OSError):  # what follows the name in brackets begins with the state
            state = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].strip()
            return state[:1] in (b"T", b"t")
        return False

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since).astimezone().strftime("%H:%M:%S")
        state = (
            f", suspended: `kill -CONT {self.pid}` lets it go on, `kill -KILL {self.pid}` ends it"
            if self.stopped
            else ""
        )
        return f"process {self.pid} of {self.user} on {self.host} (since {since}{state})"


def lock(path: Path) -> FileLock:
    """The lock with this file, in a folder that is there: for `take`, or for `held`."""
    return FileLock(path, thread_local=False, fallback_to_soft=False, on_acquired=_sign)


def take(lock: FileLock) -> bool:
    """Take a lock; False where another holds it.

    Raises OSError, whose `strerror` names the cause, where the file system has no locks, or the
    file may not be written.
    """
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except OSError as error:
        raise _explained(error, Path(lock.lock_file)) from error
    return True


def is_taken(path: Path) -> bool:
    """Whether another process holds the lock with this file. Raises OSError as `take` does."""
    free = lock(path)
    if not take(free):
        return True
    free.release()
    return False


def holder(path: Path) -> Holder | None:
    """Who took the lock with this file last; None where the file does not say."""
    try:
        return msgspec.json.decode(contents(path), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock that only spares work: no two processes shall do the same.

    It goes without where there are no locks, and where the holder is suspended or takes very long.
    Raises OSError where the file may not be written.
    """
    own, since = lock(path), time.monotonic()
    try:
        while not (taken := take(own)):
            other = holder(path)
            if (other and other.stopped) or time.monotonic() - since > PATIENCE_SECONDS:
                break
            time.sleep(POLL_SECONDS)
    except OSError as error:
        if error.errno not in LOCKLESS:
            raise
        taken = False
    try:
        yield
    finally:
        if taken:
            own.release()


def _sign(file: int) -> None:
    state = Holder(signature(), os.getpid(), _user(), socket.gethostname(), time.time())
    with suppress(OSError):  # a full disk locks all the same
        os.ftruncate(file, 0)
        os.pwrite(file, msgspec.json.encode(state), 0)


@cache
def _user(number: int | None = None) -> str:
    number = os.getuid() if number is None else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _explained(error: OSError, path: Path) -> OSError:
    if error.errno in LOCKLESS:
        return OSError(error.errno, f"its file system has no locks ({error.strerror})", str(path))
    if error.errno in (errno.EACCES, errno.EPERM) and path.exists():
        whose = _user(path.lstat().st_uid)
        return OSError(
            error.errno,
            f"the lock {path} is {whose}'s, who lets nobody else write it (a store for several "
            f"users is written under `umask 002`, in folders of their group)",
            str(path),
        )
    return error
