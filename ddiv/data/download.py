"""Files brought over HTTP.

A download is resumed where a connection broke. A file gets its name only once its checksum is
right.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import shutil
import sys
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from ddiv.common.units import duration

ATTEMPTS = 5  # a download is given up after this number of attempts in a row without a byte

PAUSE_SECONDS = 3.0

SILENCE_SECONDS = 60.0

PROGRESS_SECONDS = 5.0

BLOCK = 1 << 20

GIGABYTE = 1e9

LATER = (408, 425, 429)  # the 4xx answers that may be another one later


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
    if target.exists():
        if (present := _md5(target)) != remote.md5:
            raise FetchFailed(
                f"{target} is there with the MD5 {present}, and {remote.url} has {remote.md5}: "
                "move it away, and fetch again"
            )
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    fruitless, cause, whole = 0, "", False
    while not whole:
        if fruitless == ATTEMPTS:
            raise FetchFailed(
                f"{remote.url} does not come ({cause}): look at the connection, and fetch again; "
                f"the {_size(part) / GIGABYTE:.2f} GB that are here are kept"
            )
        before = _size(part)
        try:
            whole, cause = _receive(remote.url, part), "the connection breaks off"
        except urllib.error.HTTPError as error:
            cause = f"{error.code} {error.reason}"
            if 400 <= error.code < 500 and error.code not in LATER:
                raise FetchFailed(
                    f"the server refuses {remote.url} ({cause}): look for the file elsewhere and "
                    f"put it into {target.parent}"
                ) from error
        except (OSError, http.client.HTTPException) as error:
            cause = str(error) or type(error).__name__
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise FetchFailed(
                    f"the disk of {target.parent} is full: free some space, and fetch again"
                ) from error
        if not whole:
            fruitless = 0 if _size(part) > before else fruitless + 1
            time.sleep(PAUSE_SECONDS)
    if (received := _md5(part)) != remote.md5:
        part.unlink()
        raise FetchFailed(
            f"the file from {remote.url} has the MD5 {received}, and {remote.md5} is right: fetch "
            "it again; if that repeats, the server has another file"
        )
    part.replace(target)


def require_room(folder: Path, needed: float) -> None:
    """Raise FetchFailed where the disk of a folder has less room than the needed bytes."""
    if needed > (free := shutil.disk_usage(folder).free):
        raise FetchFailed(
            f"{needed / GIGABYTE:.2f} GB are needed in {folder} and {free / GIGABYTE:.2f} GB are "
            "free: free some space, or give another folder with --data-root"
        )


def _receive(url: str, part: Path) -> bool:
    """Ask for the missing rest of a file and append it; returns whether the file is whole now."""
    have = _size(part)
    headers = {"User-Agent": "ddiv"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=SILENCE_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        # The server has nothing beyond these bytes: they are the whole file, or of another one.
        whole = bool(error.headers.get("Content-Range") == f"bytes */{have}")
        if not whole:
            part.unlink()
        return whole
    with answer:
        span = answer.headers.get("Content-Range", "")
        if answer.status == 206 and not span.startswith(f"bytes {have}-"):
            part.unlink()  # not the bytes that were asked for: begin anew
            return False
        start = have if answer.status == 206 else 0
        left = answer.headers.get("Content-Length")
        total = None if left is None else start + int(left)
        require_room(part.parent, int(left or 0))
        with open(part, "ab" if start else "wb") as file:
            began = reported = time.monotonic()
            while block := answer.read(BLOCK):
                file.write(block)
                if total and (now := time.monotonic()) - reported > PROGRESS_SECONDS:
                    reported, done = now, file.tell()
                    speed = (done - start) / (now - began)
                    print(
                        f"{part.stem}: {done / total:.0%} of {total / GIGABYTE:.2f} GB, "
                        f"{speed / 1e6:.1f} MB/s, about {duration((total - done) / speed)} left",
                        file=sys.stderr,
                    )
    # A connection that breaks off ends the reading without an error.
    return total is None or _size(part) == total


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
