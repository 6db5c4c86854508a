"""A profile: its studies and its seeds."""

from __future__ import annotations

import msgspec

from ddiv.study import Study

# Their names; a user's own profile is called as its file is.
BUILT_IN = ("embedded", "full", "smoke", "paper", "authors")


class Profile(msgspec.Struct, frozen=True):
    """The studies of a run.

    Every claim starts with `seeds` seeds. Undecided claims get more, up to `max_seeds`, or up to
    `headline_seeds` where they are marked as `headline` (0: as all others). On the studies of
    `study_seeds`, by name, none gets more than the number there: these are dear, and claims
    that need more are decided on others.
    """

    name: str
    title: str
    studies: tuple[Study, ...]
    seeds: int
    max_seeds: int
    headline_seeds: int = 0
    study_seeds: dict[str, int] = {}


class UnknownProfile(ValueError):
    """There is no profile of this name; the message lists the names."""
