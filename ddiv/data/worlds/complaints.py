"""The embedded complaints world: complaints about financial products in four registers, by code.

A class is a product with an issue ("car loan: charged twice"). Of the 120 combinations a fixed
random half is for fine-tuning and the other half for pre-training by masked words, so that a
pre-trained model knows every product and every issue but has never seen a fine-tuning class.
`letter` is the register to train in; the others say the same on the `phone`, in note form (`terse`)
and full of `typos`, and serve as shifted test data.

A text states its product and its issue and may mention others in passing. Its every word follows
from the arguments of `write`; there are no files and no global random state.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ddiv.data.worlds import lexicon
from ddiv.data.worlds.checks import checked_labels, checked_seed
from ddiv.data.worlds.named_draws import NamedDraws
from ddiv.data.worlds.registers import REGISTERS as _REGISTERS
from ddiv.data.worlds.registers import Register

WORLD_VERSION = 1  # part of every text's name: raise it when texts change, so old results go stale

REGISTERS = tuple(_REGISTERS)

MOST_WORDS = 48  # of a text before its register changes them


def _split() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two random halves of all combinations.

    Each half has every product 6 times and every issue 5 times. A regular pattern (such as
    alternating squares) would be a rule that a model can learn; this starts from one and shuffles
    it by swaps that keep the row and column totals.
    """
    products, issues = tuple(lexicon.PRODUCTS), tuple(lexicon.ISSUES)
    taken = [[(i + j) % 2 == 0 for j in range(len(issues))] for i in range(len(products))]
    draws = NamedDraws("split of the complaints world")
    for _ in range(4000):
        a, b = draws.below(len(products)), draws.below(len(products))
        c, d = draws.below(len(issues)), draws.below(len(issues))
        if taken[a][c] == taken[b][d] != taken[a][d] == taken[b][c]:
            for i, j in ((a, c), (a, d), (b, c), (b, d)):
                taken[i][j] = not taken[i][j]
    halves: dict[bool, list[str]] = {True: [], False: []}
    for i, product in enumerate(products):
        for j, issue in enumerate(issues):
            halves[taken[i][j]].append(f"{product}: {issue}")
    return tuple(halves[True]), tuple(halves[False])


FINETUNE_CLASSES, PRETRAIN_CLASSES = _split()

_ALL_CLASSES = frozenset(FINETUNE_CLASSES + PRETRAIN_CLASSES)

_CHOICE = re.compile(r"\[([^\[\]]*)\]|\{(\w+)\}")

_A_BEFORE_VOWEL = re.compile(r"\b(a)(?= [aeio])", re.IGNORECASE)

# The share of texts that name their product; the others say "my loan" and how they use it.
_NAMED = 0.95

# Kinds of further sentences, and the chance that a text considers each: most texts are full before
# all have been considered.
_OPTIONAL = (
    ("evidence", 0.6),
    ("other product", 0.2),
    ("other issue", 0.35),
    ("use", 0.9),
    ("story", 0.7),
    ("story", 0.4),
)


