"""`ddiv.findings`, `ddiv.records` and `ddiv.measurements`: what a store holds, as lists of rows."""

from __future__ import annotations

import logging
import os

from ddiv.common.paths import expanded
from ddiv.export import of_run, of_store
from ddiv.export.rows import FindingRow, MeasurementRow, RecordRow
from ddiv.run import run as runs
from ddiv.trial.places import require_store
from ddiv.trial.store import Store, StoreError

LOG = logging.getLogger(__name__)

Place = str | os.PathLike[str] | Store


def findings(store: Place = ".ddiv", run: str | None = None) -> list[FindingRow]:
    """What a run came to, a row for every question: `pandas.DataFrame(ddiv.findings(".ddiv"))`.

    run: its id (default: the newest run that asked something). The columns are described at
    `ddiv.export.rows.FindingRow`. Raises StoreError where there is no such store or run, or where
    it cannot be read.
    """
    place = _store(store)
    return list(of_run.findings(place, run_of(place, run)))


def records(store: Place = ".ddiv") -> list[RecordRow]:
    """What a store holds, a row for every record. Those that cannot be read are logged.

    Raises StoreError where there is no such store.
    """
    return [of_store.record_row(record) for record in of_store.whole(_store(store), LOG.warning)]


def measurements(store: Place = ".ddiv") -> list[MeasurementRow]:
    """Every number of every record, a row each: metrics of the trained weights, accuracies and
    calibration errors, diversity, results of experiments. As `records`.
    """
    place = _store(store)
    return [
        row
        for record in of_store.whole(place, LOG.warning)
        for row in of_store.measurement_rows(record, place)
    ]


def _store(place: Place) -> Store:
    store = place if isinstance(place, Store) else Store(expanded(place))
    require_store(store.root)
    return store


def run_of(store: Store, run_id: str | None) -> runs.Run:
    """The run of this id, or the newest that asked something. Raises StoreError."""
    if run_id is None:
        found = runs.latest(store)
        if found is None:
            raise StoreError(f"the store {store.root} holds no run that asked something")
        return found
    try:
        return runs.load(store, run_id)
    except FileNotFoundError:
        names = ", ".join(run.id for run in runs.stored(store).runs) or "none"
        raise StoreError(
            f"there is no run {run_id!r} in {store.root}; there are: {names}"
        ) from None
