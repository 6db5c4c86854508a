"""Outcomes: the numbers read off a record, and the state of a trial that they are read from.

A `Snapshot` is one state of a network: spectral metrics per weight matrix, and scores (accuracy, calibration
error, clean training loss). A trained record has one after training; a baseline's has its whole trajectory
besides, which is what other arms are matched against at equal clean training loss (design, decision 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from ddiv.spectra import metrics, powerlaw
from ddiv.store import Record, Store

# Raise when a metric comes to mean something else; cached tables of the old meaning are then left unread.
METRICS = 2

Metric = Literal["alpha", "hill_alpha", "hill_alpha_half", "entropy_raw", "entropy_normalised", "effective_rank",
                 "frobenius_norm", "frobenius_norm_squared", "log_norm", "spectral_norm", "spectral_norm_squared",
                 "log_spectral_norm", "stable_rank", "num_pl_spikes"]
Layers = Literal["classifier", "encoder"]
Convolution = Literal["pooled", "flat"]

# Metrics that rest on the search for a tail, which can fail ("reliable" in a snapshot's table).
FITTED = ("alpha", "num_pl_spikes")

# Exponents jump from layer to layer, so one layer must not decide: their median is taken over layers.
MEDIAN = (*FITTED, "hill_alpha", "hill_alpha_half")

# Hill's estimator needs a tail of five and one eigenvalue below it; smaller layers have none.
SMALLEST_TAIL = 5


class Spectral(msgspec.Struct, frozen=True, tag="spectral"):
    """A spectral metric of the classification layer, or over all weight matrices of the encoder.

    `convolution` is how convolutions are made matrices of (`ddiv.spectra.matrices`); pooled slices are WeightWatcher's
    way, and so the paper's.
    """

    metric: Metric
    layers: Layers
    convolution: Convolution = "pooled"

    @property
    def label(self) -> str:
        return f"{self.metric.replace('_', ' ')} ({self.layers}{', flat convolutions' * (self.convolution == 'flat')})"


class Score(msgspec.Struct, frozen=True, tag="score"):
    """Top-1 accuracy or expected calibration error; `where` is "train", "id", "ood" or a domain's name.

    "ece" has bins of equal width (Guo et al. 2017), "ece_mass" of equal numbers of samples (Nixon et al. 2019).
    """

    kind: Literal["accuracy", "ece", "ece_mass"]
    where: str

    @property
    def label(self) -> str:
        return f"{self.kind.replace('_', ' ')} ({self.where})"


class Vendi(msgspec.Struct, frozen=True, tag="vendi"):
    """The Vendi Score (cosine kernel) of the training set as an augmentation shows it; the paper's order is q = 1."""

    space: Literal["pixel", "embedding"]
    order: float = 1.0

    @property
    def label(self) -> str:
        return f"Vendi Score{'' if self.order == 1 else f' of order {self.order:g}'} ({self.space})"

    @property
    def key(self) -> str:
        """What a view's record calls it."""
        return self.space if self.order == 1 else f"{self.space}, q = {self.order:g}"


Outcome = Spectral | Score | Vendi

# The named definitions of one idea, the paper's first (design, decision 6): a verdict is tried under each.
DEFINITIONS: tuple[tuple[str, ...], ...] = (
    ("alpha", "hill_alpha", "hill_alpha_half"), ("entropy_raw", "entropy_normalised", "effective_rank"),
    ("frobenius_norm", "frobenius_norm_squared", "log_norm"), ("spectral_norm", "spectral_norm_squared", "log_spectral_norm"),
    ("ece", "ece_mass"))
VENDI_ORDERS = (1.0, 0.5, 2.0)


def definitions(outcome: Outcome, convolutions: bool = False) -> list[Outcome]:
    """The outcome under every named definition of it, itself first.

    convolutions: whether the network has some, whose two matricisations are definitions too.
    """
    if isinstance(outcome, Vendi):
        orders = [Vendi(outcome.space, order) for order in VENDI_ORDERS]
        return sorted(orders, key=lambda one: one != outcome)
    field = "metric" if isinstance(outcome, Spectral) else "kind"
    named = getattr(outcome, field)
    names = next((names for names in DEFINITIONS if named in names), (named,))
    found = [msgspec.structs.replace(outcome, **{field: name}) for name in names]
    if isinstance(outcome, Spectral) and outcome.layers == "encoder" and convolutions:
        found += [msgspec.structs.replace(one, convolution="flat") for one in found]
    return sorted(found, key=lambda one: one != outcome)


