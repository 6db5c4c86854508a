"""The n-gram generator: its probabilities are Kneser and Ney's, it learns planted languages, its
knobs do what they say.
"""

from collections import Counter, defaultdict

import numpy as np
import pytest
from safetensors.numpy import load, save

from ddiv.common.draws import stream
from ddiv.generate import ngram
from ddiv.generate.check import BadSamples
from ddiv.generate.kneser_ney import (
    BEGIN,
    END,
    SPECIAL,
    UNKNOWN,
    before,
    begin,
    estimate,
    extend,
    following,
    tokens,
)
from ddiv.treatment import NGram, Setting

SPEC = NGram(order=3, seed=1000)
ADDITIONAL, VARIATIONS = (Setting(name, variant=name) for name in ("additional", "variations"))


# --- probabilities ------------------------------------------------------------------------------


def reference(texts, size, order):
    """p(word | context) by the textbook: dictionaries of tuples, recursion, context by context."""
    counts = [defaultdict(Counter) for _ in range(order)]  # by length of the context
    for text in texts:
        whole = (BEGIN, *text, END)
        for end in range(1, len(whole)):
            for length in range(min(end, order - 1) + 1):
                context = whole[end - length : end]
                counts[length][context][whole[end]] += 1
    for length in range(order - 1):  # how many different words stand before context and word
        left = defaultdict(set)
        for longer, following_words in counts[length + 1].items():
            for word in following_words:
                left[longer[1:], word].add(longer[0])
        for context, following_words in counts[length].items():
            if context[:1] != (BEGIN,):
                counts[length][context] = Counter(
                    {word: len(left[context, word]) for word in following_words}
                )
    discounts = []
    for table in counts:
        kinds = Counter(count for words in table.values() for count in words.values())
        discounts.append(min(max(kinds[1] / max(kinds[1] + 2 * kinds[2], 1), 0.1), 0.9))

    def probability(word, context):
        shorter = (
            probability(word, context[1:])
            if context
            else (word not in (BEGIN, UNKNOWN)) / (size - 2)
        )
        words = counts[len(context)].get(context)
        if not words:
            return shorter
        discount, total = discounts[len(context)], sum(words.values())
        return (max(words[word] - discount, 0) + discount * len(words) * shorter) / total

    return probability


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_those_of_the_textbook(order):
    rng, size = np.random.default_rng(order), 12
    texts = [
        (SPECIAL + rng.geometric(0.35, rng.integers(1, 12)) % (size - SPECIAL)).tolist()
        for _ in range(25)
    ]
    model, expected = (
        estimate(tokens(texts, np.zeros(25, dtype=int)), size, order),
        reference(texts, size, order),
    )
    for unseen in ([3, 3, 3, 3], [11, 10, 9, 8, 7], [UNKNOWN, 5, 4], []):
        whole, contexts = [BEGIN, *unseen], begin(model, 1)
        for place in range(len(whole)):
            contexts = extend(model, contexts, np.array([whole[place]]))
            found = following(model, contexts, 1)[0]
            context = tuple(whole[: place + 1][-(order - 1) :]) if order > 1 else ()
            assert found == pytest.approx(
                [expected(word, context) for word in range(size)], abs=1e-6
            )
            assert found.sum() == pytest.approx(1, abs=1e-5)


def test_contexts_of_a_whole_text_are_those_met_word_by_word():
    text = tokens([[3, 4, 5, 3, 4, 6], [3, 4, 5]], np.array([0, 1]))
    model, words = (
        estimate(text, 7, 4),
        tokens([[4, 5, 3, 4, 5, 6, 3], [3, 4, 5, 3]], np.array([0, 0])),
    )
    contexts, met = before(model, words), begin(model, 1)
    for row, place in enumerate(words.place):
        met = extend(model, met, words.words[row - 1 : row]) if place else begin(model, 1)
        if place:
            assert [one[row] for one in contexts] == [one[0] for one in met]


