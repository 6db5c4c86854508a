"""The complaints world: the same texts everywhere, that say what their class says, in registers of
graded difficulty.
"""

import hashlib
import random
import re
from collections import Counter, defaultdict

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier

from ddiv.data.load import load
from ddiv.data.worlds import complaints as complaints_world
from ddiv.data.worlds import lexicon
from ddiv.data.worlds.complaints import (
    FINETUNE_CLASSES,
    KINDS,
    MOST_WORDS,
    PRETRAIN_CLASSES,
    REGISTERS,
    WORLD_VERSION,
    pretraining_texts,
    write,
    write_kinds,
)
from ddiv.data.worlds.lexicon import SYNONYMS
from ddiv.data.worlds.named_draws import NamedDraws
from ddiv.study import TwoComplaints

PRODUCTS, ISSUES = tuple(lexicon.PRODUCTS), tuple(lexicon.ISSUES)
EACH_TEN_TIMES = np.repeat(np.arange(60), 10)


def digest(texts):
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def test_texts_are_those_of_this_version():
    """A change of any text must come with another WORLD_VERSION: stored trials are named by it."""
    assert WORLD_VERSION == 1
    assert digest(FINETUNE_CLASSES) == "59fb0cbf0fca1c9e"
    assert {
        register: digest(write(FINETUNE_CLASSES, EACH_TEN_TIMES, register, 1000))
        for register in REGISTERS
    } == {
        "letter": "be1d0f67d2e4d4c1",
        "phone": "0114f9bd47f3652b",
        "terse": "95cda88a0284a3b6",
        "typos": "e7e38690b972a7fa",
    }
    assert digest(pretraining_texts(200, 1000)) == "cc16f8e48c8c8416"


def test_two_kinds_of_issues_share_the_classes_evenly():
    issues = [issue for kind in KINDS.values() for issue in kind]
    assert sorted(issues) == sorted(lexicon.ISSUES) and len(KINDS) == 2
    texts = write_kinds([0, 1] * 40, "letter", 1000)
    whole = write(FINETUNE_CLASSES, EACH_TEN_TIMES, "letter", 1000)
    of = {text: FINETUNE_CLASSES[label] for text, label in zip(whole, EACH_TEN_TIMES)}
    for kind, members in enumerate(KINDS.values()):
        named = [of[text].split(": ") for text in texts[kind::2]]
        assert {issue for _, issue in named} == {*members}  # 30 classes in turns
        assert len({*map(tuple, named)}) == 30
    data = load(TwoComplaints(train_per_class=3, test_per_class=2, version=1))
    assert data.classes == tuple(KINDS) and np.bincount(data.labels).tolist() == [3, 3]
    assert [len(labels) for _, labels in data.tests.values()] == [4] * 4


def test_texts_are_an_array_of_str_and_global_generators_do_not_matter():
    first = write(FINETUNE_CLASSES, [3, 3, 5], "phone", 1000)
    np.random.seed(1), random.seed(1)
    assert (write(FINETUNE_CLASSES, [3, 3, 5], "phone", 1000) == first).all()
    assert (
        first.shape == (3,) and first.dtype == object and all(type(text) is str for text in first)
    )


@pytest.mark.parametrize("register", REGISTERS)
def test_a_text_depends_on_its_class_and_its_place_in_it_alone(register):
    all_of_them = write(FINETUNE_CLASSES, EACH_TEN_TIMES, register, 1001).reshape(60, 10)
    few = write(FINETUNE_CLASSES, [7, 2, 7, 7], register, 1001)
    assert list(few) == [all_of_them[7, 0], all_of_them[2, 0], all_of_them[7, 1], all_of_them[7, 2]]
    assert write((FINETUNE_CLASSES[7],), [0], register, 1001)[0] == all_of_them[7, 0]


@pytest.mark.parametrize("register", REGISTERS)
def test_no_text_comes_twice_within_or_across_seeds(register):
    texts = np.concatenate(
        [write(FINETUNE_CLASSES, EACH_TEN_TIMES, register, seed) for seed in (1000, 1001)]
    )
    assert len(set(texts)) == 1200


def test_split_is_disjoint_complete_and_balanced():
    assert len(set(FINETUNE_CLASSES)) == len(set(PRETRAIN_CLASSES)) == 60
    assert not set(FINETUNE_CLASSES) & set(PRETRAIN_CLASSES)
    for half in (FINETUNE_CLASSES, PRETRAIN_CLASSES):
        products, issues = zip(*(name.split(": ") for name in half))
        assert Counter(products) == dict.fromkeys(PRODUCTS, 6) and Counter(issues) == dict.fromkeys(
            ISSUES, 5
        )


def test_split_is_not_a_regular_pattern():
    """Knowing three corners of a product-issue rectangle must not give away the fourth, as parity
    would.
    """
    taken = np.array(
        [[f"{product}: {issue}" in FINETUNE_CLASSES for issue in ISSUES] for product in PRODUCTS],
        int,
    )
    odd = [
        (taken[a, c] + taken[a, d] + taken[b, c] + taken[b, d]) % 2
        for a in range(10)
        for b in range(a)
        for c in range(12)
        for d in range(c)
    ]
    assert 0.3 < np.mean(odd) < 0.7  # parity: 0


