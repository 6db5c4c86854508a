"""The kinds of outcomes: values that name what is measured, and the named definitions of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from ddiv.diversity.weighted import DEFINITIONS as RHOS
from ddiv.diversity.weighted import RhoDefinition
from ddiv.outcome.layers import ONE_LAYER, Convolution, Layers
from ddiv.outcome.own import OutputsOutcome, SpectrumOutcome
from ddiv.outcome.registry import OF_OUTPUTS
from ddiv.spectra.random_matrix import MarchenkoPasturMetric, TailMetric
from ddiv.study import NetworkOutcome, Space
from ddiv.study.measures import Better
from ddiv.trial.facts import (
    HELD,
    NEIGHBOURS,
    ROW_ORDERS,
    VENDI_ORDERS,
    RowOrder,
    coverage_key,
    outside_key,
    vendi_key,
)
from ddiv.trial.truncation import TAILS, Tail

Metric = Literal[
    "alpha",
    "hill_alpha",
    "hill_alpha_half",
    "entropy_raw",
    "entropy_normalised",
    "effective_rank",
    "frobenius_norm",
    "frobenius_norm_squared",
    "log_norm",
    "spectral_norm",
    "spectral_norm_squared",
    "log_spectral_norm",
    "stable_rank",
    "num_pl_spikes",
    MarchenkoPasturMetric,
    TailMetric,
]


class Spectral(msgspec.Struct, frozen=True, tag="spectral"):
    """A spectral metric over a group of weight matrices (`ddiv.outcome.layers`): all, the
    classification layer, the encoder, a part of it, or one layer.

    `convolution` says how a convolution becomes matrices (`ddiv.spectra.matrices`). Pooled slices
    are WeightWatcher's way, and so the paper's.
    """

    metric: Metric
    layers: Layers
    convolution: Convolution = "pooled"

    @property
    def label(self) -> str:
        name = NAMES.get(self.metric, self.metric.replace("_", " "))
        flat = ", flat convolutions" * (self.convolution == "flat")
        return f"{name} ({self.layers.removeprefix(ONE_LAYER)}{flat})"


class Score(msgspec.Struct, frozen=True, tag="score"):
    """Top-1 accuracy or expected calibration error; `where` is "train", "id", "ood" or a domain's
    name.

    "ece" has bins of equal width (Guo et al. 2017), "ece_mass" of equal numbers of samples (Nixon
    et al. 2019). "ece_debiased" is without the part that a calibrated network would show too (Kumar
    et al. 2019), and "ece_floor" is that part of "ece" (`ddiv.outcome.calibration`).
    """

    kind: Literal["accuracy", "ece", "ece_mass", "ece_debiased", "ece_floor"]
    where: str

    @property
    def label(self) -> str:
        return f"{self.kind.replace('_', ' ')} ({self.where})"

    @property
    def better(self) -> Better:
        return OF_OUTPUTS[self.kind].better


class Vendi(msgspec.Struct, frozen=True, tag="vendi"):
    """The Vendi Score (cosine kernel) of the training set as a treatment shows it; the paper's
    order is q = 1.

    `embedder` counts the study's embedders from 0.
    """

    space: Space
    order: float = 1.0
    embedder: int = 0

    @property
    def label(self) -> str:
        order = "" if self.order == 1 else f" of order {self.order:g}"
        return f"Vendi Score{order} ({self.space}{_other_embedder(self.embedder)})"

    @property
    def key(self) -> str:
        """What a view's record calls it."""
        return vendi_key(self.space, self.order)

    def read(self, facts: Mapping[str, Any]) -> float:
        """The score in a view's facts."""
        return float(facts["vendi"][self.key])


class Weighted(msgspec.Struct, frozen=True, tag="weighted"):
    """v2's weighted Vendi Score: rho times the Vendi Score of embeddings.

    rho is the alignment with the plain real data, and `definition` names how it is computed
    (`ddiv.diversity.weighted`), or in which order rows are put beside real ones where it goes by
    rows (`facts.RowOrder`). `embedder` as in `Vendi`.
    """

    definition: Literal[RhoDefinition, RowOrder] = "mmd"
    embedder: int = 0

    @property
    def label(self) -> str:
        return f"weighted Vendi Score (rho: {self.definition}{_other_embedder(self.embedder)})"

    def read(self, facts: Mapping[str, Any]) -> float:
        """The score in a view's facts. Raises ValueError where the view has no alignment."""
        plain = Vendi("embedding", embedder=self.embedder)
        return Rho(self.definition, self.embedder).read(facts) * plain.read(facts)


