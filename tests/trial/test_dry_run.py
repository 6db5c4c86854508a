"""A dry step finds what would stop a trial, and names it."""

import random

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from ddiv.common.errors import TrialFailed
from ddiv.common.global_draws import drawn, states
from ddiv.data.load import load
from ddiv.models.own import own_model
from ddiv.profiles import studies
from ddiv.profiles.choose import profile
from ddiv.study import Digits, OpenClip, Recipe, ResNet18, Study
from ddiv.treatment import BASELINE, Added, Dropout, Part, Synthetic, Treatment
from ddiv.trial import dry_run, trial
from ddiv.trial.dry_run import layers_of

DATA = Digits(41, side=8)


class Net(nn.Module):
    """A small encoder with a recurrent layer, and with one fault by name."""

    def __init__(self, fault):
        super().__init__()
        self.fault, self.width = fault, 4
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        if fault == "size":
            self.conv = nn.Linear(3 * 16 * 16, 4)
        self.rnn = nn.GRU(4, 4, batch_first=True)
        self.norm = nn.BatchNorm1d(4)
        self.spare = nn.Linear(2, 2)
        self.dropout_sites = {
            "recurrent": (self.conv, self.rnn),
            "unused": (self.conv, self.spare),
            "no module": (self.conv, ["norm"]),
        }.get(fault, (self.conv,))
        if fault == "width":
            self.width = 9
        if fault == "raises":
            raise KeyError("weights.pt")

    def forward(self, images):
        if self.fault == "size":
            return self.conv(images.flatten(1))
        maps = self.conv(images)
        if self.fault == "memory":
            torch.empty(1 << 46)
        if self.fault == "nan":
            return (maps.mean((2, 3)) * 0).log()
        if self.fault == "gradient":
            return (maps.mean((2, 3)) * 0).sqrt()
        if self.fault == "norm":
            return self.norm(maps.mean((2, 3)))
        if self.fault == "numpy":
            return maps.mean((2, 3)).detach().numpy()
        return self.rnn(maps.mean(3).transpose(1, 2))[0][:, -1]


def net(fault=""):
    return Net(fault)


def study(fault="", batch=40, **given):
    recipe = Recipe(epochs=1, batch=batch, lr=1e-3)
    backbone = own_model(net, fault=fault)
    return Study("mine", "mine", DATA, backbone, recipe, **{"dropout_rates": (0.1, 0.2)} | given)


def tried(given):
    return layers_of([trial(given, arm, 0) for arm in given.arms], load(given.data))


@pytest.mark.parametrize(
    "fault, said",
    [
        ("width", r"features of shape \(\d+, 4\) .* by its `width` they are \(\d+, 9\)"),
        (
            "recurrent",
            r"under dropout 0.1: .* dropout_sites\[1\] \(GRU\), is a tuple: name another",
        ),
        ("unused", r"at the site 'spare' \(Linear\): the network does not call"),
        ("no module", r"dropout_sites .* have to be a tuple of modules .*, got \['norm'\]"),
        ("size", r"failed on images of shape .* cannot be multiplied .* the `side` that it takes"),
        ("raises", "KeyError: 'weights.pt'"),
        ("nan", "outputs are not finite"),
        ("gradient", "the weight encoder.conv.* is not finite"),
        ("numpy", "features of type ndarray"),
    ],
)
def test_a_model_that_cannot_be_trained_is_told_with_its_place_and_the_remedy(fault, said):
    with pytest.raises((TrialFailed, ValueError), match=said) as error:
        tried(study(fault))
    assert "\n" not in str(error.value)


def test_a_sound_model_passes_and_its_layers_are_known():
    groups = {layer["name"]: layer["view"] for layer in tried(study())}
    assert groups["head"] == "classifier" and groups["encoder.conv.flat"] == "encoder"


def test_a_site_that_is_not_called_harms_no_study_without_dropout():
    assert tried(study("unused", dropout_rates=(), decays=(0.1,)))


def test_a_last_batch_of_one_is_found_for_every_size_of_batch():
    with pytest.raises((TrialFailed, ValueError), match="last batch of an epoch has 1 of the 41"):
        tried(study("norm", batches=(8, 41)))
    with pytest.raises((TrialFailed, ValueError), match="last batch of an epoch has 1 of the 41"):
        tried(study("norm", batch=20))
    assert tried(study("norm", batch=21))


def test_a_model_that_is_too_large_for_this_machine_is_not_the_users_fault(monkeypatch):
    assert tried(study("memory")) == []
    monkeypatch.setattr(dry_run, "available_memory", lambda: 1000)
    assert tried(study()) == []


def test_what_a_single_arm_does_is_told_with_the_arm():
    """The placement "encoder" needs places in the encoder; the other arms do without."""
    given = study(single_placement_rates=(0.1,))
    flat = msgspec.structs.replace(given, backbone=own_model(plain))
    with pytest.raises(
        (TrialFailed, ValueError), match=r"under dropout 0.1 encoder: .* no places for dropout"
    ):
        tried(flat)
    assert tried(msgspec.structs.replace(flat, single_placement_rates=()))


