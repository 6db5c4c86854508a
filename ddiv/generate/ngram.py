"""A class-conditional n-gram language model over words: n-grams of all classes, words rescaled by
class.

A class has a dozen texts, too few for n-grams of its own, so all classes share them
(`ddiv.generate.kneser_ney`). What a class says more often than all do comes in by unigram
rescaling, p(w | h, c) ~ p(w | h) (p(w | c) / p(w))^g (Kneser, Peters and Klakow 1997; Gildea and
Hofmann 1999), with g the setting's `guidance`. These ratios are shrunk towards 1 as much as
predicts held-out texts best (`ratios`). When a text ends is left to the n-grams.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ddiv.draws import stream
from ddiv.generate.check import BadSamples
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
from ddiv.source import NGram, Setting
from ddiv.text.check import as_texts, checked
from ddiv.text.pack import pack, unpack

# A word, or signs, with the white space before it: joined they are the text again.
WORD = re.compile(r"\s*(?:\w+(?:['’.,/-]\w+)*|[^\w\s]+)")
FOLDS = 5
HELD_WORDS = 1000  # held-out words of a fold on which losses are computed
SHRINKAGES = np.geomspace(0.01, 100, 41)
LEAVES = 0.2  # chance at each word that a variation leaves its example
AHEAD = 3  # it returns at a word that is among this many of the example's next ones
BLOCK = 2_000_000  # probabilities held at once

Progress = Callable[[float], None]


class Fitted(NamedTuple):
    """A trained model: arrays by name; and held-out losses: of 1-grams, of up to 2-grams and so on,
    at last with classes.

    Losses are cross-entropies in nats a word, over `FOLDS` folds; their exponentials are
    perplexities.
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
    """Count words in texts (n,) with labels (n,) in 0..classes - 1; `spec.seed` deals texts out to
    folds.

    Raises BadSamples on fewer than two texts and on what `ddiv.text.check.checked` refuses.
    """
    texts, labels = checked(texts, len(labels)), np.asarray(labels)
    if len(texts) < 2:
        raise BadSamples(
            f"a language model needs texts to learn from and others to be judged on, and got {len(texts)}: "
            "give it at least two"
        )
    split = [WORD.findall(text) for text in texts]
    vocabulary = sorted({word for words in split for word in words})
    numbers = {word: number for number, word in enumerate(vocabulary, start=SPECIAL)}
    numbered, size = [[numbers[word] for word in words] for words in split], len(numbers) + SPECIAL

    rng, losses = np.random.default_rng(stream(spec.seed, "ngram")), []
    folds, shuffled = np.empty(len(texts), dtype=np.int64), rng.permutation(len(texts))
    folds[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(texts)) % FOLDS

    def part(chosen: np.ndarray) -> Tokens:
        return tokens([numbered[row] for row in np.flatnonzero(chosen)], labels[chosen])

    pairs = [(part(folds != fold), part(folds == fold)) for fold in range(min(FOLDS, len(texts)))]
    counted = [[word_counts(text, classes, size) for text in pair] for pair in pairs]
    shrinkage = max(
        SHRINKAGES,
        key=lambda k: sum(np.sum(held * np.log(ratios(known, k))) for known, held in counted),
    )
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