class Rho(msgspec.Struct, frozen=True, tag="rho"):
    """The first factor of `Weighted`: the alignment alone."""

    definition: Literal[RhoDefinition, RowOrder] = "mmd"
    embedder: int = 0

    @property
    def label(self) -> str:
        return f"rho ({self.definition}{_other_embedder(self.embedder)})"

    def read(self, facts: Mapping[str, Any]) -> float:
        """The alignment in a view's facts. Raises ValueError where the view has none."""
        by_rows = self.definition in ROW_ORDERS
        known = facts.get("rows" if by_rows else "alignment", {})
        if self.definition not in known:
            older = "; a view that an earlier ddiv measured has none by rows (ask it of an empty "
            older += "--store)"
            raise ValueError(
                "this view has no alignment with the real data: it is measured at an unchanged set "
                f"of classes only{older * by_rows}"
            )
        return float(known[self.definition])


def _other_embedder(embedder: int) -> str:
    return ", another embedder" * (embedder > 0)


class Truncated(msgspec.Struct, frozen=True, tag="truncated"):
    """The share of its accuracy above chance that a trained network keeps without a part of its
    spectra (`ddiv.trial.truncation`).

    `removed`: the tail, the bulk (all but the tail), or random directions, as many as the tail has.
    "tail rather than random" is the share kept without the tail less the share kept without random
    directions. `part`: all matrices at once or the classification layer. `where`: the training
    images or the first test domain. `tail`: the definition of the tail, either the eigenvalues from
    the power-law fit's xmin on or those that stand out of the MP bulk.
    """

    removed: Literal["tail", "bulk", "random", "tail rather than random"]
    part: Literal["all", "classifier"]
    where: Literal["train", "id"] = "id"
    tail: Tail = "power-law"

    @property
    def label(self) -> str:
        without = {
            "random": "as many random directions as the tail has",
            "tail rather than random": "the tail less that without as many random directions",
        }.get(self.removed, f"the {self.removed}")
        kept = f"accuracy above chance kept without {without}"
        place = "all matrices" if self.part == "all" else self.part
        return f"{kept} ({place}, {self.where}, tail by {_TAIL_LABELS[self.tail]})"


# What figures and findings call a metric whose own name would not tell what it is.
NAMES = {
    "mp_ks": "distance from the Marchenko-Pastur law",
    "mp_bulk_ks": "distance of the bulk from the Marchenko-Pastur law",
    "mp_departs": "share of layers that depart from the Marchenko-Pastur law",
    "mp_soft_rank": "MP soft rank",
    "regularised": "share of layers with structure",
    "llr_exponential": "log-likelihood ratio against an exponential tail",
    "llr_lognormal": "log-likelihood ratio against a log-normal tail",
}

_TAIL_LABELS: dict[Tail, str] = {"power-law": "power law", "mp-edge": "Marchenko-Pastur edge"}

# One value a weight matrix.
OfLayers = Spectral | SpectrumOutcome

# Read off a trained network; the other outcomes are read off a view of the data.
OfNetwork = Spectral | Score | Truncated | NetworkOutcome | OutputsOutcome | SpectrumOutcome


class Outside(msgspec.Struct, frozen=True, tag="outside"):
    """The share of a training set's energy outside the span of the plain real data.

    held: the share of the plain real data's energy that the span holds.
    """

    space: Space
    held: float = HELD[0]
    embedder: int = 0

    @property
    def label(self) -> str:
        return f"energy outside the span of {self.held:.0%} of the real data's ({self.space})"

    @property
    def key(self) -> str:
        """What a view's record calls it."""
        return outside_key(self.space, self.held)

    def read(self, facts: Mapping[str, Any]) -> float:
        """The share in a view's facts. Raises KeyError where it was not measured."""
        share: float = facts["outside"][self.key]
        return share


