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

A matrix in which no tail is found stays whole under all three; `share` tells how many do not.
Biases, norms and batch-norm statistics stay as training left them. All matrices together are cut,
or the classification layer alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ddiv.backbone import Network

TAILS = ("power-law", "mp-edge")
REMOVED = ("tail", "bulk", "random")

# Of each domain so many images are classified, evenly spaced: a share of .5 of 256 has a standard
# error of 3 %.
IMAGES = 256

# A network less than this above chance has no accuracy of which a share could be kept.
LEAST_ABOVE_CHANCE = 0.05


def tail_size(evals: np.ndarray, N: int, M: int, tail: str) -> int:
    """How many of M ascending eigenvalues of one N x M matrix (N >= M) are its tail, by a
    definition of `TAILS`; 0 for none.

    Raises ValueError on another definition.
    """
    # here: those who only read facts need not load scipy.stats
    from ddiv.spectra import mp, powerlaw

    if tail == "power-law":
        fit = powerlaw.fit(evals)
        return int(fit.num_pl_spikes) if fit.reliable else 0
    if tail == "mp-edge":
        return mp.fit(evals, N, M).num_spikes if M >= mp.SMALLEST else 0
    raise ValueError(f"unknown tail {tail!r}: one of {', '.join(TAILS)}")


def without(weight: Tensor, directions: Tensor) -> Tensor:
    """A matrix (rows, columns) without singular directions, given as orthonormal columns (min(rows,
    columns), k).
    """
    if weight.shape[0] <= weight.shape[1]:
        return weight - directions @ (directions.T @ weight)
    return weight - (weight @ directions) @ directions.T


def _singular(weight: Tensor) -> tuple[np.ndarray, Tensor]:
    """The squared singular values of a matrix, ascending, and its singular directions on the
    shorter side as columns.
    """
    import torch

    evals, directions = torch.linalg.eigh(
        weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    )
    return evals.clamp(min=0).cpu().numpy(), directions


def measure(
    network: Network, domains: Mapping[str, tuple[Tensor, Tensor]], draws: torch.Generator
) -> dict:
    """Accuracies of a network's truncated copies on domains of (inputs that it takes, labels), as
    facts for its record.

    `draws` chooses the random directions. The network is left as it is. Facts: "chance"; "images",
    "whole" (accuracy) by domain; and "cut", for each definition of the tail, part of the network
    and thing removed, how many matrices were looked at and have a tail, how many directions were
    removed of how many in those, and the accuracy by domain.
    """
    import copy

    import torch

    from ddiv.spectra.matrices import weight_matrices

    cut = copy.deepcopy(network).eval()
    # in any other memory format a convolution's flat matrix would be a copy, not a view
    for parameter in cut.parameters():
        parameter.data = parameter.data.contiguous()
    matrices = [one for one in weight_matrices(cut) if one.kind not in ("conv-pooled", "embedding")]
    whole = {one.name: one.tensor.detach().double() for one in matrices}
    spectra = {name: _singular(weight) for name, weight in whole.items()}
    domains = {name: _some(*pair) for name, pair in domains.items()}
    with torch.no_grad():
        features = {name: cut.features(images) for name, (images, _) in domains.items()}

        def accuracies(part: str) -> dict[str, float]:
            outputs = {
                name: cut.head(features[name] if part == "classifier" else cut.features(images))
                for name, (images, _) in domains.items()
            }
            return {
                name: float((outputs[name].argmax(1) == labels).float().mean())
                for name, (_, labels) in domains.items()
            }

        facts = {
            "chance": 1 / cut.head.out_features,
            "images": {name: len(labels) for name, (_, labels) in domains.items()},
            "whole": accuracies("classifier"),
            "cut": [],
        }
        for tail in TAILS:
            sizes = {
                name: tail_size(evals, max(whole[name].shape), len(evals), tail)
                for name, (evals, _) in spectra.items()
            }
            for part in ("all", "classifier"):
                own = [one for one in matrices if part == "all" or one.name.startswith("head")]
                found = [one for one in own if sizes[one.name]]
                for removed in REMOVED:
                    count = 0
                    for one in found:
                        directions = _directions(
                            spectra[one.name][1], sizes[one.name], removed, draws
                        )
                        one.tensor.copy_(without(whole[one.name], directions))
                        count += directions.shape[1]
                    facts["cut"].append(
                        {
                            "tail": tail,
                            "part": part,
                            "removed": removed,
                            "matrices": len(own),
                            "with_tail": len(found),
                            "directions": count,
                            "of": sum(len(spectra[one.name][0]) for one in found),
                            "accuracy": accuracies(part) if found else facts["whole"],
                        }
                    )
                    for one in found:
                        one.tensor.copy_(whole[one.name])
    return facts


def _some(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
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


def scores(facts: Mapping | None) -> dict[str, float]:
    """What `measure` left in a record, by name: the share of the accuracy above chance that is
    kept, `share`, and `size`.

    NaN where no tail was found, so that nothing was removed, and where the whole network is less
    than `LEAST_ABOVE_CHANCE` above chance; nothing where nothing was measured.
    """
    if facts is None:
        return {}
    found = {}
    for cut in facts["cut"]:
        found[f"{cut['tail']}/{cut['part']}/share"] = cut["with_tail"] / cut["matrices"]
        if cut["removed"] == "tail":
            found[f"{cut['tail']}/{cut['part']}/size"] = (
                cut["directions"] / cut["of"] if cut["of"] else np.nan
            )
        for where, accuracy in cut["accuracy"].items():
            above = facts["whole"][where] - facts["chance"]
            kept = (
                (accuracy - facts["chance"]) / above
                if cut["with_tail"] and above >= LEAST_ABOVE_CHANCE
                else np.nan
            )
            found[f"{cut['tail']}/{cut['part']}/{cut['removed']}/{where}"] = kept
    return found


def kept(scores: Mapping[str, float], removed: str, part: str, where: str, tail: str) -> float:
    """The share kept without `removed`, or that without the tail less that without random
    directions. Raises ValueError where a record was not measured so (only the baseline's is).
    """
    if removed == "tail rather than random":
        return kept(scores, "tail", part, where, tail) - kept(scores, "random", part, where, tail)
    return _score(scores, f"{tail}/{part}/{removed}/{where}")


def share(scores: Mapping[str, float], part: str, tail: str) -> float:
    """The share of matrices in which a tail was found. Raises ValueError as `kept`."""
    return _score(scores, f"{tail}/{part}/share")


def size(scores: Mapping[str, float], part: str, tail: str) -> float:
    """The share of singular directions that are the tail, of matrices with one; NaN where none has.

    Raises ValueError as `kept`.
    """
    return _score(scores, f"{tail}/{part}/size")


def _score(scores: Mapping[str, float], name: str) -> float:
    if name not in scores:
        raise ValueError(
            f"no accuracy after truncation ({name}) in this record: it is measured after training, of the "
            f"baseline only"
        )
    return scores[name]
