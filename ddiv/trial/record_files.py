"""The two files of a record and its mark: what is written, and what is understood of it.

    record.json          {..., "format": 2, "job": ..., "seal": SHA-256 of the arrays and of all
                         that stands before it}
    arrays.safetensors
    done                 the mark: {name: SHA-256} of the two

The mark and the seal say the same. A record whose mark was lost can so be told from one that was
never whole. Records of format 1 bear neither seal nor format.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ddiv.trial.job import Job

# Raise this when a reader of today would misunderstand what is written.
FORMAT = 2

FACTS, ARRAYS, MARK = "record.json", "arrays.safetensors", "done"

_SEAL = re.compile(rb',"seal":"([0-9a-f]{64})"\}\Z')


class OfAnotherVersion(Exception):
    """A record is whole, and this ddiv does not understand it; the message says what."""


class Contents(NamedTuple):
    """What a record's files hold."""

    job: Job
    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]


def written(
    job: Job, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> dict[str, bytes]:
    """The contents of a record's files by name, the mark last."""
    from safetensors.numpy import save

    packed = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    fields = {**facts, "job": msgspec.to_builtins(job), "format": FORMAT}
    text = msgspec.json.encode(fields, order="sorted")[:-1]
    sealed = text + b',"seal":"%s"}' % _seal(text, packed)
    texts = {FACTS: sealed, ARRAYS: packed}
    return texts | {MARK: mark(texts)}


def mark(texts: Mapping[str, bytes]) -> bytes:
    """The contents of the mark of a record with these files."""
    return msgspec.json.encode(checksums(texts))


def marked(text: bytes) -> dict[str, str]:
    """The checksums that a mark holds; empty where it is damaged."""
    try:
        sums: dict[str, str] = msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return sums


def checksums(texts: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each of a record's files."""
    return {name: hashlib.sha256(texts[name]).hexdigest() for name in (FACTS, ARRAYS)}


def kept_seal(texts: Mapping[str, bytes]) -> bool | None:
    """Whether the files of a record are those that were sealed; None where they bear no seal."""
    seal = _SEAL.search(texts[FACTS])
    if seal is None:
        return None
    return _seal(texts[FACTS][: seal.start()], texts[ARRAYS]) == seal[1]


def _seal(text: bytes, arrays: bytes) -> bytes:
    total = hashlib.sha256(hashlib.sha256(arrays).digest() + text)
    return total.hexdigest().encode()


def understood(texts: Mapping[str, bytes]) -> Contents:
    """What files with the right checksums hold. Raises OfAnotherVersion."""
    from safetensors.numpy import load

    try:
        facts = msgspec.json.decode(texts[FACTS], type=dict[str, Any])
        made = facts.pop("format", 1)
        if isinstance(made, int) and made <= FORMAT:
            facts.pop("seal", None)
            job: Job = msgspec.convert(facts.pop("job"), type=Job)
            return Contents(job, facts, load(texts[ARRAYS]))
    except MemoryError:
        raise
    except Exception as error:
        # The parsers can raise anything.
        raise OfAnotherVersion(f"{type(error).__name__}: {error}") from error
    raise OfAnotherVersion(f"its format is {made}, and this ddiv knows those up to {FORMAT}")