def test_class_factors_between_own_and_shared_words():
    counts = np.array([[0, 0, 0, 8, 2, 0], [0, 0, 0, 2, 8, 20]])
    shared = (counts.sum(0) + 0.5) / (counts.sum() + 3)
    assert ngram.ratios(counts, 1e9) == pytest.approx(np.ones((2, 6)), abs=1e-6)
    own = counts / counts.sum(1, keepdims=True)
    assert ngram.ratios(counts, 1e-9) == pytest.approx(own / shared, abs=1e-6)
    found = ngram.ratios(counts, 2)
    assert found @ shared == pytest.approx([1, 1])
    assert found[0, 3] / found[0, 5] == pytest.approx(
        (8 + 2) / (10 * shared[3] + 2) * (10 * shared[5] + 2) / 2
    )


def test_words_are_counted_by_class_without_begin_and_end():
    text = tokens([[3, 3, 4], [5], [4]], np.array([1, 0, 1]))
    assert ngram.word_counts(text, 3, 6).tolist() == [
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 2, 2, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_rescaling_moves_odds_by_the_factors_and_leaves_the_end_alone():
    chances, factors = np.array([[0.2, 0, 0, 0.5, 0.3]]), np.array([[7.0, 1, 1, 3, 1]])
    found = ngram.rescaled(chances, factors)[0]
    assert found.sum() == pytest.approx(1) and found[END] == 0.2
    assert found[3] / found[4] == pytest.approx(3 * 0.5 / 0.3)


@pytest.mark.parametrize(
    "temperature,expected",
    [
        (1, [0, 0.1, 0.3, 0.6]),
        (0.5, np.array([0, 1, 9, 36]) / 46),
        (2, np.sqrt([0, 1, 3, 6]) / np.sqrt([1, 3, 6]).sum()),
        (0, [0, 0, 0, 1]),
    ],
)
def test_words_are_drawn_with_their_chances(temperature, expected):
    chances = np.repeat([[0, 0.2, 0.6, 1.2]], 20_000, axis=0)
    drawn = ngram.choose(chances, temperature, np.random.default_rng(0))
    assert np.bincount(drawn, minlength=4) / len(drawn) == pytest.approx(expected, abs=0.015)
    assert not np.any(drawn == 0)


# --- planted languages --------------------------------------------------------------------------


def chain(count, seed=0, length=60):
    """Texts in which each word is followed by one of two, with chances .8 and .2: an entropy of .5
    nats.
    """
    rng, out = np.random.default_rng(seed), []
    for _ in range(count):
        word, text = int(rng.integers(20)), []
        for _ in range(length):
            text.append(f"w{word}")
            word = (3 * word + (1 if rng.random() < 0.8 else 2)) % 20
        out.append(" ".join(text))
    return out


def test_the_loss_on_held_out_words_is_the_languages_entropy():
    losses = ngram.fit(chain(120), np.zeros(120, dtype=int), 1, NGram(order=2, seed=1000)).losses

    def entropy(p):
        return -p * np.log(p) - (1 - p) * np.log(1 - p)

    # Of 61 draws one is the end, which may come anywhere; a text's first word has no space before
    # it.
    assert len(losses) == 3
    assert losses[0] == pytest.approx(np.log(20) * 60 / 61 + 2 * entropy(1 / 61), abs=0.04)
    assert losses[1] == pytest.approx(
        (np.log(20) + 59 * entropy(0.2) + 60 * entropy(1 / 60)) / 61, abs=0.04
    )
    assert losses[2] == pytest.approx(losses[1], abs=1e-3)  # a single class says nothing more


def test_what_cannot_be_learned_is_not_known_by_heart():
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.integers(0, 50, 10)) for _ in range(40)]
    assert min(ngram.fit(texts, np.arange(40) % 4, 4, SPEC).losses) > np.log(50) * 10 / 11


WORDS = [["apple", "pear", "plum", "cherry"], ["iron", "zinc", "lead", "tin"]]


