"""The diversity of a study's data and what it comes with: figures 1 and 5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ddiv.claim import view
from ddiv.finding import Reader
from ddiv.report.changes import group_of
from ddiv.report.document import short
from ddiv.study import Study
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial import trial

PLACES = ("id", "ood")


def diversity(study: Study, seeds: Sequence[int], reader: Reader) -> dict[str, Any] | None:
    """The Vendi Scores of the training set under every treatment of data, and the accuracy that it
    led to. ::

        {"n", "classes": [{"count", "n", "pixel": [one a view], "embedding": [...]}],   # by number of classes, at equal n
         "arms": [{"label", "group", "pixel": [...], "embedding": [...], "id": mean accuracy, "ood",
                   "table": whether it is an arm of the paper's table 2}],   # plain first
         "correlations": {"pixel/id": {"pearson", "spearman", "arms"}, ...}}

    What the store lacks is left out; None where it has no view of the plain training set, or the
    study no embedder.
    """
    if not study.embedders:
        return None
    arms = [
        arm for arm in study.arms if arm.is_baseline or arm.group in ("augmentation", "synthetic")
    ]
    found = [
        {
            "label": "plain" if arm.is_baseline else arm.label,
            "group": group_of(study, arm),
            **scores,
            "table": arm in study.table_arms,
            **_accuracies(study, arm, seeds, reader),
        }
        for arm in arms
        if (scores := vendi(study, arm, seeds, reader))
    ]
    if not found or found[0]["group"] != "baseline":
        return None
    classes = [
        {"count": count, "n": view(study, arm, 0).n, **scores}
        for count, arm in study.by_classes()
        if (scores := vendi(study, arm, seeds, reader))
    ]
    return {
        "n": view(study, BASELINE, 0).n,
        "classes": classes,
        "arms": found,
        "correlations": {
            f"{space}/{place}": told
            for space in study.spaces
            for place in PLACES
            if (told := correlation([one for one in found if one["table"]], space, place))
        },
    }


def vendi(
    study: Study, arm: Treatment, seeds: Sequence[int], reader: Reader
) -> dict[str, list[float]]:
    """The scores of an arm's views by space, one a view that the store has; empty where it has
    none, or the study no embedder.
    """
    views = dict.fromkeys(view(study, arm, seed) for seed in seeds) if study.embedders else ()
    scores = [reader.record(one).facts["vendi"] for one in views if reader.has(one)]
    return (
        {space: short([score[space] for score in scores]) for space in study.spaces}
        if scores
        else {}
    )


def _accuracies(
    study: Study, arm: Treatment, seeds: Sequence[int], reader: Reader
) -> dict[str, float]:
    jobs = [trial(study, arm, seed) for seed in seeds]
    states = [reader.trained(job).after for job in jobs if reader.has(job)]
    return {
        place: short(float(np.mean([state.scores[f"accuracy/{place}"] for state in states])))
        for place in PLACES
        if states and f"accuracy/{place}" in states[0].scores
    }


def correlation(arms: Sequence[dict], space: str, place: str) -> dict[str, Any] | None:
    """Pearson's and Spearman's correlation over arms of mean score and mean accuracy.

    None below four arms, or where all have the same score or accuracy.
    """
    from scipy.stats import pearsonr, spearmanr  # half a second, and no other page needs it

    pairs = [(float(np.mean(arm[space])), arm[place]) for arm in arms if place in arm]
    if len(pairs) < 4 or any(len(set(values)) == 1 for values in zip(*pairs)):
        return None
    scores, accuracies = zip(*pairs)
    return {
        "pearson": float(pearsonr(scores, accuracies).statistic),
        "spearman": float(spearmanr(scores, accuracies).statistic),
        "arms": len(pairs),
    }
