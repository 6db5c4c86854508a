"""ddiv.treatment.texts against its definitions: doses, uniform draws, what is spared, plug-ins; and
the thesaurus.
"""

import csv
import hashlib
import json
import re
import sys
from collections import Counter
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, chisquare

from ddiv.common.errors import TrialFailed
from ddiv.data.worlds import complaints as world
from ddiv.treatment import synonyms as S
from ddiv.treatment import texts as A
from ddiv.treatment.texts import AUGMENTATIONS, augment
from tests.support.paths import SHARED_DATA

torch.set_num_threads(1)
# ten words that all have synonyms of one word, none of them a synonym of another
TEN = [
    "charged",
    "account",
    "refused",
    "wrong",
    "documents",
    "immediately",
    "customer",
    "letter",
    "explain",
    "vehicle",
]


def seeded(seed=1000):
    return torch.Generator().manual_seed(seed)


def array(*texts):
    out = np.empty(len(texts), dtype=object)
    out[:] = texts
    return out


def repeated(text, n):
    return array(*[text] * n)


def single(word):
    return {synonym for synonym in S.thesaurus()[word] if " " not in synonym}


@pytest.fixture
def one_word_synonyms(monkeypatch):
    """The thesaurus without synonyms of several words, so that words can be counted."""
    entries = {word: tuple(sorted(single(word))) for word in TEN}
    monkeypatch.setattr(S, "thesaurus", lambda: entries)
    S.synonyms.cache_clear()
    yield entries
    S.synonyms.cache_clear()


@pytest.fixture(scope="module")
def letters():
    labels = [number % len(world.FINETUNE_CLASSES) for number in range(300)]
    return array(*world.write(world.FINETUNE_CLASSES, labels, world.REGISTERS[0], 1000))


# --- all of them -------------------------------------------------------------------------------


def test_names():
    assert " ".join(AUGMENTATIONS) == (
        "synonym10 synonym30 insertion10 insertion30 swap10 swap30 deletion10 deletion30 "
        "eda10 eda30"
    )
    assert A.parse("swap7") == ("swap", 7, "thesaurus")
    assert A.parse("eda100-wordnet") == ("eda", 100, "wordnet")
    for name in (
        "swap",
        "swap0",
        "swap07",
        "swap101",
        "swap-3",
        "Swap30",
        "swap30 ",
        "swap30\n",
        "swap30-wordnet",
        "deletion10-wordnet",
    ):
        assert A.parse(name) is None, name


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_generator_alone_decides(name, letters):
    before, kept = torch.get_rng_state(), letters.copy()
    out = augment(name, letters, seeded())
    assert (out == augment(name, letters, seeded())).all()
    assert (out != augment(name, letters, seeded(1001))).mean() > 0.7
    assert (
        torch.equal(before, torch.get_rng_state())
        and (letters == kept).all()
        and out is not letters
    )
    assert (
        out.dtype == object
        and out.shape == letters.shape
        and all(type(text) is str for text in out)
    )


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_identical_texts_become_varied(name):
    out = augment(name, repeated(" ".join(TEN), 200), seeded())
    # of the 40 to 50 outcomes that one change of ten words has, and deletion spares a third
    assert len(set(out)) >= 25


@pytest.mark.parametrize(
    "name", [*AUGMENTATIONS, "synonym100", "insertion100", "swap100", "deletion100", "eda100"]
)
def test_empty_texts_and_single_words(name):
    texts = array("", " \n", "the", "Zyzzyva!", "")
    assert list(augment(name, texts, seeded())) == list(texts)
    assert augment(name, texts[:0], seeded()).shape == (0,)


@pytest.mark.parametrize("name", ["synonym30", "insertion30"])
def test_texts_that_cannot_change_stay_to_the_character(name):
    text = "It  was\n\nnot so, and THEN they\tdid; zyzzyva  "
    assert augment(name, array(text), seeded())[0] == text


def test_a_stronger_dose_changes_more(letters):
    def kept(before, after):
        counts = Counter(before.split()), Counter(after.split())
        return (counts[0] & counts[1]).total() / (counts[0] | counts[1]).total()

    def in_place(before, after):
        return np.mean(
            [one == other for one, other in zip(before.split(), after.split(), strict=True)]
        )

    for operation in ("synonym", "insertion", "deletion", "eda", "swap"):
        alike = in_place if operation == "swap" else kept
        doses = [
            np.mean(list(map(alike, letters, augment(f"{operation}{percent}", letters, seeded()))))
            for percent in (5, 20, 60)
        ]
        assert doses[0] - 0.1 > doses[1] > doses[2] + 0.1, operation


