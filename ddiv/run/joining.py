"""Stores checked, copied and merged: nothing goes over that is not whole.

Records go by their keys: a job that both stores have keeps the record that is there. Runs go by
their ids, calibrations by their fingerprints, derived tables with their records (a table that does
not belong to its record is computed anew, see `ddiv.outcome.derived`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from ddiv.common import locks
from ddiv.common.files import contents, listed, write_atomically
from ddiv.finding import Calibration
from ddiv.run import files
from ddiv.run import run as runs
from ddiv.run.notes import damage
from ddiv.run.waiting import at_tests
from ddiv.trial.record_files import ARRAYS, FACTS, MARK, checksums, mark
from ddiv.trial.store import Record, Store, StoreError

CALIBRATIONS = "calibrations"

# Folders of a store that hold no derived tables.
_OTHERS = ("trials", "runs", "locks", "drafts", CALIBRATIONS)

# Two trainings of one job count as the same where their numbers agree as two processors' do.
TOLERANCE = 1e-3


@dataclass
class Joined:
    """What was found in a store, or brought from one into another.

    `bad`: a line on each thing that is damaged or cannot be read, and so was left where it is;
    `notes`: what is whole and stayed behind, or differs.
    """

    records: int = 0
    known: int = 0  # records that were there before
    runs: int = 0
    calibrations: int = 0
    bad: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check(store: Store) -> Joined:
    """Read all records, runs and calibrations of a store against their checksums.

    Raises StoreError where they cannot be listed.
    """
    found = Joined()
    found.records = sum(1 for _ in _records(store, found))
    found.runs = sum(1 for _ in _runs(store, found))
    found.calibrations = sum(1 for _ in _calibrations(store, found))
    return found


def bring(source: Store, target: Store) -> Joined:
    """Copy into `target` what is whole in `source` and not there yet.

    Raises StoreError where `source` cannot be listed or `target` cannot be written; what has come
    over by then is whole.
    """
    if source.root.resolve() == target.root.resolve():
        raise StoreError(f"{target.root} cannot be joined with itself: name another store")
    target.check_writable()
    found, differing = Joined(), 0
    tables = _tables(source)
    for record in _records(source, found):
        if record.job in target:
            found.known += 1
            differing += _differs(record, target, found)
            continue
        # As they are: what is derived from a record goes by its bytes.
        texts = {name: contents(source.path(record.key) / name) for name in (FACTS, ARRAYS)}
        if "".join(checksums(texts).values()) != record.digest:
            found.bad.append(f"the record {record.key} changed while it was copied")
            continue
        target.place(record.key, texts | {MARK: mark(texts)})
        _bring_tables(tables.get(record.key, ()), source, target)
        found.records += 1
    if differing:
        found.notes.append(
            f"{differing} of the records that both have are of trainings that differ by more than "
            f"{TOLERANCE:g} (another processor or version of torch): those of {target.root} stay"
        )
    _bring_runs(source, target, found)
    for path in _calibrations(source, found):
        there = target.root / CALIBRATIONS / path.name
        if not there.exists():
            _write(target, there, contents(path))
            found.calibrations += 1
        elif contents(there) != contents(path):
            found.notes.append(f"the calibration {path.name} differs: that of {target.root} stays")
    return found


# --- records ------------------------------------------------------------------------------------


def _records(store: Store, found: Joined) -> Iterator[Record]:
    """Every record that is whole and has the key of its job; the others are told in `found`."""
    for key in store.keys():  # noqa: SIM118
        try:
            record = store.read(key)
        except StoreError as error:
            found.bad.append(str(error))
            continue
        if record.key == key:
            yield record
        else:
            # Whole, and never read by this version: its jobs have other names.
            found.notes.append(
                f"the record {key} is of a version of ddiv in which training meant something else "
                f"(its job is called {record.key} now): it stays behind"
            )


def _differs(record: Record, target: Store, found: Joined) -> bool:
    """Whether the target's record of the same job says something else."""
    try:
        there = target.read(record.key)
    except StoreError as error:
        found.bad.append(str(error))
        return False
    return there.digest != record.digest and not _agree(record, there)


def _agree(one: Record, other: Record) -> bool:
    """Whether two records of one job have the same eigenvalues and outputs, but for rounding."""
    return one.arrays.keys() == other.arrays.keys() and all(
        _close(array, other.arrays[name]) for name, array in one.arrays.items()
    )


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))


def _tables(store: Store) -> dict[str, list[Path]]:
    """The derived tables of a store, by the key of their record."""
    found: dict[str, list[Path]] = {}
    for folder in map(store.root.joinpath, listed(store.root)):
        if folder.name in _OTHERS or not folder.is_dir():
            continue
        for name in files.names(folder, ".table"):
            found.setdefault(_key_of(name), []).append(folder / name)
    return found


def _key_of(name: str) -> str:
    """The key of the record that a table is derived from, by the table's name."""
    return name.removesuffix(".table").partition("-")[0]


def _bring_tables(paths: list[Path] | tuple[()], source: Store, target: Store) -> None:
    for path in paths:
        there = target.root / path.relative_to(source.root)
        if not there.exists():
            with suppress(OSError):  # it is computed anew where it is lacking
                write_atomically(there, contents(path), durable=False)


# --- runs and calibrations ----------------------------------------------------------------------


def _runs(store: Store, found: Joined) -> Iterator[runs.Run]:
    """Every run that is whole; the others are told in `found`, and those that are going on."""
    stored = runs.stored(store)
    found.bad += stored.damaged
    for run in stored.runs:
        place = runs.folder(store, run.id)
        if any(map(locks.is_taken, at_tests(place))):
            found.notes.append(f"the run {run.id} is going on: join the stores again at its end")
            continue
        lost = runs.questions(store, run.id).lost or damage(place, run.measured)
        if lost:
            found.bad.append(lost)
        else:
            yield run


def _bring_runs(source: Store, target: Store, found: Joined) -> None:
    for run in _runs(source, found):
        here, there = runs.folder(source, run.id), runs.folder(target, run.id)
        if (there / "run.json").exists():
            if contents(there / "run.json") != contents(here / "run.json"):
                found.notes.append(f"the run {run.id} differs: that of {target.root} stays")
            continue
        kept = [here / "plan.json", here / "journal.jsonl"]
        for folder in ("asked", "failed"):
            kept += [here / folder / name for name in files.names(here / folder)]
        # run.json last: without it the folder is no run.
        for path in filter(Path.is_file, (*kept, here / "run.json")):
            # As a run itself writes them: what is lost of the others is told by run.json.
            durable = path.name == "run.json"
            _write(target, there / path.relative_to(here), contents(path), durable)
        found.runs += 1


def _calibrations(store: Store, found: Joined) -> Iterator[Path]:
    for name in files.names(store.root / CALIBRATIONS, ".json"):
        path = store.root / CALIBRATIONS / name
        try:
            of = msgspec.json.decode(contents(path), type=Calibration)
            if f"{of.fingerprint}.json" != name:
                found.bad.append(f"{path} is damaged: it is of {of.fingerprint}")
                continue
        except (OSError, msgspec.MsgspecError) as error:
            found.bad.append(f"{path} is damaged, or of another version of ddiv ({error})")
            continue
        yield path


def _write(target: Store, path: Path, content: bytes, durable: bool = True) -> None:
    try:
        write_atomically(path, content, durable)
    except OSError as error:
        raise target.unwritable(error) from error
