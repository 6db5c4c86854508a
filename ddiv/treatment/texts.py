"""Text augmentation by small edits of words, drawn per text: EDA.

Source: Wei and Zou (2019), "Easy data augmentation", section 2.

A name is an operation and its strength in percent, as in "swap30". Of a text of w words (split at
white space, each with its punctuation) with n = max(1, w * percent // 100):

- synonym: n random words that have synonyms (all, if fewer have) are replaced by a random one of
  theirs;
- insertion: n times, a random synonym of a random word of the text goes to a random place;
- swap: n times, two random words change places;
- deletion: each word is dropped with that probability; where none would be left, a random one
  stays;
- eda: one of these four, drawn for each text, as Wei and Zou's augmented set mixes them.

Stop words are never replaced or drawn on for insertion. `ddiv.treatment.synonyms` says where
synonyms come from; "-wordnet" after synonym, insertion or eda ("eda10-wordnet") takes WordNet
instead. Two things differ from Wei and Zou's code: it replaces every occurrence of a chosen word,
so that the dose depends on repetitions, and it never inserts at the end; here n words are replaced,
and a word may be inserted at any place.

Other augmentations, such as back-translation, come from plug-ins: an installed package with an
entry point in the group "ddiv.text_augmentations". Its name is the augmentation's; its object is a
callable(texts, generator) -> texts that takes an object array (n,) of str and the torch.Generator
(CPU) that all its draws should come from, and gives a sequence of n str. In its pyproject.toml:

    [project.entry-points."ddiv.text_augmentations"]
    back-translation = "my_package.translate:augment"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from ddiv.common.errors import TrialFailed
from ddiv.common.texts import as_texts
from ddiv.treatment.synonyms import THESAURUS, WORDNET, put, synonyms

AUGMENTATIONS = tuple(
    f"{operation}{percent}"
    for operation in ("synonym", "insertion", "swap", "deletion", "eda")
    for percent in (10, 30)
)

"""The names that the studies use; other strengths from 1 to 100 work too."""

GROUP = "ddiv.text_augmentations"

T = TypeVar("T")

Plugin = Callable[[np.ndarray, torch.Generator], Sequence[str] | np.ndarray]

_NAME = re.compile(
    "(?P<operation>synonym|insertion|swap|deletion|eda)(?P<percent>100|[1-9][0-9]?)(?P<wordnet>-wordnet)?"
)


class Edit(NamedTuple):
    """The meaning of a name: an operation, its strength in percent and the source of synonyms."""

    operation: str
    percent: int
    source: str


class _Draws:
    """Uniform draws, made in bulk and handed out one by one."""

    def __init__(self, count: int, generator: torch.Generator):
        draws: list[float] = torch.rand(count, generator=generator, dtype=torch.float64).tolist()
        self.uniform = iter(draws).__next__

    def below(self, n: int) -> int:
        return int(self.uniform() * n)

    def pick(self, options: Sequence[T]) -> T:
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
    sources = [options for word in words if (options := synonyms(word, edit.source))]
    for _ in range(n if sources else 0):
        words.insert(draws.below(len(words) + 1), draws.pick(draws.pick(sources)))
    return words


def _swap(words: list[str], n: int, edit: Edit, draws: _Draws) -> list[str]:
    for _ in range(n if len(words) > 1 else 0):
        first, second = draws.below(len(words)), draws.below(len(words) - 1)
        second += second >= first
        words[first], words[second] = words[second], words[first]
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
    """The meaning of one of the names above, None for any other."""
    match = _NAME.fullmatch(name)
    if not match or (match["wordnet"] and match["operation"] in ("swap", "deletion")):
        return None
    source = WORDNET if match["wordnet"] else THESAURUS
    return Edit(match["operation"], int(match["percent"]), source)


def require(name: str) -> None:
    """Raise ValueError as `augment` does on a name of no augmentation."""
    if parse(name) is None:
        _plugin(name)


def augment(name: str, texts: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Every text of an object array (n,) of str edited with its own random draws, as a new array.

    `name` is an operation and its strength, 1 to 100 percent (`AUGMENTATIONS` and the module's
    docstring), or a plug-in's. All draws come from `generator` (CPU) alone. An empty text stays
    empty and a text whose words do not change stays as it is, to the character; in others white
    space between words becomes single spaces.

    Raises ValueError for an unknown name (listing the known ones) or texts of another kind;
    TrialFailed where a plug-in fails or gives anything but one str for each text, and where WordNet
    is asked for by name and is not there.
    """
    edit = parse(name)
    change = partial(_edited, edit) if edit else partial(_plugged, name, _plugin(name))
    if not isinstance(texts, np.ndarray) or texts.dtype != object or texts.ndim != 1:
        raise ValueError("texts must be an object array (n,) of str")
    if wrong := [number for number, text in enumerate(texts) if not isinstance(text, str)]:
        raise ValueError(
            f"texts must be str, and text {wrong[0]} is of type {type(texts[wrong[0]]).__name__}"
        )
    return change(texts, generator)


