"""Training a trial: what the seed fixes, what each treatment does, what goes into the record."""

import msgspec
import numpy as np
import pytest
import torch

from ddiv import outcome
from ddiv.common.errors import TrialFailed
from ddiv.outcome import Spectral, value
from ddiv.profiles.choose import profile
from ddiv.study import Recipe
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    Dropout,
    EvaluationDropout,
    Length,
    NoOp,
    OtherSeed,
    Rate,
    ShuffledLabels,
    Treatment,
    WeightDecay,
)
from ddiv.trial import DataView, trial
from ddiv.trial.devices import NoSuchDevice, choose_device
from ddiv.trial.measure import measure

(STUDY,) = profile("smoke").studies
CPU = torch.device("cpu")


def trained(treatment=BASELINE, seed=0, study=STUDY):
    return measure(trial(study, treatment, seed), {}, "cpu", lambda share: None)


@pytest.fixture(scope="module")
def baseline():
    return trained()


def weights_after(record):
    return record.arrays["eigenvalues/after"]


def test_same_trial_same_numbers(baseline):
    again = trained()
    for name, array in baseline.arrays.items():
        assert np.array_equal(array, again.arrays[name]), name


def test_the_global_random_state_neither_matters_nor_changes(baseline):
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    assert np.array_equal(weights_after(trained()), weights_after(baseline))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    "treatment",
    [
        Treatment.of(Dropout(0.2)),
        Treatment.of(WeightDecay(0.1)),
        Treatment.of(Augmentation("noise50")),
        Treatment.of(NoOp()),
        Treatment.of(Rate(0.4)),
        Treatment.of(Length(0.4)),
    ],
    ids=lambda t: t.label,
)
def test_arms_start_equal_and_end_apart(baseline, treatment):
    arm = trained(treatment)
    assert np.array_equal(arm.arrays["eigenvalues/before"], baseline.arrays["eigenvalues/before"])
    assert not np.allclose(weights_after(arm), weights_after(baseline))


def test_seeds_start_apart(baseline):
    assert not np.allclose(
        trained(seed=1).arrays["eigenvalues/before"], baseline.arrays["eigenvalues/before"]
    )


def test_another_seed_is_the_baseline_of_that_seed(baseline):
    arm = trained(Treatment.of(OtherSeed()))
    assert not np.allclose(arm.arrays["eigenvalues/before"], baseline.arrays["eigenvalues/before"])
    assert np.array_equal(weights_after(arm), weights_after(trained(seed=1_000_000)))


def test_dropout_at_evaluation_only_leaves_the_weights_and_spoils_the_outputs(baseline):
    arm = trained(Treatment.of(EvaluationDropout(0.5)))
    assert np.array_equal(weights_after(arm), weights_after(baseline))
    assert arm.facts["clean"]["loss"] > 1.5 * baseline.facts["clean"]["loss"]


def test_shuffled_labels_leave_chance(baseline):
    arm = trained(Treatment.of(ShuffledLabels()))
    scores, usual = (outcome.read(record).after.scores["accuracy/id"] for record in (arm, baseline))
    assert scores < 0.3 < usual  # chance is .1


def test_decay_shrinks_the_weights(baseline):
    norms = [
        value(Spectral("frobenius_norm", "encoder"), outcome.read(one).after)
        for one in (trained(Treatment.of(WeightDecay(1.0))), baseline)
    ]
    assert norms[0] < norms[1]


def test_optimisation_controls_train_as_the_recipe_that_they_name():
    study = msgspec.structs.replace(STUDY, recipe=Recipe(4, 40, 5e-3, head_lr=1e-2))
    slower = msgspec.structs.replace(study, recipe=Recipe(4, 40, 2e-3, head_lr=4e-3))
    shorter = msgspec.structs.replace(study, recipe=Recipe(2, 40, 5e-3, head_lr=1e-2))
    for part, recipe in ((Rate(0.4), slower), (Length(0.5), shorter)):
        arm, plain = trained(Treatment.of(part), study=study), trained(study=recipe)
        assert np.allclose(weights_after(arm), weights_after(plain), rtol=1e-12), part
        assert arm.facts["epochs_trained"] == recipe.recipe.epochs


def test_the_trajectory_ends_where_the_training_ends(baseline):
    assert [point["epoch"] for point in baseline.facts["trajectory"]] == list(
        STUDY.recipe.checkpoints
    )
    assert np.array_equal(baseline.arrays["trajectory/eigenvalues"][-1], weights_after(baseline))
    read = outcome.read(baseline)
    assert read.trajectory[-1].scores == read.after.scores


def test_every_eigenvalue_is_accounted_for(baseline):
    layers = baseline.facts["layers"]
    assert sum(layer["eigenvalues"] for layer in layers) == len(weights_after(baseline))
    assert [layer["name"] for layer in layers if layer["view"] == "classifier"] == ["head"]
    assert baseline.facts["skipped"] and all(reason for _, reason in baseline.facts["skipped"])


def test_predictions_are_probabilities_and_progress_ends_at_one():
    shares = []
    record = measure(trial(STUDY, BASELINE, 0), {}, "cpu", shares.append)
    assert np.allclose(np.exp(record.arrays["log_probabilities/digits"]).sum(axis=1), 1, atol=1e-5)
    assert shares[-1] == 1 and shares == sorted(shares)


@pytest.mark.parametrize("checkpoints", [(), (0, 0.5, 1, 3)])
def test_a_loss_that_is_not_finite_is_one_clear_error(checkpoints):
    study = msgspec.structs.replace(STUDY, recipe=Recipe(3, 40, 1e30, checkpoints))
    with pytest.raises(
        TrialFailed,
        match=r"loss of the trial baseline, seed 0 became nan within .*Lower the learning rate",
    ):
        trained(study=study)


def test_diversity_rises_with_noise_and_states_its_settings():
    embedder = STUDY.embedders[0]
    plain, noisy = (
        measure(DataView(STUDY.data, part, embedder, 100, 0), {}, "cpu", lambda share: None)
        for part in (BASELINE, Treatment.of(Augmentation("noise50")))
    )
    assert noisy.facts["vendi"]["pixel"] > plain.facts["vendi"]["pixel"] > 1
    settings = plain.facts["settings"]["embedding"]
    assert settings["n"] == 100 and settings["q"] == 1 and settings["embedder"].startswith("clip ")


def test_a_view_larger_than_the_training_set_is_refused():
    with pytest.raises(TrialFailed, match="training set has 120"):
        measure(
            DataView(STUDY.data, BASELINE, STUDY.embedders[0], 121, 0),
            {},
            "cpu",
            lambda share: None,
        )


def test_an_absent_device_is_refused_with_those_that_are_there():
    with pytest.raises(NoSuchDevice, match="this machine has: cpu"):
        choose_device("cuda:99")


@pytest.mark.cuda
def test_a_gpu_starts_from_the_same_weights_and_order(baseline):
    record = measure(trial(STUDY, BASELINE, 0), {}, "cuda", lambda share: None)
    assert np.allclose(
        record.arrays["eigenvalues/before"], baseline.arrays["eigenvalues/before"], rtol=1e-6
    )
    assert record.facts["clean"]["loss"] == pytest.approx(baseline.facts["clean"]["loss"], rel=0.2)