@dataclass(frozen=True)
class Snapshot:
    """One state of a network.

    `table` maps a metric to (layers,) values, with "reliable" (1.0 or 0.0) telling whether a layer's
    power-law fit can be relied on; `views` names each layer's view, for a convolution with its matricisation
    ("encoder/flat"); `scores` maps "accuracy/id" and the like.
    """

    table: Mapping[str, np.ndarray]
    views: np.ndarray
    scores: Mapping[str, float]

    def layers(self, outcome: Spectral) -> np.ndarray:
        """The values of a spectral outcome, one a layer of its view."""
        return self.table[outcome.metric][self._mask(outcome)]

    def reliable(self, outcome: Spectral) -> np.ndarray:
        """Whether each of these values can be relied on; only fitted metrics can fail to be."""
        mask = self._mask(outcome)
        if outcome.metric not in FITTED:
            return np.ones(mask.sum(), dtype=bool)
        return self.table["reliable"][mask] > 0.5

    def _mask(self, outcome: Spectral) -> np.ndarray:
        return np.isin(self.views, (outcome.layers, f"{outcome.layers}/{outcome.convolution}"))


def value(outcome: Spectral | Score, state: Snapshot) -> float:
    """The outcome as one number: a score, or the mean (exponents: median) over the layers of a view."""
    if isinstance(outcome, Score):
        return state.scores[f"{outcome.kind}/{outcome.where}"]
    mask = _usable(state.reliable(outcome))
    return _over_layers(outcome, state.layers(outcome)[mask])


def effect(outcome: Spectral | Score, arm: Snapshot, base: Snapshot) -> float:
    """The difference arm - base of an outcome; spectral ones layer by layer, over layers reliable in both.

    Where no layer is reliable in both, all layers are used, and `reliability` tells.
    """
    if isinstance(outcome, Score):
        return value(outcome, arm) - value(outcome, base)
    mask = _usable(arm.reliable(outcome) & base.reliable(outcome))
    return _over_layers(outcome, arm.layers(outcome)[mask] - base.layers(outcome)[mask])


def reliability(outcome: Outcome, arm: Snapshot, base: Snapshot) -> float:
    """The share of layers whose fits can be relied on in both arms (1.0 for outcomes without a fit)."""
    if not isinstance(outcome, Spectral):
        return 1.0
    return float((arm.reliable(outcome) & base.reliable(outcome)).mean())


def _usable(mask: np.ndarray) -> np.ndarray:
    return mask if mask.any() else np.ones_like(mask)


def _over_layers(outcome: Spectral, values: np.ndarray) -> float:
    if outcome.metric not in MEDIAN:
        return float(np.mean(values))
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else float("nan")


