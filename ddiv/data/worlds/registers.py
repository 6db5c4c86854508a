"""Registers: sentences as a letter, a phone call, a note or a text full of typing errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ddiv.data.worlds import lexicon
from ddiv.data.worlds.named_draws import NamedDraws

Say = Callable[[str], str]  # fills in a phrase of the lexicon


class Register(NamedTuple):
    """How a register chooses its sentences, and how it changes them.

    `plain` is its share of plain phrases, `opening` its chance of an opening sentence, `words` the
    range from which the wanted number of words is drawn, before `finish` changes them.
    """

    plain: float
    opening: float
    words: tuple[int, int]
    finish: Callable[[list[str], Say, NamedDraws], str]


_FULL = re.compile(r"\b(" + "|".join(lexicon.CONTRACTIONS) + r")\b", re.IGNORECASE)


def _letter(sentences: list[str], say: Say, draws: NamedDraws) -> str:
    return " ".join(sentences)


def _phone(sentences: list[str], say: Say, draws: NamedDraws) -> str:
    """Speech in lower case: contractions, fillers, repeated words, and the agent's questions.

    Speakers are not marked: a mark that every text of one register has, and no text of the others,
    would be the register's name.
    """
    turns = [say(lexicon.AGENT[0]) + "?"] if draws.chance(0.3) else []
    for sentence in sentences:
        words = []
        contracted = _FULL.sub(lambda match: lexicon.CONTRACTIONS[match[0].lower()], sentence)
        for word in contracted.split():
            if draws.chance(0.06):
                words.append(draws.pick(lexicon.FILLERS))
            words.append(word)
            if draws.chance(0.03):
                words.append(word)
        turns.append(" ".join(words))
        if draws.chance(0.15):
            question = say(draws.pick(lexicon.AGENT[1:]))
            turns.append(f"{question}? {draws.pick(('No.', 'Yes.', 'Okay.'))}")
    return " ".join(turns).lower()


def _terse(sentences: list[str], say: Say, draws: NamedDraws) -> str:
    """Note form: small words left out, others abbreviated."""
    notes = []
    for sentence in sentences:
        words = []
        for word in sentence.lower().split():
            bare = word.rstrip(".,?")
            if bare not in lexicon.DROPPED or draws.chance(0.25):
                shortened = bare in lexicon.SHORT and draws.chance(0.35)
                words.append(lexicon.SHORT[bare] if shortened else bare)
        notes.append(" ".join(words))
    return draws.pick((". ", ", ")).join(note for note in notes if note)


def _typos(sentences: list[str], say: Say, draws: NamedDraws) -> str:
    """Lower case, apostrophes mostly missing, and one in five of the longer words misspelt."""
    words = []
    for word in " ".join(sentences).lower().split():
        if len(word) > 3 and draws.chance(0.2):
            word = _misspelt(word, draws)
        words.append(word.replace("'", "") if draws.chance(0.7) else word)
    return " ".join(words)


_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _misspelt(word: str, draws: NamedDraws) -> str:
    """One letter dropped, doubled, swapped with the next, or replaced by the key on its right."""
    place, error = draws.below(len(word) - 1), draws.below(4)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    if error == 0:
        return before + after
    if error == 1:
        return before + 2 * letter + after
    if error == 2:
        return before + after[0] + letter + after[1:]
    keys = next((keys for keys in _KEYS if letter in keys[:-1]), None)
    return word if keys is None else before + keys[keys.index(letter) + 1] + after


REGISTERS = {
    "letter": Register(0.1, 0.5, (15, 32), _letter),
    "phone": Register(0.6, 0.3, (12, 24), _phone),
    "terse": Register(0.4, 0.15, (14, 30), _terse),
    "typos": Register(0.2, 0.4, (15, 32), _typos),
}
