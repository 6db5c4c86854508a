"""Departures of the paper's published code, each against the same done by hand."""

from functools import lru_cache

import msgspec
import numpy as np
import pytest
import torch

from ddiv.claim.needed import data_view
from ddiv.common.draws import generator, stream
from ddiv.common.errors import TrialFailed
from ddiv.data.load import load
from ddiv.models.network import IMAGENET
from ddiv.profiles import studies
from ddiv.study import Study
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    Dropout,
    NoOp,
    Normalised,
    Piled,
    Treatment,
    Unused,
)
from ddiv.treatment.images import augment
from ddiv.treatment.names import AS_CODED
from ddiv.trial import trial
from ddiv.trial.dry_run import layers_of
from ddiv.trial.hooks import Shows
from ddiv.trial.inputs import Examples
from ddiv.trial.measure import measure
from ddiv.trial.train import network_of
from ddiv.trial.training_set import training_set
from ddiv.trial.view import _seen
from tests.support.smoke import STUDY

CPU = torch.device("cpu")
SHORT = msgspec.structs.replace(
    STUDY, recipe=msgspec.structs.replace(STUDY.recipe, epochs=2, checkpoints=())
)
CODED = studies.clip_world_as_coded()
PLAIN = trial(SHORT, BASELINE, 0)
DATA = load(PLAIN.data)


@lru_cache
def trained(*parts) -> np.ndarray:
    """The eigenvalues of a trial after training."""
    job = trial(SHORT, Treatment.of(*parts), 0)
    return measure(job, {}, "cpu", lambda share: None).arrays["eigenvalues/after"]


def shown(*parts) -> np.ndarray:
    """The images of the training set before any epoch."""
    return training_set(DATA, Treatment.of(*parts), PLAIN.draws).inputs


def epochs(*parts) -> list[np.ndarray]:
    """The images of two epochs as a network is given them, in the order of the training set."""
    treatment = Treatment.of(*parts)
    job = trial(SHORT, treatment, 0)
    examples = Examples.of(training_set(DATA, treatment, job.draws), job.backbone, CPU)
    shows = [Shows(part, generator(0, "shows")) for part in treatment.with_hook("batch")]
    order = torch.arange(len(examples))
    return [
        torch.cat([batch for batch, _ in examples.epoch(order, 40, shows)]).numpy()
        for _ in range(2)
    ]


# --- piles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 4, 10])
def test_a_pile_is_the_composition_drawn_by_hand(count):
    draws = generator(PLAIN.draws, "pile")
    images = torch.from_numpy(DATA.inputs)
    for name in AS_CODED[:count]:
        images = augment(name, images, draws)
    before = DATA.inputs.copy()
    assert np.array_equal(shown(Piled(AS_CODED[:count])), images.numpy())
    assert np.array_equal(DATA.inputs, before), "the plain set was changed"


def test_a_longer_pile_has_more_on_top_of_a_shorter_one():
    draws = generator(PLAIN.draws, "pile")
    augment("auto", torch.from_numpy(DATA.inputs), draws)  # what the shorter one draws
    under = torch.from_numpy(shown(Piled(("auto",))))
    assert np.array_equal(shown(Piled(("auto", "noise5"))), augment("noise5", under, draws).numpy())


def test_a_pile_is_the_same_in_every_epoch_and_an_augmentation_is_not():
    first, second = epochs(Piled(("auto", "noise5")))
    assert np.array_equal(first, second) and np.array_equal(first, shown(Piled(("auto", "noise5"))))
    first, second = epochs(Augmentation("auto"))
    assert not np.array_equal(first, second)


def test_labels_order_and_number_stay_and_other_seeds_draw_anew():
    piled = training_set(DATA, Treatment.of(Piled(("trivial",))), PLAIN.draws)
    assert np.array_equal(piled.labels, DATA.labels) and len(piled.inputs) == len(DATA.inputs)
    other = training_set(DATA, Treatment.of(Piled(("trivial",))), PLAIN.draws + 1)
    assert not np.array_equal(piled.inputs, other.inputs)


def test_a_view_shows_the_pile_that_a_network_is_trained_on():
    arm = Treatment.of(Piled(("auto", "rand")), NoOp())
    view = data_view(SHORT, arm, 0)
    assert view.treatment == Treatment.of(Piled(("auto", "rand"))) and view.n == len(DATA.inputs)
    chosen = torch.randperm(view.n, generator=generator(view.draws, "view")).numpy()
    assert np.array_equal(_seen(view, {}).inputs, shown(Piled(("auto", "rand")))[chosen])


def test_a_trial_is_trained_on_the_pile():
    assert not np.array_equal(trained(Piled(("auto",))), trained())
    assert not np.array_equal(trained(Piled(("auto",))), trained(Piled(("auto", "noise5"))))
    assert not np.array_equal(trained(Piled(("auto",))), trained(Augmentation("auto")))


