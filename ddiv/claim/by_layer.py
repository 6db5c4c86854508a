"""A question on how steeply an outcome of layers goes with the diversity of the training set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects, TooFewArms
from ddiv.claim.question import Curve, Derived, OneEffect, have_rivals
from ddiv.common.arrays import Array
from ddiv.outcome import Outcome, Spectral, Vendi
from ddiv.treatment import BASELINE, Treatment


class Slope(OneEffect, frozen=True, tag="slope"):
    """An outcome of layers rises (falls) with the log of a Vendi Score over the baseline and a
    gradient of arms: the least-squares slope, by seed.

    The verdict is on the layers together, as the outcome sees them; `told` gives the slope of each.
    A seed at which all arms are as diverse counts as no effect. What is specific is the slope of
    what the optimiser's family leaves of each arm's effect.
    """

    outcome: Spectral
    along: Vendi
    gradient: tuple[Treatment, ...]
    direction: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.gradient) < 2:
            raise TooFewArms(
                f"a slope needs a gradient of 2 arms or more, got {len(self.gradient)}"
            )

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, *self.gradient))

    def outcomes(self) -> Iterator[Outcome]:
        return iter((self.outcome, self.along))

    @property
    def has_specific(self) -> bool:
        return have_rivals([*self.arms()])

    @property
    def told_of_rivals(self) -> bool:
        return self.has_specific

    def answer(self, bench: Bench) -> Effects:
        effects = [bench.effect(self.outcome, arm) for arm in self.arms()]
        return (float(slopes(self._diversity(bench), np.array(effects)[:, None])[0]),)

    def told(self, bench: Bench) -> tuple[Curve, ...]:
        """The slope of each layer."""
        changed = np.stack([bench.state(arm).changed(self.outcome) for arm in self.arms()])
        by_layer = slopes(self._diversity(bench), changed)
        names = tuple(bench.state(BASELINE).names(self.outcome))
        return (Curve("as trained", names, tuple(by_layer.tolist())),)

    def _diversity(self, bench: Bench) -> Array:
        return np.log([bench.value(self.along, arm) for arm in self.arms()])

    def derived(self, effects: Sequence[Effects]) -> tuple[Derived, ...]:
        name = "slope, mean over seeds"
        return (Derived(name, *evidence.mean_of_seeds([effect for (effect,) in effects])),)

    @property
    def method(self) -> str:
        return (
            "sign e-process on per-seed least-squares slopes over the baseline and "
            f"{len(self.gradient)} arms"
        )

    @property
    def unit(self) -> str:
        return f"{self.outcome.label} per unit of the log of the {self.along.label}"


def slopes(along: Array, values: Array) -> Array:
    """The least-squares slopes (k,) of values (n, k) along (n,); 0 where that does not vary."""
    centred = along - along.mean()
    spread = float(centred @ centred)
    found: Array = centred @ values / spread if spread > 1e-12 else np.zeros(values.shape[1])
    return found
