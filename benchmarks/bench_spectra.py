"""Whole models: ddiv's analysis against WeightWatcher's.

The model is a ViT-B/32 image tower with heavy-tailed weights. Both compute in float64 on the CPU.
Results are compared before a ratio counts: see `same`.
"""

import numpy as np
import open_clip
import pytest
import torch

from ddiv.spectra import watcher
from ddiv.spectra.analysis import analyse
from ddiv.spectra.matrices import weight_matrices
from tests.support.spectra_cases import heavy_tailed

HALVED = 0.5  # WeightWatcher's `conv2d_norm` on a convolution's eigenvalues


@pytest.fixture(scope="module")
def tower():
    torch.manual_seed(0)
    return heavy_tailed(open_clip.create_model("ViT-B-32", pretrained=None).visual.eval(), seed=0)


@pytest.fixture(scope="module")
def matrices(tower):
    return [m for m in weight_matrices(tower) if m.kind != "conv-flat"]


@pytest.fixture(scope="module")
def seen(matrices):
    """The 37 that WeightWatcher sees.

    It sees neither q, k, v of nn.MultiheadAttention nor a bare parameter.
    """
    return [m for m in matrices if m.kind not in ("q", "k", "v") and m.name != "proj"]


def same(ours, theirs):
    """Compare the numbers that both define.

    WeightWatcher halves the eigenvalues of a convolution, which changes its fit.
    """
    layers = {layer.name.removesuffix(".pooled"): layer for layer in ours.layers}
    for i, name in enumerate(theirs["longname"]):
        layer, conv = layers[name], theirs["layer_type"][i] == "conv2d"
        scale = HALVED if conv else 1.0
        assert theirs["norm"][i] == pytest.approx(
            scale * layer.metrics["frobenius_norm_squared"], rel=1e-6
        )
        assert theirs["stable_rank"][i] == pytest.approx(layer.metrics["stable_rank"], rel=1e-6)
        assert theirs["entropy"][i] == pytest.approx(layer.metrics["entropy_normalised"], abs=1e-6)
        assert theirs["xmin"][i] == pytest.approx(scale * layer.fit.xmin, rel=1e-6)
        assert theirs["num_pl_spikes"][i] == layer.fit.num_pl_spikes
        np.testing.assert_allclose(
            [layer.fit.alpha, layer.fit.D], [theirs["alpha"][i], theirs["D"][i]], rtol=1e-6
        )
        if "mp_softrank" in theirs and not conv:
            assert theirs["mp_softrank"][i] == pytest.approx(layer.mp.soft_rank, rel=1e-3)
            assert theirs["num_spikes"][i] == layer.mp.num_spikes


def test_vit_b32_the_37_that_weightwatcher_sees(versus, ww, tower, seen):
    assert len(seen) == 37
    versus(
        lambda: analyse(seen, mp_definition=None),
        lambda: watcher.table(tower),
        peer_name="WeightWatcher",
        check=same,
        target=4,
    )


def test_vit_b32_all_74_against_its_37(versus, ww, tower, matrices):
    assert len(matrices) == 74
    versus(
        lambda: analyse(matrices, mp_definition=None),
        lambda: watcher.table(tower),
        peer_name="WeightWatcher, 37",
        check=same,
        target=1,
    )


def test_vit_b32_with_mp_fits_and_randomised_spectra(versus, ww, tower, seen):
    versus(
        lambda: analyse(seen, mp_definition="weightwatcher", randomise=True),
        lambda: watcher.table(tower, mp=True, randomise=True),
        peer_name="WeightWatcher",
        check=same,
        rounds=1,
        target=8,
    )


def test_vit_b32_everything_that_ddiv_measures(versus, matrices):
    versus(
        lambda: analyse(matrices, randomise=True, compare=True, bootstrap=200),
        None,
        note=(
            "74 matrices, MP fits and phases, randomised spectra, likelihood ratios, "
            "200 resamples each"
        ),
    )
