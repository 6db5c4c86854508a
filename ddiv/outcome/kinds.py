"""The kinds of outcomes, as values that name what is measured, and the named definitions of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from ddiv.layers import ONE_LAYER, Layers
from ddiv.study import Space

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
    "mp_ks",
    "mp_bulk_ks",
    "mp_departs",
    "mp_soft_rank",
    "phase",
    "regularised",
    "llr_exponential",
    "llr_lognormal",
]
Convolution = Literal["pooled", "flat"]
# Of rho, the default of `ddiv.diversity.weighted` first.
Alignment = Literal["mmd", "centroid", "precision", "recall", "density", "coverage"]


class Spectral(msgspec.Struct, frozen=True, tag="spectral"):
    """A spectral metric over the weight matrices of a view (`ddiv.layers`): all, the classification
    layer, the encoder, a part of it, or one layer.

    `convolution` is how convolutions are made matrices of (`ddiv.spectra.matrices`); pooled slices
    are WeightWatcher's way, and so the paper's.
    """

    metric: Metric
    layers: Layers
    convolution: Convolution = "pooled"

    @property
    def label(self) -> str:
        name = NAMES.get(self.metric, self.metric.replace("_", " "))
        return f"{name} ({self.layers.removeprefix(ONE_LAYER)}{', flat convolutions' * (self.convolution == 'flat')})"


class Score(msgspec.Struct, frozen=True, tag="score"):
    """Top-1 accuracy or expected calibration error; `where` is "train", "id", "ood" or a domain's
    name.

    "ece" has bins of equal width (Guo et al. 2017), "ece_mass" of equal numbers of samples (Nixon
    et al. 2019).
    """

    kind: Literal["accuracy", "ece", "ece_mass"]
    where: str

    @property
    def label(self) -> str:
        return f"{self.kind.replace('_', ' ')} ({self.where})"


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
        return (
            f"Vendi Score{'' if self.order == 1 else f' of order {self.order:g}'} "
            f"({self.space}{', another embedder' * (self.embedder > 0)})"
        )

    @property
    def key(self) -> str:
        """What a view's record calls it."""
        return self.space if self.order == 1 else f"{self.space}, q = {self.order:g}"

    def read(self, facts: Mapping) -> float:
        """The score in a view's facts."""
        return facts["vendi"][self.key]


class Weighted(msgspec.Struct, frozen=True, tag="weighted"):
    """v2's weighted Vendi Score: rho times the Vendi Score of embeddings, rho the alignment with
    the plain real data.

    `definition` is rho's (`ddiv.diversity.weighted`), `embedder` as in `Vendi`.
    """

    definition: Alignment = "mmd"
    embedder: int = 0

    @property
    def label(self) -> str:
        return f"weighted Vendi Score (rho: {self.definition}{', another embedder' * (self.embedder > 0)})"

    def read(self, facts: Mapping) -> float:
        """The score in a view's facts. Raises ValueError where the view has no alignment."""
        if self.definition not in facts.get("alignment", {}):
            raise ValueError(
                "this view has no alignment with the real data: it is measured at an unchanged set of classes only"
            )
        return facts["alignment"][self.definition] * Vendi(
            "embedding", embedder=self.embedder
        ).read(facts)


class Truncated(msgspec.Struct, frozen=True, tag="truncated"):
    """The share of its accuracy above chance that a trained network keeps without a part of its
    spectra (`ddiv.truncation`).

    `removed`: the tail, the bulk (all but the tail), or as many directions as the tail has drawn at
    random; "tail rather than random" is the difference of what is kept without the tail and what is
    kept without those. `part`: all matrices at once or the classification layer; `where`: the
    training images or the first test domain. `tail`: what is called the tail, eigenvalues from the
    power-law fit's xmin on or those that stand out of the MP bulk.
    """

    removed: Literal["tail", "bulk", "random", "tail rather than random"]
    part: Literal["all", "classifier"]
    where: Literal["train", "id"] = "id"
    tail: Literal["power-law", "mp-edge"] = "power-law"

    @property
    def label(self) -> str:
        what = (
            "as many random directions as the tail has"
            if self.removed == "random"
            else f"the {self.removed}"
        )
        kept = f"accuracy above chance kept without {what}"
        if self.removed == "tail rather than random":
            kept = "accuracy above chance kept without the tail less that without as many random directions"
        place = "all matrices" if self.part == "all" else self.part
        return f"{kept} ({place}, {self.where}, tail by {TAILS[self.tail]})"


# How figures and findings call what the metric's own name would not tell.
NAMES = {
    "mp_ks": "distance from the Marchenko-Pastur law",
    "mp_bulk_ks": "distance of the bulk from the Marchenko-Pastur law",
    "mp_departs": "share of layers that depart from the Marchenko-Pastur law",
    "mp_soft_rank": "MP soft rank",
    "regularised": "share of layers with structure",
    "llr_exponential": "log-likelihood ratio against an exponential tail",
    "llr_lognormal": "log-likelihood ratio against a log-normal tail",
}
TAILS = {"power-law": "power law", "mp-edge": "Marchenko-Pastur edge"}

Outcome = Spectral | Score | Vendi | Weighted | Truncated

# The named definitions of one idea, the paper's first (design, decision 6): a verdict is tried
# under each.
DEFINITIONS: tuple[tuple[str, ...], ...] = (
    ("alpha", "hill_alpha", "hill_alpha_half"),
    ("entropy_raw", "entropy_normalised", "effective_rank"),
    ("frobenius_norm", "frobenius_norm_squared", "log_norm"),
    ("spectral_norm", "spectral_norm_squared", "log_spectral_norm"),
    ("mp_ks", "mp_bulk_ks"),
    ("ece", "ece_mass"),
)
VENDI_ORDERS = (1.0, 0.5, 2.0)


def definitions(outcome: Outcome, convolutions: bool = False) -> list[Outcome]:
    """The outcome under every named definition of it, itself first.

    convolutions: whether the network has some, whose two matricisations are definitions too.
    """
    match outcome:
        case Vendi():
            found = [msgspec.structs.replace(outcome, order=order) for order in VENDI_ORDERS]
        case Weighted():
            found = [
                msgspec.structs.replace(outcome, definition=one) for one in get_args(Alignment)
            ]
        case Truncated():
            found = [msgspec.structs.replace(outcome, tail=tail) for tail in TAILS]
        case _:
            field = "metric" if isinstance(outcome, Spectral) else "kind"
            named = getattr(outcome, field)
            names = next((names for names in DEFINITIONS if named in names), (named,))
            found = [msgspec.structs.replace(outcome, **{field: name}) for name in names]
            if isinstance(outcome, Spectral) and outcome.layers != "classifier" and convolutions:
                found += [msgspec.structs.replace(one, convolution="flat") for one in found]
    return sorted(found, key=lambda one: one != outcome)
