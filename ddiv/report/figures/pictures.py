"""The paper's pictures: what `paper.toml` says of each figure and table, beside what a run
measured.

Everything here is computed from the tables of `changes`, `diversity` and `densities`. A statement
of the paper is compared by sign alone, over the seeds at hand; the claims decide whether it holds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

from ddiv.report.figures.changes import NAMES, lengths, per_seed, sign
from ddiv.report.schema import (
    Changes,
    ClassCount,
    Compared,
    Densities,
    DiverseArm,
    Diversity,
    Material,
    Meaning,
    PaperMeaning,
    PaperPicture,
    Picture,
    Says,
    StatementRow,
    Way,
    Went,
)
from ddiv.report.text import number

ARROWS = {1: "↑", -1: "↓", 0: "→"}

TREATMENTS = ("dropout", "weight decay", "augmentation")

# The part of a study's material that each kind of picture shows.
SOURCE = {
    "scale-shape": "changes",
    "layers": "changes",
    "meanings": "changes",
    "diversity": "diversity",
    "relation": "diversity",
    "density": "densities",
    "scores": "scores",
}


@cache
def paper() -> tuple[PaperPicture, ...]:
    """The pictures of `paper.toml`, in their order."""
    read = tomllib.loads(Path(__file__).with_name("paper.toml").read_text("utf-8"))
    return msgspec.convert(read["picture"], tuple[PaperPicture, ...])


def pictures(materials: Sequence[Material]) -> tuple[Picture, ...]:
    """Every picture, with what the studies of a run have to show in it, and what they lack.

    A picture's `missing` are sentences. Table 1 has `meanings` in place of `rows`.
    """
    return tuple(_picture(picture, materials) for picture in paper())


def _picture(picture: PaperPicture, materials: Sequence[Material]) -> Picture:
    fitting = [material for material in materials if _fits(picture, material)]
    there = [material for material in fitting if _has(picture, material)]
    rows = tuple(
        StatementRow(
            says.text, {material.study: _compared(picture, says, material) for material in there}
        )
        for says in picture.says
    )
    return Picture(
        **msgspec.structs.asdict(picture),
        studies=tuple(material.study for material in there),
        missing=tuple(_missing(picture, materials, fitting, there)),
        rows=rows,
        meanings=tuple(_meaning(row, there) for row in picture.meaning),
    )


# --- what there is to show ----------------------------------------------------------------------


def _fits(picture: PaperPicture, material: Material) -> bool:
    """Figures 6 and 7 are those of a CLIP ResNet; 3 and 4 show all others."""
    if picture.id in ("fig-3", "fig-4", "fig-6", "fig-7"):
        return (material.tower == "clip resnet") == (picture.tower == "resnet")
    return True


def _has(picture: PaperPicture, material: Material) -> bool:
    if not getattr(material, SOURCE[picture.kind]):
        return False
    wanted = picture.needs or picture.groups
    return not wanted or not _groups(material).isdisjoint(wanted)


def _groups(material: Material) -> set[str]:
    return {arm.group for arm in material.changes.arms} if material.changes else set()


def _missing(
    picture: PaperPicture,
    materials: Sequence[Material],
    fitting: Sequence[Material],
    there: Sequence[Material],
) -> Iterator[str]:
    """What no study, and what some study has not, in sentences."""
    absent = [material.study for material in fitting if material not in there]
    if not fitting and materials:
        yield "No study of this run has a CLIP ResNet tower."
    elif absent:
        yield f"Not in the store for {', '.join(absent)}: {_wanted(picture)}."
    lacking: dict[str, list[str]] = {}
    for material in there:
        for part in _lacking(picture, material):
            lacking.setdefault(part, []).append(material.study)
    for part, studies in lacking.items():
        yield f"Not in the store for {', '.join(studies)}: {part}."


def _wanted(picture: PaperPicture) -> str:
    if picture.kind in ("diversity", "relation"):
        return "views of the plain training set"
    return f"arms with {' or '.join(picture.needs or picture.groups or ['any treatment'])}"


def _lacking(picture: PaperPicture, material: Material) -> list[str]:
    """The parts of a picture that a study lacks which has others."""
    if picture.kind == "scale-shape" and material.changes:
        groups = _groups(material)
        metrics = {metric for pair in picture.pairs for metric in pair}
        return [
            *(f"arms with {group}" for group in picture.groups if group not in groups),
            *(NAMES[metric] for metric in sorted(metrics - set(material.changes.metrics))),
        ]
    if picture.kind == "diversity" and material.diversity:
        return [] if material.diversity.classes else ["views with fewer classes"]
    if picture.kind == "scores" and material.scores:
        there = any(row.group == "synthetic" for row in material.scores.rows)
        return [] if there else ["arms with synthetic data"]
    return []


# --- one statement of the paper against one study -----------------------------------------------


def _compared(picture: PaperPicture, says: Says, material: Material) -> Compared | None:
    if says.metric and material.changes:
        layers = picture.view or "classifier"
        if says.group:
            return _moved(says, material.changes, layers)
        return _both_moved(says, material.changes, layers)
    if says.check == "alpha" and material.densities:
        return _alphas(says, material.densities)
    if says.check in CHECKS and material.diversity:
        # texts have no pixels
        absent = says.space and _scores(material.diversity.arms[0], says.space) is None
        return None if absent else CHECKS[says.check](says, material.diversity)
    raise ValueError(f"{picture.id} of paper.toml says nothing that can be compared: {says}")


def _moved(says: Says, changes: Changes, layers: str) -> Compared | None:
    """Which way a group moves a metric."""
    effects = per_seed(changes, layers, says.metric, says.group)
    if not effects:
        return None
    middle = median(effects.values())
    return _counted(
        f"{ARROWS[sign(middle)]} {number(middle, True)}",
        [says.way * effect for effect in effects.values()],
        sign(middle) == says.way if middle else None,
    )


def _both_moved(says: Says, changes: Changes, layers: str) -> Compared | None:
    """Whether two groups move a metric the same way, opposite ways, or the first one further."""
    groups = says.further or says.alike or says.unlike
    if groups is None:
        raise ValueError(f"paper.toml says nothing of {says.metric} that can be compared: {says}")
    measure = lengths if says.further else per_seed
    first, second = (measure(changes, layers, says.metric, group) for group in groups)
    seeds = first.keys() & second.keys()
    if not seeds:
        return None
    middle, other = (median(effects[seed] for seed in seeds) for effects in (first, second))
    if says.further:
        ratio = f"{number(middle / other)} times as far" if other else "the other does not move"
        return _counted(ratio, [first[seed] - second[seed] for seed in seeds], middle > other)
    way = 1 if says.alike else -1
    return _counted(
        f"{ARROWS[sign(middle)]} {ARROWS[sign(other)]}",
        [way * first[seed] * second[seed] for seed in seeds],
        way * middle * other > 0 if middle and other else None,
    )


def _counted(text: str, signed: Sequence[float], holds: bool | None) -> Compared:
    """`signed`: a number a seed, positive where it is as the paper says."""
    agree, of = sum(value > 0 for value in signed), len(signed)
    return Compared(text, holds, f"{agree} of {of} seeds as the paper says", f"{agree}/{of}")


def _scores(shown: DiverseArm | ClassCount, space: str) -> tuple[float, ...] | None:
    """The Vendi Scores of an arm or a number of classes in a space; None where it has none."""
    scores: tuple[float, ...] | None = getattr(shown, space)
    return scores


def _score(shown: DiverseArm | ClassCount, space: str) -> float:
    return float(np.mean(_scores(shown, space) or ()))


def _augmentations(diversity: Diversity, space: str) -> dict[str, float]:
    """The mean score of each of the paper's augmentations."""
    return {arm.label: _score(arm, space) for arm in diversity.arms if arm.group == "augmentation"}


