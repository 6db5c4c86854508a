"""A class-conditional n-gram language model over words.

A class has a dozen texts, too few for n-grams of its own, so all classes share their n-grams
(`ddiv.generate.kneser_ney`). Words that a class uses more often than the others do become likelier
by unigram rescaling, p(w | h, c) ~ p(w | h) (p(w | c) / p(w))^g (Kneser, Peters and Klakow 1997;
Gildea and Hofmann 1999), where g is the setting's `guidance`. These ratios are shrunk towards 1, by
the amount that predicts held-out texts best (`ratios`). The n-grams alone decide when a text ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ddiv.common.draws import stream
from ddiv.common.texts import as_texts, pack, unpack
from ddiv.generate.check import BadSamples, checked_texts
from ddiv.generate.kneser_ney import (
    END,
    SPECIAL,
    UNKNOWN,
    Level,
    Model,
    Tokens,
    before,
    begin,
    estimate,
    extend,
    following,
    tokens,
)
from ddiv.treatment import NGram, Setting

# A word, or signs, with the white space before it. Joined, the matches are the text again.
WORD = re.compile(r"\s*(?:\w+(?:['’.,/-]\w+)*|[^\w\s]+)")

FOLDS = 5

HELD_WORDS = 1000  # held-out words of a fold on which losses are computed

SHRINKAGES = np.geomspace(0.01, 100, 41)

LEAVES = 0.2  # chance at each word that a variation leaves its example

AHEAD = 3  # a variation returns at a word that is among this many of the example's next ones

BLOCK = 2_000_000  # probabilities held at once

Progress = Callable[[float], None]


class Fitted(NamedTuple):
    """A trained model: arrays by name, and held-out losses.

    The losses are those of 1-grams, of up to 2-grams and so on, and last of the longest n-grams
    with classes. They are cross-entropies in nats a word, over `FOLDS` folds; their exponentials
    are perplexities.
    """

    weights: dict[str, np.ndarray]
    losses: list[float]


def fit(
    texts: Sequence[str],
    labels: np.ndarray,
    classes: int,
    spec: NGram,
    progress: Progress = lambda share: None,
) -> Fitted:
    """Count words in texts (n,) with labels (n,) in 0..classes - 1.

    `spec.seed` deals texts out to folds. Raises BadSamples on fewer than two texts and on texts
    that `ddiv.generate.check.checked_texts` refuses.
    """
    texts, labels = checked_texts(texts, len(labels)).tolist(), np.asarray(labels)
    if len(texts) < 2:
        raise BadSamples(
            "a language model needs texts to learn from and others to be judged on, and got "
            f"{len(texts)}: give it at least two"
        )
    split = [WORD.findall(text) for text in texts]
    vocabulary = sorted({word for words in split for word in words})
    numbers = {word: number for number, word in enumerate(vocabulary, start=SPECIAL)}
    numbered, size = [[numbers[word] for word in words] for words in split], len(numbers) + SPECIAL

    def part(chosen: np.ndarray) -> Tokens:
        return tokens([numbered[row] for row in np.flatnonzero(chosen)], labels[chosen])

    rng = np.random.default_rng(stream(spec.seed, "ngram"))
    folds = _folds(labels, rng)
    pairs = [(part(folds != fold), part(folds == fold)) for fold in range(min(FOLDS, len(texts)))]
    counted = [[word_counts(text, classes, size) for text in pair] for pair in pairs]
    shrinkage = max(
        SHRINKAGES,
        key=lambda k: sum(np.sum(held * np.log(ratios(known, k))) for known, held in counted),
    )
    losses = []
    for (train, held), (known, _) in zip(pairs, counted):
        models = [estimate(train, size, order + 1) for order in range(spec.order)]
        losses.append(held_losses(models, ratios(known, shrinkage), held, rng))
        progress(len(losses) / (len(pairs) + 1))

    whole = part(np.full(len(texts), True))
    model = estimate(whole, size, spec.order)
    weights = {
        "unigram": model.unigram,
        "ratios": ratios(word_counts(whole, classes, size), shrinkage),
        "longest": np.array([max(map(len, numbered))]),
    }
    for length, level in enumerate(model.levels, start=2):
        weights |= {f"{name}/{length}": array for name, array in level._asdict().items()}
    progress(1.0)
    return Fitted(weights | pack(vocabulary, "vocabulary"), np.mean(losses, axis=0).tolist())


def _folds(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold for each text (n,): the texts of each class are dealt out in random order."""
    folds, shuffled = np.empty(len(labels), dtype=np.int64), rng.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    folds[by_class] = np.arange(len(labels)) % FOLDS
    return folds