class _Writer:
    """Fills in the phrases of one text; the company and the product's name stay the same."""

    def __init__(self, product: str, issue: str, register: str, draws: NamedDraws):
        self._product, self._issue, self._register, self._draws = product, issue, register, draws
        self._company = draws.pick(lexicon.COMPANIES)
        self.named = draws.chance(_NAMED)
        phrases = lexicon.PRODUCTS[product]
        self._name = self.either(phrases) if self.named else draws.pick(phrases.shared)
        self._mentioned = False

    def either(self, phrases: lexicon.Product | lexicon.Issue) -> str:
        """A formal or a plain phrase, by the register's share of plain ones.

        The first phrases of the lexicon are the commonest.
        """
        draws = self._draws
        plain = draws.chance(_REGISTERS[self._register].plain)
        options = phrases.plain if plain else phrases.formal
        return options[min(draws.below(len(options)), draws.below(len(options)))]

    def say(self, phrase: str) -> str:
        """The phrase with every choice made and every slot filled, starting with a capital."""
        count = 1
        while count:  # the text of a choice or a slot may hold further slots
            phrase, count = _CHOICE.subn(lambda match: self._part(match[1], match[2]), phrase)
        phrase = _A_BEFORE_VOWEL.sub(r"\1n", phrase)
        return phrase[0].upper() + phrase[1:]

    def _part(self, choice: str | None, slot: str | None) -> str:
        draws = self._draws
        if choice is not None:
            return draws.pick(choice.split("|"))
        if slot in lexicon.WORDS:
            return draws.pick(lexicon.WORDS[slot])
        match slot:
            case "it" | "one" if not self._mentioned:
                self._mentioned = True
                owner = draws.pick(("my", "my", "my", "the", "this", f"my {self._company}"))
                return f"{owner} {self._name}" if slot == "it" else f"a {self._name}"
            case "one":
                return "it"
            case "it":
                return draws.pick(("it", "it", f"my {self._name}", f"the {self._name}"))
            case "other":
                return self._other_product()
            case "one_other":
                return f"a {self._other_product()}"
            case "passing":
                others = [name for name in lexicon.ISSUES if name != self._issue]
                return draws.pick(lexicon.ISSUES[draws.pick(others)].passing)
            case "they":
                return draws.pick(("they", "they", self._company, "the {firm}"))
            case "company":
                return self._company
            case "person":
                first, last = draws.pick(lexicon.FIRST_NAMES), draws.pick(lexicon.LAST_NAMES)
                short = first if self._register == "phone" else f"{first} {last}"
                return draws.pick((f"{first} {last}", short, f"Mr. {last}", f"Ms. {last}"))
            case "amount":
                amount = draws.pick((1, 10, 10, 100)) * (10 + draws.below(90))
                return f"{amount} dollars" if self._register == "phone" else f"${amount}"
            case "percent":
                return f"{1 + draws.below(36)} percent"
            case "points":
                return str(10 * (2 + draws.below(15)))
            case "month":
                return draws.pick(lexicon.MONTHS)
            case "date":
                month, day = draws.below(12), 1 + draws.below(28)
                number = self._register == "terse"
                return f"{month + 1}/{day}" if number else f"{lexicon.MONTHS[month]} {day}"
        raise KeyError(f"the lexicon has a phrase with an unknown slot {slot!r}")

    def _other_product(self) -> str:
        others = [name for name in lexicon.PRODUCTS if name != self._product]
        return self.either(lexicon.PRODUCTS[self._draws.pick(others)])


def _sentences(
    writer: _Writer, product: str, issue: str, register: Register, draws: NamedDraws
) -> list[str]:
    """The sentences of a text, in order.

    It states its product and issue, and optional sentences follow until it has the wanted number of
    words.
    """
    uses = lexicon.PRODUCTS[product].uses
    head = [writer.say(draws.pick(lexicon.OPENINGS))] if draws.chance(register.opening) else []
    statement = writer.say(writer.either(lexicon.ISSUES[issue]))
    stories: list[str] = []
    # A shared name ("my loan") leaves open which product it is, so the text then always says how it
    # is used.
    others = [] if writer.named else [writer.say(draws.pick(uses))]
    phrases: dict[str, Sequence[str]] = {
        "evidence": [phrase for phrase, issues in lexicon.EVIDENCE if issue in issues],
        "use": uses,
        "other product": lexicon.OTHER_PRODUCT,
        "other issue": lexicon.OTHER_ISSUE,
        "story": lexicon.STORY,
    }
    low, high = register.words
    words, wanted = _words([*head, statement, *others]), low + draws.below(high - low)
    for kind, chance in draws.shuffled(_OPTIONAL):
        if words < wanted and draws.chance(chance):
            sentence = writer.say(draws.pick(phrases[kind]))
            if words + _words([sentence]) <= MOST_WORDS and sentence not in stories + others:
                (stories if kind == "story" else others).append(sentence)
                words += _words([sentence])
    closing = [writer.say(draws.pick(lexicon.DEMANDS))]
    tail = closing if draws.chance(0.5) and words + _words(closing) <= MOST_WORDS else []
    # Only a story can come before the product has been mentioned: other sentences call it "it".
    early = stories[:1] if draws.chance(0.5) else []
    return [*head, *early, statement, *draws.shuffled(others + stories[len(early) :]), *tail]


