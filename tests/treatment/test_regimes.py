"""Arms from random weights, repeats of the baseline, and arms that are followed."""

import msgspec
import numpy as np
import pytest
import torch

from ddiv.models.build import build
from ddiv.models.clip import CONFIGS, build_clip
from ddiv.models.shipped import embedded_weights
from ddiv.profiles import studies
from ddiv.study import Clip, Digits, Recipe, ResNet18, Study
from ddiv.treatment import BASELINE, Again, Augmentation, FromScratch, NoOp, Traced, Treatment
from ddiv.trial import trial
from ddiv.trial.train import network_of, train

CPU = torch.device("cpu")
STUDY = Study(
    "tiny",
    "tiny",
    Digits(60, side=16),
    ResNet18(4, 2),
    Recipe(epochs=2, batch=30, lr=5e-3, checkpoints=(0, 1)),
)


def arrays(arm: Treatment):
    return train(trial(STUDY, arm, 0), CPU)


def test_a_traced_arm_is_the_same_arm_with_a_trajectory():
    plain, traced = arrays(Treatment.of(NoOp())), arrays(Treatment.of(NoOp(), Traced()))
    after = "eigenvalues/after"
    assert np.array_equal(plain.arrays[after], traced.arrays[after])
    assert plain.facts["trajectory"] == []
    assert [at["epoch"] for at in traced.facts["trajectory"]] == [0, 1]
    path = traced.arrays["trajectory/eigenvalues"]
    assert np.array_equal(path[0], traced.arrays["eigenvalues/before"])
    assert not np.array_equal(path[1], traced.arrays[after])


def test_repeats_are_the_baseline_in_orders_of_their_own():
    runs = [
        arrays(arm)
        for arm in (BASELINE, Treatment.of(NoOp()), *map(Treatment.of, map(Again, (1, 2))))
    ]
    spectra = [run.arrays["eigenvalues/after"].tobytes() for run in runs]
    assert len({*spectra}) == 4
    assert len({run.arrays["eigenvalues/before"].tobytes() for run in runs}) == 1
    assert Treatment.of(Again(0)) == BASELINE


@pytest.mark.parametrize("tower", ["vit", "resnet"])
def test_from_scratch_an_encoder_is_as_its_architecture_draws_it(tower):
    """Weights are as large as those of a new one, and none is left of the checkpoint's."""
    study = msgspec.structs.replace(
        studies.clip_world(), backbone=Clip(embedded_weights(tower), tower), further_backbones=()
    )
    job = trial(study, Treatment.of(FromScratch()), 0)
    network, _ = network_of(job, tuple("abc"))
    again, _ = network_of(job, tuple("abc"))
    pre_trained, _ = build(study.backbone, tuple("abc"))
    torch.manual_seed(5)
    new = dict(build_clip(CONFIGS[tower], vocab_size=100).visual.named_parameters())
    kept = dict(pre_trained.encoder.named_parameters())
    for name, weight in network.encoder.named_parameters():
        assert torch.equal(weight, again.encoder.get_parameter(name))
        assert weight.std() == 0 or not torch.equal(weight, kept[name]), name
        if weight.ndim > 1:
            ratio = float(weight.detach().std() / new[name].detach().std())
            assert 0.8 < ratio < 1.25, (name, ratio)


def test_from_scratch_the_means_and_variances_of_a_checkpoint_are_forgotten():
    study = msgspec.structs.replace(studies.clip_rn_world(), further_backbones=())
    network, _ = network_of(trial(study, Treatment.of(FromScratch()), 0), tuple("abc"))
    norms = [m for m in network.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all(float(norm.running_mean.abs().max()) == 0 for norm in norms)


def test_arms_from_two_starts_share_their_starts():
    study = studies.clip_two_starts()
    fine, scratch = study.both[0]
    assert fine == Treatment.of(Augmentation("auto"), Traced())
    assert scratch == fine + FromScratch(4)
    assert study.both_bases[0].is_baseline and {*study.both_bases} <= {*study.arms}
    heads = [
        network_of(trial(study, arm, 0), tuple("abc"))[0].head.weight for arm in (fine, scratch)
    ]
    assert torch.equal(*heads)


def test_random_weights_may_learn_at_another_rate_than_the_classification_layer():
    network, _ = build(STUDY.backbone, tuple("abc"))
    parts = [list(part.parameters()) for part in (network.encoder, network.head)]
    optimiser = torch.optim.Adam([{"params": params, "lr": 1e-3} for params in parts])
    FromScratch(4).optimiser(optimiser, network)
    assert [group["lr"] for group in optimiser.param_groups] == [4e-3, 1e-3]


def test_two_starts_need_checkpoints():
    with pytest.raises(ValueError, match="checkpoints"):
        msgspec.structs.replace(
            STUDY, recipe=Recipe(epochs=2, batch=30, lr=5e-3), both_augmentations=("auto",)
        )
