"""Studies of experiments alone (`ddiv.study.experiments`): what is computed, or trained by code of
the experiments' own.

Their sizes are for seconds on a CPU core. `full` has more images to average weights on.
"""

from __future__ import annotations

from ddiv.study import Digits, Study, World


def planted_spectra() -> Study:
    """Matrices of known making, of which numbers of spectra are asked what they tell."""
    return Study(
        name="planted-spectra",
        title="Noise with planted directions, and planted eigenvalues",
        experiments=("planted spectra",),
    )


def small_nets() -> Study:
    """A small network by plain SGD over batch sizes."""
    return Study(
        name="small-nets",
        title="Two hidden layers by plain SGD on scikit-learn's digits, over batch sizes",
        data=Digits(train=300, side=8),
        experiments=("small nets",),
    )


def merged_weights(whole: bool = False) -> Study:
    """The small CLIP fine-tuned in several ways, whose weights are averaged.

    Trained and tested on fewer images than in clip-world, or on as many.
    """
    sizes = (12, 14) if whole else (5, 5)
    return Study(
        name="merged-weights",
        title="Small CLIP (ViT), fine-tuned in three ways on the image world, and averaged",
        data=World(*sizes, version=1),
        experiments=("merged weights",),
    )


def computed(whole: bool = False) -> tuple[Study, ...]:
    """All of them; `whole` as `full` has them."""
    return planted_spectra(), small_nets(), merged_weights(whole)
