"""Text augmentation by small edits of words: EDA (Wei and Zou 2019, "Easy data augmentation",
section 2), drawn per text.

A name is an operation and its strength in percent, as in "swap30". Of a text of w words (split at
white space, each with its punctuation) with n = max(1, w * percent // 100):

- synonym: n random words that have synonyms (all, if fewer have) are replaced by a random one of
  theirs;
- insertion: n times, a random synonym of a random word of the text goes to a random place;
- swap: n times, two random words change places;
- deletion: each word goes with that probability; where none would be left, a random one stays;
- eda: one of these four, drawn for each text, as Wei and Zou's augmented set mixes them.

Stop words are never replaced or drawn on for insertion. Where synonyms come from is told in
`ddiv.text.synonyms`; "-wordnet" after synonym, insertion or eda ("eda10-wordnet") takes WordNet
instead. Two liberties: Wei and Zou's code replaces every occurrence of a chosen word, so that the
dose depends on repetitions, and never inserts at the end; here n words are replaced, and all places
are meant.

Other augmentations, such as back-translation, come from plug-ins: an installed package with an
entry point in the group "ddiv.text_augmentations". Its name is the augmentation's; its object is a
callable(texts, generator) -> texts that takes an object array (n,) of str and the torch.Generator
(CPU) that all its draws should come from, and gives a sequence of n str. In its pyproject.toml:

    [project.entry-points."ddiv.text_augmentations"]
    back-translation = "my_package.translate:augment"
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

import numpy as np
import torch

from ddiv.errors import TrialFailed
from ddiv.text.check import as_texts
from ddiv.text.synonyms import THESAURUS, WORDNET, put, synonyms

AUGMENTATIONS = tuple(
    f"{operation}{percent}"
    for operation in ("synonym", "insertion", "swap", "deletion", "eda")
    for percent in (10, 30)
)
"""The names that the studies use; other strengths from 1 to 100 work too."""

GROUP = "ddiv.text_augmentations"

_NAME = re.compile(
    "(?P<operation>synonym|insertion|swap|deletion|eda)(?P<percent>100|[1-9][0-9]?)(?P<wordnet>-wordnet)?"
)


class Edit(NamedTuple):
    """What a name stands for: an operation, its strength in percent and where synonyms come from."""

    operation: str
    percent: int
    source: str


class _Draws:
    """Uniform draws, made in bulk and handed out one by one."""

    def __init__(self, count: int, generator: torch.Generator):
        self.uniform = iter(
            torch.rand(count, generator=generator, dtype=torch.float64).tolist()
        ).__next__

    def below(self, n: int) -> int:
        return int(self.uniform() * n)

    def pick(self, options):
        return options[self.below(len(options))]


def _synonym(words: list[str], n: int, edit: Edit, draws: _Draws) -> list[str]:
    candidates = [place for place, word in enumerate(words) if synonyms(word, edit.source)]
    for done in range(min(n, len(candidates))):
        chosen = done + draws.below(len(candidates) - done)
        candidates[done], candidates[chosen] = candidates[chosen], candidates[done]
        place = candidates[done]
        words[place] = put(draws.pick(synonyms(words[place], edit.source)), words[place])
    return words


def _insertion(words: list[str], n: int, edit: Edit, draws: _Draws) -> list[str]:
    sources = [found for word in words if (found := synonyms(word, edit.source))]
    for _ in range(n if sources else 0):
        words.insert(draws.below(len(words) + 1), draws.pick(draws.pick(sources)))
    return words


def _swap(words: list[str], n: int, edit: Edit, draws: _Draws) -> list[str]:
    for _ in range(n if len(words) > 1 else 0):
        one, other = draws.below(len(words)), draws.below(len(words) - 1)
        other += other >= one
        words[one], words[other] = words[other], words[one]
    return words


def _deletion(words: list[str], n: int, edit: Edit, draws: _Draws) -> list[str]:
    share = edit.percent / 100
    return [word for word in words if draws.uniform() >= share] or [draws.pick(words)]


_OPERATIONS: dict[str, Callable[[list[str], int, Edit, _Draws], list[str]]] = {
    "synonym": _synonym,
    "insertion": _insertion,
    "swap": _swap,
    "deletion": _deletion,
}


def parse(name: str) -> Edit | None:
    """What one of the names above stands for, None for any other."""
    found = _NAME.fullmatch(name)
    if not found or (found["wordnet"] and found["operation"] in ("swap", "deletion")):
        return None
    return Edit(
        found["operation"], int(found["percent"]), WORDNET if found["wordnet"] else THESAURUS
    )


def require(name: str) -> None:
    """Raise ValueError as `augment` does on a name of no augmentation."""
    if parse(name) is None:
        _plugin(name)


def augment(name: str, texts: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Every text of an object array (n,) of str edited with its own random draws, as a new array of
    the same kind.

    `name` is an operation and its strength, 1 to 100 percent (`AUGMENTATIONS` and the module's
    docstring), or a plug-in's. All draws come from `generator` (CPU) alone. An empty text stays
    empty and a text whose words do not change stays as it is, to the character; in others white
    space between words becomes single spaces.

    Raises ValueError for an unknown name (listing what there is) or texts of another kind;
    TrialFailed where a plug-in fails or gives anything but one str for each text, and where WordNet
    is asked for by name and is not there.
    """
    edit = parse(name)
    call = None if edit else _plugin(name)
    if not isinstance(texts, np.ndarray) or texts.dtype != object or texts.ndim != 1:
        raise ValueError("texts must be an object array (n,) of str")
    if wrong := [number for number, text in enumerate(texts) if not isinstance(text, str)]:
        raise ValueError(
            f"texts must be str, and text {wrong[0]} is of type {type(texts[wrong[0]]).__name__}"
        )
    return _edited(edit, texts, generator) if edit else _plugged(name, call, texts, generator)