# --- each operation ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "percent,changes", [(1, 1), (10, 1), (19, 1), (20, 2), (30, 3), (79, 7), (100, 10)]
)
def test_synonym_replaces_exactly_its_dose(percent, changes, one_word_synonyms):
    for text in augment(f"synonym{percent}", repeated(" ".join(TEN), 50), seeded()):
        changed = [
            (before, after)
            for before, after in zip(TEN, text.split(), strict=True)
            if before != after
        ]
        assert len(changed) == changes
        assert all(after in one_word_synonyms[before] for before, after in changed)


def test_synonym_draws_places_and_synonyms_uniformly(one_word_synonyms):
    places, taken = Counter(), Counter()
    for text in augment("synonym30", repeated(" ".join(TEN), 4000), seeded()):
        for place, word in enumerate(text.split()):
            if word != TEN[place]:
                places[place] += 1
                taken[TEN[place], word] += 1
    assert places.total() == 12_000 and len(places) == 10
    assert chisquare(list(places.values())).pvalue > 1e-4
    for word, options in one_word_synonyms.items():
        found = [taken[word, option] for option in options]
        assert sum(found) == places[TEN.index(word)]
        assert len(options) == 1 or chisquare(found).pvalue > 1e-4


def test_synonym_takes_all_there_are_where_the_dose_wants_more(one_word_synonyms):
    out = augment("synonym100", repeated("They charged the account on and on", 20), seeded())
    for text in out:
        words = text.split()
        assert words[1] in one_word_synonyms["charged"] and words[3] in one_word_synonyms["account"]
        assert [words[number] for number in (0, 2, 4, 5, 6)] == ["They", "the", "on", "and", "on"]


def test_insertion_adds_exactly_its_dose_anywhere(one_word_synonyms):
    options = set().union(*one_word_synonyms.values())
    assert not options & set(TEN)
    places, taken = Counter(), Counter()
    for text in augment("insertion10", repeated(" ".join(TEN), 4400), seeded()):
        words = text.split()
        (place,) = [number for number, word in enumerate(words) if word in options]
        assert words[:place] + words[place + 1 :] == TEN
        places[place] += 1
        taken[words[place]] += 1
    # before, between and behind ten words
    assert len(places) == 11 and chisquare(list(places.values())).pvalue > 1e-4
    expected = Counter()
    for synonyms in one_word_synonyms.values():
        for synonym in synonyms:
            expected[synonym] += 4400 / len(TEN) / len(synonyms)
    assert chisquare([taken[word] for word in expected], list(expected.values())).pvalue > 1e-4
    for text in augment("insertion30", repeated(" ".join(TEN), 50), seeded()):
        assert [word for word in text.split() if word not in options] == TEN and len(
            text.split()
        ) == 13


def test_swap_draws_pairs_uniformly():
    words = ["zero", "one", "two", "three", "four"]
    pairs = Counter()
    for text in augment("swap20", repeated(" ".join(words), 4000), seeded()):
        after = text.split()
        moved = [number for number in range(5) if after[number] != words[number]]
        assert sorted(after) == sorted(words) and len(moved) == 2
        pairs[tuple(moved)] += 1
    assert len(pairs) == 10 and chisquare(list(pairs.values())).pvalue > 1e-4


def test_swap_makes_exactly_its_dose():
    words = [f"w{number}" for number in range(20)]
    cycles = []
    for text in augment("swap25", repeated(" ".join(words), 400), seeded()):
        order = [int(word[1:]) for word in text.split()]
        assert sorted(order) == list(range(20))
        seen, found = set(), 0
        for start in order:
            found += start not in seen
            while start not in seen:
                seen.add(start)
                start = order[start]
        cycles.append(20 - found)
    # five transpositions make a permutation of their parity with at least 20 - 5 cycles
    assert max(cycles) == 5 and {count % 2 for count in cycles} == {1}


@pytest.mark.parametrize("percent", [10, 30, 65])
def test_deletion_has_its_probability_for_each_word(percent):
    words = [f"w{number}" for number in range(20)]
    kept = Counter()
    for text in augment(f"deletion{percent}", repeated(" ".join(words), 1000), seeded()):
        left = text.split()
        assert [word for word in words if word in left] == left
        kept.update(left)
    assert binomtest(20_000 - kept.total(), 20_000, percent / 100).pvalue > 1e-4
    # the words' counts vary like independent draws: the variance shrinks as they are rarer
    expected = np.full(20, kept.total() / 20)
    spread = ((np.array([kept[word] for word in words]) - expected) ** 2 / expected).sum() / (
        percent / 100
    )
    assert 5 < spread < 50  # chi-square with 19 degrees of freedom: 1e-4 at either end