def sample(
    weights: Mapping[str, np.ndarray],
    setting: Setting,
    labels: np.ndarray,
    examples: tuple[Sequence[str], np.ndarray],
    seed: int,
    progress: Progress = lambda share: None,
) -> np.ndarray:
    """Texts, an object array (m,) of str, one for each of `labels` (m,), drawn with `seed`.

    Additional texts are the model's alone. A variation follows one of the `examples` (texts and
    their labels) of its class, leaves it now and then for words of the model's, and returns where
    they meet it again; examples are used equally often. A text is cut at the length of the longest
    training text. Raises BadSamples where a class of variations has no example.
    """
    vocabulary = [""] * SPECIAL + unpack(weights, "vocabulary").tolist()
    lengths = range(2, 2 + sum(name.startswith("keys/") for name in weights))
    levels = [Level(*(weights[f"{name}/{length}"] for name in Level._fields)) for length in lengths]
    model, longest = Model(weights["unigram"], levels), int(weights["longest"][0])
    by_class = weights["ratios"] ** np.float32(setting.guidance)
    rng, labels, followed = np.random.default_rng(stream(seed, "samples")), np.asarray(labels), None
    if setting.variant == "variations":
        numbers = {word: number for number, word in enumerate(vocabulary) if number >= SPECIAL}
        split = [WORD.findall(text) for text in _dealt(*examples, labels, rng)]
        followed = [
            Example(words, [*(numbers.get(word, UNKNOWN) for word in words), END])
            for words in split
        ]
    drawn, step = [], max(1, BLOCK // len(vocabulary))
    for start in range(0, len(labels), step):
        rows = slice(start, start + step)
        words = _draw(
            model,
            by_class[labels[rows]],
            setting.temperature,
            followed and followed[rows],
            longest,
            rng,
        )
        drawn += [
            "".join(word if isinstance(word, str) else vocabulary[word] for word in text).strip()
            for text in words
        ]
        progress(min(1.0, (start + step) / len(labels)))
    return checked(as_texts(drawn), len(labels))


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
    """Texts as words of the model's (numbers) and of the examples (strings), for each row of
    `by_class` (m, size).
    """
    count = len(by_class)
    texts: list[list[int | str]] = [[] for _ in range(count)]
    walks, at = np.full(count, followed is None), np.zeros(count, dtype=np.int64)
    going, contexts = np.arange(count), begin(model, count)
    for step in range(longest):
        if followed:
            walks[going] |= rng.random(len(going)) < LEAVES
        walkers = np.flatnonzero(walks[going])
        chances = rescaled(
            following(model, [one[walkers] for one in contexts], len(walkers)),
            by_class[going[walkers]],
        )
        if step == 0:
            chances[:, END] = 0
        words = np.full(len(going), END)
        words[walkers] = choose(chances, temperature, rng)
        for place, row in enumerate(going):
            if walks[row]:
                texts[row].append(int(words[place]))
                if followed:
                    ahead = followed[row].numbers[at[row] : at[row] + AHEAD]
                    walks[row] = words[place] not in ahead
                    at[row] += 1 if walks[row] else ahead.index(words[place]) + 1
            else:
                texts[row] += followed[row].words[at[row] : at[row] + 1]
                words[place] = followed[row].numbers[at[row]]
                at[row] += 1
        going, contexts = (
            going[words != END],
            [one[words != END] for one in extend(model, contexts, words)],
        )
        if not len(going):
            break
    return texts


def choose(chances: np.ndarray, temperature: float, rng: np.random.Generator) -> np.ndarray:
    """A column for each row of `chances` (m, size), not normalised, to the power 1 / temperature;
    the likeliest at 0.
    """
    if temperature != 1:
        relative = chances / chances.max(axis=1, keepdims=True)
        chances = relative ** (1 / temperature) if temperature else relative == 1
    summed = np.cumsum(chances, axis=1, dtype=np.float64)
    return np.count_nonzero(summed < (1 - rng.random((len(summed), 1))) * summed[:, -1:], axis=1)


def rescaled(chances: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Probabilities (m, size) of next words times factors (m, size) of a class; that of END stays,
    and rows sum to 1.
    """
    end = chances[:, END]
    out = chances * factors
    out[:, END] = 0
    out *= ((1 - end) / out.sum(axis=1))[:, None]
    out[:, END] = end
    return out


def word_counts(text: Tokens, classes: int, size: int) -> np.ndarray:
    """How often each class says each word (classes, size)."""
    found = np.bincount(text.labels * size + text.words, minlength=classes * size).reshape(
        classes, size
    )
    found[:, :SPECIAL] = 0
    return found


def ratios(counts: np.ndarray, shrinkage: float) -> np.ndarray:
    """How much likelier each class says each word than all do, float32 (classes, size), from counts
    (classes, size).

    Observed over expected counts, both raised by `shrinkage`: the posterior mean of a Poisson's
    rate under a gamma prior of mean 1 (DuMouchel 1999), scaled so that the class's probabilities
    sum to 1. Those of all classes have half a count added (Krichevsky and Trofimov 1981).
    """
    shared = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * counts.shape[1])
    found = (counts + shrinkage) / (counts.sum(axis=1, keepdims=True) * shared + shrinkage)
    return (found / (found @ shared)[:, None]).astype(np.float32)


def held_losses(
    models: Sequence[Model], factors: np.ndarray, held: Tokens, rng: np.random.Generator
) -> list[float]:
    """Nats a word of held-out texts (of at most HELD_WORDS words): by each model, and by the last
    with class factors.
    """
    chosen = rng.permutation(np.flatnonzero(held.place > 0))[:HELD_WORDS]
    rows, truth = np.arange(len(chosen)), held.words[chosen]
    out = []
    for model in models:
        chances = following(model, [one[chosen] for one in before(model, held)], len(chosen))
        out.append(-np.mean(np.log(chances[rows, truth])))
    with_class = rescaled(chances, factors[held.labels[chosen]])
    return [float(loss) for loss in (*out, -np.mean(np.log(with_class[rows, truth])))]


def _dealt(
    texts: Sequence[str], classes: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A text of the class of each label, each text equally often."""
    dealt = np.empty(len(labels), dtype=object)
    for label in np.unique(labels):
        rows, places = (
            rng.permutation(np.flatnonzero(np.asarray(classes) == label)),
            np.flatnonzero(labels == label),
        )
        if not len(rows):
            raise BadSamples(
                f"class {label} has no example that texts could be variations of: give it at least one real "
                "text, or ask for additional texts"
            )
        dealt[places] = as_texts(texts)[np.resize(rows, len(places))]
    return dealt