def _augmented(says: Says, diversity: Diversity) -> Compared | None:
    plain = _score(diversity.arms[0], says.space)
    scores = _augmentations(diversity, says.space)
    if not scores:
        return None
    higher = sum(score > plain for score in scores.values())
    return Compared(
        f"{higher} of {len(scores)} raise it",
        _all_or_none(higher, len(scores)),
        "augmentations whose mean score exceeds that of the plain data",
    )


def _strongest(says: Says, diversity: Diversity) -> Compared | None:
    scores = _augmentations(diversity, says.space)
    if "auto-v3" not in scores:
        return None
    most = max(scores, key=lambda name: scores[name])
    return Compared(
        f"{most}: {number(scores[most])}",
        most == "auto-v3",
        f"auto-v3: {number(scores['auto-v3'])}",
    )


def _classes(says: Says, diversity: Diversity) -> Compared | None:
    line = [(row.count, _score(row, says.space)) for row in diversity.classes]
    if len(line) < 3:
        return None
    top = max(range(len(line)), key=lambda i: line[i][1])
    return Compared(
        f"most at {line[top][0]}",
        0 < top < len(line) - 1,
        ", ".join(f"{count}: {number(score)}" for count, score in line),
    )


def _correlated(says: Says, diversity: Diversity) -> Compared | None:
    over_arms = diversity.correlations.get(f"{says.space}/{says.place}")
    if over_arms is None:
        return None
    r, rho = over_arms.pearson, over_arms.spearman
    return Compared(
        f"r {number(r, True, 2)}, ρ {number(rho, True, 2)}",
        _all_or_none((r > 0) + (rho > 0), 2),
        f"Pearson's r and Spearman's ρ over {over_arms.arms} arms",
    )


