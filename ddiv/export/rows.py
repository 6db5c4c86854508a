"""The rows that leave ddiv: named tuples with plain values, so that `pandas.DataFrame(rows)` and
`polars.DataFrame(rows)` make typed columns of them.

Every row begins with the version of its kind's schema. A number that is not known, or has no end,
is None. `SCHEMAS` gives the version by the kind: raise it when a column comes to mean something
else, has another type or goes; a new column goes to the end and raises nothing.
"""

# Not `from __future__ import annotations`: polars reads the columns' types off the annotations.

from typing import NamedTuple


class FindingRow(NamedTuple):
    """What a run came to on one question: a claim (in one of its variants) put to a study.

    - `verdict`: what the claim is judged by, as claimed or specific (`judged_by`); "not run",
      "error" or "not applicable" where there is none, and then `reason` says why;
    - `control_of`: the family that the claim is a negative control of, "" for a claim of a paper;
    - `direction`: "rises" or "falls", as claimed; `effect` and its interval `low` to `high` are in
      `unit`, the median over `seeds` of the `effects` (one a seed); `decided_at`: the number of
      seeds at which the verdict fell; `evidence_for` and `evidence_against` are the two halves of
      the capital, and 1 / `alpha` decides; `p`: of the exact sign test where it decides;
    - `specific`, and the columns that begin so: the verdict beyond a slower or shorter training;
    - `withheld`: the numbers behind it cannot be relied on, so it is inconclusive; `negligible`,
      `hardly_trained`, `caveats`: as on the page; `expected`: the verdict that the ledger lists.
    """

    schema: int
    run: str
    profile: str
    claim: str
    variant: str
    study: str
    family: str
    control_of: str
    statement: str
    source: str
    test: str
    verdict: str
    reason: str
    judged_by: str
    outcome: str
    direction: str
    unit: str
    alpha: float
    seeds: tuple[int, ...]
    effects: tuple[float, ...]
    claimed: str | None
    effect: float | None
    low: float | None
    high: float | None
    standardised: float | None
    evidence_for: float | None
    evidence_against: float | None
    decided_at: int | None
    p: float | None
    specific: str | None
    specific_effect: float | None
    specific_low: float | None
    specific_high: float | None
    specific_evidence_for: float | None
    specific_evidence_against: float | None
    specific_note: str
    negligible: bool | None
    withheld: bool
    hardly_trained: bool
    expected: str | None
    caveats: tuple[str, ...]


class RecordRow(NamedTuple):
    """One record of a store: what was measured, where and when.

    `kind`: "trial", "view", "generator", "samples" or "experiment"; `study` is "" in records of
    versions that did not note it; `arm`: the treatment in words ("baseline" without one); `data`
    and `model`: their kinds; `started`: in UTC, by ISO 8601; `loss` and `accuracy`: of a trial's
    network on its clean training set.
    """

    schema: int
    key: str
    kind: str
    study: str
    arm: str
    seed: int
    label: str
    data: str
    model: str
    seconds: float
    started: str
    device: str
    device_name: str
    torch: str
    loss: float | None
    accuracy: float | None


class MeasurementRow(NamedTuple):
    """One number of one record.

    `outcome` is its name ("alpha", "accuracy", "vendi"), `where` the weight matrices, the domain or
    the space that it is of, `reliable` whether a fit can be relied on (the share of layers; None
    where nothing is fitted). A value that a network does not have is None.
    """

    schema: int
    key: str
    kind: str
    study: str
    arm: str
    seed: int
    outcome: str
    where: str
    value: float | None
    reliable: float | None


SCHEMAS: dict[type, int] = {FindingRow: 1, RecordRow: 1, MeasurementRow: 1}

Row = FindingRow | RecordRow | MeasurementRow
