"""From a trained record to the states that outcomes are read off.

Spectral metrics are derived from stored eigenvalues, so they are computed once a record and kept
beside it in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial

import numpy as np

from ddiv import layers, rmt, truncation
from ddiv.outcome.calibration import accuracy, ece
from ddiv.outcome.matching import Match, matched
from ddiv.outcome.snapshot import Snapshot
from ddiv.spectra import metrics, powerlaw
from ddiv.store import Record, Store

# Raise when a metric comes to mean something else; cached tables of the old meaning are then left
# unread.
METRICS = 2

# Hill's estimator needs a tail of five and one eigenvalue below it; smaller layers have none.
SMALLEST_TAIL = 5


@dataclass(frozen=True)
class Trained:
    """A trained record, read: its state before (without scores) and after, and its trajectory.

    `spectra` are the columns of `spectral_table`; `store` keeps what is computed later.
    """

    record: Record
    spectra: Mapping[str, np.ndarray]
    store: Store | None = None
    # Claims by the dozen compare the same arms.
    _matches: dict[float, Match | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def views(self) -> tuple[np.ndarray, np.ndarray]:
        return layers.memberships(self.record.facts["layers"])

    @cached_property
    def before(self) -> Snapshot:
        return self._snapshot(0, {})

    @cached_property
    def after(self) -> Snapshot:
        facts, arrays = self.record.facts, self.record.arrays
        scores = self._scores(facts["clean"], "log_probabilities/", arrays.__getitem__)
        return replace(
            self._snapshot(1, scores), truncated=truncation.scores(facts.get("truncated"))
        )

    @cached_property
    def trajectory(self) -> list[Snapshot]:
        """The states at the recipe's checkpoints, from the first; empty for every arm but the
        baseline.
        """
        arrays = self.record.arrays
        return [
            self._snapshot(
                2 + i,
                self._scores(
                    point, "log_probabilities/", lambda name, i=i: arrays[f"trajectory/{name}"][i]
                ),
            )
            for i, point in enumerate(self.record.facts["trajectory"])
        ]

    def matched(self, loss: float) -> Match | None:
        """This baseline when its clean training loss first fell to `loss` (`matching.matched`)."""
        if loss not in self._matches:
            self._matches[loss] = matched(self.trajectory, loss)
        return self._matches[loss]

    def _snapshot(self, row: int, scores: Mapping[str, float]) -> Snapshot:
        main, further = self.views
        table = {name: column[row] for name, column in self.spectra.items()}
        return Snapshot(
            table, main, scores, further, cache(partial(self._random_matrix_theory, row))
        )

    def _random_matrix_theory(self, row: int, group: str) -> Mapping[str, np.ndarray]:
        def compute() -> dict[str, np.ndarray]:
            return rmt.table(
                group, ((evals[row], layer["shape"]) for layer, evals in _spectra(self.record))
            )

        return _cached(self.store, f"{group}-{rmt.MEANING}/{self.record.key}-{row}", compute)

    def _scores(self, clean: Mapping[str, float], prefix: str, array) -> dict[str, float]:
        domains = self.record.facts["domains"]
        scores = {"accuracy/train": clean["accuracy"], "loss/train": clean["loss"]}
        for domain in domains:
            outputs, labels = array(prefix + domain), self.record.arrays[f"labels/{domain}"]
            scores[f"accuracy/{domain}"], scores[f"ece/{domain}"] = (
                accuracy(outputs, labels),
                ece(outputs, labels),
            )
            scores[f"ece_mass/{domain}"] = ece(outputs, labels, equal_mass=True)
        for kind in ("accuracy", "ece", "ece_mass"):
            scores[f"{kind}/id"] = scores[f"{kind}/{domains[0]}"]
            if domains[1:]:
                scores[f"{kind}/ood"] = float(
                    np.mean([scores[f"{kind}/{domain}"] for domain in domains[1:]])
                )
        return scores


def read(record: Record, store: Store | None = None) -> Trained:
    """Read a trained record; its spectral table comes from the store's cache where that has it."""
    return Trained(
        record,
        _cached(store, f"metrics-{METRICS}/{record.key}", partial(spectral_table, record)),
        store,
    )


def _cached(
    store: Store | None, name: str, compute: Callable[[], dict[str, np.ndarray]]
) -> Mapping[str, np.ndarray]:
    """A table from the store's file of this name, or computed and left there."""
    if store is None:
        return compute()
    from safetensors.numpy import load, save

    from ddiv.store import write_atomically

    path = store.root / f"{name}.safetensors"
    try:
        return load(path.read_bytes())
    except Exception:  # absent or damaged: it is derived, so it is made again
        table = compute()
    try:
        write_atomically(path, save(table), durable=False)
    except OSError:
        pass  # a store that cannot be written costs time, not results
    return table


def spectral_table(record: Record) -> dict[str, np.ndarray]:
    """Every spectral metric of a record: name -> (states, layers); states are before, after,
    trajectory.
    """
    columns = [_metrics(evals, layer["shape"][0]) for layer, evals in _spectra(record)]
    return {
        name: np.ascontiguousarray(np.stack([column[name] for column in columns], axis=1))
        for name in columns[0]
    }


def _spectra(record: Record) -> list[tuple[Mapping, np.ndarray]]:
    """Each matrix of a record (of its fact "layers") with its eigenvalues (states, M)."""
    arrays, matrices = record.arrays, record.facts["layers"]
    flat = np.stack(
        [
            arrays["eigenvalues/before"],
            arrays["eigenvalues/after"],
            *arrays.get("trajectory/eigenvalues", ()),
        ]
    )
    ends = np.cumsum([layer["eigenvalues"] for layer in matrices])
    return [
        (layer, flat[:, end - layer["eigenvalues"] : end]) for layer, end in zip(matrices, ends)
    ]


def _metrics(evals: np.ndarray, rows: int) -> dict[str, np.ndarray]:
    fits, size = powerlaw.fit_batch(evals), evals.shape[-1]
    simple = metrics.summarise(evals, n_rows=rows)
    tails = {
        "hill_alpha": max(SMALLEST_TAIL, size // 4),
        "hill_alpha_half": max(SMALLEST_TAIL, size // 2),
    }
    hill = {
        name: powerlaw.hill_alpha(evals, k) if size > k else np.full(len(evals), np.nan)
        for name, k in tails.items()
    }
    fitted = {
        "alpha": fits.alpha,
        "alpha_error": fits.sigma,
        "alpha_distance": fits.D,
        "tail_size": fits.tail_size,
        "num_pl_spikes": fits.num_pl_spikes,
        "reliable": fits.reliable,
        **hill,
    }
    return {
        name: np.asarray(column, dtype=np.float64) for name, column in {**simple, **fitted}.items()
    }
