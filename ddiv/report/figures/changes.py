"""How training changed the spectra, for every arm of a study (v1 section 2.2).

A change is a metric after training less the same metric before it. `changes` is the table that all
scale-shape plots, the layers' plot and table 1 are drawn from; `per_seed` and `lengths` read off it
which way and how far a group of arms goes. They are for the eye: verdicts are the claims'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ddiv.common.arrays import Array
from ddiv.evidence import trend
from ddiv.finding import Reader
from ddiv.outcome import FITTED, MEDIAN, Metric, Snapshot, Spectral, Trained
from ddiv.outcome.layers import ONE_LAYER
from ddiv.report.document import short
from ddiv.report.schema import ChangedArm, Changes, LayerChanges, Rows
from ddiv.spectra import random_matrix as rmt
from ddiv.study import Study
from ddiv.treatment import Augmentation, BatchSize, Dropout, Synthetic, Treatment, WeightDecay
from ddiv.trial import trial

Values = tuple[float | None, ...]

Place = tuple[int, int]  # of a trial: the number of its arm, and of its seed

SCALE: tuple[Metric, ...] = (
    "frobenius_norm",
    "spectral_norm",
    "log_norm",
    "log_spectral_norm",
    "stable_rank",
    "mp_soft_rank",
)

SHAPE: tuple[Metric, ...] = (
    "alpha",
    "entropy_normalised",
    "entropy_raw",
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
    "entropy_normalised": "matrix entropy",
    "entropy_raw": "raw entropy",
    "num_pl_spikes": "power-law spikes",
    "effective_rank": "effective rank",
    "hill_alpha": "Hill alpha",
}

# The groups whose layers are shown, each by its largest dose, the augmentations by all of them.
STANDS_FOR = ("baseline", "dropout", "weight decay", "augmentation")

# The groups whose arms are a ladder of doses.
LADDERS = ("dropout", "weight decay")


def changes(
    study: Study,
    seeds: Sequence[int],
    reader: Reader,
    *,
    diversity: Callable[[Treatment], float | None] = lambda arm: None,
    costly: Mapping[str, Iterable[Treatment]] | None = None,
) -> Changes | None:
    """The changes of every arm that the store has; None where it has no baseline.

    diversity: the embedding Vendi Score of an arm's images; costly: metrics of
    `ddiv.spectra.random_matrix`, each with the arms that a claim reads it of (they are not computed
    for a picture alone).
    """
    arms = [arm for arm in study.arms if not arm.part(BatchSize)]
    trained = {
        (i, j): reader.trained(job)
        for i, arm in enumerate(arms)
        for j, seed in enumerate(seeds)
        if reader.has(job := trial(study, arm, seed))
    }
    if not any(i == 0 for i, _ in trained):
        return None
    groups = [group_of(study, arm) for arm in arms]
    shown = sorted({i for i, _ in trained})
    first = next(iter(trained.values()))
    columns = {
        layers: _columns(first.before, layers)
        for layers in first.before.available
        if not layers.startswith(ONE_LAYER)
    }
    every = columns.pop("all")
    values: dict[str, dict[str, Rows]] = {layers: {} for layers in columns}
    layered: dict[str, dict[str, Values]] = {}
    for metric, places in _metrics(arms, list(trained), costly or {}):
        moved, sure = _moved([trained[place] for place in places], metric, every)
        for layers, of_layers in columns.items():
            table = np.full((len(arms), len(seeds)), np.nan)
            for place, value in zip(places, _over_layers(moved, sure, of_layers, metric)):
                table[place] = value
            values[layers][metric] = tuple(map(_known, table[shown]))
        layered[metric] = _by_group(groups, places, np.where(sure, moved, np.nan)[:, every])
    described = [first.record.facts["layers"][i] for i in every]
    return Changes(
        seeds=tuple(seeds),
        views=tuple(columns),
        metrics=tuple(layered),
        values=values,
        arms=tuple(
            ChangedArm(arms[i].label, groups[i], _dose(study, arms[i]), diversity(arms[i]))
            for i in shown
        ),
        layers=LayerChanges(
            names=tuple(layer["name"] for layer in described),
            kinds=tuple(layer["kind"] for layer in described),
            values=layered,
        ),
    )


def _metrics(
    arms: Sequence[Treatment], places: Sequence[Place], costly: Mapping[str, Iterable[Treatment]]
) -> Iterator[tuple[Metric, Sequence[Place]]]:
    """Each metric with the trials that it is computed for."""
    for metric in (*SCALE, *SHAPE):
        asked = set(costly.get(metric, ()) if metric in rmt.GROUP_OF else arms)
        of_asked = [(i, j) for i, j in places if arms[i] in asked]
        if of_asked:
            yield metric, of_asked


def group_of(study: Study, arm: Treatment) -> str:
    """`Treatment.group`, with the very large dropout of figure 8 and what is not among the ten
    augmentations apart; in a study of piles, what is not piled.
    """
    if study.very_large_dropout and arm == study.very_large:
        return "very large dropout"
    further = [Treatment.of(Augmentation(name)) for name in study.further_augmentations]
    piles = [*map(study.augmentation, study.augmentations)] if study.piled else [arm]
    beside = arm.group == "augmentation" and arm not in piles
    return "further augmentation" if beside or arm in further else arm.group


def _dose(study: Study, arm: Treatment) -> float | None:
    """How large a dose is beside the largest of its kind.

    Decays are spaced by factors, so theirs follow the logarithm.
    """
    if arm.group == "combination":
        return None
    if dropout := arm.part(Dropout):
        rates = (*study.dropout_rates, *study.single_placement_rates, dropout.rate)
        return dropout.rate / max(rates)
    if decay := arm.part(WeightDecay):
        largest = max((*study.decays, decay.value))
        return 1 / (1 + float(np.log10(largest / decay.value)))
    synthetic = arm.part(Synthetic)
    return synthetic.share if synthetic else None


# --- layers -------------------------------------------------------------------------------------


def _columns(state: Snapshot, layers: str) -> Array:
    """The numbers of a group's layers; of a convolution those of its pooled slices, as
    WeightWatcher takes it.
    """
    numbered = replace(state, table={"alpha": np.arange(len(state.layer_groups))})
    return numbered.layers(Spectral("alpha", layers))


def _moved(trained: Sequence[Trained], metric: Metric, every: Array) -> tuple[Array, Array]:
    """The change of a metric, (trials, layers), and whether it is reliable before and after."""
    if metric in rmt.GROUP_OF:
        outcome = Spectral(metric, "all")
        moved = np.full((len(trained), len(trained[0].layer_groups[0])), np.nan)
        moved[:, every] = [
            record.after.layers(outcome) - record.before.layers(outcome) for record in trained
        ]
        return moved, ~np.isnan(moved)
    states = np.array([record.spectra[metric][:2] for record in trained])
    before, after = states.swapaxes(0, 1)
    reliable = np.array([record.spectra["reliable"][:2] for record in trained]).min(axis=1) > 0.5
    return after - before, reliable if metric in FITTED else np.ones_like(reliable)


def _over_layers(moved: Array, sure: Array, columns: Array, metric: str) -> Array:
    """As `outcome.effect` of after and before, for all trials at once: (trials,)."""
    moved, sure = moved[:, columns], sure[:, columns]
    masked = np.where(sure | ~sure.any(axis=1, keepdims=True), moved, np.nan)
    return _middle(masked, np.nanmedian if metric in MEDIAN else np.nanmean, axis=1)


def _middle(values: Array, over: Callable[..., Any], axis: int) -> Array:
    """`over` the values that are there along an axis, NaN where there is none."""
    empty = np.asarray(np.isnan(values).all(axis=axis, keepdims=True))
    return np.where(empty.squeeze(axis), np.nan, over(np.where(empty, 0.0, values), axis=axis))


def _known(values: Array) -> Values:
    """The values (n,) in four digits, None where there is none."""
    return tuple(None if np.isnan(value) else value for value in short(values, 4))


def _by_group(groups: Sequence[str], places: Sequence[Place], moved: Array) -> dict[str, Values]:
    """Each layer's change in the median over seeds: of the baseline, the largest doses and all
    augmentations together.
    """
    medians = {}
    for group in STANDS_FOR:
        members = [i for i, name in enumerate(groups) if name == group]
        wanted = members if group == "augmentation" else members[-1:]
        rows = [k for k, (i, _) in enumerate(places) if i in wanted]
        if rows:
            medians[group] = _known(_middle(moved[rows], np.nanmedian, axis=0))
    return medians


# --- directions ---------------------------------------------------------------------------------


def sign(value: float) -> int:
    """1, -1 or 0."""
    return (value > 0) - (value < 0)


def per_seed(table: Changes, layers: str, metric: str, group: str) -> dict[int, float]:
    """How a group of arms moves a metric of a group of layers against the baseline, by seed.

    Of a ladder the slope along its doses; of other groups the mean over their arms. Seeds without
    the baseline or any arm of the group are left out.
    """
    if group in LADDERS:
        return {
            seed: trend(range(len(arms) + 1), [base, *arms])
            for seed, base, arms in _by_seed(table, layers, metric, group)
        }
    return {
        seed: float(np.mean(arms) - base)
        for seed, base, arms in _by_seed(table, layers, metric, group)
    }


def lengths(table: Changes, layers: str, metric: str, group: str) -> dict[int, float]:
    """How far a group moves a metric, by seed: the mean over its arms of the distance from the
    baseline.
    """
    return {
        seed: float(np.abs(arms - base).mean())
        for seed, base, arms in _by_seed(table, layers, metric, group)
    }


def _by_seed(
    table: Changes, layers: str, metric: str, group: str
) -> Iterator[tuple[int, float, Array]]:
    """(seed, the baseline's change, those of the group's arms) where they are there."""
    rows = table.values.get(layers, {}).get(metric)
    if rows is None:
        return
    groups = [arm.group for arm in table.arms]
    baseline, members = groups.index("baseline"), [name == group for name in groups]
    for seed, column in zip(table.seeds, np.array(rows, dtype=float).T):
        base, arms = column[baseline], column[members]
        arms = arms[~np.isnan(arms)]
        if len(arms) and not np.isnan(base):
            yield seed, float(base), arms