def plain():
    encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    encoder.width = 4
    return encoder


def test_images_of_another_side_than_the_model_takes():
    with pytest.raises((TrialFailed, ValueError), match=r"takes images of 32 x 32 pixels.*side=32"):
        tried(msgspec.structs.replace(study(), backbone=own_model(sided)))


def sided():
    encoder = plain()
    encoder.side = 32
    return encoder


def test_data_of_another_kind_than_the_model_reads():
    given = msgspec.structs.replace(
        studies.bert_complaints(), backbone=ResNet18(4), further_backbones=(), embedders=()
    )
    with pytest.raises(
        (TrialFailed, ValueError), match="ResNet18 does not read texts: give its study data"
    ):
        tried(given)


def test_nothing_is_drawn_from_the_global_generators():
    before = states()
    assert tried(profile("smoke").studies[0])
    assert not drawn(before)


def test_parts_of_ddivs_own_share_steps():
    """All that the arms do, in few steps: a step a part would take a study's start too long."""
    arms = studies.clip_world().arms
    together = list(dry_run._built_in(arms))
    # One each: dropout everywhere with all else, in the head, in the encoder, and added examples.
    assert len(arms) > 40 and len(together) == 4
    kinds = [{type(part) for part in parts} for parts in together]
    assert any(Synthetic in of for of in kinds) and {Added} in kinds  # a set has one of them
    found = {type(part) for parts in together for part in parts}
    assert found == {type(part) for arm in arms for part in arm.parts}
    assert [*dry_run._built_in([BASELINE])] == [()]
    assert (
        len(list(dry_run._built_in([Treatment.of(Dropout(0.1)), Treatment.of(Dropout(0.2))]))) == 1
    )


def test_missing_weights_are_told_as_before(monkeypatch):
    monkeypatch.delenv("DDIV_CLIP", raising=False)
    given = msgspec.structs.replace(study(), backbone=OpenClip("ViT-B-32-quickgelu", "0" * 64))
    with pytest.raises((TrialFailed, ValueError), match="DDIV_CLIP"):
        tried(given)


class Faulty(Part, frozen=True):
    """A part of a user's own, with one fault by name."""

    fault: str

    def training_set(self, shown, draws):
        if self.fault == "random":
            random.random()
        return shown.labels if self.fault == "set" else shown

    def network(self, network, sites):
        if self.fault == "head":
            network.head = nn.Linear(network.head.in_features, 3)
        if self.fault == "initial":
            np.random.normal()

    def batch(self, inputs, draws):
        if self.fault == "torch":
            return inputs + torch.randint(1, inputs.shape).to(inputs.dtype)
        return inputs[:, :, :4] if self.fault == "cut" else inputs

    def loss(self, outputs, labels):
        if self.fault == "loss":
            raise KeyError("temperature")
        loss = nn.functional.cross_entropy(outputs, labels, reduction="none")
        if self.fault == "two":  # as of an estimate that needs three
            return loss / (len(labels) - 2)
        return loss * float("nan") if self.fault == "nan" else loss


class Sound(Part, frozen=True):
    """Smoothed labels; its dose may be anything."""

    amount: float

    def loss(self, outputs, labels):
        return nn.functional.cross_entropy(
            outputs, labels, label_smoothing=self.amount, reduction="none"
        )


@pytest.mark.parametrize(
    "fault, said",
    [
        ("random", "the hook `training_set` of the part Faulty draws from random, .* pairing"),
        ("torch", "the hook `batch` of the part Faulty draws from torch, .* pairing"),
        ("initial", r"draws from numpy.random, which breaks the pairing"),
        ("set", r"`training_set` of the part Faulty has to return a training set"),
        ("head", r"the network gives \(\d+, 3\) for \d+ inputs of 10 classes"),
        ("cut", r"`batch` of the part Faulty has to return .*\(\d+, 3, 4, 8\)"),
        ("loss", "the hook `loss` of the part Faulty raised KeyError: 'temperature'"),
        ("nan", "hook `loss` of the part Faulty returned nan"),
    ],
)
def test_a_hook_that_does_wrong_is_told_with_its_treatment(fault, said):
    arms = [BASELINE, Treatment.of(Sound(0.1)), Treatment.of(Faulty(fault))]
    with pytest.raises(TrialFailed, match=f"under faulty {fault}: .*{said}") as error:
        layers_of([trial(study(), arm, 0) for arm in arms], load(DATA))
    assert "\n" not in str(error.value)


def test_a_sound_part_passes_and_one_that_needs_a_whole_batch():
    arms = [Treatment.of(Sound(0.1)), Treatment.of(Sound(0.1), Dropout(0.2))]
    assert layers_of([trial(study(), arm, 0) for arm in arms], load(DATA))
    given = study(batch=41)
    assert layers_of([trial(given, Treatment.of(Faulty("two")), 0)], load(DATA))
