"""Evidence that may be looked at after every seed: effects in, an anytime-valid verdict out.

Pure functions.

- ``capital``: the e-processes themselves, the capital of a bet on positive effects after each
  seed;
- ``bounds``: the confidence sequences that they give when turned round;
- ``verdicts``: the questions (a direction, all or some of several comparisons, equivalence) and
  their `Evidence`;
- ``patterns``: two effects that oppose or agree, a curve with a peak inside;
- ``effects``: per-seed effects of ladders of doses, of orderings, of correlations over arms; where
  a curve peaks or turns negative;
- ``fixed``: the same questions put to a fixed sample, by the exact sign test;
- ``combine``: e-values of several studies or claims made into one, or selected from at a false
  discovery rate; controls pooled.

An e-value is a number, 0 or more, whose expectation is at most 1 if the hypothesis that it speaks
against is true; an e-process is one after every seed, an e-value at any time at which one may
choose to stop. By Ville's inequality it ever reaches 1/alpha with probability at most alpha
(Ramdas, Grunwald, Vovk and Shafer, Statistical Science 2023, "Game-theoretic statistics and safe
anytime-valid inference").
"""

from ddiv.evidence.capital import METHODS, MOST_SEEDS, Method, log_capital
from ddiv.evidence.combine import (
    Listed,
    Pooled,
    Row,
    average,
    claims_over_studies,
    ebh,
    over_studies,
    pooled_controls,
    product,
    rows_listed,
)
from ddiv.evidence.effects import (
    best_share,
    last_share,
    linear_correlations,
    mean_of_seeds,
    rank_correlations,
    steps,
    student,
    trend,
)
from ddiv.evidence.fixed import decided_exactly
from ddiv.evidence.patterns import alike, opposed, peaked, somewhere_opposed
from ddiv.evidence.verdicts import FALLS, RISES, Evidence, Verdict, equivalent, every, judge, some

__all__ = [
    "FALLS",
    "METHODS",
    "MOST_SEEDS",
    "RISES",
    "Evidence",
    "Listed",
    "Method",
    "Pooled",
    "Row",
    "Verdict",
    "alike",
    "average",
    "best_share",
    "claims_over_studies",
    "decided_exactly",
    "ebh",
    "equivalent",
    "every",
    "judge",
    "last_share",
    "linear_correlations",
    "log_capital",
    "mean_of_seeds",
    "opposed",
    "over_studies",
    "peaked",
    "pooled_controls",
    "product",
    "rank_correlations",
    "rows_listed",
    "some",
    "somewhere_opposed",
    "steps",
    "student",
    "trend",
]
