"""WeightWatcher's tables from files: a row a weight matrix, columns under its own names.

Made by `WeightWatcher(model).analyze(mp_fit=True)` and `to_csv` (version 0.7.7; older ones have the
same columns). A table's own index column and further columns are not read.
"""

from __future__ import annotations

import csv
import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ddiv.common.digests import file_digest
from ddiv.data.root import FOLDER_VARIABLE, BadData, data_root
from ddiv.study import TableArm, Tables, TableSet

NAME = "longname"

# Numbers that every table has, and those that only some have.
NEEDED = (
    *("N", "M", "num_evals", "alpha", "sigma", "num_pl_spikes"),
    *("entropy", "norm", "spectral_norm"),
)
OPTIONAL = ("rf", "mp_softrank")

# What WeightWatcher calls a convolution, in a column of words.
TYPE, CONVOLUTION = "layer_type", "conv2d"


class Layers(NamedTuple):
    """The matrices of an arm that are in the classification layer or the encoder.

    `matrices` describe them as a record's fact "layers" does; `columns` are WeightWatcher's, each
    (2, matrices): before training and after.
    """

    matrices: list[dict[str, Any]]
    columns: dict[str, np.ndarray]


def absent_tables(spec: Tables | TableSet) -> str | None:
    """Why the folders of tables are not at hand, and what to do; None where they are."""
    how = f": {spec.source}" if isinstance(spec, Tables) and spec.source else ""
    for one in spec.sets if isinstance(spec, Tables) else (spec,):
        folder = data_root() / one.folder
        files = [file for arm in one.arms if arm.has_spectra for file in (arm.before, arm.after)]
        if not folder.is_dir():
            return (
                f"there is no folder {folder} with the tables of {one.label}: let --data-root (or "
                f"{FOLDER_VARIABLE}) name what holds {one.folder or 'them'}{how}"
            )
        if missing := [file for file in files if not (folder / file).is_file()]:
            return (
                f"the tables of {one.label} are of another shape: {folder} has no "
                f"{missing[0]} ({len(missing)} of {len(files)} files are missing): put it there, "
                f"or leave that arm out{how}"
            )
    return None


def pinned(spec: Tables) -> Tables:
    """The tables with the digests of their files' contents; as they are where files are missing.

    Raises BadData on a file that cannot be read.
    """
    if absent_tables(spec):
        return spec
    return msgspec.structs.replace(spec, sets=tuple(map(_pinned, spec.sets)))


def _pinned(one: TableSet) -> TableSet:
    return one if one.digest else msgspec.structs.replace(one, digest=_digest(one))


