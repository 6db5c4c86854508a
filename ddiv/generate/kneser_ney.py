"""N-gram probabilities of words by interpolated Kneser-Ney smoothing, on arrays.

Each order has one discount, n1 / (n1 + 2 n2), where n1 and n2 are the numbers of n-grams counted
once and twice. N-grams shorter than the longest are counted by the different words before them
(Kneser and Ney 1995; Ney, Essen and Kneser 1994; Chen and Goodman 1999, section 4). nltk.lm does
the same on Python's dictionaries, and takes .7 s to draw one word of a vocabulary of 3,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Marks that no text holds. The numbers from SPECIAL on are the vocabulary's.
END, BEGIN, UNKNOWN = range(3)

SPECIAL = 3

# Bounds of a discount: in tiny counts, too, n-grams keep a share and leave one to unseen n-grams.
DISCOUNTS = (0.1, 0.9)


class Tokens(NamedTuple):
    """Texts in a row, each from BEGIN to END.

    Arrays (t,) of the words' numbers, their places in their text, and their text's class.
    """

    words: np.ndarray
    place: np.ndarray
    labels: np.ndarray


class Level(NamedTuple):
    """The n-grams of one length.

    `keys` (m,), sorted, are context * size + last word. An n-gram's probability is its own
    `probability` (m,), plus the context's `backoff` (c,) times the probability of the n-gram
    without its first word. A context of one word has the word's number, a longer one its place
    among the keys of its own length.
    """

    keys: np.ndarray
    probability: np.ndarray
    backoff: np.ndarray


class Model(NamedTuple):
    """Probabilities of words, `unigram` (size,), and the levels of n-grams from 2 words on."""

    unigram: np.ndarray
    levels: list[Level]


def tokens(texts: Sequence[Sequence[int]], labels: np.ndarray) -> Tokens:
    """Texts as numbers of words, without BEGIN and END, and labels (n,)."""
    lengths = np.array([len(text) + 2 for text in texts])
    words = np.array([word for text in texts for word in (BEGIN, *text, END)], dtype=np.int64)
    place = np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Tokens(words, place, np.repeat(labels, lengths))


def estimate(text: Tokens, size: int, order: int) -> Model:
    """The model of n-grams of up to `order` words.

    `size` is that of the vocabulary, special numbers included.
    """
    counts, levels = [np.bincount(text.words, minlength=size)], []
    keys, ids, begins = [np.arange(size)], text.words, np.arange(size) == BEGIN
    for length in range(2, order + 1):
        ends = np.flatnonzero(text.place >= length - 1)
        distinct, index, inverse, count = np.unique(
            ids[ends - 1] * size + text.words[ends],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        first = ends[index]
        # N-grams that begin a text have no word before them, and keep their plain count.
        by_words_before = np.bincount(ids[first], minlength=len(counts[-1]))
        counts[-1] = np.where(begins, counts[-1], by_words_before)
        keys.append(distinct)
        counts.append(count)
        begins = text.place[first] == length - 1
        ids = np.full(len(text.words), -1)
        ids[ends] = inverse
    counts[0][BEGIN] = 0
    share, left = _discounted(counts[0], np.zeros(size, dtype=np.int64), 1)
    base = np.where(np.isin(np.arange(size), (BEGIN, UNKNOWN)), 0, 1 / (size - 2))
    for shorter, longer, count in zip(keys, keys[1:], counts[1:]):
        levels.append(Level(longer, *_discounted(count, longer // size, len(shorter))))
    return Model((share + left * base).astype(np.float32), levels)


def _discounted(
    counts: np.ndarray, contexts: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each n-gram's share of its context's count less the discount, and the contexts' remainders.

    `contexts` (m,) are the n-grams' contexts, numbered from 0 to `number` - 1. The remainder of a
    context is the sum of the shares that discounts have taken from its n-grams.
    """
    once, twice = int(np.count_nonzero(counts == 1)), int(np.count_nonzero(counts == 2))
    discount = np.clip(once / max(once + 2 * twice, 1), *DISCOUNTS)
    totals = np.bincount(contexts, counts, minlength=number)
    kinds = np.bincount(contexts, counts > 0, minlength=number)
    shares = np.maximum(counts - discount, 0) / np.maximum(totals, 1)[contexts]
    left = np.where(totals > 0, discount * kinds / np.maximum(totals, 1), 1)
    return shares.astype(np.float32), left.astype(np.float32)


def begin(model: Model, count: int) -> list[np.ndarray]:
    """The contexts of `count` texts that have not begun, an array (count,) for each length.

    -1 stands for a context that was never seen.
    """
    return [np.full(count, -1 if length else BEGIN) for length in range(len(model.levels))]


def extend(model: Model, contexts: list[np.ndarray], words: np.ndarray) -> list[np.ndarray]:
    """The contexts after one more word each."""
    longer = [
        _find(level.keys, before, words, len(model.unigram))
        for level, before in zip(model.levels[:-1], contexts)
    ]
    return [words, *longer][: len(model.levels)]


def before(model: Model, text: Tokens) -> list[np.ndarray]:
    """The contexts in which the words of a text stand; those of BEGIN mean nothing."""
    ending = [text.words]  # for each length, the n-gram that ends with each word
    # No n-gram goes on beyond END, so none is found across two texts.
    for level in model.levels[:-1]:
        shorter = np.roll(ending[-1], 1)
        ending.append(_find(level.keys, shorter, text.words, len(model.unigram)))
    return [np.roll(ngrams, 1) for ngrams in ending][: len(model.levels)]


def following(model: Model, contexts: list[np.ndarray], count: int) -> np.ndarray:
    """Probabilities float32 (count, size) of the next word in `count` contexts."""
    size = len(model.unigram)
    out = np.repeat(model.unigram[None], count, axis=0)
    for level, context in zip(model.levels, contexts):
        rows = np.flatnonzero(context >= 0)
        known, left = context[rows], np.ones(count, dtype=np.float32)
        left[rows] = level.backoff[known]
        out *= left[:, None]
        starts, stops = np.searchsorted(level.keys, [known * size, (known + 1) * size])
        lengths = stops - starts
        shifts = starts - (np.cumsum(lengths) - lengths)
        which = np.arange(lengths.sum()) + np.repeat(shifts, lengths)
        out[np.repeat(rows, lengths), level.keys[which] % size] += level.probability[which]
    return out


def _find(keys: np.ndarray, contexts: np.ndarray, words: np.ndarray, size: int) -> np.ndarray:
    """The places among the sorted keys of contexts followed by words, -1 where there is none."""
    wanted = contexts * size + words
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((contexts >= 0) & (keys[place] == wanted), place, -1)
