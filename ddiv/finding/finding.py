"""The answer to a question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from ddiv.claim import Derived, Effects
from ddiv.evidence import Evidence, Verdict
from ddiv.finding.asked import Asked
from ddiv.finding.calibration import Calibration


class Estimated(NamedTuple):
    """A curve (`ddiv.claim.Curve`) over seeds: means at its places, and the ends of 95 % intervals
    by Student's t; NaN where there are too few seeds. Ratios are no logarithms any more.
    """

    name: str
    at: tuple[str, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    seeds: int
    ratio: bool = False


@dataclass(frozen=True)
class Finding:
    """The answer: evidence as claimed, evidence on what is specific beside it, and caveats.

    - `effects`: the question's, a row a seed; `derived`: further numbers read off them, such as a
      threshold;
    - `specific`: None where there is no such verdict; `specific_effects`: its effects, a row a
      seed; `specific_unmatched`: the seeds at which it cannot be told; `specific_note`: why there
      is none, or what it lacks; `calibration`: what it rests on (`ddiv.finding.specific`);
    - `estimates`: what the question tells in detail (`ddiv.finding.estimates`);
    - `definitions`: (name, verdict) under every named definition of the outcome, that of the claim
      first (empty where there is one only);
    - `caveats`: sentences;
    - `withheld`: the fits behind the outcome cannot be relied on, or its calibration error is
      mostly what a calibrated network would show too, so the verdict is inconclusive whatever the
      effects;
    - `hardly_trained`: arms, or the baseline, hardly fit their training set;
    - `negligible`: the median effect is below the smallest of interest, whatever its sign; None
      where that cannot be told (`ddiv.finding.negligible`).
    """

    asked: Asked
    evidence: Evidence
    effects: tuple[Effects, ...]
    specific: Evidence | None = None
    specific_note: str | None = None
    specific_effects: tuple[Effects, ...] = ()
    specific_unmatched: tuple[int, ...] = ()
    calibration: Calibration | None = field(default=None, repr=False)
    definitions: tuple[tuple[str, Verdict], ...] = ()
    caveats: tuple[str, ...] = ()
    withheld: bool = False
    derived: tuple[Derived, ...] = ()
    estimates: tuple[Estimated, ...] = ()
    jobs: tuple[str, ...] = field(default=(), repr=False)
    hardly_trained: bool = False
    negligible: bool | None = None

    @property
    def judged(self) -> Evidence:
        """The evidence that the claim is judged by (`Claim.judged_by`).

        Where that is the specific one and there is none, it is that as claimed, which then decides
        nothing.
        """
        if self.asked.claim.judged_by == "claimed":
            return self.evidence
        return self.specific or withheld(self.evidence)

    @property
    def judged_effects(self) -> tuple[Effects, ...]:
        """The effects that the claim is judged by, a row a seed."""
        specific = self.asked.claim.judged_by == "specific" and self.specific
        return self.specific_effects if specific else self.effects


def withheld(evidence: Evidence) -> Evidence:
    """The same evidence with the verdict inconclusive: unreliable numbers decide nothing."""
    return msgspec.structs.replace(evidence, verdict="inconclusive", decided_at=None)
