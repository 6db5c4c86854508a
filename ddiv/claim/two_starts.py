"""A question on what arms do to a spectrum when training begins at a checkpoint, and at random.

An effect is a logarithm here, that of a metric in an arm over the same in the baseline from the
same start, so that it does not depend on how large weights are. Repeats of the baseline from both
starts tell what comes up where nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects, TooFewArms
from ddiv.claim.groups import cosine
from ddiv.claim.question import Curve, OneEffect
from ddiv.common.arrays import Array
from ddiv.evidence import RISES
from ddiv.outcome import Layers, Metric, Outcome, Snapshot, Spectral
from ddiv.treatment import BASELINE, Treatment

# An arm from the checkpoint, and the same one from random weights.
Pair = tuple[Treatment, Treatment]


class TwoStarts(OneEffect, frozen=True, tag="two-starts"):
    """Arms do more to a spectrum from scratch than in fine-tuning ("size"), move the same layers
    ("layers") or move it in the same direction ("direction"), beyond what repeats of the baseline
    show.

    Per seed, over the mean effect of the arms on `metrics`, by layer:

    - size: the mean square from scratch less that of fine-tuning, each less that of the `repeats`,
      as a signed root;
    - layers: Spearman's correlation over layers, less that of the repeats (0 where there is none);
    - direction: the cosine over metrics and layers, each metric divided by its root mean square,
      less that of the repeats; the mean over `times`, the recipe's checkpoints, and the end.

    Each arm of `fine` begins at the checkpoint, the same one of `scratch` at random weights. A
    repeat in place of an arm could change places with the repeat that it is compared with, so each
    comes out ahead as often.
    """

    compared_in: Literal["size", "layers", "direction"]
    metrics: tuple[Metric, ...]
    layers: Layers
    fine: tuple[Treatment, ...]
    scratch: tuple[Treatment, ...]
    bases: Pair
    repeats: Pair
    times: tuple[float, ...] = ()
    direction: int = RISES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.fine or len(self.fine) != len(self.scratch):
            raise TooFewArms(
                "arms from two starts are one or more, as many from the checkpoint as from random "
                f"weights, got {len(self.fine)} and {len(self.scratch)}"
            )

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Each arm from the checkpoint and from random weights."""
        return tuple(zip(self.fine, self.scratch))

    def arms(self) -> Iterator[Treatment]:
        return (arm for pair in (self.bases, self.repeats, *self.pairs) for arm in pair)

    def outcomes(self) -> Iterator[Outcome]:
        return iter(self._spectral)

    @property
    def _spectral(self) -> tuple[Spectral, ...]:
        return tuple(Spectral(metric, self.layers) for metric in self.metrics)

    @property
    def has_specific(self) -> bool:
        """No optimiser's family is known from random weights."""
        return False

    def compared(self, bench: Bench) -> Iterator[tuple[Snapshot, Snapshot]]:
        for arms in (self.repeats, *self.pairs):
            yield from zip(map(bench.state, arms), map(bench.state, self.bases))

    def answer(self, bench: Bench) -> Effects:
        if self.compared_in == "direction":
            cosines = [self._together(*moments) for moments in self._over_time(bench)]
            return (float(np.mean([arms - repeats for arms, repeats in cosines])),)
        *_, (arms, repeats) = self._over_time(bench)
        if self.compared_in == "size":
            (fine, scratch), (still, idle) = (map(_size, two) for two in (arms, repeats))
            more = (scratch**2 - idle**2) - (fine**2 - still**2)
            return (float(np.sign(more) * abs(more) ** 0.5),)
        of_arms, of_repeats = self._together(arms, repeats)
        return (of_arms - of_repeats,)

    def _together(self, arms: Array, repeats: Array) -> tuple[float, float]:
        """How much the two starts have in common, in the arms and in the repeats."""
        measure = _cosine if self.compared_in == "direction" else _rank_correlation
        return measure(*arms), measure(*repeats)

    def _over_time(self, bench: Bench) -> list[tuple[Array, Array]]:
        """At each moment the mean effects of the arms and those of the repeats, (2 starts, metrics,
        layers) both.
        """
        paths = {arm: [*bench.path(arm), bench.state(arm)] for arm in dict.fromkeys(self.arms())}
        moments = min(map(len, paths.values()))
        logs = {
            arm: [self._logs(state) for state in path[len(path) - moments :]]
            for arm, path in paths.items()
        }

        def effects(pairs: Sequence[Pair], moment: int) -> Array:
            both = [
                [logs[arm][moment] - logs[base][moment] for arm, base in zip(pair, self.bases)]
                for pair in pairs
            ]
            mean: Array = np.mean(both, axis=0)
            return mean

        found = []
        for moment in range(moments):
            two = effects(self.pairs, moment), effects((self.repeats,), moment)
            known = ~np.isnan(np.stack(two)).any(axis=(0, 1, 2))
            found.append((two[0][..., known], two[1][..., known]))
        return found

    def _logs(self, state: Snapshot) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(np.stack([state.layers(outcome) for outcome in self._spectral]))
        return np.where(np.isfinite(logs), logs, np.nan)

    def told(self, bench: Bench) -> tuple[Curve, ...]:
        """Over time the ratio of sizes or the cosine; the profiles of layers at the end."""
        over_time = self._over_time(bench)
        if self.compared_in == "layers":
            (fine, scratch), _ = over_time[-1]
            names = bench.state(BASELINE).names(self._spectral[0])
            if len(names) != fine.shape[-1]:
                return ()
            return tuple(
                Curve(name, tuple(names), tuple(effects.mean(axis=0).tolist()))
                for name, effects in (("fine-tuned", fine), ("from scratch", scratch))
            )
        times = (*(f"{time:g}" for time in self.times), "end")[-len(over_time) :]
        if self.compared_in == "size":
            values = [[_log_ratio(*each) for each in two] for two in over_time]
        else:
            values = [list(self._together(*two)) for two in over_time]
        return tuple(
            Curve(name, times, tuple(column), self.compared_in == "size")
            for name, column in zip(("the arms", "repeats of the baseline"), zip(*values))
        )

    @property
    def told_as(self) -> str:
        metrics = ", ".join(outcome.label for outcome in self._spectral)
        what = {
            "size": "size of the effect from scratch over that in fine-tuning",
            "layers": "effect (log ratio)",
            "direction": "cosine of the effects from the two starts",
        }[self.compared_in]
        return f"{what}: {metrics}" if len(self.metrics) == 1 else what

    @property
    def told_over(self) -> str:
        return "layer" if self.compared_in == "layers" else "epoch"

    @property
    def method(self) -> str:
        of = {
            "size": "differences of mean squares from scratch and in fine-tuning",
            "layers": "rank correlations over layers of the effects from two starts",
            "direction": "mean cosines over time of the effects from two starts",
        }[self.compared_in]
        return f"sign e-process on per-seed {of}, less those of repeats of the baseline"

    @property
    def unit(self) -> str:
        metrics = ", ".join(outcome.label for outcome in self._spectral)
        return {
            "size": f"{metrics}, excess of the log effect from scratch",
            "layers": f"{metrics}, correlation over layers less that of repeats",
            "direction": "cosine less that of repeats",
        }[self.compared_in]


def _size(effects: Array) -> float:
    return float(np.sqrt((effects**2).mean())) if effects.size else 0.0


def _log_ratio(fine: Array, scratch: Array) -> float:
    """NaN where one of them is nothing."""
    first, second = _size(fine), _size(scratch)
    return float(np.log(second / first)) if first and second else float("nan")


def _cosine(fine: Array, scratch: Array) -> float:
    scale = np.sqrt((np.stack([fine, scratch]) ** 2).mean(axis=(0, 2)))[:, None]
    scale = np.where(scale > 0, scale, 1.0)
    return cosine((fine / scale).ravel(), (scratch / scale).ravel())


def _rank_correlation(fine: Array, scratch: Array) -> float:
    first, second = fine.mean(axis=0), scratch.mean(axis=0)
    if len(first) < 3 or not (np.ptp(first) and np.ptp(second)):
        return 0.0
    return float(evidence.rank_correlations(first[None], second[None])[0])
