"""Files brought over HTTP.

A download is resumed where a connection broke. A file gets its name only once its checksum is
right.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ddiv.common.files import rename_durably
from ddiv.common.printed import one_line
from ddiv.common.units import duration

if TYPE_CHECKING:
    import httpx2

ATTEMPTS = 5  # a download is given up after this number of attempts in a row without `LEAST`

PAUSE_SECONDS = 3.0

SILENCE_SECONDS = 60.0

CONNECT_SECONDS = 6.0  # for a server's name and its first answer, before anything is fetched

PROGRESS_SECONDS = 5.0

LEAST = 1 << 16  # bytes that must come within SILENCE_SECONDS: a kilobyte a second

LARGEST = 20e9  # bytes of a file; the largest on offer has 6 GB

GIGABYTE = 1e9

LATER = (408, 425, 429)  # the 4xx answers that may be another one later


class _Refused(Exception):
    """A server's answer that is none of a file."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}".strip())
        self.status = status


class FetchFailed(Exception):
    """A dataset could not be brought; the message names the cause and the remedy."""


class Remote(NamedTuple):
    """A file on a server, and its MD5."""

    url: str
    md5: str


def download(remote: Remote, target: Path) -> None:
    """Bring a file, unless it is there with the right checksum.

    Its beginning lies in `target`.part until it is whole.

    Raises FetchFailed where the server refuses or stays silent, the checksum is wrong or the disk
    has no room.
    """
    part = target.with_name(f"{target.name}.part")
    if target.exists():
        if (present := _md5(target)) != remote.md5:
            raise FetchFailed(
                f"{target} is there with the MD5 {present}, and {remote.url} has {remote.md5}: "
                "move it away, and fetch again"
            )
        part.unlink(missing_ok=True)  # of a process that fetched the same, and was killed
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fruitless, cause, whole = 0, "", False
    while not whole:
        if fruitless == ATTEMPTS:
            raise FetchFailed(
                f"{remote.url} does not come ({cause}): look at the connection, and fetch again; "
                f"the {_size(part) / GIGABYTE:.2f} GB that are here are kept"
            )
        before = _size(part)
        try:
            whole = asyncio.run(_receive(remote.url, part))
            cause = "the connection breaks off"
        except FetchFailed:
            raise
        except _Refused as error:
            cause = one_line(error)
            if error.status < 500 and error.status not in LATER:
                raise FetchFailed(
                    f"the server refuses {remote.url} ({cause}): look for the file elsewhere and "
                    f"put it into {target.parent}"
                ) from error
        except Exception as error:  # of sockets, of certificates, of what a server says
            cause = _cause(error)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise FetchFailed(
                    f"the disk of {target.parent} is full: free some space, and fetch again"
                ) from error
        if not whole:
            fruitless = 0 if _size(part) >= before + LEAST else fruitless + 1
            time.sleep(PAUSE_SECONDS)
    if (received := _md5(part)) != remote.md5:
        part.unlink()
        raise FetchFailed(
            f"the file from {remote.url} has the MD5 {received}, and {remote.md5} is right: fetch "
            "it again; if that repeats, the server has another file"
        )
    rename_durably(part, target)


