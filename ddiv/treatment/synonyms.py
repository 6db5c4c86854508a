"""Synonyms of English words, for text augmentation: their sources, and which words have none.

The default is a thesaurus of ddiv's own, `synonyms.txt` beside this file, so that nothing is
downloaded and a trial means the same on every machine. No package on the index fits: nlpaug 1.1.11
(2022) and textaugment 3.0.0 (2026) look words up in NLTK's WordNet, which they download, and draw
from Python's global random state; textattack 0.3.11 (2026) needs flair, datasets and OpenHowNet;
niacin 0.5.2 (2023) carries synonyms, of lemmas alone and with senses mixed, and no longer imports;
wn 1.1.1 (2026) downloads its data, and its release 0.0.23, which carried WordNet's, is abandoned.

WordNet 3.0 through NLTK, Wei and Zou's source, is there for whoever asks for it by name
("synonym30-wordnet") and has the data already: `pip install nltk` and `python -m nltk.downloader
wordnet`. It is never taken in place of the thesaurus.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from ddiv.common.errors import TrialFailed

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

THESAURUS, WORDNET = "thesaurus", "wordnet"

WORDNET_VERSION = "3.0"

# fmt: off
STOP_WORDS = frozenset({
    "i", "me", "my", "myself", "we", "our", "ours", "ourselves", "you", "your", "yours", "yourself",
    "yourselves", "he", "him", "his", "himself", "she", "her", "hers", "herself", "it", "its",
    "itself", "they", "them", "their", "theirs", "themselves", "what", "which", "who", "whom",
    "this", "that", "these", "those", "am", "is", "are", "was", "were", "be", "been", "being",
    "have", "has", "had", "having", "do", "does", "did", "doing", "a", "an", "the", "and", "but",
    "if", "or", "because", "as", "until", "while", "of", "at", "by", "for", "with", "about",
    "against", "between", "into", "through", "during", "before", "after", "above", "below", "to",
    "from", "up", "down", "in", "out", "on", "off", "over", "under", "again", "further", "then",
    "once", "here", "there", "when", "where", "why", "how", "all", "any", "both", "each", "few",
    "more", "most", "other", "some", "such", "no", "nor", "not", "only", "own", "same", "so",
    "than", "too", "very", "s", "t", "can", "will", "just", "don", "should", "now",
})

# fmt: on
"""Wei and Zou's stop words (the list in their code, which was NLTK's at that time).

They are never replaced, and never a source of insertions.
"""

_TOKEN = re.compile(r"(\W*)((?:.*\w)?)(\W*)", re.DOTALL)


@cache
def thesaurus() -> Mapping[str, tuple[str, ...]]:
    """The synonyms of each word of ddiv's own thesaurus, all in lower case.

    Some synonyms have several words.
    """
    lines = files("ddiv.treatment").joinpath("synonyms.txt").read_text("utf-8").splitlines()
    entries = (line.split(": ") for line in lines if not line.startswith("#"))
    return MappingProxyType({word: tuple(synonyms.split(", ")) for word, synonyms in entries})


@lru_cache(maxsize=1 << 17)
def synonyms(token: str, source: str = THESAURUS) -> tuple[str, ...]:
    """The synonyms, in lower case, of the word in a token.

    The token's case, punctuation and possessive 's do not matter. Empty for stop words and words
    without synonyms. `source` is `THESAURUS` or `WORDNET`. Raises TrialFailed where WordNet is
    asked for and NLTK, its data or the right version is not there.
    """
    word = _parts(token)[1].lower()
    if not word or word in STOP_WORDS:
        return ()
    return _of_wordnet(word) if source == WORDNET else thesaurus().get(word, ())


def put(synonym: str, token: str) -> str:
    """The token with a synonym in place of its word.

    Punctuation, possessive 's and case (Word, WORD) are kept.
    """
    before, word, after = _parts(token)
    if len(word) > 1 and word.isupper():
        synonym = synonym.upper()
    elif word[:1].isupper():
        synonym = synonym[:1].upper() + synonym[1:]
    return before + synonym + after


def _parts(token: str) -> tuple[str, str, str]:
    """The characters before the word of a token, the word, and those after it.

    A possessive 's counts as after the word.
    """
    match = _TOKEN.fullmatch(token)
    assert match is not None  # every string matches
    before, word, after = match.groups()
    if word[-2:].lower() in ("'s", "’s"):
        word, after = word[:-2], word[-2:] + after
    return before, word, after


def _of_wordnet(word: str) -> tuple[str, ...]:
    """All lemmas of all senses, as Wei and Zou's code takes them."""
    lemmas = {lemma for synset in _wordnet().synsets(word) for lemma in synset.lemma_names()}
    return tuple(
        sorted({lemma.lower().replace("_", " ").replace("-", " ") for lemma in lemmas} - {word})
    )


@cache
def _wordnet() -> WordNetCorpusReader:
    needed = f"WordNet {WORDNET_VERSION} was asked for by name"
    remedy = "or name the augmentation without '-wordnet' to use ddiv's own thesaurus"
    try:
        from nltk.corpus import wordnet
    except ImportError as error:
        raise TrialFailed(
            f"{needed}, and NLTK is not installed: `pip install nltk`, {remedy}"
        ) from error
    try:
        version = wordnet.get_version()
    except (LookupError, OSError) as error:  # none, or incomplete ones
        raise TrialFailed(
            f"{needed}, and NLTK finds no data of it: `python -m nltk.downloader wordnet` "
            f"(NLTK_DATA names the folder), {remedy}"
        ) from error
    if version != WORDNET_VERSION:
        raise TrialFailed(
            f"{needed}, and NLTK's data are version {version}, which has other synonyms: "
            f"`python -m nltk.downloader wordnet`, {remedy}"
        )
    return wordnet
