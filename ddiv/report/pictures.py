"""The paper's pictures: what `paper.toml` says of each figure and table, beside what a run
measured.

Everything here is computed from the plain tables of `changes`, `diversity` and `densities`. A
statement of the paper is compared by sign alone, over the seeds at hand; whether it holds is for
the claims to say.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ddiv.report.changes import NAMES, lengths, per_seed, sign
from ddiv.report.text import number

ARROWS = {1: "↑", -1: "↓", 0: "→"}
TREATMENTS = ("dropout", "weight decay", "augmentation")


@cache
def paper() -> tuple[dict, ...]:
    """The pictures of `paper.toml`, in their order."""
    return tuple(
        tomllib.loads(Path(__file__).with_name("paper.toml").read_text("utf-8"))["picture"]
    )


def pictures(materials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every picture, with the studies that have something to show in it, what they show, and what
    is absent.

    A material is one study's {"study", "tower", "changes", "diversity", "densities", "scores"},
    parts of which may be None. A picture has the fields of `paper.toml`, and: "studies" (names),
    "missing" (sentences), and "rows": [{"text", "here": {study: {"text", "holds": whether its sign
    is the paper's, or None where there is nothing to compare, "title"}}}]. Table 1 has its
    "meanings" instead.
    """
    return [
        _picture(picture, [one for one in materials if _fits(picture, one)], materials)
        for picture in paper()
    ]


def _fits(picture: Mapping, material: Mapping) -> bool:
    """Figures 6 and 7 are those of a CLIP ResNet; 3 and 4 show all others."""
    if picture["kind"] == "scale-shape" and picture["id"] in ("fig-3", "fig-4", "fig-6", "fig-7"):
        return (material.get("tower") == "clip resnet") == (picture.get("tower") == "resnet")
    return True


SOURCE = {
    "scale-shape": "changes",
    "layers": "changes",
    "meanings": "changes",
    "diversity": "diversity",
    "relation": "diversity",
    "density": "densities",
    "scores": "scores",
}


def _picture(
    picture: Mapping, fitting: Sequence[Mapping], materials: Sequence[Mapping]
) -> dict[str, Any]:
    there = [one for one in fitting if _has(picture, one)]
    missing = []
    if not fitting and materials:
        missing.append("No study of this run has a CLIP ResNet tower.")
    elif absent := [one["study"] for one in fitting if one not in there]:
        missing.append(f"Not in the store for {', '.join(absent)}: {_wanted(picture)}.")
    lacking: dict[str, list[str]] = {}
    for one in there:
        for what in _lacking(picture, one):
            lacking.setdefault(what, []).append(one["study"])
    missing += [
        f"Not in the store for {', '.join(names)}: {what}." for what, names in lacking.items()
    ]
    shown = {
        **picture,
        "studies": [one["study"] for one in there],
        "missing": missing,
        "rows": [
            {
                "text": says["text"],
                "here": {one["study"]: _compared(picture, says, one) for one in there},
            }
            for says in picture["says"]
        ],
    }
    if picture["kind"] == "meanings":
        shown["meanings"] = [_meaning(row, there) for row in picture["meaning"]]
    return shown


def _groups(material: Mapping) -> set[str]:
    return {arm["group"] for arm in (material.get("changes") or {}).get("arms", ())}


def _has(picture: Mapping, material: Mapping) -> bool:
    if not material.get(SOURCE[picture["kind"]]):
        return False
    wanted = picture.get("needs") or picture.get("groups")
    return not wanted or bool(_groups(material) & set(wanted))


def _wanted(picture: Mapping) -> str:
    if picture["kind"] in ("diversity", "relation"):
        return "views of the plain training set"
    return f"arms with {' or '.join(picture.get('needs') or picture.get('groups') or ['any treatment'])}"


def _lacking(picture: Mapping, material: Mapping) -> list[str]:
    """What of a picture a study lacks that has some of it."""
    if picture["kind"] == "scale-shape":
        metrics = {metric for pair in picture["pairs"] for metric in pair} - set(
            material["changes"]["metrics"]
        )
        return [
            f"arms with {group}" for group in picture["groups"] if group not in _groups(material)
        ] + [NAMES[metric] for metric in sorted(metrics)]
    if picture["kind"] == "diversity":
        return [] if material["diversity"]["classes"] else ["views with fewer classes"]
    if picture["kind"] == "scores":
        there = any(row.get("group") == "synthetic" for row in material["scores"]["rows"])
        return [] if there else ["arms with synthetic data"]
    return []


# --- one statement of the paper against one study -----------------------------------------------


def _compared(picture: Mapping, says: Mapping, material: Mapping) -> dict[str, Any] | None:
    match says:
        case {"check": check}:
            found = material["densities"] if check == "alpha" else material["diversity"]
            # texts have no pixels
            absent = "space" in says and says["space"] not in found["arms"][0]
            return None if absent else CHECKS[check](says, found)
        case {"metric": metric}:
            return _changed(says, material["changes"], picture.get("view", "classifier"), metric)
    raise ValueError(
        f"{picture['id']} of paper.toml says nothing that can be compared: {dict(says)}"
    )