def pattern(phrase):
    """A regular expression for what a phrase of the lexicon may become."""
    whole = ""
    for literal, choice, slot in re.findall(r"([^\[{]+)|\[([^\]]*)\]|\{(\w+)\}", phrase):
        if slot in lexicon.WORDS:
            whole += "(?:" + "|".join(map(re.escape, lexicon.WORDS[slot])) + ")"
        elif choice:
            whole += "(?:" + "|".join(pattern(option) for option in choice.split("|")) + ")"
        else:
            whole += (
                r"[\w$.' ]+"
                if slot
                else re.sub(r"\b(a)\\ ", r"\1n?\\ ", re.escape(literal), flags=re.IGNORECASE)
            )
    return whole


def any_of(phrases):
    return re.compile("|".join(map(pattern, phrases)), re.IGNORECASE)


def test_letters_state_their_product_and_their_issue_and_no_other_issue():
    statements = {
        name: any_of(issue.formal + issue.plain) for name, issue in lexicon.ISSUES.items()
    }
    uses = {name: any_of(product.uses) for name, product in lexicon.PRODUCTS.items()}
    only_used, stated_twice = 0, 0
    for text, label in zip(
        write(FINETUNE_CLASSES, EACH_TEN_TIMES, "letter", 1002), EACH_TEN_TIMES, strict=True
    ):
        product, issue = FINETUNE_CLASSES[label].split(": ")
        stated = [name for name, statement in statements.items() if statement.search(text)]
        assert issue in stated, text
        stated_twice += len(stated) > 1
        parts = lexicon.PRODUCTS[product]
        if not any(name in text for name in parts.formal + parts.plain):
            assert any(name in text for name in parts.shared) and uses[product].search(text), text
            only_used += 1
    assert 0 < only_used < 60  # some call it "my loan", and then say what for
    assert stated_twice == 0


@pytest.mark.parametrize("register", REGISTERS)
def test_texts_are_whole(register):
    for text in write(FINETUNE_CLASSES, EACH_TEN_TIMES, register, 1003):
        assert not re.search(r"[\[\]{}|]|  | \.|^\s|\s$|\n", text), text
        assert text.isascii() and len(text.split()) >= 5


def test_letters_have_the_length_that_training_is_planned_for():
    texts = write(FINETUNE_CLASSES, EACH_TEN_TIMES, "letter", 1004)
    lengths = np.array([len(text.split()) for text in texts])
    assert lengths.max() <= MOST_WORDS and 27 < lengths.mean() < 33
    assert all(text[0].isupper() and text[-1] in ".?" for text in texts)
    assert not [
        text for text in texts if re.search(r"\b(a [aeio]|an [^aeiou])", text, re.IGNORECASE)
    ]


def test_registers_differ_as_their_names_say():
    texts = {
        register: write(FINETUNE_CLASSES, EACH_TEN_TIMES, register, 1005) for register in REGISTERS
    }
    words = {
        register: [set(re.findall(r"[a-z']+", text.lower())) for text in ones]
        for register, ones in texts.items()
    }
    plain = [
        phrase
        for part in (*lexicon.PRODUCTS.values(), *lexicon.ISSUES.values())
        for phrase in part.plain
    ]
    known = set().union(*words["letter"], *map(words_of, plain))
    unknown = {
        register: np.mean([bool(one - known) for one in ones]) for register, ones in words.items()
    }
    assert unknown["letter"] == 0 and unknown["typos"] > 0.9
    assert (
        np.mean([bool(one & {"uh", "um", "okay", "like", "well", "you"}) for one in words["phone"]])
        > 0.5
    )
    length = {
        register: np.mean([len(text.split()) for text in ones]) for register, ones in texts.items()
    }
    assert length["terse"] < 0.75 * length["letter"] < length["phone"]
    assert 500 < len(known) < 2000


def words_of(phrase):
    return set(re.findall(r"[a-z']+", phrase.lower()))


def test_no_word_gives_the_class_away():
    labels = np.repeat(np.arange(60), 50)
    seen = defaultdict(Counter)
    for text, label in zip(
        write(FINETUNE_CLASSES, labels, "letter", 1006), labels.tolist(), strict=True
    ):
        for word in words_of(text):
            seen[word][label] += 1
    common = {
        word: max(counts.values()) / counts.total()
        for word, counts in seen.items()
        if counts.total() >= 30
    }
    assert len(common) > 300 and max(common.values()) < 0.6


