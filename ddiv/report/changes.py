"""How training changed the spectra: dM = metric after - metric before training (v1 section 2.2),
for every arm of a study.

`changes` is the table that all scale-shape plots, the layers' plot and table 1 are drawn from;
`per_seed` and `lengths` read off it which way and how far a group of arms goes. They are for the
eye: verdicts are the claims'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ddiv import rmt
from ddiv.evidence import trend
from ddiv.finding import Reader
from ddiv.layers import ONE_LAYER
from ddiv.outcome import FITTED, MEDIAN, Snapshot, Spectral, Trained
from ddiv.report.document import short
from ddiv.study import Study
from ddiv.treatment import Augmentation, BatchSize, Dropout, Synthetic, Treatment, WeightDecay
from ddiv.trial import trial

SCALE = (
    "frobenius_norm",
    "spectral_norm",
    "log_norm",
    "log_spectral_norm",
    "stable_rank",
    "mp_soft_rank",
)
SHAPE = (
    "alpha",
    "entropy_raw",
    "entropy_normalised",
    "num_pl_spikes",
    "effective_rank",
    "hill_alpha",
)
NAMES = {
    "frobenius_norm": "Frobenius norm",
    "spectral_norm": "spectral norm",
    "log_norm": "log Frobenius norm",
    "log_spectral_norm": "log spectral norm",
    "stable_rank": "stable rank",
    "mp_soft_rank": "MP soft rank",
    "alpha": "alpha",
    "entropy_raw": "matrix entropy",
    "entropy_normalised": "normalised entropy",
    "num_pl_spikes": "power-law spikes",
    "effective_rank": "effective rank",
    "hill_alpha": "Hill alpha",
}
# What each group is shown by where one arm has to stand for it.
STANDS_FOR = ("baseline", "dropout", "weight decay", "augmentation")


def changes(
    study: Study,
    seeds: Sequence[int],
    reader: Reader,
    *,
    diversity: Callable[[Treatment], float | None] = lambda arm: None,
    costly: Mapping[str, Iterable[Treatment]] | None = None,
) -> dict[str, Any] | None:
    """The changes of every arm that the store has; None where it has no baseline.

    diversity: the embedding Vendi Score of an arm's images; costly: metrics of `ddiv.rmt`, each
    with the arms that a claim reads it of (they are not computed for a picture alone). ::

        {"seeds", "views", "metrics", "arms": [{"label", "group", "dose" (0..1, of the largest),
         "diversity"}], "values": {view: {metric: [[one a seed, None where there is no trial or no
         value], ... one row an arm]}}, "layers": {"names", "kinds", "values": {metric: {group:
         [median over seeds, one a layer]}}}}
    """
    arms = [arm for arm in study.arms if not arm.part(BatchSize)]
    trained = {
        (i, j): reader.trained(job)
        for i, arm in enumerate(arms)
        for j, seed in enumerate(seeds)
        if reader.has(job := trial(study, arm, seed))
    }
    there = [i for i in range(len(arms)) if any((i, j) in trained for j in range(len(seeds)))]
    if not any((0, j) in trained for j in range(len(seeds))):
        return None
    keys, rows = list(trained), list(trained.values())
    state = rows[0].before
    views = {
        view: _columns(state, view) for view in state.available if not view.startswith(ONE_LAYER)
    }
    every = views.pop("all")
    values: dict[str, dict] = {view: {} for view in views}
    layered: dict[str, dict] = {}
    metrics = [
        name for name in (*SCALE, *SHAPE) if name not in rmt.GROUP_OF or name in (costly or {})
    ]
    for metric in metrics:
        asked = set(costly[metric]) if metric in rmt.GROUP_OF else set(arms)
        pairs = [k for k, (i, _) in enumerate(keys) if arms[i] in asked]
        if not pairs:
            continue
        moved, sure = _moved([rows[k] for k in pairs], metric, every)
        places = [keys[k] for k in pairs]
        for view, columns in views.items():
            table = np.full((len(arms), len(seeds)), np.nan)
            for (i, j), value in zip(places, _over_layers(moved, sure, columns, metric)):
                table[i, j] = value
            values[view][metric] = _known(table[there])
        layered[metric] = _by_group(
            [group_of(study, arm) for arm in arms], places, np.where(sure, moved, np.nan)[:, every]
        )
    return {
        "seeds": list(seeds),
        "views": list(views),
        "metrics": list(layered),
        "values": values,
        "arms": [
            {
                "label": arms[i].label,
                "group": group_of(study, arms[i]),
                "dose": _dose(study, arms[i]),
                "diversity": diversity(arms[i]),
            }
            for i in there
        ],
        "layers": {**_names(rows[0], every), "values": layered},
    }


def group_of(study: Study, arm: Treatment) -> str:
    """`Treatment.group`, with the very large dropout of figure 8 and what is not among the ten
    augmentations apart.
    """
    if study.very_large_dropout and arm == study.very_large:
        return "very large dropout"
    if arm.group == "augmentation" and arm.part(Augmentation).name in study.further_augmentations:
        return "further augmentation"
    return arm.group


def _dose(study: Study, arm: Treatment) -> float | None:
    """How large a dose is beside the largest of its kind.

    Decays are spaced by factors, so theirs follow the logarithm.
    """
    if arm.group == "combination":
        return None
    if part := arm.part(Dropout):
        return part.rate / max((*study.dropout_rates, *study.single_placement_rates, part.rate))
    if part := arm.part(WeightDecay):
        return 1 / (1 + float(np.log10(max((*study.decays, part.value)) / part.value)))
    return arm.part(Synthetic).share if arm.part(Synthetic) else None


# --- layers -------------------------------------------------------------------------------------


def _columns(state: Snapshot, view: str) -> np.ndarray:
    """The numbers of the layers in a view (of a convolution its pooled slices, WeightWatcher's
    way).
    """
    numbered = replace(state, table={"alpha": np.arange(len(state.views))})
    return numbered.layers(Spectral("alpha", view))


def _moved(
    trained: Sequence[Trained], metric: str, every: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The change of a metric, (trials, layers), and whether it can be relied on before and after."""
    if metric not in rmt.GROUP_OF:
        before, after = np.array([one.spectra[metric][:2] for one in trained]).swapaxes(0, 1)
        sure = np.array([one.spectra["reliable"][:2] for one in trained]).min(axis=1) > 0.5
        return after - before, sure if metric in FITTED else np.ones_like(sure)
    moved = np.full((len(trained), len(trained[0].views[0])), np.nan)
    moved[:, every] = [
        one.after.layers(of) - one.before.layers(of)
        for of in [Spectral(metric, "all")]
        for one in trained
    ]
    return moved, ~np.isnan(moved)