def test_deletion_leaves_a_random_word():
    left = Counter(augment("deletion100", repeated("one two three four", 2000), seeded()))
    assert (
        set(left) == {"one", "two", "three", "four"}
        and chisquare(list(left.values())).pvalue > 1e-4
    )


def test_eda_draws_one_of_the_four_for_each_text(one_word_synonyms):
    drawn = Counter()
    for text in augment("eda10", repeated(" ".join(TEN), 4000), seeded()):
        words = text.split()
        if len(words) > 10:
            drawn["insertion"] += 1
        elif len(words) < 10 or words == TEN:
            # a deletion may spare all words: probability .9 ** 10
            drawn["deletion"] += 1
        else:
            drawn["swap" if sorted(words) == sorted(TEN) else "synonym"] += 1
    assert (
        chisquare([drawn[name] for name in ("synonym", "insertion", "swap", "deletion")]).pvalue
        > 1e-4
    )


# --- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token,synonym,expected",
    [
        ("charged", "billed", "billed"),
        ("Charged", "billed", "Billed"),
        ("CHARGED", "billed", "BILLED"),
        ("(charged),", "billed", "(billed),"),
        ('"Refuse"...', "turn down", '"Turn down"...'),
        ("bank's", "lender", "lender's"),
        ("Bank’s.", "lender", "Lender’s."),
        ("BANK'S!", "lender", "LENDER'S!"),
        ("--fee--", "charge", "--charge--"),
        ("$fee", "cost", "$cost"),
    ],
)
def test_punctuation_and_case_are_kept(token, synonym, expected):
    assert S.put(synonym, token) == expected


def test_synonyms_whatever_the_case_and_punctuation():
    assert {"billed", "invoiced"} <= set(S.synonyms("charged"))
    for token in ("Charged", "CHARGED,", "(charged)", "charged's", "“charged”"):
        assert S.synonyms(token) == S.synonyms("charged"), token
    for token in (
        "",
        "...",
        "$250.00",
        "XX/XX/2020",
        "_",
        "'s",
        "charged-off",
        "the",
        "The,",
        "I",
        "NOT!",
    ):
        assert S.synonyms(token) == (), token


def test_long_tokens_are_read_in_linear_time():
    assert S.synonyms("a" + "-" * 200_000 + "b") == () == S.synonyms("-" * 200_000)


@pytest.mark.parametrize("name", ["synonym100", "insertion100"])
def test_stop_words_are_spared(name, one_word_synonyms):
    one_word_synonyms.update(dict.fromkeys(("the", "they", "not"), ("planted",)))
    for text in augment(name, repeated("They charged the account, NOT the vehicle", 50), seeded()):
        assert "planted" not in text.lower() and Counter(text.split()) >= Counter(
            ["They", "the", "NOT", "the"]
        )


# --- the thesaurus -----------------------------------------------------------------------------


def test_the_thesaurus_is_well_formed():
    lines = files("ddiv.treatment").joinpath("synonyms.txt").read_text("utf-8").splitlines()
    words = [line.split(": ")[0] for line in lines if not line.startswith("#")]
    assert words == sorted(set(words)) and len(words) > 2000
    for word, found in S.thesaurus().items():
        assert re.fullmatch(r"[a-z][a-z-]*", word) and word not in S.STOP_WORDS, word
        assert found and len(set(found)) == len(found) and word not in found, word
        assert all(re.fullmatch(r"[a-z0-9]+(?:[ -][a-z0-9]+)*", synonym) for synonym in found), word
        assert S.synonyms(word) == found, word


def test_names_of_products_stay():
    for word in [
        "card",
        "cards",
        "credit",
        "debit",
        "savings",
        "checking",
        "deposit",
        "prepaid",
        "payday",
        "title",
        "wallet",
        "line",
    ]:
        assert S.synonyms(word) == (), word


