"""The store: measured records on disk, one folder per record.

    STORE/trials/KEY/record.json          the job and everything that is text or a few numbers
                     arrays.safetensors   eigenvalues, log-probabilities, curves
                     done                 SHA-256 of the two, written last
    STORE/runs/RUN/...                    what one pytest run decided (see `ddiv.run`)

A record appears whole or not at all: it is written into a temporary folder, flushed to the disk and
renamed. Nothing is pickled. A record that cannot be read is an error that names the folder to
delete. It is never silently trained again, because a damaged disk should be noticed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from filelock import FileLock

from ddiv.common.files import _flush_folder, write_durably
from ddiv.trial import job as trials
from ddiv.trial.job import Job

# No record takes an hour to write, so an older draft was left behind by a killed process.
ABANDONED_SECONDS = 3600


class StoreError(Exception):
    """The store cannot be written or read; the message names the cause and the remedy."""


class CorruptRecord(StoreError):
    """A stored record is damaged; the message names its folder."""


@dataclass(frozen=True)
class Record:
    """The measurements of one job: `facts`, which JSON can hold, and `arrays` by name.

    The function that measures a kind of job documents its facts and arrays.
    """

    job: Job
    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def key(self) -> str:
        return trials.key(self.job)


class Store:
    """Records by key below the folder `root`, which is made when something is first written."""

    def __init__(self, root: Path | str):
        self.root = Path(root)

    def path(self, key: str) -> Path:
        return self.root / "trials" / key

    def __contains__(self, job: Job) -> bool:
        return (self.path(trials.key(job)) / "done").exists()

    def keys(self) -> list[str]:
        """The keys of all complete records, sorted."""
        return sorted(path.parent.name for path in self.root.glob("trials/*/done"))

    def load(self, job: Job) -> Record:
        """The record of this job.

        Raises KeyError where there is none, CorruptRecord where it is damaged.
        """
        record = self.read(trials.key(job))
        if record.job != job:
            raise self._corrupt(record.key, "it holds another job than its name says")
        return record

    def read(self, key: str) -> Record:
        """The record with this key. Raises as `load` does."""
        from safetensors.numpy import load

        folder = self.path(key)
        if not (folder / "done").exists():
            raise KeyError(key)
        try:
            sums = msgspec.json.decode((folder / "done").read_bytes(), type=dict[str, str])
            texts = {
                name: (folder / name).read_bytes() for name in ("record.json", "arrays.safetensors")
            }
            for name, text in texts.items():
                if hashlib.sha256(text).hexdigest() != sums.get(name):
                    raise self._corrupt(key, f"the contents of {name} do not match the checksum")
            facts = msgspec.json.decode(texts["record.json"], type=dict[str, Any])
            job: Job = msgspec.convert(facts.pop("job"), type=Job)
            return Record(job, facts, load(texts["arrays.safetensors"]))
        except CorruptRecord:
            raise
        except Exception as error:
            # A damaged file can make the parsers raise anything.
            raise self._corrupt(key, f"{type(error).__name__}: {error}") from error

    def _corrupt(self, key: str, cause: str) -> CorruptRecord:
        return CorruptRecord(
            f"the record {key} in the store is damaged ({cause}). All other records are untouched. "
            f"To measure this one again: rm -r {self.path(key)}"
        )

    def save(self, record: Record) -> None:
        """Write a record so that it is whole or absent.

        Raises StoreError (full disk, no permission).
        """
        from safetensors.numpy import save

        # Of two records with one key either will do, so the first writer wins and the second record
        # is dropped.
        target = self.path(record.key)
        facts = {**record.facts, "job": msgspec.to_builtins(record.job)}
        arrays = {name: np.ascontiguousarray(array) for name, array in record.arrays.items()}
        files = {
            "record.json": msgspec.json.encode(facts, order="sorted"),
            "arrays.safetensors": save(arrays),
        }
        sums = {name: hashlib.sha256(text).hexdigest() for name, text in files.items()}
        draft = self.root / "drafts" / f"{record.key}.{uuid.uuid4().hex[:8]}"
        try:
            draft.mkdir(parents=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            for name, text in [*files.items(), ("done", msgspec.json.encode(sums))]:
                write_durably(draft / name, text)
            if target.exists() and not (target / "done").exists():
                shutil.rmtree(target)
            os.rename(draft, target)
            _flush_folder(target.parent)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY) and (target / "done").exists():
                return
            raise self.unwritable(error) from error

    def check_writable(self) -> None:
        """Raise StoreError now rather than after the first trial has been trained.

        Also deletes the drafts that killed processes left behind.
        """
        try:
            for draft in self.root.glob("drafts/*"):
                if time.time() - draft.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(draft, ignore_errors=True)
            probe = self.root / "drafts" / f"probe.{uuid.uuid4().hex[:8]}"
            probe.mkdir(parents=True)
            write_durably(probe / "probe", b"x" * 4096)
            shutil.rmtree(probe)
        except OSError as error:
            raise self.unwritable(error) from error

    def unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"the store {self.root} cannot be written: {error.strerror or error}. "
            "What it already holds is untouched. "
            "Free some space or give another folder with --store FOLDER (or DDIV_STORE)."
        )

    def lock(self, name: str) -> FileLock:
        """A lock shared by all processes on this machine.

        The system releases it when its holder dies.
        """
        folder = self.root / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.unwritable(error) from error
        return FileLock(folder / name, thread_local=False)

    def records(self) -> Iterator[Record]:
        """Every complete record. Raises CorruptRecord at the first damaged one."""
        return map(self.read, self.keys())
