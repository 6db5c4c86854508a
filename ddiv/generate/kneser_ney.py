"""N-gram probabilities of words by interpolated Kneser-Ney smoothing, on arrays.

One discount an order, n1 / (n1 + 2 n2), from the numbers of n-grams counted once and twice; n-grams
shorter than the longest are counted by the different words before them (Kneser and Ney 1995; Ney,
Essen and Kneser 1994; Chen and Goodman 1999, section 4). Written for arrays because nltk.lm's, of
Python's dictionaries, takes .7 s to draw a word of 3,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# what no text holds; the numbers from SPECIAL on are the vocabulary's
END, BEGIN, UNKNOWN = range(3)
SPECIAL = 3
# so that in tiny counts, too, n-grams keep something and leave something to unseen ones
DISCOUNTS = (0.1, 0.9)


class Tokens(NamedTuple):
    """Texts in a row, each from BEGIN to END: the words' numbers and places in their text, and its
    class; all (t,).
    """

    words: np.ndarray
    place: np.ndarray
    labels: np.ndarray


class Level(NamedTuple):
    """The n-grams of one length: sorted `keys` (m,), which are context * size + last word, and
    `probability` (m,), to which the context's `backoff` (c,) times that of the n-gram shorter by
    its first word is added.

    A context is numbered by its place among the keys of its own length, one of a single word by the
    word.
    """

    keys: np.ndarray
    probability: np.ndarray
    backoff: np.ndarray


class Model(NamedTuple):
    """Probabilities of single words, `unigram` (size,), and the levels of n-grams of 2 words, 3
    words, and so on.
    """

    unigram: np.ndarray
    levels: list[Level]


def tokens(texts: Sequence[Sequence[int]], labels: np.ndarray) -> Tokens:
    """Texts as numbers of words, without BEGIN and END, and labels (n,)."""
    lengths = np.array([len(text) + 2 for text in texts])
    words = np.array([word for text in texts for word in (BEGIN, *text, END)], dtype=np.int64)
    place = np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Tokens(words, place, np.repeat(labels, lengths))


def estimate(text: Tokens, size: int, order: int) -> Model:
    """The model of n-grams of up to `order` words in a vocabulary of `size`, special numbers
    included.
    """
    counts, levels = [np.bincount(text.words, minlength=size)], []
    keys, ids, begins = [np.arange(size)], text.words, np.arange(size) == BEGIN
    for length in range(2, order + 1):
        ends = np.flatnonzero(text.place >= length - 1)
        found, index, inverse, count = np.unique(
            ids[ends - 1] * size + text.words[ends],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        first = ends[index]
        # What begins a text has no word before it, and keeps its plain count.
        counts[-1] = np.where(
            begins, counts[-1], np.bincount(ids[first], minlength=len(counts[-1]))
        )
        keys.append(found)
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
    """Each n-gram's share of its context's count less the discount, and what each of `number`
    contexts so leaves over.
    """
    once, twice = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
    discount = np.clip(once / max(once + 2 * twice, 1), *DISCOUNTS)
    totals = np.bincount(contexts, counts, minlength=number)
    kinds = np.bincount(contexts, counts > 0, minlength=number)
    shares = np.maximum(counts - discount, 0) / np.maximum(totals, 1)[contexts]
    return shares.astype(np.float32), np.where(
        totals > 0, discount * kinds / np.maximum(totals, 1), 1
    ).astype(np.float32)


def begin(model: Model, count: int) -> list[np.ndarray]:
    """The contexts of `count` texts that have not begun: for each length that of the last words, -1
    where never seen.
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
    found = [text.words]
    # nothing goes on beyond END, so no n-gram is found across two texts
    for level in model.levels[:-1]:
        found.append(_find(level.keys, np.roll(found[-1], 1), text.words, len(model.unigram)))
    return [np.roll(one, 1) for one in found][: len(model.levels)]


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
        which = np.arange(lengths.sum()) + np.repeat(
            starts - (np.cumsum(lengths) - lengths), lengths
        )
        out[np.repeat(rows, lengths), level.keys[which] % size] += level.probability[which]
    return out


def _find(keys: np.ndarray, contexts: np.ndarray, words: np.ndarray, size: int) -> np.ndarray:
    wanted = contexts * size + words
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((contexts >= 0) & (keys[place] == wanted), place, -1)
