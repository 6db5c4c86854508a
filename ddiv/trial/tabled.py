"""From published tables to records: the "measuring" of a trial, or a view, that is only read.

A trial's record holds WeightWatcher's columns, and not eigenvalues:

- facts: `layers` (as every trial's; `eigenvalues` is WeightWatcher's count), `domains`, `scores`
  ("accuracy/id", "ece/id" where they are known), `provenance`;
- arrays: "weightwatcher/COLUMN", (2, matrices): before training, and after.

A view's has the fact `vendi`, by space.
"""

from __future__ import annotations

import platform
import time
from typing import Any

from ddiv.common.errors import TrialFailed
from ddiv.data.tables import arm_layers
from ddiv.study import TableArm, TableSet
from ddiv.study.tables import DOMAIN
from ddiv.treatment import NoOp, Treatment
from ddiv.trial.job import DataView, Job, Trial
from ddiv.trial.store import Record

# The prefix of the arrays that hold WeightWatcher's columns.
COLUMN = "weightwatcher/"

_NO_OP = Treatment.of(NoOp())


def is_tabled(job: Job) -> bool:
    """Whether a job is only read from tables."""
    return isinstance(job, Trial | DataView) and isinstance(job.data, TableSet)


def read_tables(job: Job) -> Record:
    """The record of a trial or view of published tables.

    Raises TrialFailed where the set has no such arm, and as `ddiv.data.tables.arm_layers`.
    """
    assert isinstance(job, Trial | DataView) and isinstance(job.data, TableSet)
    started = time.time()
    if isinstance(job, DataView):
        facts: dict[str, Any] = {"vendi": scores_of(_arm(job.data, job.treatment))}
        return Record(job, facts | _made(started), {})
    one, arm = job.data, _arm(job.data, job.treatment)
    layers = arm_layers(one, arm)
    known = {"accuracy/id": arm.accuracy, "ece/id": arm.ece}
    facts = {
        "layers": layers.matrices,
        "domains": [DOMAIN],
        "scores": {name: score for name, score in known.items() if score is not None},
    }
    arrays = {COLUMN + name: column for name, column in layers.columns.items()}
    return Record(job, facts | _made(started), arrays)


def scores_of(arm: TableArm) -> dict[str, float]:
    """The Vendi Scores of an arm that are known, by space."""
    known = {"pixel": arm.pixel, "embedding": arm.embedding}
    return {space: score for space, score in known.items() if score is not None}


def _arm(one: TableSet, treatment: Treatment) -> TableArm:
    """The arm of a set. The no-op, a second baseline, is the only one that the set has."""
    arm = one.arm(treatment)
    if arm is None and treatment == _NO_OP:
        arm = next(each for each in one.arms if each.treatment.is_baseline)
    if arm is None:
        raise TrialFailed(f"the tables of {one.label} have no arm {treatment.label}")
    return arm


def _made(started: float) -> dict[str, Any]:
    """A record's provenance: nothing was trained here."""
    facts = {
        "started": started,
        "seconds": time.time() - started,
        "device": "none",
        "device_name": "read from tables",
        "threads": 1,
        "python": platform.python_version(),
    }
    return {"provenance": facts}
