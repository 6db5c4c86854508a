"""A state of a network, and the outcomes read off it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ddiv.common.arrays import Array
from ddiv.common.ties import less
from ddiv.outcome import layers
from ddiv.outcome.kinds import OfLayers, OfNetwork, Outcome, Score, Spectral, Truncated
from ddiv.outcome.own import SpectrumOutcome
from ddiv.spectra import random_matrix as rmt
from ddiv.study.measures import OutcomeFailed, OwnMeasure
from ddiv.trial import truncation

# Metrics that rest on the search for a tail, which can fail ("reliable" in a snapshot's table).
FITTED = ("alpha", "num_pl_spikes")

# Exponents, and metrics that compare with random matrices, jump from layer to layer. One layer must
# not decide, so their median is taken over layers. Two metrics are 0 or 1 a layer; their mean is
# the share of layers.
SHARES = ("mp_departs", "regularised")

MEDIAN = (
    *FITTED,
    "hill_alpha",
    "hill_alpha_half",
    *(metric for metric in rmt.GROUP_OF if metric not in SHARES),
)


def _unknown(outcome: OwnMeasure) -> Array:
    raise OutcomeFailed(f"the outcome {outcome.key} is not known of this state of a network")


@dataclass(frozen=True)
class Snapshot:
    """One state of a network.

    `table` maps a metric to (layers,) values, with "reliable" (1.0 or 0.0) telling whether a
    layer's power-law fit can be relied on. `layer_groups` names each layer's group, for a
    convolution with its matricisation ("encoder/flat"), and `further` the other groups that it is
    in (`layers.memberships`). `scores` maps "accuracy/id" and the like. `lazily` gives the tables
    of `ddiv.spectra.random_matrix` by group, computed when first asked for. `truncated` holds
    `truncation.scores`, of a baseline after training only. `own` gives an outcome of a user's own:
    its value (), or that of every matrix (layers,). `start` is the table before training where arms
    do not start alike, as those of published studies: an effect is then the difference between two
    changes by training.
    """

    table: Mapping[str, Array]
    layer_groups: Array
    scores: Mapping[str, float]
    further: Array = field(default_factory=lambda: np.empty((0, 1), dtype=str))
    lazily: Callable[[str], Mapping[str, Array]] = lambda group: {}
    truncated: Mapping[str, float] = field(default_factory=dict)
    own: Callable[[OwnMeasure], Array] = _unknown
    start: Mapping[str, Array] | None = None

    def changed(self, outcome: OfLayers) -> Array:
        """`layers`, less what they were at the `start` where the state has one."""
        values = self.layers(outcome)
        if self.start is None or not isinstance(outcome, Spectral):
            return values
        changed: Array = values - self.start[outcome.metric][self._mask(outcome)]
        return changed

    def layers(self, outcome: OfLayers) -> Array:
        """The values of a spectral outcome, one a layer of its group.

        Raises layers.NoSuchLayer where no layer is in it.
        """
        values: Array = self._column(outcome)[self._mask(outcome)]
        return values

    def reliable(self, outcome: OfLayers) -> Array:
        """Whether each of these values can be relied on.

        A fit can fail, and a value of random matrix theory may not exist.
        """
        mask = self._mask(outcome)
        usable: Array
        if not can_fail(outcome):
            usable = np.ones(mask.sum(), dtype=bool)
        elif isinstance(outcome, Spectral) and outcome.metric in rmt.GROUP_OF:
            usable = ~np.isnan(self._column(outcome)[mask])
        else:
            usable = self.table["reliable"][mask] > 0.5
        return usable

    def names(self, outcome: OfLayers) -> list[str]:
        """The names of the layers of an outcome's layer group, in the order of `layers`."""
        single_layers = map(str, self.further[-1][self._mask(outcome)])
        matricisation = f"/{outcome.convolution}"
        return [
            group.removeprefix(layers.ONE_LAYER).removesuffix(matricisation)
            for group in single_layers
        ]

    @property
    def available(self) -> list[str]:
        """The layer groups that this network has: those of `layers.LAYER_GROUPS`, and "layer:NAME"
        for each layer.
        """
        return layers.available(self.layer_groups, self.further)

    def _column(self, outcome: OfLayers) -> Array:
        if isinstance(outcome, SpectrumOutcome):
            return self.own(outcome)
        metric = outcome.metric
        group = None if metric in self.table else rmt.GROUP_OF.get(metric)
        table = self.lazily(group) if group else self.table
        return table[metric]

    def _mask(self, outcome: OfLayers) -> Array:
        return layers.chosen(outcome.layers, outcome.convolution, self.layer_groups, self.further)


