"""What hooks of a user's own do in a trial, against the same done by hand."""

from functools import lru_cache

import msgspec
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ddiv.claim.needed import data_view
from ddiv.common.draws import generator, stream
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.profiles.choose import profile
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    BatchSize,
    Dropout,
    EvaluationDropout,
    Length,
    NoOp,
    OtherSeed,
    Part,
    Rate,
    ShuffledLabels,
    Treatment,
    WeightDecay,
)
from ddiv.treatment.mixing import Mixed, augmented
from ddiv.trial import DataView, key, trial
from ddiv.trial.measure import measure
from ddiv.trial.train import spectrum
from ddiv.trial.training_set import training_set
from tests.support.smoke import STUDY

RECIPE = msgspec.structs.replace(STUDY.recipe, epochs=2, checkpoints=())
SHORT = msgspec.structs.replace(STUDY, recipe=RECIPE)
# The baseline that is done by hand.
PLAIN = trial(SHORT, BASELINE, 0)
SGD = msgspec.structs.replace(SHORT, recipe=msgspec.structs.replace(RECIPE, momentum=0.9, lr=0.1))


def record(*parts, study=SHORT, seed=0):
    return measure(trial(study, Treatment.of(*parts), seed), {}, "cpu", lambda share: None)


@lru_cache
def trained(*parts, study=SHORT, seed=0):
    """The eigenvalues of a trial after training."""
    return record(*parts, study=study, seed=seed).arrays["eigenvalues/after"]


def by_hand(loss=F.cross_entropy, step=None, mixup=False, optimiser=None):
    """The eigenvalues after training, by a loop that knows none of ddiv's."""
    data = load(PLAIN.data)
    images, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels).long()
    order, draws = generator(PLAIN.draws, "order"), generator(PLAIN.draws, "augmentation")
    with torch.random.fork_rng():
        torch.manual_seed(stream(PLAIN.draws, "init"))
        network, _ = build(SHORT.backbone, data.classes)
    network.train()
    torch.set_num_threads(1)
    groups = [{"params": list(part.parameters())} for part in (network.encoder, network.head)]
    optimiser = (optimiser or torch.optim.Adam)(groups, lr=RECIPE.lr, fused=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, RECIPE.epochs * 3)
    torch.set_flush_denormal(True)
    for _ in range(RECIPE.epochs):
        shuffled, shown, mixed = torch.randperm(120, generator=order), images, None
        if mixup:
            shown, mixed = augmented("mixup", images, draws)
        for index in shuffled.split(40):

            def backward():
                outputs = network(shown[index])  # noqa: B023
                if mixed is None:  # noqa: B023
                    value = loss(outputs, labels[index])  # noqa: B023
                else:
                    others, share = mixed.targets(labels, index)  # noqa: B023
                    own = loss(outputs, labels[index], reduction="none")  # noqa: B023
                    other = loss(outputs, others, reduction="none")
                    value = (share * own + (1 - share) * other).mean()
                optimiser.zero_grad()
                value.backward()

            (step or (lambda network, backward: backward()))(network, backward)
            optimiser.step()
            scheduler.step()
    torch.set_flush_denormal(False)
    return np.concatenate(list(spectrum(network).values()))


def test_the_loop_by_hand_is_the_baselines_to_the_bit():
    assert np.array_equal(trained(), by_hand())


# --- loss and penalty -----------------------------------------------------------------------------


class LabelSmoothing(Part, frozen=True):
    amount: float

    def loss(self, outputs, labels):
        return F.cross_entropy(outputs, labels, label_smoothing=self.amount, reduction="none")


def smoothed(outputs, labels, **more):
    return F.cross_entropy(outputs, labels, label_smoothing=0.1, **more)


def smoothed_mean(outputs, labels):
    return smoothed(outputs, labels, reduction="none").mean()


