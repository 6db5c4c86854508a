"""The records of a store as rows, and the numbers that they hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ddiv import outcome as outcomes
from ddiv.export.rows import SCHEMAS, MeasurementRow, RecordRow
from ddiv.outcome import Snapshot, Spectral
from ddiv.outcome.snapshot import can_fail, value
from ddiv.trial import DataView, Experiment, GeneratorFit, Job, Samples, Trial
from ddiv.trial.store import Record, Store, StoreError

KINDS: dict[type, str] = {
    Trial: "trial",
    DataView: "view",
    GeneratorFit: "generator",
    Samples: "samples",
    Experiment: "experiment",
}

# The columns of a trained record's table that are no outcome, but say of one whether to believe it.
_NOT_SPECTRAL = ("reliable",)


class Measured(NamedTuple):
    """A number that a record holds; `reliable` is the share of its layers' fits to rely on."""

    outcome: str
    where: str
    value: float | None
    reliable: float | None = None


def whole(store: Store, complain: Callable[[str], None]) -> Iterator[Record]:
    """Every record that can be read, by key; `complain` is told of each that cannot."""
    for key in store.keys():  # noqa: SIM118
        try:
            yield store.read(key)
        except StoreError as error:
            complain(str(error))


def record_row(record: Record) -> RecordRow:
    """The row of a record."""
    job, made = record.job, record.facts["provenance"]
    clean = record.facts.get("clean", {})
    return RecordRow(
        schema=SCHEMAS[RecordRow],
        **_common(record),
        label=job.label,
        data=type(job.data).__name__ if job.data else "",
        model=type(job.backbone).__name__ if isinstance(job, Trial) else "",
        seconds=made["seconds"],
        started=_time(made["started"]) if "started" in made else "",
        device=made["device"],
        device_name=made["device_name"],
        torch=made.get("torch", ""),  # nothing was trained where tables were read
        loss=_known(clean.get("loss")),
        accuracy=_known(clean.get("accuracy")),
    )


def measurement_rows(record: Record, store: Store | None = None) -> Iterator[MeasurementRow]:
    """A row for each number of a record; spectral tables are kept in `store`, as a run keeps them.

    Of a trained network: every spectral metric of each group of weight matrices (mean over their
    layers, of exponents the median), scores on the training set and in each domain, and outcomes
    of a user's own. Of a view its diversity, of samples their quality, of an experiment its
    numbers.
    """
    common = _common(record)
    for measured in _measured(record, store):
        yield MeasurementRow(SCHEMAS[MeasurementRow], **common, **measured._asdict())


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _common(record: Record) -> dict[str, Any]:
    job = record.job
    return {
        "key": record.key,
        "kind": KINDS[type(job)],
        "study": job.study,
        "arm": _arm(job),
        "seed": job.seed,
    }


def _arm(job: Job) -> str:
    """What is varied, in words."""
    match job:
        case Trial() | DataView():
            return "baseline" if job.treatment.is_baseline else job.treatment.label
        case Experiment():
            return job.call.label
        case Samples():
            return f"{job.setting.name}, round {job.round}"
        case GeneratorFit():
            return f"{job.generator.label}, round {job.round}"


def _measured(record: Record, store: Store | None) -> Iterator[Measured]:
    match record.job:
        case Trial():
            yield from _of_network(record, store)
        case Experiment():
            for name, number in record.facts["numbers"].items():
                yield Measured(name, "", _known(number))
        case _:
            for name, numbers in record.facts.items():
                if name not in ("provenance", "settings", "history"):
                    yield from _within(name, numbers)


def _within(name: str, numbers: object, where: str = "") -> Iterator[Measured]:
    """The numbers of a fact that has them by name, however deep."""
    if isinstance(numbers, dict):
        for key, each in numbers.items():
            yield from _within(name, each, f"{where}, {key}" if where else str(key))
    elif isinstance(numbers, float | int) and not isinstance(numbers, bool):
        yield Measured(name, where, _known(numbers))


def _of_network(record: Record, store: Store | None) -> Iterator[Measured]:
    trained = outcomes.read(record, store)
    state = trained.after
    single = [group for group in state.available if not group.startswith("layer:")]
    for metric in trained.spectra:
        for group in () if metric in _NOT_SPECTRAL else single:
            yield _spectral(Spectral(metric, group), state)  # type: ignore[arg-type]
    for name, score in state.scores.items():
        kind, where = name.split("/", 1)
        yield Measured(kind, where, _known(score))
    own = record.facts.get("outcomes", {}).get("after", {})
    for name, number in own.items():
        yield Measured(name, "", _known(number))


def _spectral(outcome: Spectral, state: Snapshot) -> Measured:
    share = float(state.reliable(outcome).mean()) if can_fail(outcome) else None
    return Measured(outcome.metric, outcome.layers, _known(value(outcome, state)), share)


def _known(number: object) -> float | None:
    return float(number) if isinstance(number, float | int) and math.isfinite(number) else None