def _over_layers(
    moved: np.ndarray, sure: np.ndarray, columns: np.ndarray, metric: str
) -> np.ndarray:
    """As `outcome.effect` of after and before, for all trials at once: (trials,)."""
    moved, sure = moved[:, columns], sure[:, columns]
    masked = np.where(sure | ~sure.any(axis=1, keepdims=True), moved, np.nan)
    return _middle(masked, np.nanmedian if metric in MEDIAN else np.nanmean, axis=1)


def _middle(values: np.ndarray, over: Callable, axis: int) -> np.ndarray:
    """`over` of what is there along an axis, NaN where nothing is."""
    empty = np.isnan(values).all(axis=axis, keepdims=True)
    return np.where(empty.squeeze(axis), np.nan, over(np.where(empty, 0.0, values), axis=axis))


def _known(values: np.ndarray) -> list:
    """The values as lists, in four digits, None where there is none."""
    return np.where(np.isnan(values), None, np.array(short(values, 4), dtype=object)).tolist()


def _by_group(
    groups: Sequence[str], places: Sequence[tuple[int, int]], moved: np.ndarray
) -> dict[str, list]:
    """Each layer's change in the median over seeds: of the baseline, the largest doses and all
    augmentations together.
    """
    members = {group: [i for i, one in enumerate(groups) if one == group] for group in STANDS_FOR}
    wanted = {
        group: mine if group == "augmentation" else mine[-1:] for group, mine in members.items()
    }
    found = {}
    for group in STANDS_FOR:
        rows = [k for k, (i, _) in enumerate(places) if i in wanted[group]]
        if rows:
            found[group] = _known(_middle(moved[rows], np.nanmedian, axis=0))
    return found


def _names(one: Trained, every: np.ndarray) -> dict[str, list]:
    layers = [one.record.facts["layers"][i] for i in every]
    return {
        "names": [layer["name"] for layer in layers],
        "kinds": [layer["kind"] for layer in layers],
    }


# --- directions ---------------------------------------------------------------------------------


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def per_seed(found: Mapping[str, Any], view: str, metric: str, group: str) -> dict[int, float]:
    """How a group moves a metric against the baseline, by seed.

    Dropout and weight decay: the slope along the ladder of doses; other groups: the mean over their
    arms. Seeds without the baseline or any arm of the group are left out.
    """
    effects = {}
    for seed, base, mine in _by_seed(found, view, metric, group):
        ladder = group in ("dropout", "weight decay")
        effects[seed] = (
            trend(range(len(mine) + 1), [base, *mine]) if ladder else float(np.mean(mine) - base)
        )
    return effects


def lengths(found: Mapping[str, Any], view: str, metric: str, group: str) -> dict[int, float]:
    """How far a group moves a metric, by seed: the mean over its arms of the distance from the
    baseline.
    """
    return {
        seed: float(np.abs(mine - base).mean())
        for seed, base, mine in _by_seed(found, view, metric, group)
    }


def _by_seed(
    found: Mapping[str, Any], view: str, metric: str, group: str
) -> Iterator[tuple[int, float, np.ndarray]]:
    """(seed, the baseline's change, those of the group's arms) where they are there."""
    table = found["values"].get(view, {}).get(metric)
    if table is None:
        return
    groups, columns = [arm["group"] for arm in found["arms"]], np.array(table, dtype=float).T
    for seed, column in zip(found["seeds"], columns):
        base, mine = column[groups.index("baseline")], column[[one == group for one in groups]]
        mine = mine[~np.isnan(mine)]
        if len(mine) and not np.isnan(base):
            yield seed, float(base), mine
