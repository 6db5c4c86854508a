"""Checks of a generator's output, quality of samples, and generator jobs from fit to record."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

from ddiv.backbone import clip_model
from ddiv.datasets import Dataset, load
from ddiv.generate import flow, jobs, stable_diffusion
from ddiv.generate.check import BadSamples, checked, require_every_class
from ddiv.generate.quality import accuracies, copying, nearest, quality, resized
from ddiv.generate.stable_diffusion import Drawn
from ddiv.measure import measure
from ddiv.plan import Crew, JobFailed
from ddiv.profiles import embedded_weights
from ddiv.source import Flow, Setting, StableDiffusion
from ddiv.store import Store
from ddiv.study import Clip, Digits
from ddiv.trial import GeneratorFit, Samples, requires

DATA = Digits(train=120, side=16, split_seed=1000)
SPEC = Flow(side=8, width=64, steps=150, batch=32, lr=3e-3, seed=1000)
SETTING = Setting("plain", steps=4)
NOISE = np.random.default_rng(0)


def images(n=3, side=8):
    return NOISE.integers(0, 256, (n, 3, side, side)).astype(np.uint8)


# --- checks -------------------------------------------------------------------------------------


def test_good_images_pass_as_they_are():
    given = images()
    assert checked(given, 3, 8) is given
    assert np.array_equal(checked(given / 255, 3, 8), given)
    assert np.array_equal(checked((given / 255).astype(np.float32), 3, 8), given)


def spoiled(value):
    given = images() / 255
    given[1, 2, 3, 4] = value
    return given


@pytest.mark.parametrize(
    "given,cause",
    [
        (images(2), "3 images were asked for and the generator gave 2"),
        (images(4), "3 images were asked for and the generator gave 4"),
        (images(side=9), "9 x 9 pixels where the study's have 8 x 8"),
        (images()[:, :1], "shape"),
        (images().transpose(0, 2, 3, 1), "colours first"),
        (images()[0], "shape"),
        (images().astype(np.int64), "type int64"),
        (spoiled(np.nan), "1 of 3 generated images hold NaN"),
        (spoiled(np.inf), "NaN or infinity"),
        (spoiled(1.01), "must lie in"),
        (spoiled(-0.01), "must lie in"),
    ],
)
def test_bad_images_are_refused_with_cause(given, cause):
    with pytest.raises(BadSamples, match=cause):
        checked(given, 3, 8)


def test_a_class_without_images_is_named():
    require_every_class(np.array([0, 1, 2]), ("a", "b", "c"))
    with pytest.raises(BadSamples, match="1 of 3 classes have no image .'b'"):
        require_every_class(np.array([0, 2, 2]), ("a", "b", "c"))


# --- quality ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip():
    torch.set_num_threads(1)
    return clip_model(Clip(embedded_weights()))


@pytest.fixture(scope="module")
def real():
    """120 digits to train on, 300 to test on, and 120 further ones that nobody has seen."""
    whole = load(DATA)
    tests, truth = whole.tests["digits"]
    data = Dataset(
        whole.inputs, whole.labels, {"digits": (tests[:300], truth[:300])}, whole.classes
    )
    return data, tests[300:420], truth[300:420]


def test_fresh_real_images_are_judged_as_real(real, clip):
    data, fresh, labels = real
    found = quality(fresh, labels, data, clip)
    assert found["accuracy"]["samples"] == pytest.approx(found["accuracy"]["real"], abs=0.12)
    for space in ("pixel", "embedding"):
        assert found[f"vendi/{space}"]["samples"] == pytest.approx(
            found[f"vendi/{space}"]["real"], rel=0.1
        )
        assert found[f"nearest/{space}"]["samples"] == pytest.approx(
            found[f"nearest/{space}"]["real"], rel=0.1
        )
        assert (
            found[f"nearest/{space}"]["copies"] < 0.06
            and found[f"nearest/{space}"]["singled_out"] < 0.06
        )
        assert found[f"nearest/{space}"]["nearer_training"] == pytest.approx(0.5, abs=0.15)
    msgspec.json.encode(found)


@pytest.mark.parametrize("noise", [0, 3])
def test_planted_copies_are_found(real, clip, noise):
    data, fresh, labels = real
    copies = np.clip(
        data.inputs[:60] + NOISE.integers(-noise, noise + 1, data.inputs[:60].shape), 0, 255
    ).astype(np.uint8)
    found = quality(
        np.concatenate([copies, fresh[:60]]),
        np.concatenate([data.labels[:60], labels[:60]]),
        data,
        clip,
    )
    assert found["nearest/pixel"]["copies"] == pytest.approx(0.5, abs=0.04)
    assert found["nearest/pixel"]["singled_out"] == pytest.approx(0.5, abs=0.04)
    assert found["nearest/pixel"]["nearer_training"] == pytest.approx(0.75, abs=0.08)


def test_samples_of_the_wrong_class_and_of_one_picture_are_found(real, clip):
    data, fresh, labels = real
    wrong = quality(fresh, (labels + 1) % 10, data, clip)
    assert wrong["accuracy"]["samples"] < 0.1 < wrong["accuracy"]["real"]
    same = quality(np.repeat(fresh[:1], 120, axis=0), labels, data, clip)
    assert same["vendi/pixel"]["samples"] == pytest.approx(1)
    assert same["vendi/embedding"]["samples"] == pytest.approx(1, abs=1e-3)


def test_the_reference_accuracy_is_of_images_held_out():
    rows, labels = NOISE.normal(size=(300, 40)), NOISE.integers(0, 3, 300)
    # nothing to learn: right on its own rows, at chance on others
    found = accuracies(rows, labels, rows, labels)
    assert found["real"] == pytest.approx(1 / 3, abs=0.1) and found["samples"] > found["real"] + 0.1


def test_a_judge_needs_two_images_a_class():
    with pytest.raises(ValueError, match="at least two test examples"):
        accuracies(
            NOISE.normal(size=(4, 2)),
            np.arange(4),
            NOISE.normal(size=(7, 2)),
            np.array([0, 1, 2, 3, 0, 1, 2]),
        )


def test_nearest_distances_are_those_of_brute_force():
    rows, others = NOISE.normal(size=(20, 5)), NOISE.normal(size=(30, 5))
    brute = np.sort(np.linalg.norm(rows[:, None] - others[None], axis=2))
    assert np.allclose(nearest(rows, others, 2), brute[:, :2].T, atol=1e-5)
    assert np.allclose(nearest(rows, np.concatenate([others, rows])), 0, atol=1e-2)


def test_smoothness_alone_is_no_copying():
    signal = NOISE.normal(size=(900, 3)) @ NOISE.normal(size=(3, 200))
    noisy = signal + NOISE.normal(size=signal.shape)
    found = copying(signal[:300], noisy[300:600], noisy[600:])
    assert found["copies"] > 0.9 and found["singled_out"] < 0.1
    assert found["nearer_training"] == pytest.approx(0.5, abs=0.1)


def test_resizing_leaves_the_right_size_alone():
    given = images(side=32)
    assert resized(given, 32) is given and resized(given, 16).shape == (3, 3, 16, 16)


def test_a_large_set_is_resized_in_batches_to_the_same_pixels(monkeypatch):
    given, sizes, interpolate = images(70, 20), [], torch.nn.functional.interpolate
    whole = resized(given, 32)
    monkeypatch.setattr("ddiv.generate.quality.BATCH", 32)
    monkeypatch.setattr(
        torch.nn.functional,
        "interpolate",
        lambda some, *rest, **how: sizes.append(len(some)) or interpolate(some, *rest, **how),
    )
    assert np.array_equal(resized(given, 32), whole) and sizes == [32, 32, 6]


# --- jobs ---------------------------------------------------------------------------------------


def crew(tmp_path):
    return Crew(
        Store(tmp_path / "store"),
        tmp_path / "run",
        lambda job, records, say: measure(job, records, "cpu", say),
    )


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Samples of rounds 1 and 2 with all that they read."""
    folder = tmp_path_factory.mktemp("rounds")
    (folder / "run").mkdir()
    asked = [Samples(DATA, SPEC, SETTING, number, 1000) for number in (1, 2)]
    fits = [requires(one)[0] for one in asked]
    return crew(folder).obtain([*asked, *fits]), asked, fits