@pytest.mark.parametrize(
    "present,past,running,third",
    [
        ("charge", "charged", "charging", "charges"),
        ("refuse", "refused", "refusing", "refuses"),
        ("notify", "notified", "notifying", "notifies"),
        ("request", "requested", "requesting", "requests"),
        ("cancel", "canceled", "canceling", "cancels"),
    ],
)
def test_inflected_forms_stand_together(present, past, running, third):
    """A verb's forms have synonyms in the same form (spelling apart, those of verbs with regular
    forms).
    """
    assert all(re.search(r"ing\b", synonym) for synonym in S.synonyms(running))
    assert any(synonym.endswith("ed") for synonym in S.synonyms(past))
    assert any(synonym.endswith("s") for synonym in S.synonyms(third))
    assert not any(re.search(r"(?<!e)ed$|ing$", synonym) for synonym in S.synonyms(present))


def test_a_change_of_the_thesaurus_is_noticed():
    """Stored trials were augmented with these synonyms: with another digest here belongs another
    MEANING in ddiv.trial.
    """
    content = json.dumps(dict(S.thesaurus())).encode()
    assert (
        hashlib.sha256(content).hexdigest()
        == "04a9a21a7399420aa81262b91b37b0ad92945105d663c04670ad9d88962ab33e"
    )


def share_with_synonyms(texts):
    words = [word for text in texts for word in re.findall(r"[a-z]+(?:['’][a-z]+)?", text.lower())]
    words = [word for word in words if word not in S.STOP_WORDS and not re.fullmatch("x+", word)]
    return np.mean([bool(S.synonyms(word)) for word in words])


@pytest.mark.parametrize("register", world.REGISTERS)
def test_the_thesaurus_covers_the_world(register):
    labels = [number % len(world.FINETUNE_CLASSES) for number in range(300)]
    least = 0.4 if register == "typos" else 0.6  # a word with a typo in it has no synonyms
    assert share_with_synonyms(world.write(world.FINETUNE_CLASSES, labels, register, 1000)) > least


def test_the_thesaurus_covers_real_complaints():
    shared = SHARED_DATA
    if not (path := shared / "complaints-raw.csv").exists():
        pytest.skip(f"no real complaints at {path}")
    with path.open(newline="", encoding="utf-8") as file:
        narratives = [row["narrative"] for row, _ in zip(csv.DictReader(file), range(500))]
    assert share_with_synonyms(narratives) > 0.6


# --- WordNet, only by name ---------------------------------------------------------------------


class FakeWordNet:
    def __init__(self, version):
        self._version, self.asked = version, []

    def get_version(self):
        return self._version

    def synsets(self, word):
        self.asked.append(word)
        senses = {"loan": [["loan"], ["loanword", "loan"], ["lend", "Loan_Shark", "buy-out"]]}
        return [
            SimpleNamespace(lemma_names=lambda names=names: names) for names in senses.get(word, [])
        ]


@pytest.fixture
def nltk(monkeypatch):
    def install(wordnet):
        corpus = SimpleNamespace() if wordnet is None else SimpleNamespace(wordnet=wordnet)
        monkeypatch.setitem(sys.modules, "nltk", SimpleNamespace(corpus=corpus))
        monkeypatch.setitem(sys.modules, "nltk.corpus", corpus)
        return wordnet

    for function in (S._wordnet, S.synonyms):
        function.cache_clear()
    yield install
    for function in (S._wordnet, S.synonyms):
        function.cache_clear()


def test_wordnet_by_name_gives_all_lemmas_of_all_senses(nltk):
    wordnet = nltk(FakeWordNet("3.0"))
    assert S.synonyms("Loan,", "wordnet") == ("buy out", "lend", "loan shark", "loanword")
    out = augment("synonym100-wordnet", repeated("the Loan, zyzzyva", 40), seeded())
    assert set(out) == {
        f"the {word}, zyzzyva" for word in ("Buy out", "Lend", "Loan shark", "Loanword")
    }
    assert "the" not in wordnet.asked


def test_wordnet_is_never_taken_unasked(nltk, letters):
    wordnet = nltk(FakeWordNet("3.0"))
    for name in AUGMENTATIONS:
        augment(name, letters[:20], seeded())
    assert wordnet.asked == []


