"""Profiles: which studies a run covers, and how large they are."""

from __future__ import annotations

from difflib import get_close_matches

from ddiv.profiles.embedded import embedded, full, smoke
from ddiv.profiles.profile import BUILT_IN, Profile, UnknownProfile
from ddiv.profiles.study_file import _pinned


def paper() -> Profile:
    """The paper's own studies (`ddiv.profiles.paper`), for a GPU machine with the data and the
    weights.
    """
    from ddiv.profiles import paper

    title, studies = "The paper's studies at their own size", map(_pinned, paper.studies())
    return Profile("paper", title, tuple(studies), seeds=3, max_seeds=7)


def authors() -> Profile:
    """The authors' own studies (`ddiv.profiles.authors`), from the tables of their repository.

    Seeds do not matter: the ten are all that there is.
    """
    from ddiv.profiles import authors

    title, studies = "The authors' own published tables", map(_pinned, authors.studies())
    return Profile("authors", title, tuple(studies), seeds=1, max_seeds=1)


PROFILES = dict(zip(BUILT_IN, (embedded, full, smoke, paper, authors), strict=True))


def profile(name: str) -> Profile:
    """The profile of this name. Raises UnknownProfile."""
    if name not in PROFILES:
        near = "".join(f" ({one}?)" for one in get_close_matches(name, PROFILES, n=1))
        raise UnknownProfile(
            f"there is no profile {name!r}{near}; choose one of: {', '.join(PROFILES)}"
        )
    return PROFILES[name]()
