"""Stable Diffusion on a tiny randomly initialised pipeline: prompts, sizes, cache, safety checker,
NaN, no network.
"""

import os

import diffusers
import numpy as np
import pytest
import torch

from ddiv.common.digests import folder_digest
from ddiv.common.errors import NoModel
from ddiv.generate import stable_diffusion
from ddiv.generate.cache import FLAGGED, ImageCache
from ddiv.generate.check import BadSamples
from ddiv.generate.prompts import FORMATS, request
from ddiv.generate.stable_diffusion import REDRAWS, load_pipeline, sample
from ddiv.treatment import Setting, StableDiffusion
from tests.support.drafts import dead_draft
from tests.support.image_files import noise
from tests.support.tiny_stable_diffusion import pipeline

CPU = torch.device("cpu")
SPEC = StableDiffusion("tiny", steps=2, heights=(32, 48), widths=(24, 56))
SETTING = Setting("usual", guidance=3.0)
CLASSES, LABELS = ("alarm_clock", "bird"), np.array([0, 1, 0, 1, 1])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    torch.set_num_threads(1)
    return pipeline(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture
def counted(tiny, monkeypatch):
    """The pipeline, and the sizes and numbers of the batches that it draws."""
    calls, original = [], type(tiny).__call__

    def call(self, **arguments):
        calls.append((arguments["height"], arguments["width"], len(arguments["prompt"])))
        return original(self, **arguments)

    monkeypatch.setattr(type(tiny), "__call__", call)
    return tiny, calls


def drawn(made, folder, labels=LABELS, seed=0, **more):
    return sample(
        SPEC,
        SETTING,
        CLASSES,
        labels,
        16,
        seed,
        CPU,
        pipeline=made,
        cache=ImageCache(folder),
        **more,
    )


class Checker:
    """Stands for the safety checker's outcome: flags the images of the first `times` batches."""

    def __init__(self, times):
        self.times = times

    def __call__(self, images, clip_input):
        self.times -= 1
        return images, [self.times >= 0] * len(images)


def test_an_image_for_each_label_whatever_the_batch(tiny, tmp_path):
    one = drawn(tiny, tmp_path / "a", batch=1)
    assert one.images.shape == (5, 3, 16, 16) and one.images.dtype == np.uint8
    assert len({image.tobytes() for image in one.images}) == 5
    together = drawn(tiny, tmp_path / "b", batch=4)
    assert np.abs(one.images.astype(int) - together.images).max() <= 1
    assert one.facts == {
        "model": "tiny",
        "flagged": 0,
        "safety_checker": "absent",
        "dtype": "torch.float32",
        "diffusers": diffusers.__version__,
    }


def test_batches_hold_images_of_one_size(counted, tmp_path):
    made, calls = counted
    narrow = StableDiffusion("tiny", steps=2, heights=(32, 40), widths=(24, 24))
    labels = np.zeros(9, int)
    sample(
        narrow,
        SETTING,
        CLASSES,
        labels,
        16,
        0,
        CPU,
        pipeline=made,
        cache=ImageCache(tmp_path),
        batch=4,
    )
    assert (
        sum(count for *_, count in calls) == 9
        and max(count for *_, count in calls) <= 4
        and len(calls) <= 4
    )


def test_another_seed_guidance_or_temperature_gives_other_images(tiny, tmp_path):
    usual = drawn(tiny, tmp_path).images
    assert not np.array_equal(usual, drawn(tiny, tmp_path, seed=1).images)
    for setting in (
        Setting("strong", guidance=9.0),
        Setting("cold", guidance=3.0, temperature=0.5),
    ):
        other = sample(
            SPEC, setting, CLASSES, LABELS, 16, 0, CPU, pipeline=tiny, cache=ImageCache(tmp_path)
        )
        assert not np.array_equal(usual, other.images)


def test_an_interrupted_run_goes_on_where_it_was(counted, tmp_path):
    made, calls = counted
    whole = drawn(made, tmp_path / "whole").images

    def interrupt(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drawn(made, tmp_path / "cut", progress=interrupt, batch=1)
    kept = len(list((tmp_path / "cut").rglob("*.png")))
    assert 0 < kept < 5
    calls.clear()
    assert np.array_equal(drawn(made, tmp_path / "cut").images, whole)
    assert sum(count for *_, count in calls) == 5 - kept
    calls.clear()
    drawn(made, tmp_path / "cut")
    assert not calls


def test_what_a_killed_process_left_in_the_cache_is_swept(tiny, tmp_path):
    left = dead_draft(ImageCache(tmp_path).path("x"))
    drawn(tiny, tmp_path)
    assert not left.exists()


def test_a_torn_cached_image_is_drawn_anew(tiny, tmp_path):
    whole = drawn(tiny, tmp_path).images
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:40])
    assert np.array_equal(drawn(tiny, tmp_path).images, whole)


def test_a_cached_image_is_never_decoded_to_other_pixels(tmp_path):
    cache, image = ImageCache(tmp_path), noise(0, 512, 512)
    path = cache.path("x")
    cache.put(path, image)
    whole = path.read_bytes()
    for place in range(1000, len(whole), 7000):  # a block that the disk never got
        path.write_bytes(whole[:place] + bytes(4096) + whole[place + 4096 :])
        assert cache.get(path) is None
    path.write_bytes(whole)
    assert np.array_equal(cache.get(path), image)