def complaints(count, seed=0, told=True):
    """Texts of two classes, which differ in what was bought; all else is alike."""
    rng, labels = np.random.default_rng(seed), np.arange(count) % 2
    out = []
    for label in labels:
        things = WORDS[label] if told else WORDS[rng.integers(2)]
        out.append(
            f"{rng.choice(['On Monday', 'In May', 'Once'])} {rng.choice(['I', 'we'])} "
            f"{rng.choice(['bought', 'ordered', 'got'])} {rng.choice(things)}"
            f" and {rng.choice(things)}. "
            f"It's {rng.choice(['late', 'bad', 'gone', 'wrong'])} (no. {rng.integers(10, 99)})!"
        )
    return out, labels


def fruit_share(text):
    fruits, metals = (sum(word in text for word in words) for words in WORDS)
    return fruits / max(fruits + metals, 1)


def right(texts, labels):
    """The share of texts that name more of their class's things than of the other's."""
    shares = np.array([fruit_share(text) for text in texts])
    return np.mean(np.where(labels == 0, shares > 0.5, shares < 0.5))


@pytest.fixture(scope="module")
def fitted():
    return ngram.fit(*complaints(120), 2, SPEC)


LABELS = np.arange(200) % 2


def drawn(fitted, setting=ADDITIONAL, seed=0, labels=LABELS, examples=None):
    return ngram.sample(fitted.weights, setting, labels, examples or complaints(120), seed)


def test_samples_speak_of_their_classs_things(fitted):
    assert right(drawn(fitted), LABELS) > 0.8
    texts, labels = complaints(120)
    assert right(drawn(ngram.fit(texts, 1 - labels, 2, SPEC)), LABELS) < 0.2


def test_classes_lower_the_loss_only_where_they_tell_something(fitted):
    # each text of about 15 words names two things, of four and not of eight
    told = 2 * np.log(2) / 15
    assert told / 4 < fitted.losses[-2] - fitted.losses[-1] < told
    losses = ngram.fit(*complaints(120, told=False), 2, SPEC).losses
    assert losses[-1] == pytest.approx(losses[-2], abs=0.03)


def test_samples_look_like_the_texts(fitted):
    for text in drawn(fitted)[:20]:
        assert (
            text.startswith(("On Monday", "In May", "Once"))
            and text == text.strip()
            and "  " not in text
        )
    lengths = [
        np.mean([len(text) for text in texts]) for texts in (drawn(fitted), complaints(120)[0])
    ]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.15)


def test_additional_texts_are_mostly_new_and_variations_stay_near_theirs(fitted):
    given = set(complaints(120)[0])
    assert np.mean([text in given for text in drawn(fitted)]) < 0.1
    examples = (
        np.array(
            [
                "On Monday I bought apple and apple. It's late (no. 11)!",
                "Once we got tin and zinc. It's gone (no. 22)!",
            ],
            dtype=object,
        ),
        np.array([0, 1]),
    )
    for setting, low, high in ((ADDITIONAL, 0.0, 0.15), (VARIATIONS, 0.5, 1.0)):
        texts = drawn(fitted, setting, examples=examples)
        near = [
            len(set(text.split()) & set(examples[0][label].split()))
            / len(examples[0][label].split())
            for text, label in zip(texts, LABELS)
        ]
        assert low <= np.mean(np.array(near) > 0.6) <= high
    assert len(set(texts)) > 50


def test_a_variation_that_never_leaves_is_its_example_even_of_unknown_words(fitted, monkeypatch):
    monkeypatch.setattr(ngram, "LEAVES", 0)
    texts = np.array(
        ["I've  bought “Äpfel”\nfor $1,200.50...", "unheard of", "quite unheard of"], dtype=object
    )
    labels = np.repeat([1, 0, 1], 20)
    found = drawn(fitted, VARIATIONS, labels=labels, examples=(texts, np.array([0, 1, 1])))
    assert Counter(found[labels == 0]) == {texts[0]: 20} and Counter(found[labels == 1]) == {
        texts[1]: 20,
        texts[2]: 20,
    }


def test_a_variation_returns_to_its_example(fitted):
    texts = [
        "On Monday I bought plum and pear. It's late I told zzz",
        "Once we got tin and zinc. It's gone we told zzz",
    ]
    found = drawn(fitted, VARIATIONS, examples=(texts, np.array([0, 1])))
    changed = [text for text in found if text not in texts]
    assert len(changed) > 150 and np.mean([text.endswith("zzz") for text in changed]) > 0.1