def test_texts_pile_up_too():
    texts = np.array(["the bank closed my account", "a fee was charged twice"], dtype=object)
    data = DATA.__class__(texts, np.array([0, 1]), {}, ("a", "b"))
    arm = Treatment.of(Piled(("swap10", "deletion30")))
    piled = training_set(data, arm, 5).inputs
    assert piled.dtype == object and piled.shape == (2,) and list(piled) != list(texts)


# --- made and not used ----------------------------------------------------------------------------


def test_what_is_not_used_leaves_the_plain_set_and_another_order():
    arm = Unused(("auto",))
    assert np.array_equal(shown(arm), DATA.inputs)
    assert arm.order("order") not in ("order", Unused(("rand",)).order("order"))
    runs = [trained(), trained(NoOp()), trained(arm), trained(Unused(("rand",)))]
    assert len({run.tobytes() for run in runs}) == 4
    norms = np.array([run.sum() for run in runs])
    assert np.ptp(norms) < 0.05 * norms.mean()  # repeats of one training


# --- normalised otherwise -------------------------------------------------------------------------


def test_training_images_are_normalised_by_the_other_statistics_and_tests_by_the_networks():
    images = torch.from_numpy(DATA.inputs[:40])
    plain, _ = network_of(PLAIN, DATA.classes)
    other, _ = network_of(trial(SHORT, Treatment.of(Normalised()), 0), DATA.classes)
    by_hand, _ = network_of(PLAIN, DATA.classes)
    for buffer, numbers in ((by_hand.mean, IMAGENET.mean), (by_hand.deviation, IMAGENET.deviation)):
        buffer.copy_(torch.tensor(numbers).view(3, 1, 1))
    torch.testing.assert_close(other(images), by_hand(images), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(other(images), plain(images), rtol=1e-2)
    for network in (plain, other):
        network.load_state_dict(by_hand.state_dict())
        network.eval()
    assert torch.equal(other(images), plain(images))
    assert set(other.state_dict()) == set(plain.state_dict())


def test_a_trial_in_another_normalisation():
    same = Normalised((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    np.testing.assert_allclose(trained(same), trained(), rtol=0.02)
    assert not np.allclose(trained(Normalised()), trained(), rtol=0.02)


def test_texts_have_no_pixels_to_normalise():
    study = studies.bert_complaints()
    job = trial(study, Treatment.of(Normalised()), 0)
    with pytest.raises(TrialFailed, match=r"texts have no pixels .* leave the part Normalised out"):
        layers_of([job], load(job.data))


# --- names, studies, bad input --------------------------------------------------------------------


def test_what_arms_are_called():
    assert Piled(AS_CODED[:4]).label == "pile up to trivial"
    assert Piled(("auto",)).label == "auto, drawn once"
    assert Piled(("rand", "auto")).label == "rand > auto"
    assert Unused(("auto",)).label == "auto, made and not used"
    assert Normalised().label == "trained in ImageNet's normalisation"
    groups = [Treatment.of(part).group for part in (Piled(("auto",)), Unused(("auto",)))]
    assert groups == ["augmentation", "control"]


def test_a_study_with_piles_has_each_departure_by_itself():
    assert isinstance(CODED, Study) and CODED.augmentations == AS_CODED
    assert CODED.augmentation("trivial") == Treatment.of(Piled(AS_CODED[:4]))
    assert CODED.alone("auto-v2-coded", "described") == Treatment.of(Augmentation("auto-v2"))
    assert CODED.alone("noise1", "once") == Treatment.of(Piled(("noise1",)))
    assert {arm.part(Dropout).where for _, arm in CODED.dropout()[1:]} == {"head"}
    assert {*CODED.unused} <= {*CODED.arms} and len(CODED.unused) == 3
    plain = studies.clip_world()
    assert plain.unused == () and plain.augmentation("auto") == Treatment.of(Augmentation("auto"))
    assert {arm.part(Dropout).where for _, arm in plain.dropout()[1:]} == {"all"}
    assert not any(arm.part(Piled) or arm.part(Unused) for arm in plain.arms)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Piled(()), "one augmentation or more"),
        (lambda: Unused(()), "one augmentation or more"),
        (lambda: Piled(("auto", "mixup")), "mixup mixes labels, and a set that is made once"),
        (lambda: Piled(("",)), "the name of an augmentation has 1 to 200 characters"),
        (lambda: Piled("auto"), "`names` of Piled is a tuple"),
        (lambda: Normalised(deviation=(0.2, 0.0, 0.2)), "a deviation is above 0"),
        (lambda: Normalised(mean=(0.5, 0.5)), "`mean` of Normalised is a tuple of 3"),
    ],
)
def test_bad_input_is_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_unknown_augmentation_of_a_pile_is_told_before_anything_is_trained():
    job = trial(SHORT, Treatment.of(Piled(("auto", "posterise"))), 0)
    with pytest.raises(TrialFailed, match=r"posterise.*known: auto, rand"):
        layers_of([PLAIN, job], DATA)


def test_piles_of_one_seed_share_their_stream():
    assert stream(0, "pile") == stream(0, Piled(("auto",)).stream)
