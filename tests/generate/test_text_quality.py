"""Quality of generated texts: planted copies, wrong classes and sameness are found; fresh texts are
judged as real.
"""

import msgspec
import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from ddiv.data.dataset import Dataset
from ddiv.generate.text_quality import copied, quality

CLASSES = 6


def texts_of(labels, seed):
    """A few of a class's own words among words of all classes: 12 to 19 words."""
    rng = np.random.default_rng(seed)
    out = np.empty(len(labels), dtype=object)
    for number, label in enumerate(labels):
        own = [f"subject{label}{letter}" for letter in rng.permutation(list("abcdefgh"))[:3]]
        common = [f"word{word}" for word in rng.integers(0, 60, rng.integers(9, 17))]
        words = rng.permutation([*own, *common]).tolist()
        out[number] = " ".join(words).capitalize() + "."
    return out


def balanced(each):
    return np.tile(np.arange(CLASSES), each)


@pytest.fixture(scope="module")
def real():
    train, test = balanced(30), balanced(30)
    return Dataset(texts_of(train, 0), train, {"plain": (texts_of(test, 1), test)}, tuple("abcdef"))


@pytest.fixture(scope="module")
def embed():
    return (
        make_pipeline(TfidfVectorizer(), TruncatedSVD(30, random_state=0))
        .fit(texts_of(balanced(100), 9))
        .transform
    )


def test_fresh_texts_are_judged_as_real(real, embed):
    labels = balanced(30)
    found = quality(texts_of(labels, 2), labels, real, embed)
    assert found["accuracy"]["real"] > 0.6
    assert found["accuracy"]["samples"] == pytest.approx(found["accuracy"]["real"], abs=0.12)
    assert found["vendi/embedding"]["samples"] == pytest.approx(
        found["vendi/embedding"]["real"], rel=0.1
    )
    assert found["nearest/embedding"]["samples"] == pytest.approx(
        found["nearest/embedding"]["real"], rel=0.1
    )
    assert found["nearest/embedding"]["nearer_training"] == pytest.approx(0.5, abs=0.12)
    assert found["nearest/embedding"]["copies"] < 0.06
    assert found["copied"] == {"samples": 0, "real": 0}
    assert list(found) == ["accuracy", "vendi/embedding", "nearest/embedding", "copied"]
    msgspec.json.encode(found)


def test_texts_are_scored_on_the_device_asked_for(real, embed, monkeypatch):
    labels = balanced(5)
    expected = quality(texts_of(labels, 2), labels, real, embed)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert quality(texts_of(labels, 2), labels, real, embed, "numpy") == expected


def test_planted_copies_are_found_by_words_and_by_embedding(real, embed):
    labels = balanced(30)
    samples = texts_of(labels, 2)
    samples[:90] = [f"quite {text}" for text in real.inputs[:90]]
    found = quality(samples, labels, real, embed)
    assert found["copied"] == {"samples": 0.5, "real": 0}
    assert found["nearest/embedding"]["copies"] == pytest.approx(0.5, abs=0.04)
    assert found["nearest/embedding"]["nearer_training"] > 0.65


def test_samples_of_the_wrong_class_and_of_one_text_are_found(real, embed):
    labels = balanced(30)
    samples = texts_of(labels, 2)
    wrong = quality(samples, (labels + 1) % CLASSES, real, embed)["accuracy"]
    assert wrong["samples"] < 0.15 < wrong["real"]
    same = quality(np.repeat(samples[:1], len(labels)), labels, real, embed)
    assert same["vendi/embedding"]["samples"] == pytest.approx(1, abs=1e-3)


def test_a_text_that_embeds_as_nothing_does_no_harm(real, embed):
    samples = texts_of(balanced(2), 2)
    samples[0] = "unheard"
    found = quality(samples, balanced(2), real, embed)
    assert np.isfinite([value for group in found.values() for value in group.values()]).all()


@pytest.mark.parametrize(
    "text,is_copy",
    [
        ("b c d x y", True),  # 3 of 5 words
        ("b c x d y", False),
        ("b c x y", False),  # exactly half
        ("B, C! D?", True),
        ("e f", False),  # both known, not next to each other: the training text ends between them
        ("e", True),
        ("x", False),
        ("...", False),
    ],
)
def test_more_than_half_in_one_run_is_a_copy(text, is_copy):
    assert copied([text], ["a b c d e", "f g h"]) == is_copy


def test_copying_agrees_with_a_search_of_every_run():
    rng = np.random.default_rng(3)

    def some(count):
        return [" ".join(rng.choice(list("abc"), rng.integers(1, 12))) for _ in range(count)]

    training, texts = some(4), some(300)

    def searched(text):
        words = text.split()
        half = len(words) // 2 + 1
        runs = [" ".join(words[start : start + half]) for start in range(len(words) - half + 1)]
        return any(f" {run} " in f" {one} " for run in runs for one in training)

    expected = [searched(text) for text in texts]
    assert 0.1 < np.mean(expected) < 0.9
    assert [copied([text], training) for text in texts] == expected
    assert copied(texts, training) == np.mean(expected)
