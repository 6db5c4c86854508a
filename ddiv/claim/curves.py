"""Questions about many arms: the largest, a curve's peak, a mixing threshold, the values that come
up somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects, TooFewArms
from ddiv.claim.question import Asking, Derived
from ddiv.common.arrays import Array
from ddiv.common.ties import less
from ddiv.evidence import RISES, Evidence, Method
from ddiv.outcome import OfNetwork, Outcome, Snapshot
from ddiv.treatment import BASELINE, Ladder, Treatment


class Largest(Asking, frozen=True, tag="largest"):
    """One arm has a larger outcome than every other: its lead over each of them, seed by seed."""

    outcome: Outcome
    treatment: Treatment
    others: tuple[Treatment, ...]
    direction: int = RISES

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, self.treatment, *self.others))

    def answer(self, bench: Bench) -> Effects:
        largest = bench.effect(self.outcome, self.treatment)
        return tuple(less(largest, bench.effect(self.outcome, arm)) for arm in self.others)

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        return evidence.every(list(zip(*effects)), self.direction, alpha=alpha, method=method)

    @property
    def method(self) -> str:
        return "sign e-process on the per-seed leads over each of the others; the weakest decides"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, lead over the closest"


class RiseThenFall(Asking, frozen=True, tag="rise-then-fall"):
    """Along a ladder an outcome first rises, then falls: inside it is larger than at both ends.

    Per seed: the curve, as differences from the first rung. The place of the peak is taken from the
    seeds before the one that it is judged on (`evidence.peaked`). It has a specific verdict where
    the first rung is the baseline.
    """

    outcome: Outcome
    ladder: Ladder

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.ladder) < 3:
            raise TooFewArms(
                f"a rise and a fall need a ladder of 3 rungs or more, got {len(self.ladder)}"
            )

    def arms(self) -> Iterator[Treatment]:
        return (treatment for _, treatment in self.ladder)

    def answer(self, bench: Bench) -> Effects:
        (_, first), *others = self.ladder
        return tuple(bench.effect(self.outcome, arm, first) for _, arm in others)

    @property
    def has_specific(self) -> bool:
        return self.ladder[0][1].is_baseline and super().has_specific

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        return evidence.peaked(_curves(effects), alpha=alpha, method=method)

    def extremes(self, effects: Sequence[Effects]) -> Iterator[Effects]:
        size, inside = 1 + 10 * float(np.abs(effects).max()), len(self.ladder) - 2
        for peak in range(inside):
            yield tuple(size * (rung == peak) for rung in range(inside + 1))
        yield (-size,) * inside + (0.0,)

    def derived(self, effects: Sequence[Effects]) -> tuple[Derived, ...]:
        rungs = np.array([rung for rung, _ in self.ladder])
        best = evidence.best_share(rungs, _curves(effects))
        return (Derived("where the mean is highest", *best),)

    @property
    def method(self) -> str:
        return (
            "sign e-process on the per-seed height, over both ends, "
            "of the rung that was highest at the seeds before"
        )

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, height of the peak over the higher end"


class Mixing(Asking, frozen=True, tag="mixing"):
    """Over a ladder of synthetic shares accuracy is flat or rising at first, and lower in the end.

    Per seed: the difference from the baseline at each share. Two things must hold: no share up to
    `half` is below the baseline by more than `margin`, and the last share is below the mean of the
    baseline and all shares up to `half`. It has no specific verdict, as NoWorse has none.
    """

    outcome: Outcome
    ladder: Ladder
    margin: float
    half: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        shares = [share for share, _ in self.ladder]
        if (
            shares != sorted(set(shares))
            or shares[0] != 0
            or len(self._early) < 2
            or shares[-1] <= self.half
        ):
            raise TooFewArms(
                f"a mixing ladder starts at 0, rises, and has a share up to {self.half:g} and one "
                f"beyond, got {shares}"
            )

    @property
    def has_specific(self) -> bool:
        return False

    @property
    def _early(self) -> list[int]:
        """The rungs up to `half`."""
        return [i for i, (share, _) in enumerate(self.ladder) if share <= self.half]

    def arms(self) -> Iterator[Treatment]:
        return (treatment for _, treatment in self.ladder)

    def answer(self, bench: Bench) -> Effects:
        return tuple(bench.effect(self.outcome, arm) for _, arm in self.ladder[1:])

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        curves = _curves(effects)
        early = curves[self._early]
        comparisons = [*less(early[1:], -self.margin), less(early.mean(axis=0), curves[-1])]
        return evidence.every(comparisons, alpha=alpha, method=method)

    def extremes(self, effects: Sequence[Effects]) -> Iterator[Effects]:
        size, early = 1 + 10 * float(np.abs(effects).max()), len(self._early) - 1
        late = len(self.ladder) - 1 - early
        yield (size,) * early + (-size,) * late
        yield (-size,) * early + (size,) * late

    def derived(self, effects: Sequence[Effects]) -> tuple[Derived, ...]:
        shares = np.array([share for share, _ in self.ladder])
        name = (
            f"largest synthetic share at which the mean is at most {self.margin:g} below that of "
            "real data only"
        )
        return (Derived(name, *evidence.last_share(shares, _curves(effects) + self.margin)),)

    @property
    def method(self) -> str:
        return (
            f"sign e-process on per-seed comparisons, not lower at any share up to {self.half:g} "
            f"(margin {self.margin:g}) and lower in the end; all must hold"
        )

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, the weakest of the comparisons"


class Exhibited(Asking, frozen=True, tag="exhibited"):
    """Somewhere on a ladder an outcome has each of its possible values: a network goes through all
    phases, say.

    `names` are those of the values 0, 1, ... Per seed and value: 1 where a rung has it, else -1.
    """

    outcome: OfNetwork
    ladder: Ladder
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.ladder) < len(self.names):
            raise TooFewArms(
                f"{len(self.names)} values need a ladder of as many rungs, got {len(self.ladder)}"
            )

    def arms(self) -> Iterator[Treatment]:
        return (treatment for _, treatment in self.ladder)

    @property
    def has_specific(self) -> bool:
        return False

    def compared(self, bench: Bench) -> Iterator[tuple[Snapshot, Snapshot]]:
        return ((bench.state(arm), bench.state(arm)) for arm in self.arms())

    def answer(self, bench: Bench) -> Effects:
        seen = {bench.value(self.outcome, arm) for arm in self.arms()}
        return tuple(1.0 if value in seen else -1.0 for value in range(len(self.names)))

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        return evidence.every(list(zip(*effects)), alpha=alpha, method=method)

    def derived(self, effects: Sequence[Effects]) -> tuple[Derived, ...]:
        shares = (np.array(effects).T + 1) / 2
        return tuple(
            Derived(f"share of seeds with {name}", *evidence.mean_of_seeds(seen))
            for name, seen in zip(self.names, shares)
        )

    @property
    def method(self) -> str:
        return "sign e-process on whether each value is seen at a seed; the rarest decides"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}: 1 where the rarest value is seen, else -1"


def _curves(effects: Sequence[Effects]) -> Array:
    """(rungs, seeds) differences from the first rung, its own 0 first."""
    curves = np.array(effects).T
    return np.vstack([np.zeros(curves.shape[1]), curves])