def test_a_loss_takes_the_place_of_the_cross_entropy_to_the_bit():
    assert np.array_equal(trained(LabelSmoothing(0.1)), by_hand(smoothed_mean))
    np.testing.assert_allclose(trained(LabelSmoothing(0.1)), by_hand(smoothed), rtol=1e-3)
    assert not np.array_equal(trained(), by_hand(smoothed_mean))


def test_a_loss_is_mixed_where_labels_are():
    assert np.array_equal(trained(Augmentation("mixup")), by_hand(mixup=True))
    arm = LabelSmoothing(0.1), Augmentation("mixup")
    assert np.array_equal(trained(*arm), by_hand(smoothed, mixup=True))


class L2(Part, frozen=True):
    value: float

    def penalty(self, network):
        return self.value / 2 * sum(weight.square().sum() for weight in network.parameters())


class Twice(L2, frozen=True):
    """A second penalty beside the first."""


def test_an_l2_penalty_is_the_weight_decay_of_sgd():
    decayed = trained(WeightDecay(0.01), study=SGD)
    np.testing.assert_allclose(trained(L2(0.01), study=SGD), decayed, rtol=1e-4, atol=1e-6)
    both = trained(L2(0.004), Twice(0.006), study=SGD)
    np.testing.assert_allclose(both, decayed, rtol=1e-4, atol=1e-6)
    assert not np.allclose(trained(study=SGD), decayed, rtol=1e-4, atol=1e-6)


# --- gradients ------------------------------------------------------------------------------------


class SharpnessAware(Part, frozen=True):
    radius: float

    def gradients(self, network, backward):
        loss = backward()
        weights = [weight for weight in network.parameters() if weight.grad is not None]
        length = torch.stack([weight.grad.norm() for weight in weights]).norm()
        with torch.no_grad():
            here = [weight.clone() for weight in weights]
            for weight in weights:
                weight.add_(weight.grad * (self.radius / length))
        backward()
        with torch.no_grad():
            for weight, value in zip(weights, here):
                weight.copy_(value)
        return loss


class Clipped(Part, frozen=True):
    most: float

    def gradients(self, network, backward):
        loss = backward()
        nn.utils.clip_grad_norm_(network.parameters(), self.most)
        return loss


def sharpness_aware(network, backward):
    """Foret et al. 2021, algorithm 1."""
    backward()
    start = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    uphill = {name: weight.grad for name, weight in network.named_parameters()}
    length = torch.stack([each.norm() for each in uphill.values()]).norm()
    there = {name: start[name] + uphill[name] * (0.05 / length) for name in start}
    network.load_state_dict(there, strict=False)
    backward()
    network.load_state_dict(start, strict=False)


def clipped(network, backward):
    backward()
    length = torch.stack([weight.grad.norm() for weight in network.parameters()]).norm()
    for weight in network.parameters():
        weight.grad.mul_(min(1.0, 0.5 / (float(length) + 1e-6)))


@pytest.mark.parametrize(
    "part, step", [(SharpnessAware(0.05), sharpness_aware), (Clipped(0.5), clipped)]
)
def test_gradients_are_those_that_the_hook_leaves(part, step):
    expected, plain = by_hand(step=step), by_hand()
    np.testing.assert_allclose(trained(part), expected, rtol=5e-3, atol=1e-4)
    assert not np.allclose(plain, expected, rtol=5e-3, atol=1e-4)


def test_a_loss_and_gradients_go_together():
    arm = LabelSmoothing(0.1), Clipped(1e9)
    np.testing.assert_allclose(trained(*arm), by_hand(smoothed_mean), rtol=1e-3, atol=1e-5)


# --- recipe, schedule, order, seed ----------------------------------------------------------------


class Recipes(Part, frozen=True):
    rate: float = 1.0
    size: int = 40
    epochs: int = 2

    def recipe(self, recipe):
        return msgspec.structs.replace(
            recipe, lr=self.rate * recipe.lr, batch=self.size, epochs=self.epochs
        )


