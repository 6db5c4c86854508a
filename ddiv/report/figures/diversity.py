"""The diversity of a study's data and what it comes with: figures 1 and 5."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddiv.claim import data_view, relations
from ddiv.finding import Reader
from ddiv.report.document import short
from ddiv.report.figures.changes import group_of
from ddiv.report.schema import ClassCount, Correlation, DiverseArm, Diversity
from ddiv.study import Study
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial import trial

PLACES = ("id", "ood")


def diversity(study: Study, seeds: Sequence[int], reader: Reader) -> Diversity | None:
    """The Vendi Scores of the training set under every treatment of data, and the accuracy that it
    led to.

    What the store lacks is left out; None where it has no view of the plain training set, or the
    study no embedder or no `view_size`.
    """
    if not (study.embedders and study.view_size):
        return None
    arms = tuple(
        DiverseArm(
            label="plain" if arm.is_baseline else arm.label,
            group=group_of(study, arm),
            pixel=scores.get("pixel"),
            embedding=scores.get("embedding"),
            table=arm in study.table_arms,
            id=_accuracy(study, arm, seeds, reader, "id"),
            ood=_accuracy(study, arm, seeds, reader, "ood"),
        )
        for arm in study.arms
        if (arm.is_baseline or arm.group in ("augmentation", "synthetic"))
        and (scores := vendi(study, arm, seeds, reader))
    )
    if not arms or arms[0].group != "baseline":
        return None
    in_table = [arm for arm in arms if arm.table]
    return Diversity(
        n=data_view(study, BASELINE, 0).n,
        classes=tuple(
            ClassCount(
                count=count,
                n=data_view(study, arm, 0).n,
                pixel=scores.get("pixel"),
                embedding=scores.get("embedding"),
            )
            for count, arm in study.by_classes()
            if (scores := vendi(study, arm, seeds, reader))
        ),
        arms=arms,
        correlations={
            f"{space}/{place}": over_arms
            for space in study.spaces
            for place in PLACES
            if (over_arms := correlation(in_table, space, place))
        },
    )


def vendi(
    study: Study, arm: Treatment, seeds: Sequence[int], reader: Reader
) -> dict[str, tuple[float, ...]]:
    """The scores of an arm's views by space, one a view that the store has.

    Empty where it has none, or the study no embedder or no `view_size`.
    """
    if not (study.embedders and study.view_size):
        return {}
    views = dict.fromkeys(data_view(study, arm, seed) for seed in seeds)
    scores = [reader.record(job).facts["vendi"] for job in views if reader.has(job)]
    if not scores:
        return {}
    return {space: tuple(short([score[space] for score in scores])) for space in study.spaces}


def _accuracy(
    study: Study, arm: Treatment, seeds: Sequence[int], reader: Reader, place: str
) -> float | None:
    """The mean accuracy of an arm in a place; None where it was not measured there."""
    jobs = [trial(study, arm, seed) for seed in seeds]
    scores = [reader.trained(job).after.scores for job in jobs if reader.has(job)]
    if not scores or f"accuracy/{place}" not in scores[0]:
        return None
    accuracy: float = short(float(np.mean([each[f"accuracy/{place}"] for each in scores])))
    return accuracy


def correlation(arms: Sequence[DiverseArm], space: str, place: str) -> Correlation | None:
    """Pearson's and Spearman's correlation over arms of mean score and mean accuracy.

    None below four arms, or where all have the same score or accuracy.
    """
    pairs = [
        (float(np.mean(getattr(arm, space))), accuracy)
        for arm in arms
        if (accuracy := getattr(arm, place)) is not None
    ]
    if len(pairs) < 4:
        return None
    scores, accuracies = np.array(pairs).T
    pearson = relations.correlation(scores, accuracies, "pearson")
    spearman = relations.correlation(scores, accuracies, "spearman")
    if pearson is None or spearman is None:
        return None
    return Correlation(pearson=pearson, spearman=spearman, arms=len(pairs))
