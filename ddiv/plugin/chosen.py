"""What `-k` chooses among claims: the name of a family means that family, and nothing else.

pytest looks for the words of `-k` in all names of a test. Claims on augmentation name dropout where
they compare the two, so `-k dropout` would train both families. So a word that is the name of a
family (`dropout`, `weight_decay`; the claims of `test_weight_decay.py`) chooses the claims of that
family, with the controls that guard it. Other words, and tests that are no claims, are left to
pytest; so is a word with a hyphen that stands in the name of a test: `as-coded` is part of names of
studies, `as_coded` a family.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Generator, Iterable, Sequence
from typing import TypeGuard

import pytest

from ddiv.claim import Claim
from ddiv.plugin import is_claim
from ddiv.plugin.session import SESSION

# A word of an expression, as pytest reads it.
_WORD = re.compile(r"[\w:+.\[\]\\/-]+")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Give each item the keywords of its families before pytest looks at `-k`, and note where that
    chose no claim.
    """
    typed = str(config.option.keyword or "")
    claims = [item.obj.claim for item in items if _is_claim(item)]
    families = list(dict.fromkeys(word for claim in claims for word in _families(claim)))
    if typed and claims:
        names = [item.name.lower() for item in items]
        config.option.keyword = _of_families(typed, families, names)
        for item in items:
            _add_keywords(item, families)
    try:
        yield
    finally:
        config.option.keyword = typed  # a rerun's lines, and whoever else reads it
    if typed and claims and not items:
        config.stash[SESSION].told.append(unmatched(typed, families, claims))


def unmatched(typed: str, families: Sequence[str], claims: Iterable[Claim]) -> str:
    """A line for an expression that chooses no claim: what it could have been."""
    names = [*families, *dict.fromkeys(claim.id for claim in claims)]
    words = [word for word in _WORD.findall(typed) if word not in ("and", "or", "not")]
    near = [name for word in words for name in difflib.get_close_matches(word, names, 1)]
    meant = f" Did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    return (
        f"-k {typed!r} chooses no claim.{meant} The families are {', '.join(families)}; "
        "--collect-only -q lists the claims with their studies"
    )


def _is_claim(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return isinstance(item, pytest.Function) and is_claim(item.obj)


def _families(claim: Claim) -> list[str]:
    """The families that a claim belongs to, as words: its own, and the one that it guards."""
    return [_word(name) for name in (claim.family, claim.guards) if name]


def _word(family: str) -> str:
    return family.lower().replace(" ", "_").replace("-", "_")


def _keyword(family: str) -> str:
    # No other keyword holds it, and it holds no other: pytest looks for parts of names.
    return f"ddiv:{family}:"


def _of_families(typed: str, families: Sequence[str], names: Sequence[str]) -> str:
    """The expression with each word that names a family replaced by the family's keyword."""

    def replaced(match: re.Match[str]) -> str:
        word, written = _word(match[0]), match[0].lower()
        of_a_test = "-" in written and any(written in name for name in names)
        return _keyword(word) if word in families and not of_a_test else match[0]

    return _WORD.sub(replaced, typed)


def _add_keywords(item: pytest.Item, families: Iterable[str]) -> None:
    """A claim has its families'; any other test those whose names pytest would find in its own."""
    if _is_claim(item):
        own = _families(item.obj.claim)
    else:
        names = [*item.listnames(), *item.listextrakeywords()]
        names += [mark.name for mark in item.iter_markers()]
        own = [word for word in families if any(word in name.lower() for name in names)]
    item.extra_keyword_matches.update(map(_keyword, own))