def test_samples_have_the_training_sets_classes_and_size(rounds):
    records, asked, _ = rounds
    data = load(DATA)
    for one in asked:
        record = records[one]
        assert (
            record.arrays["images"].shape == data.inputs.shape
            and record.arrays["images"].dtype == np.uint8
        )
        assert np.array_equal(record.arrays["labels"], data.labels)
        assert record.facts["quality"]["accuracy"]["samples"] > 0.3  # chance is .1
        assert record.facts["provenance"]["device"] == "cpu"
    first, second = (records[one].arrays["images"] for one in asked)
    assert not np.array_equal(first, second)


def test_samples_on_the_processor_leave_a_gpu_alone(rounds, monkeypatch):
    records, asked, _ = rounds
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    again = jobs.sample(asked[0], torch.device("cpu"), lambda share: None, records)
    assert again.facts["quality"] == records[asked[0]].facts["quality"]


def test_a_later_round_learns_from_samples_and_not_from_real_images(rounds):
    records, asked, fits = rounds
    data = load(DATA)
    black = records[asked[0]].arrays | {"images": np.zeros_like(data.inputs)}
    again = jobs.fit(
        fits[1],
        torch.device("cpu"),
        lambda share: None,
        {asked[0]: replace(records[asked[0]], arrays=black)},
    )
    images = flow.sample(again.arrays, 10, SPEC, SETTING, data.labels, 16, 0, torch.device("cpu"))
    assert images.mean() < 10 < records[asked[1]].arrays["images"].mean()