def require_server(url: str) -> None:
    """Raise FetchFailed where the server of an address does not answer within CONNECT_SECONDS.

    Resolving a name without a network takes a minute, and nothing can interrupt it: so it happens
    in a thread that is left behind. Where a proxy is set, that is asked and not the server.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or (parts.scheme in getproxies() and not proxy_bypass(host)):
        return
    port, answers = parts.port or {"https": 443}.get(parts.scheme, 80), Queue[str]()

    def knock() -> None:
        try:
            socket.create_connection((host, port), CONNECT_SECONDS).close()
            answers.put("")
        except OSError as error:
            answers.put(one_line(error.strerror or error))

    Thread(target=knock, daemon=True).start()
    try:
        why = answers.get(timeout=CONNECT_SECONDS)
    except Empty:
        why = f"no answer in {CONNECT_SECONDS:.0f} s"
    if why:
        raise FetchFailed(
            f"{host} cannot be reached ({why}): this machine has no network, or the server is "
            "down. Bring the files on another machine and name their folder with --data-root"
        )


def require_room(folder: Path, needed: float) -> None:
    """Raise FetchFailed where the disk of a folder has less room than the needed bytes."""
    if needed > (free := shutil.disk_usage(folder).free):
        raise FetchFailed(
            f"{needed / GIGABYTE:.2f} GB are needed in {folder} and {free / GIGABYTE:.2f} GB are "
            "free: free some space, or give another folder with --data-root"
        )


async def _receive(url: str, part: Path) -> bool:
    """Ask for the missing rest of a file and append it; returns whether the file is whole now."""
    import httpx2

    have = _size(part)
    headers = {"User-Agent": "ddiv", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    async with httpx2.AsyncClient(follow_redirects=True, timeout=SILENCE_SECONDS) as client:
        # From the name of the server to the last line of the answer's head.
        async with asyncio.timeout(SILENCE_SECONDS):
            answer = await client.send(
                client.build_request("GET", url, headers=headers), stream=True
            )
        try:
            return await _kept(answer, part, have)
        finally:
            await answer.aclose()


async def _kept(answer: httpx2.Response, part: Path, have: int) -> bool:
    """Write an answer behind the bytes that are here; returns whether the file is whole now."""
    span = answer.headers.get("Content-Range", "")
    if answer.status_code == 416 and have:
        # The server has nothing beyond these bytes: they are the whole file, or of another one.
        whole = bool(span == f"bytes */{have}")
        if not whole:
            part.unlink()
        return whole
    if answer.status_code not in (200, 206):
        raise _Refused(answer.status_code, answer.reason_phrase)
    if answer.status_code == 206 and not span.startswith(f"bytes {have}-"):
        part.unlink(missing_ok=True)  # not the bytes that were asked for: begin anew
        return False
    start = have if answer.status_code == 206 else 0
    left = answer.headers.get("Content-Length", "")
    total = start + int(left) if left.isdecimal() and left.isascii() else None
    if total is not None:
        _require_size(part, total)
        require_room(part.parent, total - start)
    with open(part, "ab" if start else "wb") as file:
        await _write(answer, file, part, start, total)
        file.flush()
        os.fsync(file.fileno())
    # Without a length the checksum says whether it is whole.
    return total is None or _size(part) == total


async def _write(
    answer: httpx2.Response, file: BinaryIO, part: Path, start: int, total: int | None
) -> None:
    """Write an answer's bytes as they come.

    Raises TimeoutError where they come too slowly, FetchFailed where they are too many.
    """
    began = reported = time.monotonic()
    fresh = 0
    async with asyncio.timeout(SILENCE_SECONDS) as clock:
        async for block in answer.aiter_raw():
            file.write(block)
            _require_size(part, done := file.tell())
            fresh += len(block)
            if fresh >= LEAST:
                fresh = 0
                clock.reschedule(asyncio.get_running_loop().time() + SILENCE_SECONDS)
            if total and (now := time.monotonic()) - reported > PROGRESS_SECONDS:
                reported, speed = now, (done - start) / (now - began)
                print(
                    f"{part.stem}: {done / total:.0%} of {total / GIGABYTE:.2f} GB, "
                    f"{speed / 1e6:.1f} MB/s, about {duration((total - done) / speed)} left",
                    file=sys.stderr,
                )


def _require_size(part: Path, size: int) -> None:
    if size > LARGEST:
        part.unlink(missing_ok=True)
        raise FetchFailed(
            f"the server gives {part.stem} more than {LARGEST / GIGABYTE:.2f} GB, which no dataset "
            "on offer has: look for the file elsewhere"
        )


def _cause(error: BaseException) -> str:
    """What an error comes from, in words."""
    import httpx2

    if isinstance(error, httpx2.RemoteProtocolError) and "peer closed" in str(error):
        return "the connection breaks off"
    if isinstance(error, (TimeoutError, httpx2.TimeoutException)):
        return f"less than {LEAST >> 10} kB in {SILENCE_SECONDS:.0f} s"
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return one_line(error)[:200] or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
