"""Whole models against WeightWatcher on the CPU: every number that both define, on the paper's
architectures.
"""

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.spectra import metrics, mp, powerlaw, watcher
from ddiv.spectra.analysis import analyse, columns
from ddiv.spectra.matrices import skipped, weight_matrices
from tests.support.spectra_cases import heavy_tailed

# WeightWatcher's `conv2d_norm`: it halves a convolution's eigenvalues, no other layer's
HALVED = 0.5


def vit_b32():
    import open_clip

    return open_clip.create_model("ViT-B-32", pretrained=None).visual


def resnet18():
    import torchvision

    return torchvision.models.resnet18()


def bert_base():
    transformers = pytest.importorskip("transformers")
    return transformers.BertModel(transformers.BertConfig())


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["random", "heavy-tailed"])
@pytest.mark.parametrize(
    "build, seen, left_out",
    [
        (vit_b32, 37, set()),
        (resnet18, 21, set()),
        (bert_base, 75, {"embeddings.position_embeddings"}),
    ],
    ids=["vit-b32", "resnet18", "bert-base"],
)
def test_every_number_that_weightwatcher_defines(ww, build, seen, left_out, weights):
    torch.manual_seed(0)
    model = build() if weights == "random" else heavy_tailed(build(), seed=1)
    theirs = watcher.table(model)
    wanted = {*theirs["longname"], *(f"{name}.pooled" for name in theirs["longname"])}
    found = analyse([m for m in weight_matrices(model) if m.name in wanted], mp_definition=None)
    ours = {layer.name.removesuffix(".pooled"): layer for layer in found.layers}
    assert len(theirs["longname"]) == seen and set(theirs["longname"]) - set(ours) == left_out
    for i, name in enumerate(theirs["longname"]):
        if name in left_out:
            continue
        row, layer = {column: values[i] for column, values in theirs.items()}, ours[name]
        evals = layer.evals * (HALVED if row["layer_type"] == "conv2d" else 1.0)
        fit, metric = powerlaw.fit(evals, method="weightwatcher"), metrics.summarise(evals, layer.N)
        assert (row["N"], row["M"], row["rf"], row["num_evals"]) == (
            layer.N,
            layer.M,
            layer.count,
            len(evals),
        )
        assert (row["num_pl_spikes"], row["matrix_rank"]) == (
            fit.num_pl_spikes,
            metric["numerical_rank"],
        ), name
        pairs = {
            "alpha": fit.alpha,
            "xmin": fit.xmin,
            "D": fit.D,
            "sigma": fit.sigma,
            "xmax": evals[-1],
            "norm": metric["frobenius_norm_squared"],
            "spectral_norm": metric["spectral_norm_squared"],
            "stable_rank": metric["stable_rank"],
            **metrics.log_norms(evals, fit.alpha),
        }
        for column, value in pairs.items():
            assert value == pytest.approx(row[column], rel=1e-6), (name, column)
        assert metric["entropy_normalised"] == pytest.approx(row["entropy"], abs=1e-6), name


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["random", "heavy-tailed"])
def test_weightwatchers_marchenko_pastur_columns(ww, weights):
    """On the shapes of the three architectures: square, 4:1, a tall embedding, and pooled
    convolutions.
    """
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(768, 768),
        nn.Linear(768, 3072),
        nn.Embedding(3000, 768),
        nn.Conv2d(64, 128, 3),
        nn.Conv2d(3, 64, 7),
        nn.Conv2d(128, 128, 3),
        nn.Linear(512, 60),
    )
    model = model if weights == "random" else heavy_tailed(model, seed=1)
    theirs = watcher.table(model, mp=True)
    ours = {
        m.name.removesuffix(".pooled"): m for m in weight_matrices(model) if m.kind != "conv-flat"
    }
    for i, name in enumerate(theirs["longname"]):
        found = analyse([ours[name]], mp_definition=None).layers[0]
        scale = HALVED if theirs["layer_type"][i] == "conv2d" else 1.0
        fit = mp.fit(found.evals * scale, found.N, found.M, found.count, definition="weightwatcher")
        assert fit.num_spikes == theirs["num_spikes"][i], name
        np.testing.assert_allclose(
            [fit.soft_rank, fit.bulk_max, fit.bulk_min],
            [theirs[column][i] for column in ("mp_softrank", "bulk_max", "bulk_min")],
            rtol=1e-3,
            err_msg=name,
        )


def small():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(60, 100), nn.LayerNorm(100), nn.MultiheadAttention(64, 4), nn.Conv2d(16, 32, 3)
    )


def test_a_whole_analysis():
    model, told = small(), []
    found = analyse(
        weight_matrices(model),
        skipped(model),
        randomise=True,
        compare=True,
        bootstrap=50,
        progress=lambda *args: told.append(args),
    )
    assert [layer.name for layer in found.layers] == [
        "0",
        "2.q",
        "2.k",
        "2.v",
        "2.out_proj",
        "3.flat",
        "3.pooled",
    ]
    assert {reason for _, reason in found.skipped} == {"a scalar or a vector, not a matrix"}
    assert told[-1][:2] == (21, 21) and found.settings["seed"] == 0
    table = columns(found)
    assert {len(column) for column in table.values()} == {7}
    first = found.layers[0]
    assert table["alpha"][0] == first.fit.alpha and table["phase"][0] == first.phase.name
    assert table["alpha_low"][0] <= first.fit.alpha <= table["alpha_high"][0]
    assert table["random_spectral_norm"][0] == pytest.approx(first.random[-1] ** 0.5)
    again = analyse(weight_matrices(model), randomise=True, bootstrap=50)
    assert (
        columns(again)["alpha_low"] == table["alpha_low"]
        and (again.layers[0].random == first.random).all()
    )


def test_what_cannot_be_measured_is_said_and_leaves_the_others_alone():
    model = nn.Sequential(
        nn.Linear(60, 100),
        nn.Linear(60, 100),
        nn.Linear(60, 100),
        nn.Linear(1, 40),
        nn.Linear(0, 4),
    )
    with torch.no_grad():
        model[0].weight[0, 0] = torch.nan
        model[1].weight.zero_()
    found = analyse(
        weight_matrices(model), skipped(model), randomise=True, compare=True, bootstrap=50
    )
    reasons = dict(found.skipped)
    assert "NaN" in reasons["0"] and reasons["4.weight"] == "empty"
    zero, good, single = found.layers
    assert np.isnan(zero.fit.alpha) and not zero.fit.reliable and zero.phase.name == "rank-collapse"
    assert good.fit.alpha == powerlaw.fit(good.evals).alpha
    assert single.fit.reasons and not single.fit.reliable


def test_weightwatcher_sees_no_cuda_and_leaves_logging_alone(ww):
    import logging

    with pytest.raises(ValueError, match="finds no layer"):
        watcher.table(nn.Sequential(nn.Linear(3, 3)))
    assert logging.getLogger("weightwatcher").level == logging.CRITICAL
