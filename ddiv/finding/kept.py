"""Answers that are kept in the store: a question is answered once from the same records.

    STORE/answers-1/NAME.answer    SHA-256 of the rest, 32 bytes; the key, 32 bytes; the finding

NAME is of the question with its seeds. The key is of all else that an answer depends on: the
contents of every record, the calibration, and ddiv's own code. Whatever is changed, the question is
answered anew, and the file is replaced.
"""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from ddiv.common.files import contents, write_atomically
from ddiv.finding.answer import answer
from ddiv.finding.asked import Asked
from ddiv.finding.finding import Finding
from ddiv.finding.reader import Reader

# Raise it when a file of an answer comes to hold something else.
FOLDER = "answers-1"


class _Kept(msgspec.Struct, array_like=True):
    """What a file holds: the finding, and whether it has the verdicts under other definitions."""

    definitions: bool
    finding: Finding


_DECODER = msgspec.msgpack.Decoder(_Kept)


def answered(asked: Asked, reader: Reader, definitions: bool = True) -> Finding:
    """`answer`, or what it came to before. Raises as it does."""
    store = getattr(reader, "store", None)  # planted records have none
    records = [reader.record(job) for job in asked.jobs()] if store else []
    # What was measured just now is first asked again when it was read from the disk.
    if store is None or not records or not all(record.was_read for record in records):
        return answer(asked, reader, definitions)
    calibration, _ = reader.calibration(asked.study)
    what = (asked.claim, asked.study, asked.variant, asked.question, asked.alpha, asked.seeds)
    named = hashlib.sha256(_packed(what)).digest()
    total = hashlib.sha256(named + _packed(calibration) + _code())
    total.update("".join(record.digest for record in records).encode())
    path, key = store.root / FOLDER / f"{named.hex()[:20]}.answer", total.digest()
    kept = _read(path, key)
    if kept is not None and (kept.definitions or not definitions):
        told = None if asked.study.fixed_sample else calibration
        return replace(kept.finding, asked=asked, calibration=told)
    finding = answer(asked, reader, definitions)
    body = key + _packed(_Kept(definitions, replace(finding, calibration=None)))
    with suppress(OSError):  # a store that cannot be written costs time, not results
        write_atomically(path, hashlib.sha256(body).digest() + body, durable=False)
    return finding


def _read(path: Path, key: bytes) -> _Kept | None:
    """What a file holds that is whole and has this key."""
    with suppress(OSError, msgspec.MsgspecError):  # absent, or of other contents
        text = contents(path)
        if text[32:64] == key and hashlib.sha256(text[32:]).digest() == text[:32]:
            return _DECODER.decode(text[64:])
    return None


def _packed(value: object) -> bytes:
    # Not JSON, which has no infinity: the end of an interval that seeds are too few for.
    return msgspec.msgpack.encode(value, order="deterministic")


@cache
def _code() -> bytes:
    """A digest of ddiv's code and of what computes for it."""
    package = Path(__file__).parents[1]
    total = hashlib.sha256(f"{platform.python_version()} {np.__version__}".encode())
    for path in sorted(package.rglob("*.py")):
        total.update(path.relative_to(package).as_posix().encode())
        total.update(path.read_bytes())
    return total.digest()
