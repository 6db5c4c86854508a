"""What a trained network still knows without the tail, or without the bulk, of its weight spectra.

The paper writes a weight matrix as W ~ W_rand + W_delta (v1 section 1), noise and what was learned,
"represented by the bulk and tail of ESD, respectively" (2.1.3; ESD: the empirical spectral density,
here of the matrix that acts on activations, a convolution's being the flat one). So of a copy of
the network these singular directions are removed:

- "tail": those of the largest eigenvalues of W^T W. "power-law": eigenvalues from the power-law
  fit's xmin on, of matrices with a reliable fit (`ddiv.spectra.powerlaw`); "mp-edge": those that
  stand out of the Marchenko-Pastur bulk (`ddiv.spectra.mp`), of matrices where any does;
- "bulk": all the others;
- "random": as many as the tail has, drawn without replacement from all of them.

A matrix in which no tail is found stays whole under all three; `share` tells how many have one.
Biases, norms and batch-norm statistics stay as training left them. All matrices together are cut,
or the classification layer alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ddiv.models.network import Network
    from ddiv.spectra.matrices import WeightMatrix

Tail = Literal["power-law", "mp-edge"]

TAILS: tuple[Tail, ...] = get_args(Tail)

REMOVED = ("tail", "bulk", "random")

# Images of each domain that are classified, evenly spaced: a share of .5 of 256 has a standard
# error of 3 %.
IMAGES = 256

# A network less than this above chance has no accuracy of which a share could be kept.
LEAST_ABOVE_CHANCE = 0.05


def tail_size(evals: np.ndarray, N: int, M: int, tail: str) -> int:
    """How many of the M ascending eigenvalues of an N x M matrix (N >= M) are its tail.

    tail: a definition of `TAILS`; ValueError on any other.
    """
    # imported here, because those who only read facts need not load scipy.stats
    from ddiv.spectra import mp, powerlaw

    if tail == "power-law":
        fit = powerlaw.fit(evals)
        return int(fit.num_pl_spikes) if fit.reliable else 0
    if tail == "mp-edge":
        return mp.fit(evals, N, M).num_spikes if M >= mp.SMALLEST else 0
    raise ValueError(f"unknown tail {tail!r}: one of {', '.join(TAILS)}")


def without(weight: Tensor, directions: Tensor) -> Tensor:
    """A matrix (rows, columns) without some of its singular directions.

    directions: orthonormal columns, (min(rows, columns), k).
    """
    if weight.shape[0] <= weight.shape[1]:
        return weight - directions @ (directions.T @ weight)
    return weight - (weight @ directions) @ directions.T


def _singular(weight: Tensor) -> tuple[np.ndarray, Tensor]:
    """The squared singular values of a matrix, ascending, with its singular directions as columns.

    They are the directions on the shorter side.
    """
    import torch

    wide = weight.shape[0] <= weight.shape[1]
    evals, directions = torch.linalg.eigh(weight @ weight.T if wide else weight.T @ weight)
    return evals.clamp(min=0).cpu().numpy(), directions


def measure(
    network: Network, domains: Mapping[str, tuple[Tensor, Tensor]], draws: torch.Generator
) -> dict[str, Any]:
    """Accuracies of a network's truncated copies, as facts for its record.

    domains: (inputs that the network takes, labels) by name; draws: chooses the random directions.
    The network is left as it is.

    Facts: "chance"; "images", their number by domain; "whole", the whole network's accuracy by
    domain; and "cut", an entry for each definition of the tail, part of the network and thing
    removed: how many matrices were looked at ("matrices"), how many of them have a tail
    ("with_tail"), how many directions were removed ("directions") of how many in those ("of"), and
    the accuracy by domain.
    """
    import copy

    import torch

    from ddiv.spectra.matrices import weight_matrices
    from ddiv.trial.batches import in_batches

    cut = copy.deepcopy(network).eval()
    # In any other memory format a convolution's flat matrix would be a copy, not a view.
    for parameter in cut.parameters():
        parameter.data = parameter.data.contiguous()
    matrices = [
        _Matrix(matrix)
        for matrix in weight_matrices(cut)
        if matrix.kind not in ("conv-pooled", "embedding")
    ]
    domains = {name: _some(*pair) for name, pair in domains.items()}
    with torch.no_grad():

        def features_of(images: Tensor) -> Tensor:
            return in_batches(cut.features, images, IMAGES)

        features = {name: features_of(images) for name, (images, _) in domains.items()}

        def accuracies(part: str) -> dict[str, float]:
            shares = {}
            for name, (images, labels) in domains.items():
                of = features[name] if part == "classifier" else features_of(images)
                outputs = cut.head(of)
                shares[name] = float((outputs.argmax(1) == labels).float().mean())
            return shares

        whole, cuts = accuracies("classifier"), []
        for tail in TAILS:
            sizes = {matrix.name: matrix.tail_size(tail) for matrix in matrices}
            for part in ("all", "classifier"):
                own = [m for m in matrices if part == "all" or m.name.startswith("head")]
                tailed = [m for m in own if sizes[m.name]]
                for removed in REMOVED:
                    count = sum(m.remove(sizes[m.name], removed, draws) for m in tailed)
                    cuts.append(
                        {
                            "tail": tail,
                            "part": part,
                            "removed": removed,
                            "matrices": len(own),
                            "with_tail": len(tailed),
                            "directions": count,
                            "of": sum(len(m.evals) for m in tailed),
                            "accuracy": accuracies(part) if tailed else whole,
                        }
                    )
                    for m in tailed:
                        m.restore()
    return {
        "chance": 1 / cut.head.out_features,
        "images": {name: len(labels) for name, (_, labels) in domains.items()},
        "whole": whole,
        "cut": cuts,
    }


class _Matrix:
    """A weight matrix of a network's copy, which can lose singular directions and be restored."""

    def __init__(self, matrix: WeightMatrix):
        self.name = matrix.name
        self._tensor = matrix.tensor  # a view of the copy's parameter
        self._whole = matrix.tensor.detach().double()
        self.evals, self._directions = _singular(self._whole)

    def tail_size(self, tail: str) -> int:
        return tail_size(self.evals, max(self._whole.shape), len(self.evals), tail)

    def remove(self, size: int, removed: str, draws: torch.Generator) -> int:
        """Remove a thing of `REMOVED`; returns how many directions that were."""
        directions = _directions(self._directions, size, removed, draws)
        self._tensor.copy_(without(self._whole, directions))
        return directions.shape[1]

    def restore(self) -> None:
        self._tensor.copy_(self._whole)


