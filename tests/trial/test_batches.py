"""A last batch of one: found before training, and told with a batch size that works."""

import re
from functools import partial
from types import MappingProxyType

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from ddiv.common.errors import TrialFailed
from ddiv.data.dataset import Dataset, Shown
from ddiv.models.build import build
from ddiv.models.network import Network
from ddiv.profiles.choose import profile
from ddiv.study import Digits, MiniAlexNet, Recipe, ResNet18
from ddiv.treatment import BASELINE, Augmentation, BatchSize, Treatment
from ddiv.trial import trial
from ddiv.trial.batches import in_batches, last_batch, nearest_batch, require_batches
from ddiv.trial.measure import measure
from ddiv.trial.train import fit

(STUDY,) = profile("smoke").studies
CPU = torch.device("cpu")


def images(n):
    return torch.randint(0, 256, (n, 3, 8, 8), dtype=torch.uint8)


def network(*layers):
    return Network(nn.Sequential(nn.Flatten(), nn.Linear(192, 4), *layers), 4, 3)


NORMS = {
    "batch norm": lambda: network(nn.BatchNorm1d(4)),
    "group norm of single features": lambda: network(nn.GroupNorm(4, 4)),
    "resnet18": lambda: build(ResNet18(2, 8), ("a", "b", "c"))[0],
}
OTHERS = {
    "none": network,
    "layer norm": lambda: network(nn.LayerNorm(4)),
    "batch norm of maps": lambda: Network(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(4, 3),
    ),
}


@pytest.mark.parametrize("made", NORMS.values(), ids=NORMS)
@pytest.mark.parametrize("n, batch", [(9, 4), (9, 8), (5, 1), (1, 4)])
def test_a_single_last_example_is_refused_where_a_norm_cannot_take_it(made, n, batch):
    with pytest.raises(TrialFailed, match=rf"1 of the {n} training examples.*needs 2 or more"):
        require_batches(made(), images(n), batch, {}, CPU)


@pytest.mark.parametrize("made", OTHERS.values(), ids=OTHERS)
def test_networks_that_take_one_example_may_have_it(made):
    require_batches(made(), images(9), 4, {"one": images(1)}, CPU)


@pytest.mark.parametrize("n, batch", [(8, 4), (10, 4), (3, 100), (2, 2)])
def test_batches_of_two_or_more_are_not_even_tried(n, batch, monkeypatch):
    made = NORMS["batch norm"]()
    monkeypatch.setattr(made, "forward", lambda inputs: pytest.fail("tried"))
    require_batches(made, images(n), batch, {}, CPU)


def test_a_norm_without_running_averages_cannot_be_tested_on_one_input():
    made = network(nn.BatchNorm1d(4, track_running_stats=False))
    with pytest.raises(TrialFailed, match=r"on one input, and sketch has 251, .*batches of 250"):
        require_batches(made, images(8), 4, {"photo": images(250), "sketch": images(251)}, CPU)
    require_batches(NORMS["batch norm"](), images(8), 4, {"sketch": images(1)}, CPU)


def test_the_check_draws_nothing_and_leaves_the_network_as_it_is():
    made = network(nn.Dropout(0.5), nn.Unflatten(1, (4, 1)), nn.BatchNorm1d(4), nn.Flatten())
    inputs = images(9)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    state, training = torch.random.get_rng_state(), made.training
    with pytest.raises(TrialFailed):
        require_batches(made, inputs, 4, {}, CPU)
    assert torch.equal(torch.random.get_rng_state(), state) and made.training == training
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_the_batch_that_is_named_works():
    for n in range(2, 40):
        for batch in range(1, n + 2):
            near = nearest_batch(n, batch)
            assert near is not None and last_batch(n, near) > 1
            sizes = [len(part) for part in torch.split(torch.arange(n), near)]
            assert sizes[-1] == last_batch(n, near)
    assert nearest_batch(101, 50) in (49, 51) and nearest_batch(1, 8) is None


def small(train, batch, backbone=STUDY.backbone, **recipe):
    return msgspec.structs.replace(
        STUDY,
        data=Digits(train=train, side=16),
        backbone=backbone,
        recipe=Recipe(epochs=1, batch=batch, lr=1e-3, **recipe),
    )


def test_a_trial_fails_before_it_trains_and_names_a_batch_with_which_it_trains():
    study, told = small(41, 40), []
    job = trial(study, BASELINE, 0)
    with pytest.raises(TrialFailed, match="take a batch of") as failed:
        measure(job, MappingProxyType({}), "cpu", told.append)
    assert told == []
    fitting = int(re.search(r"take a batch of (\d+)", str(failed.value))[1])
    again = trial(study, Treatment.of(BatchSize(fitting)), 0)
    assert np.isfinite(measure(again, {}, "cpu", told.append).facts["clean"]["loss"])


@pytest.mark.parametrize(
    "backbone, train, batch, augmentation",
    [
        (MiniAlexNet(2, 4), 5, 1, "mixup"),
        (MiniAlexNet(2, 4), 5, 4, "cutmix"),
        (MiniAlexNet(2, 4), 1, 4, "mixup"),
        (ResNet18(2, 2), 6, 100, "mixup"),
    ],
)
def test_other_small_batches_train(backbone, train, batch, augmentation):
    job = trial(small(train, batch, backbone), Treatment.of(Augmentation(augmentation)), 0)
    assert np.isfinite(measure(job, {}, "cpu", lambda share: None).facts["clean"]["loss"])


def test_test_sets_of_one_are_evaluated():
    rng = np.random.default_rng(0)
    draw = partial(rng.integers, 0, 256, dtype=np.uint8)
    tests = {"digits": (draw(size=(1, 3, 16, 16)), np.array([0]))}
    data = Dataset(draw(size=(6, 3, 16, 16)), np.arange(6) % 3, tests, ("a", "b", "c"))
    made, _ = build(ResNet18(2, 2), data.classes)
    job = trial(small(6, 3, ResNet18(2, 2)), BASELINE, 0)
    measured = fit(made, data, Shown(data.inputs, data.labels), job, CPU)
    assert measured.arrays["log_probabilities/digits"].shape == (1, 3)


def test_rows_come_in_the_order_of_inputs() -> None:
    lengths = torch.randint(1, 9, (130,), generator=torch.Generator().manual_seed(0))
    texts = (torch.arange(9) < lengths[:, None]) * torch.arange(1, 131)[:, None]
    seen: list[torch.Tensor] = []

    def first(ids: torch.Tensor) -> torch.Tensor:
        seen.append((ids != 0).sum(1))
        return ids[:, :1]

    assert in_batches(first, texts, 100).flatten().tolist() == list(range(1, 131))
    assert [len(batch) for batch in seen] == [50, 50, 30]
    assert torch.cat(seen).equal(lengths.sort().values)


@pytest.mark.parametrize("inputs", [torch.arange(7.0)[:, None], torch.arange(7)[:, None, None]])
def test_others_are_cut_as_they_lie(inputs: torch.Tensor) -> None:
    seen: list[torch.Tensor] = []
    rows = in_batches(lambda part: seen.append(part) or part, inputs, 3)
    assert rows.equal(inputs) and [len(part) for part in seen] == [3, 3, 1]
