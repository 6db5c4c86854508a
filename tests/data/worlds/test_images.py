"""The image world: repeatable, balanced, distinguishable, and strict about its input."""

import numpy as np
import pytest

from ddiv.data.worlds.images import (
    DOMAINS,
    FINETUNE_CLASSES,
    PRETRAIN_CLASSES,
    SIZE,
    ObjectClass,
    captions,
    contact_sheet,
    render,
)
from ddiv.data.worlds.shapes import MOTIFS, SHAPES

LABELS = np.arange(120) % 60


@pytest.mark.parametrize("domain", DOMAINS)
def test_same_arguments_give_the_same_bytes_whatever_the_global_generator_does(domain):
    np.random.seed(1)
    first = render(FINETUNE_CLASSES, LABELS, domain, 3)
    np.random.seed(2)
    np.random.random(10)
    assert render(FINETUNE_CLASSES, LABELS, domain, 3).tobytes() == first.tobytes()
    assert first.shape == (120, 3, SIZE, SIZE) and first.dtype == np.uint8


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_picture_is_drawn_twice_within_or_across_seeds(domain):
    same_class = np.zeros(200, int)
    pictures = np.concatenate(
        [render(FINETUNE_CLASSES, same_class, domain, seed) for seed in (0, 1)]
    )
    assert len({p.tobytes() for p in pictures}) == 400


def test_split_is_disjoint_complete_and_balanced():
    assert len(set(FINETUNE_CLASSES)) == len(set(PRETRAIN_CLASSES)) == 60
    assert not set(FINETUNE_CLASSES) & set(PRETRAIN_CLASSES)
    for half in (FINETUNE_CLASSES, PRETRAIN_CLASSES):
        assert all(sum(c.shape == s for c in half) == len(MOTIFS) // 2 for s in SHAPES)
        assert all(sum(c.motif == m for c in half) == len(SHAPES) // 2 for m in MOTIFS)


def test_split_is_not_a_regular_pattern():
    """Knowing the class at three corners of a shape-motif rectangle must not give away the fourth,
    as parity would.
    """
    taken = np.array(
        [[ObjectClass(s, m) in set(FINETUNE_CLASSES) for m in MOTIFS] for s in SHAPES], int
    )
    odd = [
        (taken[a, c] + taken[a, d] + taken[b, c] + taken[b, d]) % 2
        for a in range(12)
        for b in range(a)
        for c in range(10)
        for d in range(c)
    ]
    assert 0.3 < np.mean(odd) < 0.7  # parity: 0


def test_domains_look_different():
    """A nearest-mean rule on each picture's channel means and spreads must name its domain far
    above chance (.2).
    """

    def features(seed):
        return np.stack(
            [
                np.concatenate([p.mean((2, 3)), p.std((2, 3))], 1)
                for p in (render(FINETUNE_CLASSES, LABELS, d, seed).astype(float) for d in DOMAINS)
            ]
        )

    centres, test = features(0).mean(1), features(1)
    guess = ((test[:, :, None] - centres) ** 2).sum(-1).argmin(-1)
    assert (guess == np.arange(len(DOMAINS))[:, None]).mean() > 0.6


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_object_is_in_the_picture(domain):
    """Same seed, other class: exactly the object's pixels may change, and they must."""
    a, b = (
        render([ObjectClass("circle", m)], np.zeros(20, int), domain, 5).astype(int)
        for m in ("stripes", "bars")
    )
    changed = (np.abs(a - b).max(1) > 20).mean((1, 2))
    assert (changed > 0.02).all() and (changed < 0.7).all()


def test_captions_name_what_is_drawn_but_not_always_the_same_things():
    texts = captions(PRETRAIN_CLASSES, LABELS, "real", 0)
    assert (
        texts
        == captions(PRETRAIN_CLASSES, LABELS, "real", 0)
        != captions(PRETRAIN_CLASSES, LABELS, "real", 1)
    )
    assert all(PRETRAIN_CLASSES[k].shape in t for k, t in zip(LABELS, texts))
    with_motif = np.mean([PRETRAIN_CLASSES[k].motif in t for k, t in zip(LABELS, texts)])
    with_style = np.mean([any(s in t for s in ("photo", "picture", "snapshot")) for t in texts])
    assert 0.7 < with_motif < 1 and 0.1 < with_style < 0.6


def test_a_named_colour_is_the_colour_in_the_picture():
    labels = np.zeros(400, int)
    texts = captions([ObjectClass("square", "a spot")], labels, "clipart", 2)
    pictures = render([ObjectClass("square", "a spot")], labels, "clipart", 2).astype(int)
    for name, channel in (("red", 0), ("green", 1), ("blue", 2)):
        named = [i for i, t in enumerate(texts) if t.startswith(name)]
        assert named
        for i in named:  # the square's middle right: inside the square, outside the spot
            assert pictures[i, :, 15:18, 22:24].mean((1, 2)).argmax() == channel


@pytest.mark.parametrize(
    "labels, domain, seed, message",
    [
        ([0], "photo", 0, "unknown domain 'photo'"),
        ([60], "real", 0, "must lie in 0..59"),
        ([-1], "real", 0, "must lie in"),
        ([0.5], "real", 0, "whole numbers"),
        ([[0]], "real", 0, "one row"),
        ([0], "real", -1, "seed must be"),
    ],
)
def test_bad_input_is_refused(labels, domain, seed, message):
    for function in (render, captions):
        with pytest.raises(ValueError, match=message):
            function(FINETUNE_CLASSES, np.array(labels), domain, seed)


def test_no_labels_give_no_pictures():
    assert render(FINETUNE_CLASSES, np.array([], int), "real", 0).shape == (0, 3, SIZE, SIZE)


def test_contact_sheet_has_a_row_per_domain_and_a_column_per_class():
    sheet = contact_sheet(FINETUNE_CLASSES[:4], zoom=2)
    assert (
        sheet.shape == (len(DOMAINS) * (SIZE + 2) * 2, 4 * (SIZE + 2) * 2, 3)
        and sheet.dtype == np.uint8
    )