def _some(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """At most `IMAGES` of a domain, evenly spaced, on the device of the labels."""
    chosen = np.unique(np.linspace(0, len(labels) - 1, IMAGES).round().astype(int))
    return images[chosen].to(labels.device), labels[chosen]


def _directions(vectors: Tensor, size: int, removed: str, draws: torch.Generator) -> Tensor:
    """The columns to remove of a matrix's singular directions, which are in ascending order."""
    import torch

    count = vectors.shape[1]
    if removed == "random":
        return vectors[:, torch.randperm(count, generator=draws)[:size].to(vectors.device)]
    return vectors[:, count - size :] if removed == "tail" else vectors[:, : count - size]


# --- read off the facts -------------------------------------------------------------------------


def scores(facts: Mapping[str, Any] | None) -> dict[str, float]:
    """The numbers that `kept`, `share` and `size` read, by name; facts: what `measure` returned.

    NaN where no tail was found, so that nothing was removed, and where the whole network is less
    than `LEAST_ABOVE_CHANCE` above chance; nothing where nothing was measured.
    """
    if facts is None:
        return {}
    numbers = {}
    for cut in facts["cut"]:
        name = f"{cut['tail']}/{cut['part']}"
        numbers[f"{name}/share"] = cut["with_tail"] / cut["matrices"]
        if cut["removed"] == "tail":
            numbers[f"{name}/size"] = cut["directions"] / cut["of"] if cut["of"] else np.nan
        for where, accuracy in cut["accuracy"].items():
            above = facts["whole"][where] - facts["chance"]
            exists = cut["with_tail"] and above >= LEAST_ABOVE_CHANCE
            share = (accuracy - facts["chance"]) / above if exists else np.nan
            numbers[f"{name}/{cut['removed']}/{where}"] = share
    return numbers


def kept(scores: Mapping[str, float], removed: str, part: str, where: str, tail: str) -> float:
    """The share of the accuracy above chance that is kept without `removed`.

    "tail rather than random": the share kept without the tail, less that without random directions.
    Raises ValueError on a record without this measurement: only the baseline's have it.
    """
    if removed == "tail rather than random":
        return kept(scores, "tail", part, where, tail) - kept(scores, "random", part, where, tail)
    return _score(scores, f"{tail}/{part}/{removed}/{where}")


def share(scores: Mapping[str, float], part: str, tail: str) -> float:
    """The share of matrices in which a tail was found. Raises ValueError as `kept`."""
    return _score(scores, f"{tail}/{part}/share")


def size(scores: Mapping[str, float], part: str, tail: str) -> float:
    """The tail's share of the singular directions of matrices with a tail; NaN if none has one.

    Raises ValueError as `kept`.
    """
    return _score(scores, f"{tail}/{part}/size")


def _score(scores: Mapping[str, float], name: str) -> float:
    if name not in scores:
        raise ValueError(
            f"no accuracy after truncation ({name}) in this record: it is measured after training, "
            "of the baseline only"
        )
    return scores[name]