class Coverage(msgspec.Struct, frozen=True, tag="coverage"):
    """The share of held-out real examples that a training set has an example near to.

    neighbours: near is as near as this nearest neighbour among the held-out examples (Naeem et al.
    2020). As many fresh real examples cover about 1 - 2^-neighbours. `embedder` as in `Vendi`.
    """

    space: Space
    neighbours: int = NEIGHBOURS[0]
    embedder: int = 0

    @property
    def label(self) -> str:
        other = _other_embedder(self.embedder)
        return f"coverage of held-out real data ({self.space}, k = {self.neighbours}{other})"

    @property
    def key(self) -> str:
        """What a view's record calls it."""
        return coverage_key(self.space, self.neighbours)

    def read(self, facts: Mapping[str, Any]) -> float:
        """The share in a view's facts. Raises ValueError where it was not measured."""
        if self.key not in facts.get("coverage", {}):
            raise ValueError(
                "this view has no coverage of held-out data: it is measured at an unchanged set of "
                f"classes, with more than {self.neighbours} examples in the first test set"
            )
        share: float = facts["coverage"][self.key]
        return share


Outcome = (
    Spectral
    | Score
    | Vendi
    | Weighted
    | Rho
    | Truncated
    | Outside
    | Coverage
    | NetworkOutcome
    | OutputsOutcome
    | SpectrumOutcome
)

# The named definitions of one idea, that of the paper's numbers first. A paper names an idea
# ("entropy", "norm") and rarely its formula, so a verdict is tried under each: it should not hang
# on our choice. v1's entropies are WeightWatcher's, normalised; the formula that v1 prints is the
# raw one, which mostly follows the scale of the weights.
DEFINITIONS: tuple[tuple[str, ...], ...] = (
    ("alpha", "hill_alpha", "hill_alpha_half"),
    ("entropy_normalised", "entropy_raw", "effective_rank"),
    ("frobenius_norm", "frobenius_norm_squared", "log_norm"),
    ("spectral_norm", "spectral_norm_squared", "log_spectral_norm"),
    ("mp_ks", "mp_bulk_ks"),
    ("ece", "ece_mass", "ece_debiased"),
)


def definitions(outcome: Outcome, convolutions: bool = False) -> list[Outcome]:
    """The outcome under every named definition of it, itself first.

    convolutions: whether the network has some, whose two matricisations are definitions too.
    """
    same: list[Outcome]
    match outcome:
        case Vendi():
            same = [msgspec.structs.replace(outcome, order=order) for order in VENDI_ORDERS]
        case Weighted():
            rhos = dict.fromkeys((outcome.definition, *RHOS))
            same = [msgspec.structs.replace(outcome, definition=rho) for rho in rhos]
        case Rho() if outcome.definition not in ROW_ORDERS:
            same = [msgspec.structs.replace(outcome, definition=rho) for rho in RHOS]
        case Outside():
            shares = dict.fromkeys((outcome.held, *HELD))
            same = [msgspec.structs.replace(outcome, held=held) for held in shares]
        case Coverage():
            counts = dict.fromkeys((outcome.neighbours, *NEIGHBOURS))
            same = [msgspec.structs.replace(outcome, neighbours=count) for count in counts]
        case Truncated():
            same = [msgspec.structs.replace(outcome, tail=tail) for tail in TAILS]
        case Score():
            kinds = _synonyms(outcome.kind)
            same = [msgspec.structs.replace(outcome, kind=kind) for kind in kinds]
        case Spectral():
            metrics = _synonyms(outcome.metric)
            same = [msgspec.structs.replace(outcome, metric=metric) for metric in metrics]
            if convolutions and outcome.layers != "classifier":
                same += [msgspec.structs.replace(pooled, convolution="flat") for pooled in same]
        case SpectrumOutcome() if convolutions and outcome.layers != "classifier":
            ways = get_args(Convolution)
            same = [msgspec.structs.replace(outcome, convolution=way) for way in ways]
        case _:  # of a user's own, who knows of no other definition
            same = [outcome]
    return sorted(same, key=lambda definition: definition != outcome)


def _synonyms(name: str) -> tuple[str, ...]:
    """The names of one idea, this one's; the name alone where no other is known."""
    return next((names for names in DEFINITIONS if name in names), (name,))
