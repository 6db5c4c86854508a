"""Verdicts on a fixed sample: all replicates that there are, and none will follow.

Published studies cannot be asked for another seed, so nothing is to be said at any time but the
last. The exact two-sided sign test over the replicates decides at alpha: with k of n effects in the
claimed direction (a tie is in neither), p = 2 P(Binomial(n, 1/2) >= k). Several comparisons combine
as for bets: all must hold, each by its own test (an intersection-union test: Berger, Technometrics
1982); that any goes against the claim is tested at alpha over their number (Bonferroni). With five
replicates or fewer no verdict can fall at .05.

It is exact where the replicates are independent. Published studies that share weights, code and
data are not quite, so even this p is generous.
"""

from __future__ import annotations

import msgspec

from ddiv.evidence.verdicts import Evidence


def decided_exactly(bets: Evidence, exact: Evidence) -> Evidence:
    """The evidence of bets on a fixed sample, with the verdict, interval and p of the exact test.

    Both are of the same effects, `exact` by the method "exact". The capitals stay those of bets:
    only these are e-values, as lists over a run take them.
    """
    likelier = max(exact.e_for, exact.e_against)
    return msgspec.structs.replace(
        bets,
        verdict=exact.verdict,
        decided_at=exact.decided_at,
        interval=exact.interval,
        method="exact",
        effects=exact.effects,
        effect=exact.effect,
        standardised=exact.standardised,
        spread=exact.spread,
        spread_level=exact.spread_level,
        p=min(1.0, 1.0 / likelier),
    )