def test_a_fit_is_repeated_exactly_and_each_round_and_seed_has_its_own(rounds):
    records, _, fits = rounds
    again = measure(fits[0], {}, "cpu", lambda share: None)
    assert all(
        np.array_equal(array, again.arrays[name]) for name, array in records[fits[0]].arrays.items()
    )
    assert fits[0] == GeneratorFit(DATA, SPEC) and fits[1].seed == 1000
    assert (
        len(again.facts["losses"]) >= 100 and again.facts["losses"][-1] < again.facts["losses"][0]
    )


def test_a_data_set_that_lacks_a_class_is_refused(monkeypatch):
    whole = load(DATA)
    kept = whole.labels != 3
    lacking = Dataset(whole.inputs[kept], whole.labels[kept], whole.tests, whole.classes)
    monkeypatch.setattr(jobs, "load", lambda data: lacking)
    for job in (GeneratorFit(DATA, SPEC), Samples(DATA, StableDiffusion(), SETTING, 1, 0)):
        with pytest.raises(BadSamples, match="1 of 10 classes have no image .'3'"):
            measure(job, {}, "cpu", lambda share: None)


@pytest.mark.parametrize(
    "gives,cause",
    [
        (lambda n: images(n - 1, 16), "119"),
        (lambda n: images(n, 15), "15 x 15"),
        (lambda n: np.full((n, 3, 16, 16), np.nan), "NaN"),
    ],
)
def test_a_bad_generator_fails_its_job(monkeypatch, tmp_path, gives, cause):
    (tmp_path / "run").mkdir()

    def draw(spec, setting, classes, labels, *rest):
        return Drawn(gives(len(labels)), {})

    monkeypatch.setattr(stable_diffusion, "sample", draw)
    with pytest.raises(JobFailed, match=cause):
        crew(tmp_path).obtain([Samples(DATA, StableDiffusion(), SETTING, 1, 0)])


def test_stable_diffusion_samples_become_a_record(monkeypatch):
    def draw(spec, setting, classes, labels, side, seed, device, progress):
        return Drawn(images(len(labels), side), {"flagged": 2, "classes": list(classes)})

    monkeypatch.setattr(stable_diffusion, "sample", draw)
    record = measure(Samples(DATA, StableDiffusion(), SETTING, 1, 0), {}, "cpu", lambda share: None)
    assert record.facts["generator"]["flagged"] == 2 and "quality" in record.facts
