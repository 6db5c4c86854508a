"""How good generated texts are: accuracy on them, their diversity, and whether they copy.

The numbers are those of `ddiv.generate.quality` in the embedding space, and copying by the words
themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ddiv.data.dataset import Dataset
from ddiv.diversity import black_apart, vendi_score
from ddiv.generate.quality import accuracies, copying

Embed = Callable[[np.ndarray], np.ndarray]

WORD = re.compile(r"\w+")


def quality(
    samples: np.ndarray, labels: np.ndarray, data: Dataset, embed: Embed, device: Any = "auto"
) -> dict[str, dict[str, float]]:
    """The quality of texts (m,) with labels (m,); `embed` makes vectors float (n, d) of texts (n,).

    "accuracy", "vendi/embedding" (computed on `device`) and "nearest/embedding" are as
    `ddiv.generate.quality.quality` describes them. "copied" is the share of copies (`copied`) among
    the samples, and among held-out test texts ("real").
    """
    tests, truth = next(iter(data.tests.values()))
    texts = {"samples": samples, "training": data.inputs, "test": tests}
    embedded = {name: embed(part) for name, part in texts.items()}
    rng = np.random.default_rng(0)
    n = min(len(samples), len(data.inputs))
    scored = {
        "samples": embedded["samples"][rng.permutation(len(samples))[:n]],
        "real": embedded["training"][rng.permutation(len(data.inputs))[:n]],
    }
    unit = {
        name: rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        for name, rows in embedded.items()
    }
    return {
        "accuracy": accuracies(embedded["samples"], labels, embedded["test"], truth),
        "vendi/embedding": {
            name: float(vendi_score(black_apart(rows), device=device))
            for name, rows in scored.items()
        },
        "nearest/embedding": copying(**unit),
        "copied": {"samples": copied(samples, data.inputs), "real": copied(tests, data.inputs)},
    }


def copied(texts: Sequence[str] | np.ndarray, training: Sequence[str] | np.ndarray) -> float:
    """The share of texts (m,), m >= 1, that copy one of the training texts.

    A text is a copy if more than half of its words, in a row, stand in a training text. Case,
    punctuation and white space don't count. A text without a word is no copy. The result is exact:
    runs of 1, 2, 4 ... words are numbered so that equal runs have equal numbers (Karp, Miller and
    Rosenberg 1972), and a run of any length is the pair of the two runs that begin and end it.
    """
    split = [WORD.findall(text.casefold()) for text in (*training, *texts)]
    lengths = np.array([len(words) for words in split])
    starts = np.cumsum(lengths) - lengths
    # words from here to the end of the text
    left = np.repeat(starts + lengths, lengths) - np.arange(lengths.sum())
    owner = np.repeat(np.arange(len(split)), lengths)
    _, runs = np.unique(
        np.array([word for words in split for word in words], dtype=str), return_inverse=True
    )
    wanted, power = lengths // 2 + 1, 1
    copies = np.zeros(len(split), dtype=bool)
    for length in np.unique(wanted[len(training) :]):
        while 2 * power <= length:
            runs = _paired(runs, power)
            power *= 2
        whole = np.flatnonzero(left >= length)
        run = _paired(runs, length - power)[whole]
        text = owner[whole]
        known = run[text < len(training)]
        asked = (text >= len(training)) & (wanted[text] == length)
        copies[text[asked][np.isin(run[asked], known)]] = True
    return float(np.mean(copies[len(training) :]))


def _paired(runs: np.ndarray, apart: int) -> np.ndarray:
    """Numbers of the pairs of each run and the run that begins `apart` words later.

    They mean nothing where a text ends before.
    """
    pairs = runs * (runs.max(initial=0) + 1) + np.roll(runs, -apart)
    return np.unique(pairs, return_inverse=True)[1]