@pytest.mark.parametrize("field", ["lr", "batch", "epochs"])
def test_a_recipe_is_that_of_a_study_with_it(field):
    part, value = {
        "lr": (Recipes(rate=0.5), 0.5 * RECIPE.lr),
        "batch": (Recipes(size=20), 20),
        "epochs": (Recipes(epochs=3), 3),
    }[field]
    other = msgspec.structs.replace(RECIPE, **{field: value})
    expected = trained(study=msgspec.structs.replace(STUDY, recipe=other))
    assert np.array_equal(trained(part), expected)
    assert not np.array_equal(trained(), expected)


def test_built_in_and_own_parts_of_the_same_hooks_are_alike():
    assert np.array_equal(trained(Recipes(size=20)), trained(BatchSize(20)))
    assert np.array_equal(trained(Shortened(0.5)), trained(Length(0.5)))
    assert np.array_equal(trained(Ordered("no-op order")), trained(NoOp()))
    # One's own leaves data and checkpoint as they are; ddiv's takes those of the other seed too.
    reseeded = trial(SHORT, Treatment.of(Reseeded(1_000_000)), 0)
    on_its_data = msgspec.structs.replace(reseeded, data=SHORT.data_of(1_000_000))
    assert reseeded.backbone == SHORT.backbone_of(1_000_000) and reseeded.data != on_its_data.data
    again = measure(on_its_data, {}, "cpu", lambda share: None).arrays["eigenvalues/after"]
    assert np.array_equal(again, trained(OtherSeed()))
    assert not np.array_equal(trained(Reseeded(1_000_000)), trained(OtherSeed()))


class Stopped(Part, frozen=True):
    fraction: float

    def schedule(self, schedule):
        return schedule._replace(last=max(1, round(self.fraction * schedule.planned)))


class Shortened(Stopped, frozen=True):
    def schedule(self, schedule):
        steps = round(self.fraction * schedule.planned)
        return schedule._replace(planned=steps, last=steps)


def test_a_schedule_of_its_own_ends_where_it_says():
    stopped, shortened = record(Stopped(0.5)), record(Shortened(0.5))
    assert stopped.facts["epochs_trained"] == shortened.facts["epochs_trained"] == 1
    one = msgspec.structs.replace(STUDY, recipe=msgspec.structs.replace(RECIPE, epochs=1))
    assert np.array_equal(shortened.arrays["eigenvalues/after"], trained(study=one))
    assert stopped.facts["train_loss"] != shortened.facts["train_loss"]


class Ordered(Part, frozen=True):
    name: str

    def order(self, stream):
        return self.name


class Reseeded(Part, frozen=True):
    further: int

    def seed(self, seed):
        return seed + self.further


def test_another_order_and_another_seed():
    assert np.array_equal(trained(Ordered("order")), trained())
    assert not np.array_equal(trained(Ordered("other")), trained())
    reseeded = trial(SHORT, Treatment.of(Reseeded(2)), 0)
    assert reseeded.data == PLAIN.data and reseeded.draws == trial(SHORT, BASELINE, 2).draws
    other = msgspec.structs.replace(trial(SHORT, BASELINE, 2), data=PLAIN.data)
    same = measure(other, {}, "cpu", lambda share: None).arrays["eigenvalues/after"]
    assert np.array_equal(trained(Reseeded(2)), same)


# --- optimiser ------------------------------------------------------------------------------------


class Frozen(Part, frozen=True):
    """Of the encoder: by its learning rate, or by its parameters."""

    by: str

    def optimiser(self, optimiser, network):
        if self.by == "rate":
            optimiser.param_groups[0]["lr"] = 0.0

    def network(self, network, sites):
        if self.by == "parameters":
            network.encoder.requires_grad_(False)