def test_draws_are_the_seeds_own_and_survive_a_record(fitted):
    for setting in (ADDITIONAL, VARIATIONS):
        first = drawn(fitted, setting)
        assert (
            first.tolist()
            == drawn(fitted, setting).tolist()
            != drawn(fitted, setting, seed=1).tolist()
        )
        stored = ngram.Fitted(load(save(fitted.weights)), [])
        assert first.tolist() == drawn(stored, setting).tolist()
    again = ngram.fit(*complaints(120), 2, SPEC)
    assert again.losses == fitted.losses
    assert all(np.array_equal(array, fitted.weights[name]) for name, array in again.weights.items())


def test_blocks_change_nothing_about_what_is_drawn_from(fitted, monkeypatch):
    monkeypatch.setattr(ngram, "BLOCK", 7 * len(fitted.weights["unigram"]))
    shares = []
    for setting in (ADDITIONAL, VARIATIONS):
        found = ngram.sample(fitted.weights, setting, LABELS, complaints(120), 0, shares.append)
        assert right(found, LABELS) > 0.8
    assert len(shares) == 2 * -(-200 // 7) and shares[-1] == 1 and max(shares) == 1


def test_guidance_exaggerates_the_class_and_none_forgets_it(fitted):
    scores = [
        right(drawn(fitted, Setting("x", guidance=guidance)), LABELS) for guidance in (0, 1, 3)
    ]
    assert scores[0] < 0.6 < scores[1] < scores[2]


def test_a_lower_temperature_makes_texts_more_alike(fitted):
    different = [
        len(set(drawn(fitted, Setting("x", temperature=temperature))))
        for temperature in (1, 0.3, 0)
    ]
    assert different[0] > 190 > different[1] > different[2] == 2


def test_a_loop_is_cut_at_the_length_of_the_longest_text():
    fitted = ngram.fit(["a b a b a b a b c", "a b a b a b"], np.array([0, 0]), 1, SPEC)
    (text,) = ngram.sample(
        fitted.weights, Setting("x", temperature=0), np.array([0]), ([], np.array([])), 0
    )
    assert text == "a b a b a b a b a"


@pytest.mark.parametrize("order", [1, 2, 5])
def test_other_orders_fit_and_draw(order):
    texts, labels = complaints(30)
    found = ngram.fit(texts, labels, 2, NGram(order, seed=1000))
    assert len(found.losses) == order + 1 and np.isfinite(found.losses).all()
    for setting in (ADDITIONAL, VARIATIONS):
        assert len(drawn(found, setting, examples=(texts, labels))) == 200


def test_a_second_round_learns_from_the_samples_alone(fitted):
    labels = np.arange(120) % 2
    samples = drawn(fitted, labels=labels)
    again = ngram.fit([text.replace("Monday", "Sunday") for text in samples], labels, 2, SPEC)
    texts = drawn(again)
    assert right(texts, LABELS) > 0.7
    assert any("Sunday" in text for text in texts) and not any("Monday" in text for text in texts)


def test_few_texts_are_enough_for_a_model():
    found = ngram.fit(["a b", "c d"], np.array([0, 2]), 3, SPEC)
    assert len(drawn(found, labels=np.array([0, 1, 2]))) == 3


@pytest.mark.parametrize(
    "texts,cause",
    [(["a b"], "got 1"), ([], "got 0"), (["a", " "], "empty"), (["a", 3], "type int")],
)
def test_unusable_texts_are_refused(texts, cause):
    with pytest.raises(BadSamples, match=cause):
        ngram.fit(texts, np.zeros(len(texts), dtype=int), 1, SPEC)


def test_variations_need_an_example_of_each_class(fitted):
    with pytest.raises(BadSamples, match="class 1 has no example"):
        drawn(fitted, VARIATIONS, examples=(["On Monday"], np.array([0])))


def test_the_folds_and_samples_have_streams_of_their_own():
    assert stream(1000, "ngram") != stream(1000, "samples")