def can_fail(outcome: Outcome) -> bool:
    """Whether a metric rests on a fit or on random matrix theory, so that a layer may have no value
    of it that can be relied on.
    """
    return isinstance(outcome, Spectral) and (
        outcome.metric in FITTED or outcome.metric in rmt.GROUP_OF
    )


class LayerValue(NamedTuple):
    """One layer's value of a spectral outcome, and whether it can be relied on."""

    layer: str
    value: float
    reliable: bool


def by_layer(outcome: OfLayers, state: Snapshot) -> list[LayerValue]:
    """The outcome layer by layer, over the layers of its group in the network's order.

    Raises layers.NoSuchLayer.
    """
    columns = state.names(outcome), state.layers(outcome).tolist(), state.reliable(outcome).tolist()
    return [LayerValue(*row) for row in zip(*columns)]


def value(outcome: OfNetwork, state: Snapshot) -> float:
    """The outcome as one number: a score, or the mean (`MEDIAN`: the median) over the layers of a
    view.

    NaN where no layer has a value. Raises ValueError where the outcome is measured in the baseline
    only and the state is another arm's.
    """
    if isinstance(outcome, Score):
        return state.scores[f"{outcome.kind}/{outcome.where}"]
    if isinstance(outcome, Truncated):
        return truncation.kept(
            state.truncated, outcome.removed, outcome.part, outcome.where, outcome.tail
        )
    if not isinstance(outcome, OfLayers):
        return float(state.own(outcome))
    values = state.layers(outcome)
    if can_fail(outcome):
        values = values[_usable(state.reliable(outcome))]
    return _over_layers(outcome, values)


def effect(outcome: OfNetwork, arm: Snapshot, base: Snapshot) -> float:
    """The difference arm - base of an outcome (of their changes, see `Snapshot.start`).

    A spectral outcome's is taken layer by layer, over the layers reliable in both. Where there is
    no such layer, all layers are used, and `reliability` tells.
    """
    if not isinstance(outcome, OfLayers):
        return float(less(value(outcome, arm), value(outcome, base)))
    changes = arm.changed(outcome) - base.changed(outcome)
    if not can_fail(outcome):
        return _over_layers(outcome, changes)
    return _over_layers(outcome, changes[_usable(arm.reliable(outcome) & base.reliable(outcome))])


def reliability(outcome: Outcome, arm: Snapshot, base: Snapshot) -> float:
    """The share of layers whose fits can be relied on in both arms; 1.0 for outcomes without a fit.

    For a truncated network it is the share of matrices in which a tail was found, since the others
    are left whole. It is 0 where the network had no accuracy to lose.
    """
    if isinstance(outcome, Truncated):
        return min(_share_with_tail(outcome, state) for state in (arm, base))
    if not isinstance(outcome, OfLayers) or not can_fail(outcome):
        return 1.0
    return float((arm.reliable(outcome) & base.reliable(outcome)).mean())


def _share_with_tail(outcome: Truncated, state: Snapshot) -> float:
    if np.isnan(value(outcome, state)):
        return 0.0
    return truncation.share(state.truncated, outcome.part, outcome.tail)


def _usable(mask: Array) -> Array:
    """The mask, or one of all layers where it has none."""
    return mask if mask.any() else np.ones_like(mask)


def _over_layers(outcome: OfLayers, values: Array) -> float:
    if isinstance(outcome, SpectrumOutcome) or outcome.metric not in MEDIAN:
        return float(values.mean())
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")