def test_a_linear_model_of_words_learns_some_of_it_and_less_of_the_other_registers():
    train = np.repeat(np.arange(60), 12)
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = RidgeClassifier(alpha=0.3, solver="sparse_cg").fit(
        tfidf.fit_transform(write(FINETUNE_CLASSES, train, "letter", 1008)), train
    )
    tests = {
        register: tfidf.transform(write(FINETUNE_CLASSES, EACH_TEN_TIMES, register, 1009))
        for register in REGISTERS
    }
    accuracy = {register: model.score(test, EACH_TEN_TIMES) for register, test in tests.items()}
    assert 0.35 < accuracy["letter"] < 0.7
    assert all(
        0.15 < accuracy[register] < accuracy["letter"] - 0.03 for register in REGISTERS[1:]
    ), accuracy


def test_pretraining_shows_every_other_class_in_every_register_and_none_to_be_learned(monkeypatch):
    made, text = Counter(), complaints_world._text

    def spy(name, register, key):
        made[name, register] += 1
        return text(name, register, key)

    monkeypatch.setattr(complaints_world, "_text", spy)
    texts = pretraining_texts(3000, 1000)
    assert {name for name, _ in made} == set(PRETRAIN_CLASSES)
    shares = {
        one: sum(count for (_, register), count in made.items() if register == one) / 3000
        for one in REGISTERS
    }
    assert shares == pytest.approx(
        {"letter": 1 / 2, "phone": 1 / 6, "terse": 1 / 6, "typos": 1 / 6}, abs=0.03
    )
    assert len(set(texts)) == 3000
    assert (
        list(pretraining_texts(20, 1000)) == list(texts[:20]) != list(pretraining_texts(20, 1001))
    )
    written = [write(PRETRAIN_CLASSES, EACH_TEN_TIMES, register, 1000) for register in REGISTERS]
    assert not set(texts) & set(np.concatenate(written))


def test_synonyms_are_single_words_that_the_texts_use():
    used = set().union(*map(words_of, pretraining_texts(3000, 1001)))
    assert len(SYNONYMS) > 30
    for group in SYNONYMS:
        assert len(set(group)) == len(group) > 1 and all(
            re.fullmatch("[a-z]+", word) for word in group
        )
        assert len(used & set(group)) > 1, group


def test_lexicon_is_consistent():
    assert {issue for _, issues in lexicon.EVIDENCE for issue in issues} == set(ISSUES)
    assert all(len(issues) > 1 for _, issues in lexicon.EVIDENCE)  # none gives the issue away
    shared = Counter(name for product in lexicon.PRODUCTS.values() for name in product.shared)
    assert all(count > 1 for count in shared.values())
    names = [
        name for product in lexicon.PRODUCTS.values() for name in product.formal + product.plain
    ]
    assert len(set(names)) == len(names)
    statements = [
        phrase for issue in lexicon.ISSUES.values() for phrase in issue.formal + issue.plain
    ]
    assert all(len(re.findall(r"\{(?:it|one)\}", phrase)) >= 1 for phrase in statements)


@pytest.mark.parametrize(
    "classes, labels, register, seed, message",
    [
        (FINETUNE_CLASSES, [0], "fax", 0, "unknown register 'fax'"),
        (FINETUNE_CLASSES, [60], "letter", 0, "must lie in 0..59"),
        (FINETUNE_CLASSES, [-1], "letter", 0, "must lie in"),
        (FINETUNE_CLASSES, [0.5], "letter", 0, "whole numbers"),
        (FINETUNE_CLASSES, [[0]], "letter", 0, "one row"),
        (FINETUNE_CLASSES, [0], "letter", -1, "seed must be"),
        (FINETUNE_CLASSES, [0], "letter", 1.5, "seed must be"),
        (("yacht loan: sunk",), [0], "letter", 0, "yacht loan: sunk"),
    ],
)
def test_bad_input_is_refused(classes, labels, register, seed, message):
    with pytest.raises(ValueError, match=message):
        write(classes, labels, register, seed)


def test_bad_numbers_of_pretraining_texts_are_refused_and_none_are_none():
    with pytest.raises(ValueError, match="number of texts"):
        pretraining_texts(-1, 0)
    with pytest.raises(ValueError, match="seed must be"):
        pretraining_texts(1, -1)
    assert pretraining_texts(0, 0).shape == write(FINETUNE_CLASSES, [], "letter", 0).shape == (0,)


def test_named_draws_are_shake_256_of_the_name():
    numbers = np.frombuffer(
        hashlib.shake_256(b"a name/0").digest(512) + hashlib.shake_256(b"a name/1").digest(512),
        "<u4",
    )
    draws = NamedDraws("a name")
    assert [draws.below(2**32) for _ in range(256)] == numbers.tolist()


def test_named_draws_are_uniform():
    draws = NamedDraws("uniform")
    counts = np.bincount([draws.below(7) for _ in range(7000)], minlength=7)
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5  # chi-squared, 6 degrees of freedom, p = .001
    assert np.mean([draws.chance(0.3) for _ in range(5000)]) == pytest.approx(0.3, abs=0.025)
    orders = Counter(tuple(draws.shuffled("abc")) for _ in range(6000))
    assert len(orders) == 6 and all(900 < count < 1100 for count in orders.values())
