"""Findings on effects that are simply stated."""

import msgspec

from ddiv.claim import Claim, Contrast
from ddiv.evidence import FALLS, judge
from ddiv.finding import Asked, Finding, withheld
from ddiv.outcome import Spectral
from ddiv.treatment import Treatment, WeightDecay
from ddiv.trial import key
from tests.support.smoke import STUDY

NORM = Spectral("frobenius_norm", "classifier")
STRONG = Treatment.of(WeightDecay(0.1))
FALLING, RISING = [-1.0, -1.1, -1.2, -1.3, -1.4, -1.5], [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]


def found(
    effects,
    claim="a",
    study="one",
    outcome=NORM,
    specific=None,
    unreliable=False,
    guards="",
    test="t",
    variant="",
    somewhere=False,
    judged_by="claimed",
    **more,
):
    """A finding on effects of which the claim says that they fall; `more` are fields of it."""
    asked = Asked(
        Claim(claim, "a statement", "a source", "a family", guards, somewhere, judged_by),
        msgspec.structs.replace(STUDY, name=study),
        variant,
        Contrast(outcome, (STRONG,), FALLS),
        tuple(range(len(effects))),
        0.05,
        test,
    )
    evidence = judge(effects, FALLS)
    return Finding(
        asked,
        withheld(evidence) if unreliable else evidence,
        tuple((effect,) for effect in effects),
        specific and judge(specific, FALLS),
        None if specific else "never that loss",
        tuple((effect,) for effect in specific or ()),
        withheld=unreliable,
        jobs=tuple(map(key, asked.jobs())),
        **more,
    )