def _edited(edit: Edit, texts: np.ndarray, generator: torch.Generator) -> np.ndarray:
    split = [text.split() for text in texts]
    changes = [max(1, len(words) * edit.percent // 100) for words in split]
    names = list(_OPERATIONS)
    operations = [edit.operation] * len(texts)
    if edit.operation == "eda":
        numbers = torch.randint(len(names), (len(texts),), generator=generator).tolist()
        operations = [names[number] for number in numbers]
    # An insertion takes 3 draws for each change, a deletion one for each word and one more; the
    # others take fewer.
    count = sum(max(3 * n, len(words) + 1) for words, n in zip(split, changes, strict=True))
    draws = _Draws(count, generator)
    out = np.empty(len(texts), dtype=object)
    rows = zip(texts, split, changes, operations, strict=True)
    for number, (text, words, n, operation) in enumerate(rows):
        edited = _OPERATIONS[operation](list(words), n, edit, draws) if words else words
        out[number] = text if edited == words else " ".join(edited)
    return out


@cache
def _plugin(name: str) -> Plugin:
    installed = entry_points(group=GROUP)
    points = installed.select(name=name)
    if not points:
        none = f"none (no package with a {GROUP} entry point is installed)"
        plugins = ", ".join(sorted(installed.names)) or none
        raise ValueError(
            f"unknown text augmentation {name!r}; known: {', '.join(AUGMENTATIONS)} (any strength "
            "from 1 to 100 percent, '-wordnet' after synonym, insertion and eda); plug-ins: "
            f"{plugins}"
        )
    if len({point.value for point in points}) > 1:
        origins = " and ".join(sorted(map(_origin, points)))
        raise ValueError(
            f"text augmentation {name!r} is ambiguous, {origins} have it: uninstall one of them"
        )
    point = next(iter(points))
    try:
        plugin: Plugin = point.load()
    except Exception as error:
        raise TrialFailed(
            f"text augmentation {name!r}, {_origin(point)}, cannot be loaded "
            f"({type(error).__name__}: {error}): repair or uninstall the package"
        ) from error
    return plugin


def _origin(point: EntryPoint) -> str:
    return f"{point.value} of package {point.dist.name if point.dist else 'unknown'}"


def _plugged(
    name: str, plugin: Plugin, texts: np.ndarray, generator: torch.Generator
) -> np.ndarray:
    call = f"text augmentation {name!r} (a plug-in) was given {len(texts)} texts and"
    remedy = "it must give a sequence of one str for each text"
    try:
        answer = plugin(texts.copy(), generator)
        edited: list[object] = [answer] if isinstance(answer, str) else list(answer)
    except Exception as error:
        raise TrialFailed(f"{call} failed ({type(error).__name__}: {error}): {remedy}") from error
    if len(edited) != len(texts):
        raise TrialFailed(f"{call} gave {len(edited)} back: {remedy}")
    for number, text in enumerate(edited):
        if not isinstance(text, str):
            raise TrialFailed(
                f"{call} gave something of type {type(text).__name__} for text {number}: {remedy}"
            )
    return as_texts(edited)
