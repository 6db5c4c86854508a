"""A state of a network, and the outcomes read off it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ddiv import layers, rmt, truncation
from ddiv.outcome.kinds import Outcome, Score, Spectral, Truncated

# Metrics that rest on the search for a tail, which can fail ("reliable" in a snapshot's table).
FITTED = ("alpha", "num_pl_spikes")

# Exponents, and what is compared with random matrices, jump from layer to layer, so one layer must
# not decide: their median is taken over layers. Of the two that are 0 or 1 a layer the mean is the
# share of layers.
SHARES = ("mp_departs", "regularised")
MEDIAN = (
    *FITTED,
    "hill_alpha",
    "hill_alpha_half",
    *(metric for metric in rmt.GROUP_OF if metric not in SHARES),
)


@dataclass(frozen=True)
class Snapshot:
    """One state of a network.

    `table` maps a metric to (layers,) values, with "reliable" (1.0 or 0.0) telling whether a
    layer's power-law fit can be relied on; `views` names each layer's view, for a convolution with
    its matricisation ("encoder/flat"), and `further` the other views that it is in
    (`layers.memberships`); `scores` maps "accuracy/id" and the like. `lazily` gives the tables of
    `ddiv.rmt` by group, which are computed when first asked for; `truncated` what
    `truncation.scores` tells, of a baseline after training only.
    """

    table: Mapping[str, np.ndarray]
    views: np.ndarray
    scores: Mapping[str, float]
    further: np.ndarray = field(default_factory=lambda: np.empty((0, 1), dtype=str))
    lazily: Callable[[str], Mapping[str, np.ndarray]] = lambda group: {}
    truncated: Mapping[str, float] = field(default_factory=dict)

    def layers(self, outcome: Spectral) -> np.ndarray:
        """The values of a spectral outcome, one a layer of its view.

        Raises layers.NoSuchLayer where no layer is in it.
        """
        return self._column(outcome)[self._mask(outcome)]

    def reliable(self, outcome: Spectral) -> np.ndarray:
        """Whether each of these values can be relied on: fits can fail, and what random matrix
        theory says may not exist.
        """
        mask = self._mask(outcome)
        if outcome.metric in rmt.GROUP_OF:
            return ~np.isnan(self._column(outcome)[mask])
        if not can_fail(outcome):
            return np.ones(mask.sum(), dtype=bool)
        return self.table["reliable"][mask] > 0.5

    def names(self, outcome: Spectral) -> list[str]:
        """The names of the layers of an outcome's view, in the order of `layers`."""
        own = self.further[-1][self._mask(outcome)]
        return [
            str(name).removeprefix(layers.ONE_LAYER).removesuffix(f"/{outcome.convolution}")
            for name in own
        ]

    @property
    def available(self) -> list[str]:
        """The views that this network has: those of `layers.VIEWS`, and "layer:NAME" for each
        layer.
        """
        return layers.available(self.views, self.further)

    def _column(self, outcome: Spectral) -> np.ndarray:
        group = rmt.GROUP_OF.get(outcome.metric)
        return (self.lazily(group) if group and outcome.metric not in self.table else self.table)[
            outcome.metric
        ]

    def _mask(self, outcome: Spectral) -> np.ndarray:
        return layers.chosen(outcome.layers, outcome.convolution, self.views, self.further)


def can_fail(outcome: Spectral) -> bool:
    """Whether a layer may have no value of a metric that can be relied on: it rests on a fit, or on
    random matrix theory.
    """
    return outcome.metric in FITTED or outcome.metric in rmt.GROUP_OF


class LayerValue(NamedTuple):
    """One layer's value of a spectral outcome, and whether it can be relied on."""

    layer: str
    value: float
    reliable: bool


def by_layer(outcome: Spectral, state: Snapshot) -> list[LayerValue]:
    """The outcome layer by layer, over the layers of its view in the network's order.

    Raises layers.NoSuchLayer.
    """
    columns = state.names(outcome), state.layers(outcome).tolist(), state.reliable(outcome).tolist()
    return [LayerValue(*row) for row in zip(*columns)]


def value(outcome: Spectral | Score | Truncated, state: Snapshot) -> float:
    """The outcome as one number: a score, or the mean (`MEDIAN`: the median) over the layers of a
    view.

    NaN where no layer has one. Raises ValueError on an outcome that is measured in the baseline
    only, of another arm.
    """
    if isinstance(outcome, Score):
        return state.scores[f"{outcome.kind}/{outcome.where}"]
    if isinstance(outcome, Truncated):
        return truncation.kept(
            state.truncated, outcome.removed, outcome.part, outcome.where, outcome.tail
        )
    values = state.layers(outcome)
    return _over_layers(
        outcome, values[_usable(state.reliable(outcome))] if can_fail(outcome) else values
    )


def effect(outcome: Spectral | Score | Truncated, arm: Snapshot, base: Snapshot) -> float:
    """The difference arm - base of an outcome; spectral ones layer by layer, over layers reliable
    in both.

    Where no layer is reliable in both, all layers are used, and `reliability` tells.
    """
    if isinstance(outcome, Score | Truncated):
        return value(outcome, arm) - value(outcome, base)
    if not can_fail(outcome):
        return _over_layers(outcome, arm.layers(outcome) - base.layers(outcome))
    mask = _usable(arm.reliable(outcome) & base.reliable(outcome))
    return _over_layers(outcome, arm.layers(outcome)[mask] - base.layers(outcome)[mask])


def reliability(outcome: Outcome, arm: Snapshot, base: Snapshot) -> float:
    """The share of layers whose fits can be relied on in both arms (1.0 for outcomes without a
    fit).

    Of a truncated network it is the share of matrices in which a tail was found: the others are
    left whole. It is 0 where the network had no accuracy to lose.
    """
    if isinstance(outcome, Truncated):
        return min(
            0.0
            if np.isnan(value(outcome, state))
            else truncation.share(state.truncated, outcome.part, outcome.tail)
            for state in (arm, base)
        )
    if not isinstance(outcome, Spectral) or not can_fail(outcome):
        return 1.0
    return float((arm.reliable(outcome) & base.reliable(outcome)).mean())


def _usable(mask: np.ndarray) -> np.ndarray:
    return mask if mask.any() else np.ones_like(mask)


def _over_layers(outcome: Spectral, values: np.ndarray) -> float:
    if outcome.metric not in MEDIAN:
        return float(values.mean())
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else float("nan")
