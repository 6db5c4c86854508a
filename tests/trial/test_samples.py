"""Generators as jobs, from the fit to the record of samples."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

from ddiv.data.dataset import Dataset
from ddiv.data.load import load
from ddiv.generate import flow, stable_diffusion
from ddiv.generate.check import BadSamples
from ddiv.generate.stable_diffusion import Drawn
from ddiv.models.shipped import embedded_weights
from ddiv.run.crew import Crew, JobFailed
from ddiv.study import Digits, Lsa, World
from ddiv.treatment import Anchored, Captioned, Flow, Setting, StableDiffusion, Treatment
from ddiv.trial import DataView, GeneratorFit, Samples, canonical, requires
from ddiv.trial import samples as jobs
from ddiv.trial.measure import measure
from ddiv.trial.store import Store

DATA = Digits(train=120, side=16, split_seed=1000)
SPEC = Flow(side=8, width=64, steps=150, batch=32, lr=3e-3, seed=1000)
SETTING = Setting("plain", steps=4)
NOISE = np.random.default_rng(0)


def images(n=3, side=8):
    return NOISE.integers(0, 256, (n, 3, side, side)).astype(np.uint8)


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


def test_the_captioned_generator_draws_a_worlds_classes_without_a_fit():
    data = World(train_per_class=3, test_per_class=10, version=1, seed=1000)
    asked = Samples(data, Captioned(embedded_weights("captioned")), Setting("good", 3), 1, 1000)
    assert requires(asked) == ()
    found = jobs.sample(asked, torch.device("cpu"), lambda share: None, {})
    assert found.arrays["images"].shape == load(data).inputs.shape
    assert np.array_equal(found.arrays["labels"], load(data).labels)
    quality = found.facts["quality"]
    assert quality["accuracy"]["samples"] > 0.6 * quality["accuracy"]["real"] > 0.3
    assert quality["nearest/pixel"]["singled_out"] < 0.1
    of_digits = msgspec.structs.replace(asked, data=DATA)
    with pytest.raises(BadSamples, match="knows no word of '0'"):
        jobs.sample(of_digits, torch.device("cpu"), lambda share: None, {})


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


def test_with_the_real_data_kept_a_round_learns_from_both(rounds, monkeypatch):
    records, (first, _), _ = rounds
    seen = []

    def fit(images, labels, *_):
        seen.append((images, labels))
        return flow.Fitted({}, [])

    monkeypatch.setattr(flow, "fit", fit)
    job = GeneratorFit(DATA, SPEC, SETTING, 2, 1000, anchored=True)
    assert requires(job) == (first,)  # the first round has seen nothing else
    jobs.fit(job, torch.device("cpu"), lambda share: None, {first: records[first]})
    ((learned, labels),) = seen
    data, drawn = load(DATA), records[first].arrays
    assert np.array_equal(learned, np.concatenate([data.inputs, drawn["images"]]))
    assert np.array_equal(labels, np.concatenate([data.labels, drawn["labels"]]))


def test_anchored_rounds_read_anchored_rounds_and_plain_ones_have_the_keys_they_had():
    third = Treatment.of(Anchored(1.0, SPEC, SETTING, 3))
    (samples,) = requires(DataView(DATA, third, Lsa(8), 10, 5, "study"))
    assert samples == Samples(DATA, SPEC, SETTING, 3, 5, "study", anchored=True)
    (fit,) = requires(samples)
    assert fit == GeneratorFit(DATA, SPEC, SETTING, 3, 5, "study", anchored=True)
    (before,) = requires(fit)
    assert before == Samples(DATA, SPEC, SETTING, 2, 5, "study", anchored=True)
    assert b"anchored" in canonical(fit)
    assert b"anchored" not in canonical(GeneratorFit(DATA, SPEC, SETTING, 3, 5, "study"))
    assert b"anchored" not in canonical(Samples(DATA, SPEC, SETTING, 3, 5, "study"))
    with pytest.raises(ValueError, match="rounds count from 2 here, got 1"):
        Anchored(1.0, SPEC, SETTING)
    assert third.label == "synthetic 100% (plain, round 3, real data kept)"


def test_a_fit_is_repeated_exactly_and_each_round_and_seed_has_its_own(rounds):
    records, _, fits = rounds
    again = measure(fits[0], {}, "cpu", lambda share: None)
    assert all(
        np.array_equal(array, again.arrays[name]) for name, array in records[fits[0]].arrays.items()
    )
    assert fits == [GeneratorFit(DATA, SPEC, seed=1000), GeneratorFit(DATA, SPEC, SETTING, 2, 1000)]
    assert (
        len(again.facts["losses"]) >= 100 and again.facts["losses"][-1] < again.facts["losses"][0]
    )


def test_a_data_set_that_lacks_a_class_is_refused(monkeypatch):
    whole = load(DATA)
    kept = whole.labels != 3
    lacking = Dataset(whole.inputs[kept], whole.labels[kept], whole.tests, whole.classes)
    monkeypatch.setattr(jobs, "load", lambda data: lacking)
    for job in (GeneratorFit(DATA, SPEC), Samples(DATA, StableDiffusion(), SETTING, 1, 0)):
        with pytest.raises(BadSamples, match=r"1 of 10 classes have no image .'3'"):
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
