"""Matching at equal fit: the states of a curve of networks at another arm's clean training loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ddiv.outcome.lazy import Lazy
from ddiv.outcome.snapshot import Snapshot

LOSS = "loss/train"


def passes(curve: Sequence[Snapshot], loss: float) -> list[Snapshot]:
    """The states of a curve at this clean training loss: one wherever it passes it, none where it
    never does.

    `curve` holds finished networks in the order of a dose. Between two that bracket the loss the
    state is interpolated, linearly in log loss, because training loss falls by factors. A curve
    along which the loss first falls and then rises passes twice. Nothing is extrapolated.
    """
    losses = np.log([max(state.scores[LOSS], np.finfo(float).tiny) for state in curve])
    return list(_passes(curve, losses.tolist(), float(np.log(loss))))


def _passes(
    curve: Sequence[Snapshot], losses: Sequence[float], target: float
) -> Iterator[Snapshot]:
    for i, at in enumerate(losses):
        if at == target:
            yield curve[i]
    for (i, one), (j, other) in pairwise(enumerate(losses)):
        if (one - target) * (other - target) < 0:
            yield between(curve[i], curve[j], (target - one) / (other - one))


def between(a: Snapshot, b: Snapshot, weight: float) -> Snapshot:
    """The state `weight` of the way from one to another, layer by layer."""

    def mix(one: Any, other: Any) -> Any:
        return (1 - weight) * one + weight * other

    def mixed(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
        return Lazy(one, lambda name: mix(one[name], other[name]))

    def column(name: str) -> Any:
        if name == "reliable":
            return np.minimum(a.table[name], b.table[name])
        return mix(a.table[name], b.table[name])

    return Snapshot(
        Lazy(a.table, column),
        a.layer_groups,
        mixed(a.scores, b.scores),
        a.further,
        lambda group: mixed(a.lazily(group), b.lazily(group)),
        own=lambda outcome: mix(a.own(outcome), b.own(outcome)),
    )