@pytest.mark.parametrize("by", ["rate", "parameters"])
def test_an_encoder_is_frozen_and_the_head_learns(by):
    found = record(Frozen(by))
    before, after = (found.arrays[f"eigenvalues/{when}"] for when in ("before", "after"))
    heads = [layer["view"] == "classifier" for layer in found.facts["layers"]]
    of_head = np.repeat(heads, [layer["eigenvalues"] for layer in found.facts["layers"]])
    assert np.array_equal(before[~of_head], after[~of_head])
    assert not np.allclose(before[of_head], after[of_head])


class DecoupledDecay(Part, frozen=True):
    """Loshchilov and Hutter (2019): all weights shrink by the same factor, outside of Adam."""

    value: float

    def optimiser(self, optimiser, network):
        def shrink(optimiser, *_):
            with torch.no_grad():
                for group in optimiser.param_groups:
                    for weight in group["params"]:
                        weight.mul_(1 - self.value * group["lr"])

        optimiser.register_step_pre_hook(shrink)


def test_steps_of_another_kind_are_hooks_of_the_optimiser():
    def adamw(groups, **more):
        return torch.optim.AdamW(groups, weight_decay=0.5, **more)

    expected = by_hand(optimiser=adamw)
    np.testing.assert_allclose(trained(DecoupledDecay(0.5)), expected, rtol=1e-3, atol=1e-5)
    assert not np.allclose(trained(), expected, rtol=1e-3, atol=1e-5)


# --- batch and training set -----------------------------------------------------------------------


class Cutout(Part, frozen=True):
    side: int

    def batch(self, inputs, draws):
        for image in inputs:  # what it is given is a copy
            row, column = torch.randint(16 - self.side, (2,), generator=draws).tolist()
            image[:, row : row + self.side, column : column + self.side] = 0
        return inputs


