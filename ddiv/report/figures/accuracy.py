"""Table 2: accuracy and calibration of the arms, the paper's figures beside ours."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ddiv import outcome as outcomes
from ddiv.finding import Reader
from ddiv.outcome import NetworkOutcome, Score, Snapshot
from ddiv.report.figures.changes import group_of
from ddiv.report.schema import ScoreCell, ScoreRow, Scores
from ddiv.study import Clip, DomainNet, OpenClip, Study
from ddiv.treatment import BASELINE, Synthetic, Treatment
from ddiv.trial import trial

# The paper's names of what is called otherwise here.
AS_PRINTED = {"augmix": "augM", "trivial": "trAu"}

PLACES = {"id": "in domain", "ood": "mean out of domain"}

IN_TABLE_2 = ("baseline", "augmentation", "synthetic")

# An arm's state after training, and the baseline's at the same seed.
Pair = tuple[Snapshot, Snapshot]


def table(study: Study, seeds: Sequence[int], reader: Reader) -> Scores:
    """The table of a study: a row an arm that the store has, the paper's rows apart."""
    of_tests = [
        score
        for place in ("id", *study.ood_domains, *(["ood"] if study.ood_domains else []))
        for score in (Score("accuracy", place), Score("ece", place))
    ]
    scores: list[Score | NetworkOutcome] = [*of_tests, Score("accuracy", "train"), *study.outcomes]
    rows = list(_rows(study, seeds, reader, scores))
    return Scores(
        study=study.name,
        columns=(*map(_head, of_tests), "training set acc", *map(_whole, study.outcomes)),
        rows=tuple(row for row in rows if row.group in IN_TABLE_2),
        further=tuple(row for row in rows if row.group not in IN_TABLE_2),
        better=tuple(None if score.better == "neither" else score.better for score in scores),
        note="Means over seeds; ECE with 15 equal-width bins.",
    )


def _head(score: Score) -> str:
    kind = "acc" if score.kind == "accuracy" else "ECE"
    return f"{PLACES.get(score.where, score.where)} {kind}"


def _whole(outcome: NetworkOutcome) -> str:
    """The head of a column that is not split at its last word."""
    return outcome.label.replace(" ", "\N{NO-BREAK SPACE}")


def _rows(
    study: Study, seeds: Sequence[int], reader: Reader, scores: Sequence[Score | NetworkOutcome]
) -> Iterator[ScoreRow]:
    in_paper = comparable(study)
    for arm in study.arms:
        jobs = [(trial(study, arm, seed), trial(study, BASELINE, seed)) for seed in seeds]
        pairs = [
            (reader.trained(job).after, reader.trained(base).after)
            for job, base in jobs
            if reader.has(job) and reader.has(base)
        ]
        if pairs:
            cells = tuple(_cell(score, pairs, arm, in_paper) for score in scores)
            yield ScoreRow(arm.label, cells, group_of(study, arm))


def _cell(
    score: Score | NetworkOutcome, pairs: Sequence[Pair], arm: Treatment, in_paper: bool
) -> ScoreCell:
    ours = spread(outcomes.value(score, state) for state, _ in pairs)
    delta = None
    if not arm.is_baseline:
        delta = float(np.mean([outcomes.effect(score, state, base) for state, base in pairs]))
    theirs = {}
    if in_paper and isinstance(score, Score):
        theirs = printed(arm, score.kind, score.where)
    return ScoreCell(ours.mean, ours.sd, delta, **theirs)


class Spread(NamedTuple):
    """Of some values: their mean, and their standard deviation (None for a single value)."""

    mean: float
    sd: float | None


def spread(values: Iterable[float]) -> Spread:
    """The mean and spread of values over seeds."""
    array = np.array(list(values))
    return Spread(float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else None)


def comparable(study: Study) -> bool:
    """Whether a study is of the kind of the paper's table 2: a CLIP on the domains of DomainNet."""
    return isinstance(study.backbone, Clip | OpenClip) and study.domains == DomainNet().domains


def printed(arm: Treatment, kind: str, place: str) -> dict[str, float]:
    """The number of an arm in the paper's table 2, "paper", and its difference from the paper's
    baseline, "paper_delta"; empty where the paper has nothing.
    """
    columns, rows, _ = paper()
    row = _row(arm)
    if row not in rows or (place, kind) not in columns:
        return {}
    at = columns.index((place, kind))
    number, base = rows[row][at], rows["baseline"][at]
    return {"paper": number, **({} if row == "baseline" else {"paper_delta": number - base})}


def _row(arm: Treatment) -> str:
    if part := arm.part(Synthetic):
        return f"synthetic({part.share:.2f})" if arm.parts == (part,) and part.round == 1 else ""
    return AS_PRINTED.get(arm.label, arm.label)


class PaperTable(NamedTuple):
    """The paper's table 2."""

    columns: tuple[tuple[str, str], ...]  # place and kind
    rows: dict[str, tuple[float, ...]]  # by arm: shares, one a column
    source: str


@cache
def paper() -> PaperTable:
    """The paper's table 2, from `paper_table2.toml`."""
    read = tomllib.loads(Path(__file__).with_name("paper_table2.toml").read_text("utf-8"))
    columns = [column.split() for column in read["columns"]]
    scale = [0.01 if kind == "accuracy" else 1.0 for _, kind in columns]
    rows = {
        name: tuple(round(value * by, 6) for value, by in zip(row, scale, strict=True))
        for name, row in read["rows"].items()
    }
    return PaperTable(tuple((place, kind) for place, kind in columns), rows, read["source"])
