"""Table 2: accuracy and calibration of the arms, the paper's figures beside ours."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ddiv import outcome as outcomes
from ddiv.finding import Reader
from ddiv.outcome import Score
from ddiv.report.changes import group_of
from ddiv.study import Clip, DomainNet, OpenClip, Study
from ddiv.treatment import BASELINE, Synthetic, Treatment
from ddiv.trial import trial

# The paper's names of what is called otherwise here.
AS_PRINTED = {"augmix": "augM", "trivial": "trAu"}
PLACES = {"id": "in domain", "ood": "mean out of domain"}
IN_TABLE_2 = ("baseline", "augmentation", "synthetic")


def table(study: Study, seeds: Sequence[int], reader: Reader) -> dict[str, Any]:
    """The table of a study, as `report.render` describes it: a row an arm that the store has, the
    paper's rows first.
    """
    columns = [
        (kind, place)
        for place in ("id", *study.ood_domains, *(["ood"] if study.ood_domains else []))
        for kind in ("accuracy", "ece")
    ]
    rows = []
    for arm in study.arms:
        jobs = [(trial(study, arm, seed), trial(study, BASELINE, seed)) for seed in seeds]
        pairs = [
            (reader.trained(mine).after, reader.trained(base).after)
            for mine, base in jobs
            if reader.has(mine) and reader.has(base)
        ]
        if pairs:
            cells = [
                _cell(Score(*column), pairs, arm)
                | (printed(arm, *column) if comparable(study) else {})
                for column in [*columns, ("accuracy", "train")]
            ]
            rows.append({"arm": arm.label, "group": group_of(study, arm), "cells": cells})
    return {
        "study": study.name,
        "rows": [row for row in rows if row["group"] in IN_TABLE_2],
        "further": [row for row in rows if row["group"] not in IN_TABLE_2],
        "columns": [
            *(
                f"{PLACES.get(place, place)} {'acc' if kind == 'accuracy' else 'ECE'}"
                for kind, place in columns
            ),
            "training set acc",
        ],
        "better": [*("higher" if kind == "accuracy" else "lower" for kind, _ in columns), "higher"],
        "note": "Means over seeds; ECE with 15 equal-width bins.",
    }


def mean(values: Iterable[float]) -> dict[str, float | None]:
    values = np.array(list(values))
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
    }


def _cell(score: Score, pairs: list, arm: Treatment) -> dict[str, Any]:
    delta = (
        None
        if arm.is_baseline
        else float(np.mean([outcomes.effect(score, state, base) for state, base in pairs]))
    )
    return {**mean(outcomes.value(score, state) for state, _ in pairs), "delta": delta}


def comparable(study: Study) -> bool:
    """Whether a study is of the kind of the paper's table 2: a CLIP on the domains of DomainNet."""
    return isinstance(study.backbone, Clip | OpenClip) and study.domains == DomainNet().domains


def printed(arm: Treatment, kind: str, place: str) -> dict[str, float]:
    """What the paper's table 2 has for an arm, and its difference from the paper's baseline; empty
    where it has nothing.
    """
    numbers, row = paper(), _row(arm)
    if row not in numbers["rows"] or (place, kind) not in numbers["columns"]:
        return {}
    at = numbers["columns"].index((place, kind))
    mine, base = (numbers["rows"][name][at] for name in (row, "baseline"))
    return {"paper": mine, **({} if row == "baseline" else {"paper_delta": mine - base})}


def _row(arm: Treatment) -> str:
    if part := arm.part(Synthetic):
        return f"synthetic({part.share:.2f})" if arm.parts == (part,) and part.round == 1 else ""
    return AS_PRINTED.get(arm.label, arm.label)


@cache
def paper() -> dict[str, Any]:
    """The paper's table 2: {"columns": [(place, kind)], "rows": {name: [shares, one a column]},
    "source"}.
    """
    read = tomllib.loads(Path(__file__).with_name("paper_table2.toml").read_text("utf-8"))
    columns = [tuple(column.split()) for column in read["columns"]]
    scale = [0.01 if kind == "accuracy" else 1.0 for _, kind in columns]
    return {
        "columns": columns,
        "source": read["source"],
        "rows": {
            name: [round(value * by, 6) for value, by in zip(row, scale, strict=True)]
            for name, row in read["rows"].items()
        },
    }