def _edited(edit: Edit, texts: np.ndarray, generator: torch.Generator) -> np.ndarray:
    split = [text.split() for text in texts]
    changes = [max(1, len(words) * edit.percent // 100) for words in split]
    names = list(_OPERATIONS)
    operations = [edit.operation] * len(texts)
    if edit.operation == "eda":
        operations = [
            names[number]
            for number in torch.randint(len(names), (len(texts),), generator=generator).tolist()
        ]
    # at most 3 for each change (insertion), or one for each word and one more (deletion)
    draws = _Draws(
        sum(max(3 * n, len(words) + 1) for words, n in zip(split, changes, strict=True)), generator
    )
    out = np.empty(len(texts), dtype=object)
    for number, (text, words, n, operation) in enumerate(
        zip(texts, split, changes, operations, strict=True)
    ):
        edited = _OPERATIONS[operation](list(words), n, edit, draws) if words else words
        out[number] = text if edited == words else " ".join(edited)
    return out


@cache
def _plugin(name: str) -> Callable:
    installed = entry_points(group=GROUP)
    found = installed.select(name=name)
    if not found:
        plugins = (
            ", ".join(sorted(installed.names))
            or f"none (no package with a {GROUP} entry point is installed)"
        )
        raise ValueError(
            f"unknown text augmentation {name!r}; known: {', '.join(AUGMENTATIONS)} (any strength from 1 to "
            f"100 percent, '-wordnet' after synonym, insertion and eda); plug-ins: {plugins}"
        )
    if len({point.value for point in found}) > 1:
        raise ValueError(
            f"text augmentation {name!r} is ambiguous, {' and '.join(sorted(map(_origin, found)))} have it: "
            "uninstall one of them"
        )
    point = next(iter(found))
    try:
        return point.load()
    except Exception as error:
        raise TrialFailed(
            f"text augmentation {name!r}, {_origin(point)}, cannot be loaded ({type(error).__name__}: "
            f"{error}): repair or uninstall the package"
        ) from error


def _origin(point: EntryPoint) -> str:
    return f"{point.value} of package {point.dist.name if point.dist else 'unknown'}"


def _plugged(
    name: str, call: Callable, texts: np.ndarray, generator: torch.Generator
) -> np.ndarray:
    asked = f"text augmentation {name!r} (a plug-in) was given {len(texts)} texts and"
    remedy = "it must give a sequence of one str for each text"
    try:
        given = call(texts.copy(), generator)
        given = [given] if isinstance(given, str) else list(given)
    except Exception as error:
        raise TrialFailed(f"{asked} failed ({type(error).__name__}: {error}): {remedy}") from error
    if len(given) != len(texts):
        raise TrialFailed(f"{asked} gave {len(given)} back: {remedy}")
    for number, text in enumerate(given):
        if not isinstance(text, str):
            raise TrialFailed(
                f"{asked} gave something of type {type(text).__name__} for text {number}: {remedy}"
            )
    return as_texts(given)
