"""The captioned generator: it reads words, draws what they say, and its rebuild is the recipe's."""

import msgspec
import numpy as np
import pytest
import torch

from ddiv.data.worlds.images import FINETUNE_CLASSES, PRETRAIN_CLASSES, VOCABULARY, captions, render
from ddiv.generate import captioned, pretrain_flow
from ddiv.generate.captioned import Model, NoGenerator, Sizes, bag
from ddiv.generate.check import BadSamples
from ddiv.models.shipped import embedded_weights, weights_path
from ddiv.treatment import Captioned, Setting

CPU = torch.device("cpu")
NAMES = tuple(kind.name for kind in FINETUNE_CLASSES)
GOOD = pretrain_flow.GOOD
TINY = pretrain_flow.Recipe(images=300, side=8, width=24, steps=150, batch=32)


@pytest.fixture(scope="module")
def shipped():
    torch.set_num_threads(1)
    return captioned.shipped(Captioned(embedded_weights("captioned")))


@pytest.fixture(scope="module")
def tiny():
    torch.set_num_threads(1)
    return pretrain_flow.train(TINY, lambda line: None)


def drawn(model, setting=GOOD, labels=(0, 1, 2), seed=0, names=NAMES, side=32):
    return captioned.sample(model, names, setting, np.array(labels), side, seed, CPU)


def words(text):
    return {VOCABULARY[place] for place in bag([text], VOCABULARY)[0].nonzero()[:, 0].tolist()}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("photo of a star with a filled half", {"photo", "star", "a filled half"}),
        ("oil painting of rings on a fish", {"oil painting", "rings", "fish"}),
        ("white square", {"white", "square"}),
        ("squares and starfish", set()),
        ("", set()),
    ],
)
def test_a_caption_is_the_set_of_its_longest_known_words(text, expected):
    assert words(text) == expected


def test_captions_and_class_names_are_read_to_the_last_word():
    labels = np.arange(300) % len(PRETRAIN_CLASSES)
    for domain in pretrain_flow.DOMAINS:
        for label, text in zip(labels, captions(PRETRAIN_CLASSES, labels, domain, 1000)):
            known = words(text)
            assert PRETRAIN_CLASSES[label].shape in known
            left = text
            for word in sorted(known, key=len, reverse=True):
                left = left.replace(word, "")
            assert set(left.split()) <= {"a", "of", "with", "on", "the", "has"}
    for kind in FINETUNE_CLASSES:
        assert words(kind.name) == {kind.shape, kind.motif}


def test_every_word_was_seen_in_training_and_no_class_of_a_study():
    _, texts = pretrain_flow.training_pairs(pretrain_flow.Recipe(images=6000))
    sets = [frozenset(words(text)) for text in dict.fromkeys(texts)]
    assert frozenset.union(*sets) == set(VOCABULARY)
    for kind in FINETUNE_CLASSES:
        assert not any({kind.shape, kind.motif} <= seen for seen in sets)


def test_the_shipped_clip_recognises_its_samples_in_every_style(shipped):
    shares = pretrain_flow.recognised(shipped, n=180)
    for style, share in shares["samples"].items():
        assert share > 0.6 * shares["real"][style] > 10 / 60, style


def test_samples_show_what_the_words_say(shipped):
    """Halves, which are told from the brightness below and above; style, from the paper's."""
    labels = np.arange(40) % 2
    names = ("square with a filled half", "square")
    half, plain = (
        drawn(shipped, labels=labels, names=names)[labels == label].mean((0, 1)) for label in (0, 1)
    )
    inner = slice(10, 22)
    assert (half[inner, inner][:6] - half[inner, inner][6:]).mean() > 20 + (
        plain[inner, inner][:6] - plain[inner, inner][6:]
    ).mean()
    sketched = msgspec.structs.replace(GOOD, styles=("sketch",))
    assert drawn(shipped, sketched, labels).mean() > drawn(shipped, GOOD, labels).mean() + 50


def test_styles_of_a_setting_are_drawn_for_each_image(shipped):
    both = msgspec.structs.replace(GOOD, styles=("photo", "sketch"))
    brightness = drawn(shipped, both, np.arange(60)).mean((1, 2, 3))
    dark, light = (
        drawn(shipped, GOOD, np.arange(60)),
        drawn(shipped, msgspec.structs.replace(GOOD, styles=("sketch",)), np.arange(60)),
    )
    cut = (dark.mean() + light.mean()) / 2
    assert 0.25 < np.mean(brightness > cut) < 0.75


def test_draws_are_the_seeds_own(tiny):
    model, _ = tiny
    assert np.array_equal(drawn(model), drawn(model))
    assert not np.array_equal(drawn(model), drawn(model, seed=1))
    assert drawn(model, side=16).shape == (3, 3, 16, 16) and drawn(model).dtype == np.uint8


def test_training_is_the_recipes_own_and_learns(tiny):
    model, losses = tiny
    before = torch.random.get_rng_state()
    again, _ = pretrain_flow.train(TINY, lambda line: None)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(np.array_equal(model.weights[name], again.weights[name]) for name in model.weights)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_a_rebuilt_checkpoint_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain_flow, "TEST_IMAGES", 10)
    told: list[str] = []
    record = pretrain_flow.rebuild(tmp_path / "small.safetensors", TINY, told.append)
    model = Model.read(tmp_path / "small.safetensors")
    assert model.sizes == Sizes(8, 24, VOCABULARY)
    assert record["command"].startswith("python -m ddiv.generate.pretrain_flow --images 300")
    assert set(record["recognised"]["accuracy"]["samples"]) == set(pretrain_flow.DOMAINS)
    assert told[-1].startswith("wrote")
    (tmp_path / "small.safetensors").write_bytes(b"torn")
    with pytest.raises(NoGenerator, match="rebuild it with"):
        Model.read(tmp_path / "small.safetensors")


def test_the_shipped_checkpoint_is_small_and_of_this_vocabulary(shipped):
    assert weights_path("captioned").stat().st_size <= 3_000_000
    assert shipped.sizes.vocabulary == VOCABULARY
    assert {array.dtype for array in shipped.weights.values()} == {np.dtype(np.float16)}


def test_what_it_does_not_know_is_refused_with_what_it_knows(tiny):
    with pytest.raises(BadSamples, match=r"no word of 'seven'.*circle"):
        drawn(tiny[0], names=("seven", *NAMES[1:]))
    with pytest.raises(BadSamples, match="no word of 'hologram'"):
        drawn(tiny[0], Setting("odd", styles=("hologram",)))


def test_other_weights_than_the_shipped_are_refused():
    with pytest.raises(NoGenerator, match="install the ddiv that made it"):
        captioned.shipped(Captioned("0" * 64))
    with pytest.raises(NoGenerator, match="draws 16 pixels"):
        captioned.shipped(Captioned(embedded_weights("captioned"), side=20))


def test_samples_are_no_copies_of_the_pictures_that_it_was_trained_on(shipped):
    """Nearer to them than fresh pictures of the same classes are would be copying."""
    from ddiv.generate.quality import copying

    names = [kind.name for kind in PRETRAIN_CLASSES]
    labels = np.arange(240) % len(PRETRAIN_CLASSES)
    known = render(PRETRAIN_CLASSES, np.arange(3000) % 60, "real", pretrain_flow.FIRST_SEED)
    fresh = render(PRETRAIN_CLASSES, labels, "real", 1000)
    samples = drawn(shipped, labels=labels, names=names)
    flat = [part.reshape(len(part), -1) / 255 for part in (samples, known, fresh)]
    assert copying(*flat)["singled_out"] < 0.05
