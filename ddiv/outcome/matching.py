"""Matching at equal fit: the baseline's state at another arm's clean training loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ddiv.outcome.snapshot import Snapshot

# An arm whose clean loss is within 10 % of the baseline's last is compared with that last state.
LOSS_TOLERANCE = 0.1


class Match(NamedTuple):
    """The baseline's state at an arm's clean training loss, between the two checkpoints around it.

    early and late are those checkpoints. The place between them where the loss was passed is known;
    the other outcomes there are interpolated. So a direction that early and late do not share is
    not known.
    """

    early: Snapshot
    between: Snapshot
    late: Snapshot


def matched(trajectory: Sequence[Snapshot], loss: float) -> Match | None:
    """The baseline when its clean training loss first fell to `loss`, or None where it never did.

    The state is interpolated between the two checkpoints around it, linearly in log loss, because
    training loss falls by factors.
    """
    losses = np.log([state.scores["loss/train"] for state in trajectory])
    target = np.log(loss)
    if target > losses[0]:
        return None
    below = np.flatnonzero(losses <= target)
    if not len(below):
        if not target >= losses.min() - LOSS_TOLERANCE:  # too far off, or not a number
            return None
        return Match(trajectory[max(len(trajectory) - 2, 0)], trajectory[-1], trajectory[-1])
    i = int(below[0])
    if losses[i] == target:  # on a checkpoint: nothing is interpolated
        return Match(*[trajectory[i]] * 3)
    early, late = trajectory[i - 1], trajectory[i]
    weight = (losses[i - 1] - target) / (losses[i - 1] - losses[i])
    return Match(early, _between(early, late, weight), late)


def _between(a: Snapshot, b: Snapshot, weight: float) -> Snapshot:
    def mixed(early: Mapping[str, Any], late: Mapping[str, Any]) -> dict[str, Any]:
        return {name: (1 - weight) * early[name] + weight * late[name] for name in early}

    table = mixed(a.table, b.table) | {
        "reliable": np.minimum(a.table["reliable"], b.table["reliable"])
    }
    scores = mixed(a.scores, b.scores)
    return Snapshot(
        table,
        a.layer_groups,
        scores,
        a.further,
        lambda group: mixed(a.lazily(group), b.lazily(group)),
        own=lambda outcome: (1 - weight) * a.own(outcome) + weight * b.own(outcome),
    )
