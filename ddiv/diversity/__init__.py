"""Vendi scores: how many different samples a set is worth, from 1 to n (the paper's section 2.1.2).

- ``vendi``: the score of vectors or of a kernel matrix, of any order, with what it depends on
  (``VendiResult``);
- ``entropy``: from eigenvalues to the score, and the faults of vendi-score that are worked around;
- ``spectrum``: the exact eigenvalues, of the kernel or its dual, whichever is smaller, in batches;
  ``rbf``: the kernel that has no dual;
- ``nystroem``: an approximation with bounds on the exact score, for large n and d;
- ``weighted``: rho and the weighted Vendi score of the paper's v2;
- ``embed``: from samples to vectors; ``pixels`` and ``encoders`` (CLIP, sentence encoders) are such
  embedders;
- ``rows``: blocks of float64 rows from arrays, tensors and batches, on the CPU or a GPU.

Scores grow with n and depend on the embedding, so a VendiResult carries all that must be equal in
scores that are compared. This package needs only numpy when it is imported; functions import
vendi-score (0.7 s: scikit-learn, pandas), scipy and torch where they need them.
"""

from ddiv.diversity.embed import Embedder, score
from ddiv.diversity.nystroem import ApproximateVendi, approximate
from ddiv.diversity.pixels import black_apart, pixel_vectors
from ddiv.diversity.vendi import (
    VendiResult,
    measure,
    require_comparable,
    vendi_from_kernel,
    vendi_score,
)
from ddiv.diversity.weighted import Alignment, WeightedVendi, alignment, combine, weighted_vendi

__all__ = [
    "Alignment",
    "ApproximateVendi",
    "Embedder",
    "VendiResult",
    "WeightedVendi",
    "alignment",
    "approximate",
    "black_apart",
    "combine",
    "measure",
    "pixel_vectors",
    "require_comparable",
    "score",
    "vendi_from_kernel",
    "vendi_score",
    "weighted_vendi",
]
