"""Effects of published tables by study, arm, part of the network and metric.

An effect is the change by training of an arm less that of its study's baseline, matrix by matrix;
then the mean, or the median, over the matrices of a part.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ddiv.common.arrays import Array
from ddiv.data.tables import arm_layers
from ddiv.outcome import spectral_columns
from ddiv.study import TableArm, TableSet

FILE = Path(__file__).parent / "effects.csv"

# The metrics of `ddiv.outcome.tabled`, in the order of the columns.
METRICS = (
    *("alpha", "num_pl_spikes", "entropy_normalised", "stable_rank", "mp_soft_rank"),
    *("frobenius_norm", "log_norm", "spectral_norm", "log_spectral_norm"),
)

# The classification layer has one matrix; of the encoder's the mean and the median.
PARTS = ("classifier", "encoder", "encoder, median")


class Row(NamedTuple):
    """The effects of one arm on one part of the network, by metric; NaN where a table has none."""

    study: str
    arm: str
    part: str
    effects: dict[str, float]


def effects(sets: Iterable[TableSet]) -> Iterator[Row]:
    """The effects of all arms but the baselines. Raises as `ddiv.data.tables.arm_layers`."""
    for one in sets:
        arms = [arm for arm in one.arms if arm.has_spectra]
        base, places = _changes(one, next(arm for arm in arms if arm.treatment.is_baseline))
        for arm in arms:
            if not arm.treatment.is_baseline:
                changes, _ = _changes(one, arm)
                for part in PARTS:
                    mask = places == part.partition(",")[0]
                    over = np.median if part.endswith("median") else np.mean
                    found = {
                        name: float(over(changes[name][mask] - base[name][mask]))
                        for name in METRICS
                    }
                    yield Row(one.label, arm.treatment.label, part, found)


def _changes(one: TableSet, arm: TableArm) -> tuple[dict[str, Array], Array]:
    """The change of each metric by training, (matrices,), and the matrices' parts."""
    layers = arm_layers(one, arm)
    columns = spectral_columns(layers.matrices, layers.columns)
    places = np.array([matrix["view"] for matrix in layers.matrices])
    return {name: column[1] - column[0] for name, column in columns.items()}, places


def written(rows: Iterable[Row]) -> str:
    """The rows as CSV, five significant digits each; an empty field where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("study", "arm", "part", *METRICS))
    for row in rows:
        numbers = (row.effects[name] for name in METRICS)
        shown = ("" if np.isnan(number) else f"{number:.5g}" for number in numbers)
        writer.writerow((row.study, row.arm, row.part, *shown))
    return text.getvalue()


@cache
def shipped() -> tuple[Row, ...]:
    """The effects of the authors' ten studies, as the package has them."""
    with open(FILE, encoding="utf-8", newline="") as file:
        return tuple(
            Row(
                row["study"],
                row["arm"],
                row["part"],
                {name: float(row[name] or "nan") for name in METRICS},
            )
            for row in csv.DictReader(file)
        )