@pytest.mark.parametrize("content", [b"", b"flagged", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n"])
def test_what_is_no_image_in_the_cache_is_none(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert ImageCache(tmp_path).get(tmp_path / "x") is None


def test_a_pipe_in_the_cache_hangs_nothing(tmp_path):
    os.mkfifo(tmp_path / "x")
    assert ImageCache(tmp_path).get(tmp_path / "x") is None


def test_cached_images_are_those_of_their_request_only(tmp_path):
    cache, image = ImageCache(tmp_path), np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    here = cache.path("model", "prompt", 320, 240, 7, 50, 7.5)
    cache.put(here, image)
    assert np.array_equal(cache.get(here), image)
    others = [
        ("other", "prompt", 320, 240, 7, 50, 7.5),
        ("model", "Prompt", 320, 240, 7, 50, 7.5),
        ("model", "prompt", 328, 240, 7, 50, 7.5),
        ("model", "prompt", 320, 240, 8, 50, 7.5),
        ("model", "prompt", 320, 240, 7, 49, 7.5),
        ("model", "prompt", 320, 240, 7, 50, 7.0),
    ]
    assert all(cache.get(cache.path(*other)) is None for other in others)
    cache.put(here, FLAGGED)
    assert cache.get(here) == FLAGGED


def test_a_flagged_image_is_drawn_again(tiny, tmp_path, monkeypatch):
    unchecked = drawn(tiny, tmp_path / "unchecked", batch=1).images
    monkeypatch.setattr(tiny, "safety_checker", Checker(2))
    found = drawn(tiny, tmp_path / "checked", batch=1)
    assert found.facts["flagged"] == 2 and found.facts["safety_checker"] == "Checker"
    assert sum(not np.array_equal(a, b) for a, b in zip(unchecked, found.images)) == 2
    # The outcome is remembered: the same images come from the cache, and the checker is not asked.
    monkeypatch.setattr(tiny, "safety_checker", Checker(99))
    again = drawn(tiny, tmp_path / "checked", batch=1)
    assert np.array_equal(again.images, found.images) and again.facts["flagged"] == 2


def test_what_is_always_flagged_is_an_error_that_names_the_class(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "safety_checker", Checker(10**6))
    with pytest.raises(BadSamples, match=f"'bird' {REDRAWS + 1} times"):
        drawn(tiny, tmp_path, labels=np.array([1]))


def test_the_real_safety_checker_class_is_asked(tmp_path):
    made = pipeline(tmp_path, checker="real")
    with torch.no_grad():  # thresholds that nothing passes, then one that everything passes
        made.safety_checker.concept_embeds_weights.fill_(2.0)
        made.safety_checker.special_care_embeds_weights.fill_(2.0)
    assert (
        drawn(made, tmp_path / "clean", labels=np.array([0])).facts["safety_checker"]
        == "StableDiffusionSafetyChecker"
    )
    with torch.no_grad():
        made.safety_checker.concept_embeds_weights.fill_(-2.0)
    with pytest.raises(BadSamples, match="safety checker"):
        drawn(made, tmp_path / "flagged", labels=np.array([0]))


def test_nan_images_are_refused_and_not_kept(tmp_path):
    made = pipeline(tmp_path)
    with torch.no_grad():
        made.vae.decoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(BadSamples, match=r"NaN.*float32"):
        drawn(made, tmp_path / "images")
    assert not list((tmp_path / "images").rglob("*.png"))


def test_requests_use_every_format_and_the_whole_range_of_sizes():
    spec = StableDiffusion()
    found = [request("sea_turtle", number, 0, spec) for number in range(600)]
    assert {one.prompt for one in found} == {text.format("sea turtle") for text in FORMATS} and len(
        set(FORMATS)
    ) == 4
    for sizes, (low, high) in (
        ([one.height for one in found], (320, 640)),
        ([one.width for one in found], (240, 720)),
    ):
        assert (min(sizes), max(sizes)) == (low, high) and all(size % 8 == 0 for size in sizes)
    assert len({one.seed for one in found}) == 600
    assert found[3] == request("sea_turtle", 3, 0, spec) != request("sea_turtle", 3, 1, spec)


@pytest.mark.parametrize("heights", [(0, 8), (16, 8), (33, 39)])
def test_a_range_without_a_multiple_of_8_is_refused(heights):
    with pytest.raises(ValueError, match="multiple of 8"):
        StableDiffusion(heights=heights)


def test_a_local_folder_is_known_by_its_contents(tiny, tmp_path, monkeypatch):
    tiny.save_pretrained(tmp_path / "model")
    digest = folder_digest(tmp_path / "model")
    monkeypatch.setenv("DDIV_STABLE_DIFFUSION", str(tmp_path / "model"))
    loaded = load_pipeline(digest, CPU)
    images = [
        drawn(made, tmp_path / name, labels=np.array([0])).images
        for name, made in (("a", tiny), ("b", loaded))
    ]
    assert np.array_equal(*images)
    (tmp_path / "model" / "more.txt").write_text("changed")
    with pytest.raises(NoModel, match="has the digest"):
        stable_diffusion._local_folder(digest)
    monkeypatch.delenv("DDIV_STABLE_DIFFUSION")
    with pytest.raises(NoModel, match="is not set"):
        stable_diffusion._local_folder(digest)


def test_a_model_that_is_not_at_hand_says_what_to_do(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NoModel, match="hf download nobody/no-such-model"):
        load_pipeline("nobody/no-such-model", CPU)