def test_missing_wordnet_is_named_with_its_remedy(nltk, monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk", None)
    monkeypatch.setitem(sys.modules, "nltk.corpus", None)
    with pytest.raises(TrialFailed, match=r"NLTK is not installed.*pip install nltk"):
        augment("eda10-wordnet", array("my loan is a loan"), seeded(1001))

    class NoData:
        def get_version(self):
            raise LookupError("Resource wordnet not found")

    nltk(NoData())
    with pytest.raises(TrialFailed, match=r"no data.*nltk.downloader wordnet"):
        augment("synonym10-wordnet", array("my loan"), seeded())
    nltk(FakeWordNet("3.1"))
    with pytest.raises(TrialFailed, match=r"version 3.1"):
        augment("insertion10-wordnet", array("my loan"), seeded())


# --- plug-ins and bad input --------------------------------------------------------------------

PLUGIN = """
import numpy as np, torch

def shouted(texts, generator):
    marks = torch.randint(1, 9, (len(texts),), generator=generator).tolist()
    return [text.upper() + "!" * mark for text, mark in zip(texts, marks)]

def strings(texts, generator): return np.array(list(texts))
def greedy(texts, generator): texts[:] = "mine"; return texts
def fewer(texts, generator): return texts[1:]
def numbers(texts, generator): return [*texts[:-1], 3]
def one(texts, generator): return "a text"
def nothing(texts, generator): return None
def broken(texts, generator): raise OSError("no route to the translator")
"""


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Packages with entry points, installed as far as importlib can tell: name of the package, then
    {name: object}.
    """
    (tmp_path / "ddiv_test_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ddiv_test_plugin", raising=False)

    def install(package, **points):
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        rows = "\n".join(f"{name} = {target}" for name, target in points.items())
        (info / "entry_points.txt").write_text(f"[ddiv.text_augmentations]\n{rows}\n")

    A._plugin.cache_clear()
    yield install
    A._plugin.cache_clear()


def plugin(*names):
    return {name: f"ddiv_test_plugin:{name}" for name in names}


def test_plugins_are_called_with_the_generator(plugins):
    plugins("loud", **plugin("shouted", "strings", "greedy"), swap10="ddiv_test_plugin:broken")
    texts = array("a loan", "", "a fee")
    out = augment("shouted", texts, seeded())
    assert [text.rstrip("!") for text in out] == ["A LOAN", "", "A FEE"] and out.dtype == object
    assert list(out) == list(augment("shouted", texts, seeded()))
    assert (
        len({tuple(augment("shouted", texts, seeded(1000 + number))) for number in range(20)}) > 10
    )
    assert all(type(text) is str for text in augment("strings", texts, seeded()))
    assert set(augment("greedy", texts, seeded())) == {"mine"} and texts[0] == "a loan", (
        "the input was changed"
    )
    augment("swap10", texts, seeded())  # a plug-in does not take the place of what there is


@pytest.mark.parametrize(
    "name,cause",
    [
        ("fewer", "was given 3 texts and gave 2 back"),
        ("numbers", "type int for text 2"),
        ("one", "gave 1 back"),
        ("nothing", "failed .*NoneType"),
        ("broken", "OSError: no route to the translator"),
    ],
)
def test_bad_plugins_are_one_clear_error(plugins, name, cause):
    plugins("bad", **plugin("fewer", "numbers", "one", "nothing", "broken"))
    with pytest.raises(TrialFailed, match=f"'{name}'.*{cause}.*one str for each text"):
        augment(name, array("a loan", "a fee", "a card"), seeded())


def test_plugins_that_cannot_be_loaded_or_told_apart(plugins):
    plugins(
        "first",
        **plugin("shouted"),
        gone="ddiv_test_plugin:gone",
        missing="ddiv_no_such_module:augment",
    )
    plugins("second", shouted="ddiv_test_plugin:strings")
    with pytest.raises(
        ValueError, match=r"ambiguous.*shouted of package first.*strings of package second"
    ):
        augment("shouted", array("a"), seeded())
    for name, cause in {"gone": "AttributeError", "missing": "ddiv_no_such_module"}.items():
        with pytest.raises(
            TrialFailed, match=f"'{name}'.*package first, cannot be loaded.*{cause}"
        ):
            augment(name, array("a"), seeded())
    with pytest.raises(
        ValueError,
        match=r"unknown text augmentation 'nowhere'.*swap30.*plug-ins: gone, missing, shouted",
    ):
        augment("nowhere", array("a"), seeded())


def test_bad_input():
    with pytest.raises(
        ValueError, match=r"unknown text augmentation 'noise30'.*synonym10.*eda30.*none"
    ):
        augment("noise30", array(), seeded())
    for texts in (["a loan"], np.array(["a loan"]), array("a", "b")[None], "a loan"):
        with pytest.raises(ValueError, match=r"object array \(n,\) of str"):
            augment("swap10", texts, seeded())
    with pytest.raises(ValueError, match="text 1 is of type NoneType"):
        augment("swap10", array("a", None), seeded())
