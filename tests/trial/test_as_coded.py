"""A BERT as the published code runs it: modes, dropout in testing, the ReLU, in training and in
records.
"""

import msgspec
import numpy as np
import pytest
import torch

from ddiv.common.errors import TrialFailed
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.profiles import studies
from ddiv.study import TwoComplaints
from ddiv.treatment import Dropout, Once, Rectified, Treatment, Unswitched
from ddiv.trial import key, trial
from ddiv.trial.hooks import changed_network
from ddiv.trial.inputs import tensor
from ddiv.trial.measure import measure

CODED = studies.bert_two_complaints_as_coded()
CLASSES = ("money", "conduct")
DATA = TwoComplaints(train_per_class=24, test_per_class=30, version=1)
SHORT = msgspec.structs.replace(CODED.recipe, epochs=1)
IDS = tensor(load(DATA).inputs[:8], CODED.backbone)


def network(backbone, *parts):
    torch.manual_seed(1)
    made, sites = build(backbone, CLASSES)
    changed_network(made, sites, Treatment.of(*parts))
    return made


@torch.no_grad()
def outputs(made, seed=0):
    torch.manual_seed(seed)
    return made(IDS)


def trained(backbone, *parts):
    study = msgspec.structs.replace(
        CODED, data=DATA, backbone=backbone, further_backbones=(), recipe=SHORT
    )
    job = trial(study, Treatment.of(*parts), 1000)
    return measure(job, {}, "cpu", lambda share: None)


def test_dropout_before_the_classification_layer_acts_in_both_modes():
    made = network(CODED.backbone, Dropout(0.5))
    for mode in (True, False):
        made.train(mode)
        assert torch.equal(outputs(made), outputs(made))  # drawn from torch's generator
        assert not torch.equal(outputs(made), outputs(made, seed=1))
    plain = network(studies.bert(), Dropout(0.5, "head")).eval()
    assert torch.equal(outputs(plain), outputs(plain, seed=1))


def test_dropout_within_the_encoder_never_acts():
    described = network(studies.bert(), Dropout(0.5, "encoder")).train()
    assert not torch.equal(outputs(described), outputs(described, seed=1))
    coded = network(studies.bert(), Dropout(0.5, "encoder"), Unswitched())
    plain = network(studies.bert())
    for mode in (True, False):
        assert torch.equal(outputs(coded.train(mode)), outputs(plain.train(mode)))
        assert not coded.encoder.training and coded.head.training
        assert not any(module.training for module in coded.encoder.modules())
    with pytest.raises(TrialFailed, match="no places for dropout in its encoder"):
        network(CODED.backbone, Dropout(0.1, "encoder"))


def test_one_part_of_the_modes_may_be_kept():
    for where, encoder, head in (("encoder", False, True), ("head", True, True)):
        made = network(studies.bert(), Unswitched(where)).train()
        assert (made.encoder.training, made.head.training) == (encoder, head)
    made = network(studies.bert(), Unswitched("head")).eval()
    assert not made.encoder.training and made.head.training
    made = network(studies.bert(), Unswitched("encoder")).eval()
    assert not made.head.training


def test_a_relu_is_there_in_both_modes():
    plain, coded = network(studies.bert()), network(studies.bert(), Rectified())
    for mode in (True, False):
        raw = outputs(plain.train(mode))
        assert (raw < 0).any() and torch.equal(outputs(coded.train(mode)), raw.clamp(min=0))


def test_the_backbone_as_coded_is_the_parts_together_to_the_bit():
    parts = Dropout(0.3, "head"), Unswitched(), Rectified()
    by_parts, by_backbone = trained(studies.bert(), *parts), trained(CODED.backbone, Dropout(0.3))
    assert by_parts.arrays.keys() == by_backbone.arrays.keys()
    for name, array in by_parts.arrays.items():
        assert np.array_equal(array, by_backbone.arrays[name]), name
    assert by_parts.facts["train_loss"] == by_backbone.facts["train_loss"]


def test_dropout_in_testing_changes_predictions_and_no_weight():
    """Its masks are the trial's own: another run has the same."""
    off, on, again = (
        trained(studies.bert(), Dropout(0.5, "head"), *more)
        for more in ((), (Unswitched("head"),), (Unswitched("head"),))
    )
    assert np.array_equal(off.arrays["eigenvalues/after"], on.arrays["eigenvalues/after"])
    name = "log_probabilities/letter"
    assert not np.array_equal(off.arrays[name], on.arrays[name])
    assert np.array_equal(on.arrays[name], again.arrays[name])


def test_examples_changed_once_are_trained_on():
    plain, edited = trained(studies.bert()), trained(studies.bert(), Once("deletion50", 0.5))
    assert plain.facts["train_loss"] != edited.facts["train_loss"]


def test_a_bert_as_coded_has_keys_of_its_own_and_those_of_others_stay():
    study = studies.bert_complaints()
    assert key(trial(study, Treatment(), 0)) == "950c5b6db011493371b9"
    assert key(trial(study, study.synthetic(0.5), 0)) == "9f9a1a4cf48492302c8f"
    coded = msgspec.structs.replace(study, backbone=CODED.backbone, further_backbones=())
    assert key(trial(coded, Treatment(), 0)) != "950c5b6db011493371b9"