class Halves(Part, frozen=True):
    """Labels mixed with those of the next example, half and half."""

    def batch(self, inputs, draws):
        count = len(inputs)
        partner = torch.arange(1, count + 1) % count
        if isinstance(inputs, torch.Tensor):
            inputs = (inputs // 2) + (inputs[partner] // 2)
        return inputs, Mixed(partner, torch.full((count,), 0.5))


def test_a_batch_is_drawn_anew_in_each_epoch_and_the_same_at_each_seed():
    first, again = trained(Cutout(4)), record(Cutout(4)).arrays["eigenvalues/after"]
    assert np.array_equal(first, again) and not np.array_equal(first, trained())
    assert np.array_equal(load(PLAIN.data).inputs, load._loaded(PLAIN.data).inputs)
    wide = [trained(Cutout(side)) for side in (1, 8)]
    assert not np.array_equal(*wide)


def test_labels_may_be_mixed():
    losses = [record(*parts).facts["train_loss"][-1] for parts in ([], [Halves()])]
    assert losses[1] > losses[0]


def test_texts_are_changed_and_their_labels_mixed_too():
    study = next(each for each in profile("embedded").studies if each.name == "bert-complaints")
    recipe = msgspec.structs.replace(study.recipe, epochs=1, checkpoints=())
    data = msgspec.structs.replace(study.data, train_per_class=1, test_per_class=1)
    small = msgspec.structs.replace(study, recipe=recipe, data=data)
    arms = [[], [Louder()], [Halves()]]
    losses = [record(*parts, study=small).facts["train_loss"][-1] for parts in arms]
    assert len(set(losses)) == 3


class Louder(Part, frozen=True):
    def batch(self, inputs, draws):
        inputs[:] = [text[: len(text) // 2] for text in inputs]
        return inputs


class LabelNoise(Part, frozen=True):
    share: float

    def training_set(self, shown, draws):
        count = len(shown.labels)
        wrong = torch.randperm(count, generator=draws)[: round(self.share * count)].numpy()
        labels = shown.labels.copy()
        labels[wrong] = (labels[wrong] + 1) % 10
        return shown._replace(labels=labels)


class Order(LabelNoise, frozen=True):
    """By its name its stream would be that of the order of examples."""


class FirstHalf(Part, frozen=True):
    def training_set(self, shown, draws):
        half = len(shown.labels) // 2
        return shown._replace(inputs=shown.inputs[:half], labels=shown.labels[:half])


def test_wrong_labels_are_fitted_more_slowly_and_the_data_stay():
    before = load(PLAIN.data).labels.copy()
    losses = [record(LabelNoise(share)).facts["train_loss"][-1] for share in (0.0, 0.5)]
    assert losses[0] < losses[1] and np.array_equal(load(PLAIN.data).labels, before)
    assert np.array_equal(trained(LabelNoise(0.0)), trained())


def test_no_part_draws_from_a_stream_of_training():
    """The examples with wrong labels are not the first of the first epoch."""
    draws, data = PLAIN.draws, load(PLAIN.data)
    first = torch.randperm(120, generator=generator(draws, "order"))[:60].numpy()
    noisy = training_set(data, Treatment.of(Order(0.5)), draws)
    wrong = np.flatnonzero(noisy.labels != data.labels)
    assert len(wrong) == 60 and set(first) != set(wrong)


def test_a_smaller_training_set_takes_fewer_steps():
    found = record(FirstHalf())
    assert np.isfinite(found.facts["train_loss"]).all() and found.facts["epochs_trained"] == 2


def test_a_view_shows_what_batches_and_training_sets_show():
    def view_of(*parts):
        view = data_view(SHORT, Treatment.of(*parts), 0)
        return view, measure(view, {}, "cpu", lambda share: None).facts

    plain, _ = view_of(LabelSmoothing(0.1), Recipes(rate=0.5))
    assert plain.treatment == BASELINE
    cut, facts = view_of(Cutout(8), LabelSmoothing(0.1))
    assert cut.treatment == Treatment.of(Cutout(8))
    assert facts["vendi"]["pixel"] != view_of()[1]["vendi"]["pixel"]
    small = msgspec.structs.replace(SHORT, view_size=60)
    doubled = measure(
        data_view(small, Treatment.of(Doubled()), 0), {}, "cpu", lambda share: None
    ).facts
    plain = measure(data_view(small, BASELINE, 0), {}, "cpu", lambda share: None).facts
    assert doubled["vendi"]["pixel"] < plain["vendi"]["pixel"]


def test_a_view_has_the_seed_of_its_arm_and_needs_no_code_to_be_named():
    def view(*parts, seed=0):
        return data_view(SHORT, Treatment.of(Augmentation("noise10"), *parts), seed)

    def seen(view):
        return measure(view, {}, "cpu", lambda share: None).facts["vendi"]

    other = msgspec.structs.replace(view(seed=2), data=view().data)
    assert seen(view(Reseeded(2))) == seen(other) != seen(view())
    (part,) = Treatment.of(Reseeded(2)).parts
    gone = Treatment.of(Augmentation("auto"), msgspec.structs.replace(part, source="0" * 64))
    assert data_view(SHORT, gone, 1).treatment == gone
    assert data_view(SHORT, Treatment.of(OtherSeed()), 1) == data_view(SHORT, BASELINE, 1_000_001)


class Doubled(Part, frozen=True):
    """Few examples, many times."""

    def training_set(self, shown, draws):
        places = np.arange(len(shown.labels)) % 20
        return shown._replace(inputs=shown.inputs[places], labels=shown.labels[places])


# --- network --------------------------------------------------------------------------------------


class Widened(Part, frozen=True):
    """A layer more, before the head."""

    def network(self, network, sites):
        width = network.head.in_features
        network.encoder = nn.Sequential(network.encoder, nn.Linear(width, width))


class Noise(Part, frozen=True):
    """Activations that are not sure."""

    share: float

    def network(self, network, sites):
        def noisy(module, inputs):
            (features,) = inputs
            if module.training:
                return (features * (1 + self.share * torch.randn_like(features)),)
            return None

        network.head.register_forward_pre_hook(noisy)


class Unsure(nn.Module):
    """Noise on activations, drawn from torch's own generator."""

    def forward(self, features):
        return features + 0.1 * torch.randn_like(features) if self.training else features


class NoiseModule(Part, frozen=True):
    def network(self, network, sites):
        network.encoder = nn.Sequential(network.encoder, Unsure())


class NearStart(Part, frozen=True):
    """Xuhong et al. (2018): weights are drawn to where they began."""

    weight: float

    def network(self, network, sites):
        for name, start in list(network.head.named_parameters()):
            network.register_buffer(f"start_{name}", start.detach().clone(), persistent=False)

    def penalty(self, network):
        way = network.head.weight - network.start_weight
        return self.weight * way.square().sum()


class Wrapped(Part, frozen=True):
    def network(self, network, sites):
        network.head = nn.Sequential(nn.Dropout(0.5), network.head)


def test_a_network_gets_another_layer():
    found = record(Widened())
    names = [layer["name"] for layer in found.facts["layers"]]
    assert "encoder.1" in names and "head" in names
    assert np.isfinite(found.arrays["eigenvalues/after"]).all()


def test_a_forward_hook_acts_in_training_and_draws_the_networks_own_draws():
    again = record(Noise(0.1)).arrays["eigenvalues/after"]
    assert np.array_equal(trained(Noise(0.1)), again)
    assert not np.array_equal(trained(Noise(0.1)), trained())


def test_noise_is_drawn_in_the_forward_of_a_module_that_the_part_adds():
    first = record(NoiseModule(), seed=0).arrays["eigenvalues/after"]
    assert np.array_equal(record(NoiseModule(), seed=0).arrays["eigenvalues/after"], first)
    assert not np.array_equal(record(NoiseModule(), seed=1).arrays["eigenvalues/after"], first)
    assert not np.array_equal(trained(), first)  # the noise acts


def test_what_the_network_keeps_is_for_the_penalty():
    ways = []
    for parts in ([], [NearStart(100.0)]):
        found = record(*parts)
        before, after = (found.arrays[f"eigenvalues/{when}"][-4:] for when in ("before", "after"))
        ways.append(np.abs(after - before).max())
    assert ways[1] < 0.5 * ways[0]


def test_a_head_may_be_wrapped():
    found = record(Wrapped())
    assert np.isfinite(found.facts["train_loss"]).all()
    assert {layer["view"] for layer in found.facts["layers"]} == {"classifier", "encoder"}


# --- what was there before ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts, expected",
    [
        ((), "2331c783a33b8a451de9"),
        ((Dropout(0.2),), "57f26e450b9544d976b9"),
        ((Dropout(0.2, "encoder"),), "b9084ffa5bd9641ec88b"),
        ((EvaluationDropout(0.3),), "e251423ec5c1449c5a76"),
        ((WeightDecay(1e-2),), "0265b70a7655a66f797e"),
        ((Augmentation("auto"),), "28add7f93c88904141c2"),
        ((Augmentation("mixup"),), "39ea0d949c19f530f286"),
        ((BatchSize(20),), "45019667a462d41a33eb"),
        ((Rate(0.5),), "b2fe273558b565e0812e"),
        ((Length(0.4),), "0f22e2321384617ad460"),
        ((NoOp(),), "85fdc50959d89230b84c"),
        ((OtherSeed(),), "d123937cddd2a1054f88"),
        ((ShuffledLabels(),), "56a160d01bbf677c85d5"),
        ((Dropout(0.1), WeightDecay(1e-3), Augmentation("rand")), "8e2383942bdbeb074113"),
    ],
)
def test_parts_of_ddivs_own_keep_their_keys(parts, expected):
    assert key(trial(STUDY, Treatment.of(*parts), 0)) == expected


def test_views_keep_their_keys():
    view = DataView(STUDY.data, Treatment.of(Augmentation("auto")), STUDY.embedders[0], 60, 3)
    assert key(view) == "ed4094df7394f4d7bb5a"