def _alphas(says: Says, densities: Densities) -> Compared:
    head = says.view == "classifier"
    alphas = [
        layer.alpha
        for layer in densities.layers
        if layer.name.startswith("head") == head and layer.reliable and layer.alpha is not None
    ]
    if not alphas:
        return Compared(
            "no fit to rely on", None, "every power-law fit of these layers is unreliable"
        )
    inside = sum(2 <= alpha <= 6 for alpha in alphas)
    counted = f", {inside} of {len(alphas)} inside" if len(alphas) > 1 else ""
    return Compared(
        number(median(alphas)) + counted,
        _all_or_none(inside, len(alphas)),
        "median over the layers whose fit can be relied on",
    )


def _all_or_none(as_said: int, of: int) -> bool | None:
    """Whether a statement on `of` things holds: for all of them, for none, or (None) for some."""
    return True if as_said == of else None if as_said else False


# Comparisons with the diversity of data.
CHECKS: dict[str, Callable[[Says, Diversity], Compared | None]] = {
    "augmented": _augmented,
    "strongest": _strongest,
    "classes": _classes,
    "correlated": _correlated,
}

# --- table 1 ------------------------------------------------------------------------------------


def _meaning(row: PaperMeaning, materials: Sequence[Material]) -> Meaning:
    """A metric of table 1: the meaning of each direction, and the studies that went that way."""
    return Meaning(
        NAMES[row.metric],
        (_way(row, materials, 1, "rises", row.rises), _way(row, materials, -1, "falls", row.falls)),
    )


def _way(
    row: PaperMeaning, materials: Sequence[Material], way: int, word: str, means: tuple[str, str]
) -> Way:
    went = {
        group: tuple(filter(None, (_went(one, row.metric, group, way) for one in materials)))
        for group in TREATMENTS
    }
    return Way(
        word=word,
        arrow=ARROWS[way],
        weights=means[0],
        spectrum=means[1],
        went=went,
        paper=tuple(group for group in TREATMENTS if row.paper.get(group) == way),
    )


def _went(material: Material, metric: str, group: str, way: int) -> Went | None:
    """The study, and how many of its seeds went this way, if their median did."""
    if material.changes is None:
        return None
    effects = list(per_seed(material.changes, "classifier", metric, group).values())
    if not effects or sign(median(effects)) != way:
        return None
    agree = sum(sign(effect) == way for effect in effects)
    return Went(material.study, f"{agree}/{len(effects)}", agree == len(effects))