def _changed(says: Mapping, found: Mapping, view: str, metric: str) -> dict[str, Any] | None:
    if group := says.get("group"):
        effects = per_seed(found, view, metric, group)
        if not effects:
            return None
        middle = median(effects.values())
        return _told(
            f"{ARROWS[sign(middle)]} {number(middle, True)}",
            [says["way"] * effect for effect in effects.values()],
            sign(middle) == says["way"] if middle else None,
        )
    pair = says.get("further") or says.get("alike") or says["unlike"]
    measure = lengths if "further" in says else per_seed
    first, second = (measure(found, view, metric, group) for group in pair)
    seeds = first.keys() & second.keys()
    if not seeds:
        return None
    middles = [median(one[seed] for seed in seeds) for one in (first, second)]
    if "further" in says:
        ratio = (
            f"{number(middles[0] / middles[1])} times as far"
            if middles[1]
            else "the other does not move"
        )
        return _told(ratio, [first[seed] - second[seed] for seed in seeds], middles[0] > middles[1])
    way = 1 if "alike" in says else -1
    return _told(
        " ".join(ARROWS[sign(middle)] for middle in middles),
        [way * first[seed] * second[seed] for seed in seeds],
        way * middles[0] * middles[1] > 0 if all(middles) else None,
    )


def _told(text: str, signed: Sequence[float], holds: bool | None) -> dict[str, Any]:
    """`signed`: a number a seed, positive where it is as the paper says."""
    agree = sum(value > 0 for value in signed)
    of = len(signed)
    return {
        "text": text,
        "seeds": f"{agree}/{of}",
        "holds": holds,
        "title": f"{agree} of {of} seeds as the paper says",
    }


def _augmented(says: Mapping, found: Mapping) -> dict[str, Any] | None:
    plain, score = (
        float(np.mean(found["arms"][0][says["space"]])),
        _augmentations(found, says["space"]),
    )
    if not score:
        return None
    higher = sum(value > plain for value in score.values())
    return {
        "text": f"{higher} of {len(score)} raise it",
        "holds": _all_or_none(higher, len(score)),
        "title": "augmentations whose mean score exceeds that of the plain data",
    }


def _strongest(says: Mapping, found: Mapping) -> dict[str, Any] | None:
    score = _augmentations(found, says["space"])
    if "auto-v3" not in score:
        return None
    most = max(score, key=score.get)
    return {
        "text": f"{most}: {number(score[most])}",
        "holds": most == "auto-v3",
        "title": f"auto-v3: {number(score['auto-v3'])}",
    }


def _classes(says: Mapping, found: Mapping) -> dict[str, Any] | None:
    line = [(one["count"], float(np.mean(one[says["space"]]))) for one in found["classes"]]
    if len(line) < 3:
        return None
    top = max(range(len(line)), key=lambda i: line[i][1])
    return {
        "text": f"most at {line[top][0]}",
        "holds": 0 < top < len(line) - 1,
        "title": ", ".join(f"{count}: {number(score)}" for count, score in line),
    }


def _augmentations(found: Mapping, space: str) -> dict[str, float]:
    """The mean score of each of the paper's augmentations."""
    return {
        arm["label"]: float(np.mean(arm[space]))
        for arm in found["arms"]
        if arm["group"] == "augmentation"
    }


def _all_or_none(as_said: int, of: int) -> bool | None:
    """Whether what is said of `of` things holds: for all of them, for none, or (None) for some."""
    return True if as_said == of else None if as_said else False


def _correlated(says: Mapping, found: Mapping) -> dict[str, Any] | None:
    told = found["correlations"].get(f"{says['space']}/{says['place']}")
    return told and {
        "text": f"r {number(told['pearson'], True, 2)}, ρ {number(told['spearman'], True, 2)}",
        "holds": _all_or_none((told["pearson"] > 0) + (told["spearman"] > 0), 2),
        "title": f"Pearson's r and Spearman's ρ over {told['arms']} arms",
    }


def _alpha(says: Mapping, found: Mapping) -> dict[str, Any] | None:
    head = says["view"] == "classifier"
    alphas = [
        layer["alpha"]
        for layer in found["layers"]
        if layer["name"].startswith("head") == head and layer["reliable"]
    ]
    if not alphas:
        return {
            "text": "no fit to rely on",
            "holds": None,
            "title": "every power-law fit of these layers is unreliable",
        }
    inside = sum(2 <= alpha <= 6 for alpha in alphas)
    counted = f", {inside} of {len(alphas)} inside" if len(alphas) > 1 else ""
    return {
        "text": number(median(alphas)) + counted,
        "holds": _all_or_none(inside, len(alphas)),
        "title": "median over the layers whose fit can be relied on",
    }


CHECKS = {
    "augmented": _augmented,
    "strongest": _strongest,
    "classes": _classes,
    "correlated": _correlated,
    "alpha": _alpha,
}


def _meaning(row: Mapping, materials: Sequence[Mapping]) -> dict[str, Any]:
    """A metric of table 1: for each direction its meaning, and by treatment who went that way."""
    ways = []
    for way, word in ((1, "rises"), (-1, "falls")):
        went = {
            group: [went for one in materials if (went := _went(one, row["metric"], group, way))]
            for group in TREATMENTS
        }
        ways.append(
            {
                "word": word,
                "arrow": ARROWS[way],
                "weights": row[word][0],
                "spectrum": row[word][1],
                "went": went,
                "paper": [group for group in TREATMENTS if row["paper"].get(group) == way],
            }
        )
    return {"metric": NAMES[row["metric"]], "ways": ways}


def _went(material: Mapping, metric: str, group: str, way: int) -> dict[str, Any] | None:
    """The study, and how many of its seeds went this way, if their median did."""
    effects = list(per_seed(material["changes"], "classifier", metric, group).values())
    if not effects or sign(median(effects)) != way:
        return None
    agree = sum(sign(effect) == way for effect in effects)
    return {
        "study": material["study"],
        "seeds": f"{agree}/{len(effects)}",
        "all": agree == len(effects),
    }