def _words(sentences: list[str]) -> int:
    return sum(len(sentence.split()) for sentence in sentences)


def _text(name: str, register: str, key: str) -> str:
    product, issue = name.split(": ")
    draws = NamedDraws(f"complaints world {WORLD_VERSION}/{key}")
    writer = _Writer(product, issue, register, draws)
    manner = _REGISTERS[register]
    return manner.finish(_sentences(writer, product, issue, manner, draws), writer.say, draws)


def _checked(
    classes: Sequence[str], labels: Sequence[int] | np.ndarray, register: str
) -> list[int]:
    if register not in REGISTERS:
        raise ValueError(f"unknown register {register!r}; the registers are {', '.join(REGISTERS)}")
    if unknown := [name for name in classes if name not in _ALL_CLASSES]:
        raise ValueError(
            f"unknown class {unknown[0]!r}; the classes are those of FINETUNE_CLASSES and "
            "PRETRAIN_CLASSES"
        )
    numbers: list[int] = checked_labels(labels, len(classes)).tolist()
    return numbers


def write(
    classes: Sequence[str], labels: Sequence[int] | np.ndarray, register: str, seed: int
) -> np.ndarray:
    """Write one text per label: object (n,) of str.

    `labels` are whole numbers (n,) into `classes`, which are names "product: issue". The i-th text
    of a class is fixed by the class's name, i, the register and the seed, whatever else is asked
    for; another seed or register gives independent texts. So training and test texts need different
    seeds. Raises ValueError for an unknown register or class, a label out of range, or a negative
    seed.
    """
    numbers, seed = _checked(classes, labels, register), checked_seed(seed)
    seen: Counter[str] = Counter()
    texts = np.empty(len(numbers), object)
    for row, label in enumerate(numbers):
        name = classes[label]
        texts[row] = _text(name, register, f"{register}/{seed}/{name}/{seen[name]}")
        seen[name] += 1
    return texts


# The issues in two kinds, those about money first: half of the fine-tuning classes are of each.
KINDS = {
    "money": (
        *("unexpected fee", "payment not credited", "charged twice", "unknown transactions"),
        *("refund refused", "frozen account"),
    ),
    "conduct": (
        *("misleading terms", "wrong credit report", "slow application", "harassing calls"),
        *("data shared", "login trouble"),
    ),
}


def write_kinds(labels: Sequence[int] | np.ndarray, register: str, seed: int) -> np.ndarray:
    """Write one text per label, which is a number into `KINDS`: object (n,) of str.

    The texts are those of the fine-tuning classes of that kind (`write`), in turns. Raises as that
    does.
    """
    kinds = checked_labels(labels, len(KINDS))
    classes = np.empty(len(kinds), dtype=int)
    for kind, issues in enumerate(KINDS.values()):
        members = [n for n, name in enumerate(FINETUNE_CLASSES) if name.split(": ")[1] in issues]
        places = np.flatnonzero(kinds == kind)
        classes[places] = np.resize(members, len(places))
    return write(FINETUNE_CLASSES, classes, register, seed)


def pretraining_texts(n: int, seed: int) -> np.ndarray:
    """Texts for masked words: object (n,) of str.

    They are of random PRETRAIN_CLASSES in random registers, half of them letters. They share no
    draw with `write`, and the first n of a longer run are the same. Raises ValueError where n or
    the seed is negative.
    """
    if n < 0:
        raise ValueError(f"the number of texts must be at least 0, got {n}")
    seed = checked_seed(seed)
    texts = np.empty(n, object)
    for row in range(n):
        key = f"pretraining/{seed}/{row}"
        draws = NamedDraws(f"complaints world {WORLD_VERSION}/{key}/class")
        register = draws.pick((*REGISTERS[1:], *REGISTERS[:1] * len(REGISTERS[1:])))
        texts[row] = _text(draws.pick(PRETRAIN_CLASSES), register, key)
    return texts
