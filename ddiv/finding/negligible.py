"""Effects that are too small to matter, whatever their sign and however sure it is.

With enough seeds a verdict on a sign falls on an effect of any size. The unit is what training
alone does to an outcome: the spread over seeds of the effect of an arm that does nothing.
"""

from __future__ import annotations

from ddiv.claim import Contrast, NoWorse, Question, Trend
from ddiv.finding.calibration import Calibration, name_of

# The smallest effect of interest, in units of the spread of an arm that does nothing. Cohen (1988)
# calls an effect of half a standard deviation medium.
SMALLEST = 0.5


def negligible(question: Question, effect: float, calibration: Calibration | None) -> bool | None:
    """Whether the median effect (in `question.unit`) is below the smallest of interest.

    None where that cannot be told: the effect is not a difference of one outcome between arms, or
    the outcome was not calibrated. A mean over arms is compared with the spread of a single one.
    """
    difference = in_unit(question, effect)
    if difference is None or calibration is None or question.outcome is None:
        return None
    spread = calibration.noise.get(name_of(question.outcome))
    return None if spread is None else abs(difference) < SMALLEST * spread


def in_unit(question: Question, effect: float) -> float | None:
    """A question's effect as a difference of its outcome; None where it is none.

    A slope becomes the difference between the lowest and the highest dose, and what is no worse by
    a margin loses the margin.
    """
    match question:
        case Contrast():
            return effect
        case NoWorse():
            return effect - question.direction * question.margin
        case Trend():
            return effect * (len(question.ladder) - 1)
    return None