def sample(
    weights: Mapping[str, np.ndarray],
    setting: Setting,
    labels: np.ndarray,
    examples: tuple[Sequence[str], np.ndarray],
    seed: int,
    progress: Progress = lambda share: None,
) -> np.ndarray:
    """Texts, an object array (m,) of str, one for each of `labels` (m,), drawn with `seed`.

    Additional texts have words of the model's only. A variation follows one of the `examples`
    (texts and their labels) of its class. Now and then it leaves the example for words of the
    model's, and it returns where these meet the example again. Examples are used equally often. A
    text is cut at the length of the longest training text. Raises BadSamples where a class of
    variations has no example.
    """
    vocabulary = [""] * SPECIAL + unpack(weights, "vocabulary").tolist()
    lengths = range(2, 2 + sum(name.startswith("keys/") for name in weights))
    levels = [Level(*(weights[f"{name}/{length}"] for name in Level._fields)) for length in lengths]
    model, longest = Model(weights["unigram"], levels), int(weights["longest"][0])
    by_class = weights["ratios"] ** np.float32(setting.guidance)
    rng, labels = np.random.default_rng(stream(seed, "samples")), np.asarray(labels)
    followed: list[Example] | None = None
    if setting.variant == "variations":
        numbers = {word: number for number, word in enumerate(vocabulary) if number >= SPECIAL}
        split = [WORD.findall(text) for text in _dealt(*examples, labels, rng)]
        followed = [
            Example(words, [*(numbers.get(word, UNKNOWN) for word in words), END])
            for words in split
        ]
    drawn: list[str] = []
    step = max(1, BLOCK // len(vocabulary))
    for start in range(0, len(labels), step):
        rows = slice(start, start + step)
        part = None if followed is None else followed[rows]
        texts = _draw(model, by_class[labels[rows]], setting.temperature, part, longest, rng)
        drawn += [
            "".join(word if isinstance(word, str) else vocabulary[word] for word in text).strip()
            for text in texts
        ]
        progress(min(1.0, (start + step) / len(labels)))
    return checked_texts(as_texts(drawn), len(labels))


class Example(NamedTuple):
    """A real text that a variation follows: its words, and their numbers with END."""

    words: list[str]
    numbers: list[int]


def _draw(
    model: Model,
    by_class: np.ndarray,
    temperature: float,
    followed: Sequence[Example] | None,
    longest: int,
    rng: np.random.Generator,
) -> list[list[int | str]]:
    """A text for each row of `by_class` (m, size), the classes' factors of words.

    Words of the model's are numbers, words of the examples are strings.
    """
    count = len(by_class)
    texts: list[list[int | str]] = [[] for _ in range(count)]
    # A text walks while its words are the model's. `at` is its place in the example.
    walks, at = np.full(count, followed is None), np.zeros(count, dtype=np.int64)
    going, contexts = np.arange(count), begin(model, count)
    for step in range(longest):
        if followed:
            walks[going] |= rng.random(len(going)) < LEAVES
        walkers = np.flatnonzero(walks[going])
        plain = following(model, [context[walkers] for context in contexts], len(walkers))
        chances = rescaled(plain, by_class[going[walkers]])
        if step == 0:
            chances[:, END] = 0
        words = np.full(len(going), END)
        words[walkers] = choose(chances, temperature, rng)
        for place, row in enumerate(going.tolist()):
            if walks[row]:
                texts[row].append(int(words[place]))
                if followed:
                    ahead = followed[row].numbers[at[row] : at[row] + AHEAD]
                    walks[row] = words[place] not in ahead
                    at[row] += 1 if walks[row] else ahead.index(words[place]) + 1
            elif followed:
                texts[row] += followed[row].words[at[row] : at[row] + 1]
                words[place] = followed[row].numbers[at[row]]
                at[row] += 1
        unended = words != END
        going = going[unended]
        contexts = [context[unended] for context in extend(model, contexts, words)]
        if not len(going):
            break
    return texts


def choose(chances: np.ndarray, temperature: float, rng: np.random.Generator) -> np.ndarray:
    """A column for each row of `chances` (m, size), drawn with chances ** (1 / temperature).

    Rows need not sum to 1. At temperature 0 the likeliest column is taken.
    """
    if temperature != 1:
        relative = chances / chances.max(axis=1, keepdims=True)
        chances = relative ** (1 / temperature) if temperature else relative == 1
    summed = np.cumsum(chances, axis=1, dtype=np.float64)
    points = (1 - rng.random((len(summed), 1))) * summed[:, -1:]
    columns: np.ndarray = np.count_nonzero(summed < points, axis=1)
    return columns


def rescaled(chances: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Probabilities (m, size) of next words, rescaled by factors (m, size) of classes.

    The probability of END stays, and rows sum to 1.
    """
    end = chances[:, END]
    out: np.ndarray = chances * factors
    out[:, END] = 0
    out *= ((1 - end) / out.sum(axis=1))[:, None]
    out[:, END] = end
    return out


def word_counts(text: Tokens, classes: int, size: int) -> np.ndarray:
    """How often each class says each word (classes, size)."""
    cells = text.labels * size + text.words
    counts = np.bincount(cells, minlength=classes * size).reshape(classes, size)
    counts[:, :SPECIAL] = 0
    return counts


def ratios(counts: np.ndarray, shrinkage: float) -> np.ndarray:
    """How much likelier each word is in a class than in all, float32 (classes, size).

    `counts` (classes, size) say how often each class says each word. A ratio is the observed over
    the expected count, both raised by `shrinkage`. That is the posterior mean of a Poisson's rate
    under a gamma prior of mean 1 (DuMouchel 1999). The ratios of a class are scaled so that its
    probabilities sum to 1. The probabilities in all classes have half a count added to each word
    (Krichevsky and Trofimov 1981).
    """
    shared = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * counts.shape[1])
    raised = (counts + shrinkage) / (counts.sum(axis=1, keepdims=True) * shared + shrinkage)
    scaled: np.ndarray = raised / (raised @ shared)[:, None]
    return scaled.astype(np.float32)


def held_losses(
    models: Sequence[Model], factors: np.ndarray, held: Tokens, rng: np.random.Generator
) -> list[float]:
    """The losses on held-out texts, in nats a word, of each model and of the last with classes.

    `factors` (classes, size) are the classes' ratios. At most HELD_WORDS words are looked at.
    """
    chosen = rng.permutation(np.flatnonzero(held.place > 0))[:HELD_WORDS]
    rows, truth = np.arange(len(chosen)), held.words[chosen]
    losses = []
    for model in models:
        contexts = [context[chosen] for context in before(model, held)]
        chances = following(model, contexts, len(chosen))
        losses.append(-np.mean(np.log(chances[rows, truth])))
    with_class = rescaled(chances, factors[held.labels[chosen]])
    losses.append(-np.mean(np.log(with_class[rows, truth])))
    return [float(loss) for loss in losses]


def _dealt(
    texts: Sequence[str], classes: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A text of the class of each label (m,), an object array; texts are used equally often."""
    dealt = np.empty(len(labels), dtype=object)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(np.asarray(classes) == label))
        places = np.flatnonzero(labels == label)
        if not len(rows):
            raise BadSamples(
                f"class {label} has no example that texts could be variations of: give it at least "
                "one real text, or ask for additional texts"
            )
        dealt[places] = as_texts(texts)[np.resize(rows, len(places))]
    return dealt
