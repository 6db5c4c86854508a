"""The store: measured records on disk, one folder per record.

    STORE/trials/KEY/record.json          the job and everything that is text or a few numbers
                     arrays.safetensors   eigenvalues, log-probabilities, curves
                     done                 SHA-256 of the two, written last
    STORE/metrics-2/..., mp-1/, tail-1/   derived from records (see `ddiv.outcome.derived`)
    STORE/runs/RUN/...                    what one pytest run decided (see `ddiv.run`)

A record appears whole or not at all: it is written into a temporary folder, flushed to the disk and
renamed. Nothing is pickled. A record that is damaged is an error that names the folder to delete.
It is never silently trained again, because a damaged disk should be noticed. What another version
of ddiv wrote, or what may not be read, is not called damaged.
"""

from __future__ import annotations

import errno
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ddiv.common import locks
from ddiv.common.digests import file_digest
from ddiv.common.drafts import draft_of, sweep
from ddiv.common.errors import cause, remedy
from ddiv.common.files import (
    contents,
    listed,
    make_folder,
    rename_durably,
    write_atomically,
    write_durably,
)
from ddiv.common.printed import removal
from ddiv.trial import job as trials
from ddiv.trial import record_files
from ddiv.trial.job import Job
from ddiv.trial.record_files import ARRAYS, FACTS, MARK

LOG = logging.getLogger(__name__)

# Folders of the store whose many entries are not looked through for drafts.
_NOT_SWEPT = ("trials", "runs", "locks", "drafts")

# What else lies among the records is none of ours.
_KEY = re.compile(r"[0-9a-f]{20}")


class StoreError(Exception):
    """The store cannot be written or read; the message names the cause and the remedy."""


class CorruptRecord(StoreError):
    """A stored record is damaged; the message names its folder."""


class ForeignRecord(StoreError):
    """A stored record is whole, but another version of ddiv wrote it, most likely a newer one."""


class NoRecord(KeyError):
    """The store has no record of this key."""


@dataclass(frozen=True)
class Record:
    """The measurements of one job: `facts`, which JSON can hold, and `arrays` by name.

    The function that measures a kind of job documents its facts and arrays.
    """

    job: Job
    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(repr=False)
    # Known of a record that was read. Not among the arguments, as `replace` must not carry it over
    # to other contents.
    _digest: str = field(default="", init=False, repr=False, compare=False)

    @property
    def key(self) -> str:
        return trials.key(self.job)

    @property
    def was_read(self) -> bool:
        """Whether it comes from a store, so that its `digest` is known."""
        return bool(self._digest)

    @property
    def digest(self) -> str:
        """A name for the contents: what is derived from a record goes by it."""
        if self._digest:
            return self._digest
        files = record_files.written(self.job, self.facts, self.arrays)
        return _digest(record_files.checksums(files))


def _digest(sums: Mapping[str, str]) -> str:
    return "".join(sums.values())


