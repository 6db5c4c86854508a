"""How many seeds a question gets: one more while it can still decide."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ddiv.finding.asked import Asked
from ddiv.finding.finding import Finding

# A control that comes out supported fails the run, so each is judged at a fiftieth of the level: a
# run with up to fifty controls then raises a false alarm with probability alpha at most. Twelve
# seeds that agree reach that bar.
CONTROL_SHARE, CONTROL_SEEDS = 50, 12


def replicate(
    asked: Asked,
    obtain: Callable[[Asked], Finding],
    most: int,
    in_time: Callable[[], bool] = lambda: True,
) -> Finding:
    """Answer with the seeds of `asked`, and with one more at a time while that can still decide and
    is in time.

    obtain(asked) answers a question, measuring first what it needs; most: the seeds after which no
    more are asked for.
    """
    finding = obtain(asked)
    while undecided(finding, most) and in_time():
        asked = msgspec.structs.replace(asked, seeds=(*asked.seeds, max(asked.seeds) + 1))
        finding = obtain(asked)
    return finding


def undecided(finding: Finding, most: int) -> bool:
    """Whether more seeds, up to `most`, could still decide, if all of them agreed.

    A control gets up to CONTROL_SEEDS, as long as it could still come out supported.
    """
    asked, effects = finding.asked, finding.effects
    awaited = {"supported"} if asked.claim.control else {"supported", "contradicted"}
    left = (max(most, CONTROL_SEEDS) if asked.claim.control else most) - len(effects)
    if left < 1 or finding.withheld or finding.evidence.verdict != "inconclusive":
        return False
    return any(
        asked.question.judge([*effects, *[row] * left], asked.alpha).verdict in awaited
        for row in asked.question.extremes(effects)
    )