def ece(log_probabilities: np.ndarray, labels: np.ndarray, bins: int = 15, *, equal_mass: bool = False) -> float:
    """Expected calibration error: the mean over samples of |accuracy - confidence| of their bin of top-1 confidence.

    15 bins, of equal width (Guo et al. 2017) or of equal numbers of samples (Nixon et al. 2019, "adaptive");
    log_probabilities (n, classes), labels (n,).
    """
    confidence = np.exp(log_probabilities.max(axis=1).astype(np.float64))
    correct = log_probabilities.argmax(axis=1) == labels
    if equal_mass:
        index = np.empty(len(labels), dtype=int)
        index[np.argsort(confidence, kind="stable")] = np.arange(len(labels)) * bins // len(labels)
    else:  # bins are (lo, hi], as in the paper's reference; a confidence of exactly 0 cannot occur
        index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def accuracy(log_probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy of log-probabilities (n, classes) against labels (n,)."""
    return float((log_probabilities.argmax(axis=1) == labels).mean())


# --- from records to snapshots ------------------------------------------------------------------


@dataclass(frozen=True)
class Trained:
    """A trained record, read: its state before (without scores) and after, and its trajectory."""

    record: Record
    spectra: Mapping[str, np.ndarray]

    @cached_property
    def views(self) -> np.ndarray:
        return np.array([layer["view"] + {"conv-flat": "/flat", "conv-pooled": "/pooled"}.get(layer["kind"], "")
                         for layer in self.record.facts["layers"]])

    @property
    def before(self) -> Snapshot:
        return self._snapshot(0, {})

    @cached_property
    def after(self) -> Snapshot:
        facts, arrays = self.record.facts, self.record.arrays
        return self._snapshot(1, self._scores(facts["clean"], "log_probabilities/", arrays.__getitem__))

    @cached_property
    def trajectory(self) -> list[Snapshot]:
        """The states at the recipe's checkpoints, from the first; empty for every arm but the baseline."""
        arrays = self.record.arrays
        return [self._snapshot(2 + i, self._scores(point, "log_probabilities/",
                                                   lambda name, i=i: arrays[f"trajectory/{name}"][i]))
                for i, point in enumerate(self.record.facts["trajectory"])]

    def _snapshot(self, row: int, scores: Mapping[str, float]) -> Snapshot:
        return Snapshot({name: table[row] for name, table in self.spectra.items()}, self.views, scores)

    def _scores(self, clean: Mapping[str, float], prefix: str, array) -> dict[str, float]:
        domains = self.record.facts["domains"]
        scores = {"accuracy/train": clean["accuracy"], "loss/train": clean["loss"]}
        for domain in domains:
            outputs, labels = array(prefix + domain), self.record.arrays[f"labels/{domain}"]
            scores[f"accuracy/{domain}"], scores[f"ece/{domain}"] = accuracy(outputs, labels), ece(outputs, labels)
            scores[f"ece_mass/{domain}"] = ece(outputs, labels, equal_mass=True)
        for kind in ("accuracy", "ece", "ece_mass"):
            scores[f"{kind}/id"] = scores[f"{kind}/{domains[0]}"]
            if domains[1:]:
                scores[f"{kind}/ood"] = float(np.mean([scores[f"{kind}/{domain}"] for domain in domains[1:]]))
        return scores


def read(record: Record, store: Store | None = None) -> Trained:
    """Read a trained record; its spectral table comes from the store's cache where that has it."""
    if store is None:
        return Trained(record, spectral_table(record))
    from safetensors.numpy import load, save

    from ddiv.store import write_atomically

    cached = store.root / f"metrics-{METRICS}" / f"{record.key}.safetensors"
    try:
        return Trained(record, load(cached.read_bytes()))
    except Exception:  # absent or damaged: it is derived, so it is made again
        table = spectral_table(record)
    try:
        write_atomically(cached, save(dict(table)), durable=False)
    except OSError:
        pass  # a store that cannot be written costs time, not results
    return Trained(record, table)


def spectral_table(record: Record) -> dict[str, np.ndarray]:
    """Every spectral metric of a record: name -> (states, layers); states are before, after, trajectory."""
    arrays = record.arrays
    flat = np.stack([arrays["eigenvalues/before"], arrays["eigenvalues/after"],
                     *arrays.get("trajectory/eigenvalues", ())])
    ends = np.cumsum([layer["eigenvalues"] for layer in record.facts["layers"]])
    spectra = [(layer, flat[:, end - layer["eigenvalues"]:end]) for layer, end in zip(record.facts["layers"], ends)]
    columns = [_metrics(evals, layer["shape"][0]) for layer, evals in spectra]
    return {name: np.ascontiguousarray(np.stack([column[name] for column in columns], axis=1))
            for name in columns[0]}


def _metrics(evals: np.ndarray, rows: int) -> dict[str, np.ndarray]:
    fits, size = powerlaw.fit_batch(evals), evals.shape[-1]
    simple = metrics.summarise(evals, n_rows=rows)
    hill = {name: powerlaw.hill_alpha(evals, k) if size > k else np.full(len(evals), np.nan)
            for name, k in (("hill_alpha", max(SMALLEST_TAIL, size // 4)), ("hill_alpha_half", max(SMALLEST_TAIL, size // 2)))}
    fitted = {"alpha": fits.alpha, "alpha_error": fits.sigma, "alpha_distance": fits.D,
              "tail_size": fits.tail_size, "num_pl_spikes": fits.num_pl_spikes, "reliable": fits.reliable, **hill}
    return {name: np.asarray(column, dtype=np.float64) for name, column in {**simple, **fitted}.items()}


# --- matching at equal fit ----------------------------------------------------------------------

# An arm whose clean loss is within 10 % of the baseline's last is compared with that last state.
LOSS_TOLERANCE = 0.1


class Match(NamedTuple):
    """The baseline's state at an arm's clean training loss, between the two checkpoints that the loss lies between.

    early and late are those checkpoints. Where between them the loss was passed is known, what the other
    outcomes did there is interpolated, so a direction that early and late do not share is not known.
    """

    early: Snapshot
    between: Snapshot
    late: Snapshot


def matched(trajectory: Sequence[Snapshot], loss: float) -> Match | None:
    """The baseline when its clean training loss first fell to `loss`, or None where it never did.

    Interpolated between the two checkpoints around it, linearly in log loss: training loss falls by factors.
    """
    losses = np.log([state.scores["loss/train"] for state in trajectory])
    target = np.log(loss)
    if target > losses[0]:
        return None
    below = np.flatnonzero(losses <= target)
    if not len(below):
        near = target >= losses.min() - LOSS_TOLERANCE
        return Match(trajectory[-2] if len(trajectory) > 1 else trajectory[-1], trajectory[-1], trajectory[-1]) if near else None
    i = int(below[0])
    if losses[i] == target:  # on a checkpoint: nothing is interpolated
        return Match(*[trajectory[i]] * 3)
    weight = (losses[i - 1] - target) / (losses[i - 1] - losses[i])
    return Match(trajectory[i - 1], _between(trajectory[i - 1], trajectory[i], weight), trajectory[i])


def _between(a: Snapshot, b: Snapshot, weight: float) -> Snapshot:
    table = {name: (1 - weight) * a.table[name] + weight * b.table[name] for name in a.table}
    table["reliable"] = np.minimum(a.table["reliable"], b.table["reliable"])
    scores = {name: (1 - weight) * a.scores[name] + weight * b.scores[name] for name in a.scores}
    return Snapshot(table, a.views, scores)