class Store:
    """Records by key below the folder `root`, which is made when something is first written."""

    def __init__(self, root: Path | str):
        self.root = Path(root)

    def path(self, key: str) -> Path:
        return self.root / "trials" / key

    def __contains__(self, job: Job) -> bool:
        return self._has(trials.key(job))

    def keys(self) -> list[str]:
        """The keys of all complete records, sorted; damaged ones are among them.

        Raises StoreError where the store cannot be listed.
        """
        try:
            names = listed(self.root / "trials")
        except OSError as error:
            raise StoreError(
                f"the records of the store {self.root} cannot be listed ({cause(error)}): see to "
                f"{error.filename}"
            ) from error
        return sorted(name for name in names if _KEY.fullmatch(name) and self._has(name))

    def load(self, job: Job) -> Record:
        """The record of this job. Raises as `read`."""
        record = self.read(trials.key(job))
        if record.job != job:
            raise self._corrupt(trials.key(job), "it holds another job than its name says")
        return record

    def read(self, key: str) -> Record:
        """The record with this key.

        Raises NoRecord, a KeyError, where there is none, CorruptRecord where it is damaged,
        ForeignRecord where another version of ddiv wrote it, and StoreError where it may not be
        read.
        """
        if not self._has(key):
            raise NoRecord(key)
        try:
            texts = self._texts(key)
            sums = self._checksums(key, texts)
        except FileNotFoundError as error:
            if not self.path(key).exists():
                raise self._unreadable(key, "a link leads to what is not there") from None
            raise self._corrupt(key, f"{Path(error.filename).name} is missing") from None
        except NotADirectoryError:
            raise self._corrupt(key, "a file lies where its folder belongs") from None
        except OSError as error:
            raise self._unreadable(key, cause(error)) from error
        try:
            record = Record(*record_files.understood(texts))
        except record_files.OfAnotherVersion as error:
            raise self._foreign(key, str(error)) from error
        object.__setattr__(record, "_digest", _digest(sums))  # the dataclass is frozen
        return record

    def _has(self, key: str) -> bool:
        """Whether there is a record of this key, be it damaged or its mark lost."""
        folder = self.path(key)
        try:
            (folder / MARK).stat()
        except FileNotFoundError:
            if _leads_nowhere(folder) or _leads_nowhere(folder.parent):
                return True  # it lies where it cannot be seen now
            return (folder / FACTS).exists() and self._was_whole(key)
        except OSError:
            pass  # `read` says why it cannot be read
        return True

    def _was_whole(self, key: str) -> bool:
        """Whether a folder without its mark holds more than the remains of an unfinished write.

        No loss of power takes the mark alone, because a folder reaches the disk before it gets its
        name. So the mark was lost later, and what it vouched for is not trained again.
        """
        try:
            texts = self._texts(key)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        if record_files.kept_seal(texts) is not None:
            return True
        try:
            record_files.understood(texts)
        except record_files.OfAnotherVersion:
            return False
        return True

    def _texts(self, key: str) -> dict[str, bytes]:
        folder = self.path(key)
        try:
            return {name: contents(folder / name) for name in (FACTS, ARRAYS)}
        except FileNotFoundError:
            if _is_of_other_files(folder):
                raise self._foreign(key, "it has other files") from None
            raise

    def _checksums(self, key: str, texts: Mapping[str, bytes]) -> dict[str, str]:
        """The checksums of a record's files, which are as the mark says.

        A lost mark is written again where the record's own seal shows that it is whole.
        """
        sums = record_files.checksums(texts)
        try:
            marked = record_files.marked(contents(self.path(key) / MARK))
        except FileNotFoundError:
            self._mend(key, texts)
            return sums
        for name, found in sums.items():
            if marked.get(name) != found:
                raise self._corrupt(key, f"the contents of {name} do not match the checksum")
        return sums

    def _mend(self, key: str, texts: Mapping[str, bytes]) -> None:
        kept = record_files.kept_seal(texts)
        if not kept:
            seal = "has none of its own" if kept is None else "does not match its own"
            raise self._corrupt(key, f"its mark `{MARK}` with the checksums is lost, and it {seal}")
        LOG.warning("the record %s had lost its mark, and is whole: the mark is written again", key)
        sweep(self.path(key))
        with suppress(OSError):  # a store that cannot be written can still be read
            write_atomically(self.path(key) / MARK, record_files.mark(texts))

    def _unreadable(self, key: str, why: str) -> StoreError:
        return StoreError(
            f"the record {key} in the store cannot be read ({why}): see to {self.path(key)}"
        )

    def _foreign(self, key: str, why: str) -> ForeignRecord:
        return ForeignRecord(
            f"the record {key} in the store was made by another version of ddiv, most likely a "
            f"newer one ({why}). It is whole, so let it stay. Update ddiv, or give another folder "
            "with --store FOLDER (or DDIV_STORE)."
        )

    def _corrupt(self, key: str, cause: str) -> CorruptRecord:
        return CorruptRecord(
            f"the record {key} in the store is damaged ({cause}). All other records are untouched. "
            f"To measure this one again: {removal(self.path(key))}"
        )

    def save(self, record: Record) -> None:
        """Write a record so that it is whole or absent.

        Raises StoreError (full disk, no permission).
        """
        self.place(record.key, record_files.written(record.job, record.facts, record.arrays))

    def place(self, key: str, files: Mapping[str, bytes]) -> None:
        """Write the files of a record, the mark among them, as `save` does."""
        # Of two records with one key either will do, so the first writer wins and the second record
        # is dropped.
        target = self.path(key)
        draft = draft_of(self.root / "drafts" / key)
        try:
            draft.mkdir(parents=True)
            make_folder(target.parent)
            for name, text in files.items():
                write_durably(draft / name, text)
            if target.exists() and not self._has(key):
                shutil.rmtree(target)
            rename_durably(draft, target)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY) and self._has(key):
                return
            raise self.unwritable(error) from error

    def check_writable(self) -> None:
        """Raise StoreError now rather than after the first trial has been trained.

        Also deletes the drafts that killed processes left behind.
        """
        try:
            self._sweep()
            probe = draft_of(self.root / "drafts" / "probe")
            probe.mkdir(parents=True)
            write_durably(probe / "probe", b"x" * 4096)
            shutil.rmtree(probe)
            make_folder(self.root / "trials")
            self.lock("probe")  # makes the folder
            locks.is_taken(self.lock_file("probe"))
        except OSError as error:
            raise self.unwritable(error) from error

    def _sweep(self) -> None:
        """Delete drafts of records and of tables; those of runs are for `ddiv.run.run.tidy`."""
        sweep(self.root / "drafts", drafts_only=True)
        with suppress(FileNotFoundError):
            folders = [path for path in self.root.iterdir() if path.name not in _NOT_SWEPT]
            sweep(*filter(Path.is_dir, folders))

    def unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"the store {self.root} cannot be written: {cause(error)}. "
            f"What it already holds is untouched. {remedy(error)}, or give another folder with "
            "--store FOLDER (or DDIV_STORE)."
        )

    def lock(self, name: str) -> FileLock:
        """A lock shared by all processes on this machine.

        The system releases it when its holder dies. `ddiv.common.locks.take` takes it.
        """
        path = self.lock_file(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.unwritable(error) from error
        return locks.lock(path)

    def lock_file(self, name: str) -> Path:
        return self.root / "locks" / name

    def records(self) -> Iterator[Record]:
        """Every complete record. Raises StoreError at the first that cannot be read."""
        return map(self.read, self.keys())


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _is_of_other_files(folder: Path) -> bool:
    """Whether the mark of a record vouches for files, and they are none that this ddiv knows."""
    if not (folder / MARK).exists():
        return False
    sums = record_files.marked(contents(folder / MARK))

    def fits(name: str) -> bool:
        path = folder / name
        return path.parent == folder and path.is_file() and file_digest(path) == sums[name]

    return bool(sums) and all(map(fits, sums))