def _digest(one: TableSet) -> str:
    """SHA-256 over the names and contents of all tables of a set."""
    total, folder = hashlib.sha256(), data_root() / one.folder
    names = {name for arm in one.arms if arm.has_spectra for name in (arm.before, arm.after)}
    for name in sorted(names):
        try:
            status = (folder / name).stat()
            content = _content(folder / name, status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise BadData(
                f"{folder / name} cannot be read ({error.strerror}): look at the disk and at its "
                "permissions"
            ) from error
        total.update(os.fsencode(f"{name}\n{content}\n"))
    return total.hexdigest()


@lru_cache(maxsize=4096)
def _content(path: Path, size: int, changed_ns: int) -> str:
    return file_digest(path)


def arm_layers(one: TableSet, arm: TableArm) -> Layers:
    """The matrices of an arm, read from its two tables.

    Raises BadData where a table is missing, lacks columns, has a value that is no number, has other
    layers than its partner or than the baseline's, or has none of the classification layer or of
    the encoder; and where the files are no longer those that the digest names.
    """
    if one.digest and _digest(one) != one.digest:
        raise BadData(
            f"the tables of {one.label} have changed since this run began: start it anew, so that "
            "records are named by what they were made of"
        )
    before, after = (_table(one, name) for name in (arm.before, arm.after))
    first = next(each for each in one.arms if each.treatment.is_baseline)
    for other, where in ((after, arm.after), (_table(one, first.before), first.before)):
        if list(before) != list(other):
            raise BadData(
                f"the tables {arm.before} and {where} of {one.label} have different layers "
                f"({_apart(list(before), list(other))}): every arm needs the same network"
            )
    groups = [(name, _group(one, name)) for name in before]
    kept = [(name, group) for name, group in groups if group]
    for group in ("classifier", "encoder"):
        if not any(found == group for _, found in kept):
            raise BadData(
                f"no layer of {one.label} is in the {group}: its patterns match none of "
                f"{', '.join(list(before)[:3])}, ..."
            )
    matrices = [_matrix(name, group, before[name]) for name, group in kept]
    columns = {
        column: np.array(
            [[table[name].get(column, math.nan) for name, _ in kept] for table in (before, after)]
        )
        for column in (*NEEDED, *OPTIONAL)
    }
    return Layers(matrices, columns)


def _matrix(name: str, group: str, row: Mapping[str, float]) -> dict[str, Any]:
    positions = int(row.get("rf", 1))
    return {
        "name": name,
        "kind": "conv-pooled" if row[CONVOLUTION] or positions > 1 else "linear",
        "view": group,
        "shape": [int(row["N"]), int(row["M"]), positions],
        "eigenvalues": int(row["num_evals"]),
    }


def _group(one: TableSet, name: str) -> str:
    """The part of the network that a layer belongs to; "" for none."""
    if fnmatchcase(name, one.classifier):
        return "classifier"
    if any(fnmatchcase(name, pattern) for pattern in one.without):
        return ""
    return "encoder" * any(fnmatchcase(name, pattern) for pattern in one.encoder)


def _apart(first: Sequence[str], second: Sequence[str]) -> str:
    """Where two lists of layers differ, in words."""
    if odd := [name for name in (*first, *second) if (name in first) != (name in second)]:
        return f"{odd[0]} is in one of them only"
    return "in another order"


def _table(one: TableSet, name: str) -> dict[str, dict[str, float]]:
    """A table's numbers by layer and column. Raises BadData."""
    path = data_root() / one.folder / name
    if not path.is_file():
        raise BadData(absent_tables(one) or f"{path} is no file")
    status = path.stat()
    return _read(path, status.st_size, status.st_mtime_ns, one.classifier, one.encoder, one.without)


@lru_cache(maxsize=64)
def _read(
    path: Path,
    size: int,
    changed_ns: int,
    classifier: str,
    encoder: tuple[str, ...],
    without: tuple[str, ...],
) -> dict[str, dict[str, float]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadData(f"{path} is no CSV file ({error}): export the table anew") from error
    if lacking := [name for name in (NAME, *NEEDED) if not rows or name not in rows[0]]:
        raise BadData(
            f"{path} is no table of WeightWatcher's details: it has no column "
            f"{', '.join(lacking[:3])}; save what `analyze()` returns by to_csv"
        )
    layers = [row[NAME] for row in rows]
    if len({*layers}) < len(layers):
        raise BadData(f"{path} has a layer twice: save what `analyze()` returns, a row a layer")
    wanted = (classifier, *encoder)
    return {row[NAME]: _numbers(path, row, _is_read(row[NAME], wanted, without)) for row in rows}


def _is_read(name: str, wanted: Sequence[str], without: Sequence[str]) -> bool:
    if fnmatchcase(name, wanted[0]):
        return True
    return not any(fnmatchcase(name, pattern) for pattern in without) and any(
        fnmatchcase(name, pattern) for pattern in wanted
    )


def _numbers(path: Path, row: Mapping[str, str | None], is_read: bool) -> dict[str, float]:
    """The numbers of a row; they are all finite where the layer `is_read`. Raises BadData."""
    numbers = {CONVOLUTION: float(CONVOLUTION in (row.get(TYPE) or ""))}
    for column in (*NEEDED, *OPTIONAL):
        try:
            number = float(row.get(column) or "nan")
        except ValueError:
            number = math.nan
        if is_read and column in NEEDED and not math.isfinite(number):
            raise BadData(
                f"{path}: {column} of the layer {row[NAME]} is {row.get(column) or 'empty'}, no "
                "number: leave that layer out (`without`), in all tables of the set"
            )
        if math.isfinite(number):
            numbers[column] = number
    return numbers
