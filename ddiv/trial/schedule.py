"""How many steps a trial takes, and where it is measured meanwhile."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from ddiv.common.errors import TrialFailed
from ddiv.treatment import Traced
from ddiv.treatment.calls import called, called_twice, named, wrong
from ddiv.trial.job import Trial


class Schedule(NamedTuple):
    """The steps of a trial, `batches` of them an epoch.

    The learning rate is 0 after `planned` steps, training ends after `last`. The network is
    measured after each number of steps in `checkpoints`; 0 is before training.
    """

    batches: int
    planned: int
    last: int
    checkpoints: frozenset[int]


def schedule(trial: Trial, examples: int) -> Schedule:
    """The steps of a trial on this many training examples.

    Raises TrialFailed where a part of a user's own makes no schedule of it.
    """
    recipe = trial.trained_by
    batches = -(-examples // recipe.batch)
    planned = recipe.epochs * batches
    # Only the baseline has a trajectory, and arms that are traced.
    traced = trial.treatment.is_baseline or trial.treatment.part(Traced)
    checkpoints = frozenset(round(epoch * batches) for epoch in recipe.checkpoints if traced)
    steps = Schedule(batches, planned, planned, checkpoints)
    for part in trial.treatment.with_hook("schedule"):
        steps = called_twice(part, "schedule", partial(called, part, "schedule", steps))
        if not isinstance(steps, Schedule):
            raise wrong(
                part, "schedule", "the schedule that it is given (schedule._replace)", steps
            )
        whole = type(steps.last) is type(steps.planned) is int
        if not whole or not 1 <= steps.last <= steps.planned:
            raise TrialFailed(
                f"{named(part, 'schedule')} has to return whole numbers of steps with 1 <= last <= "
                f"planned, and returned last={steps.last!r:.40}, planned={steps.planned!r:.40}"
            )
        if (steps.batches, steps.checkpoints) != (batches, checkpoints):
            raise TrialFailed(
                f"{named(part, 'schedule')} changes `batches` or `checkpoints`, and it may change "
                "`planned` and `last`: batch and epochs are for the hook `recipe`"
            )
    return steps
