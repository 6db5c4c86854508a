"""The answer to a question."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from ddiv.claim import Derived, Effects
from ddiv.evidence import Evidence, Verdict
from ddiv.finding.asked import Asked


@dataclass(frozen=True)
class Finding:
    """The answer: evidence at equal epochs, fit-matched evidence beside it, and caveats.

    - `effects`: the question's, a row a seed; `derived`: further numbers read off them, such as a
      threshold;
    - `matched_note`: where the fit could not be matched;
    - `definitions`: (name, verdict) under every named definition of the outcome, that of the claim
      first (empty where there is one only);
    - `caveats`: sentences;
    - `withheld`: the power-law fits behind the outcome cannot be relied on, so the verdict is
      inconclusive whatever the effects;
    - `hardly_trained`: arms, or the baseline, hardly fit their training set.
    """

    asked: Asked
    evidence: Evidence
    effects: tuple[Effects, ...]
    matched: Evidence | None = None
    matched_seeds: tuple[int, ...] = ()
    matched_note: str | None = None
    definitions: tuple[tuple[str, Verdict], ...] = ()
    caveats: tuple[str, ...] = ()
    withheld: bool = False
    derived: tuple[Derived, ...] = ()
    jobs: tuple[str, ...] = field(default=(), repr=False)
    hardly_trained: bool = False


def withheld(evidence: Evidence) -> Evidence:
    """The same evidence with the verdict inconclusive: unreliable numbers decide nothing."""
    return msgspec.structs.replace(evidence, verdict="inconclusive", decided_at=None)
