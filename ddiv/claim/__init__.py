"""Claims and the questions that put them to a study.

A `Claim` is a statement of a paper. A `Question` asks one study about it: it names the arms, the
outcome and the direction. Questions are frozen values without results, so the trials that they need
are known before anything is trained, and `ddiv report` can answer them again from the store.

- ``bench``: a claim; one seed's arms, which questions are answered from;
- ``question``: what every question has and can do;
- ``fields``: whether a question's fields are what they are to be;
- ``simple``: questions that a seed answers with one number (a slope, a difference, a bound, ...);
- ``groups``: groups of arms compared with each other (alike, opposed, as far);
- ``relations``: over many arms (a correlation, a disagreement, a closer one, groups told apart);
- ``curves``: many arms at once (the largest, a peak, a threshold, values that all come up);
- ``by_layer``: how steeply layers go with the diversity of data, with an estimate for each layer;
- ``two_starts``: what arms do from a checkpoint and from random weights, over time;
- ``experiments``: numbers of experiments against a bound, another number, along doses;
- ``several``: several questions as one;
- ``tabled``: what published tables can answer;
- ``needed``: the trials and views that an answer rests on;
- ``returned``: whether what a claim's body returned can be asked;
- ``declare``: the decorators that make a test of a claim.
"""

from ddiv.claim.bench import Bench, Claim, Effects, NotApplicable, OfData, Unmatched
from ddiv.claim.by_layer import Slope
from ddiv.claim.curves import Exhibited, Largest, Mixing, RiseThenFall
from ddiv.claim.declare import claim, each, each_layers, each_space, id_and_ood
from ddiv.claim.experiments import Compared, Condition, Everywhere, Graded, Measured, Panel, Place
from ddiv.claim.groups import (
    Agreement,
    Alike,
    AsFar,
    Opposite,
    Resemblance,
    SomewhereOpposed,
    cosine,
)
from ddiv.claim.needed import Question, data_view, jobs, seeds_of
from ddiv.claim.question import Asking, Curve, Derived, OneEffect
from ddiv.claim.relations import Correlation, Disagreement, MoreCorrelated, Separated, TracksBetter
from ddiv.claim.several import All
from ddiv.claim.simple import Change, Contrast, Further, NoWorse, Threshold, Trend
from ddiv.claim.two_starts import TwoStarts
from ddiv.treatment import Ladder, ladder

__all__ = [
    "Agreement",
    "Alike",
    "All",
    "AsFar",
    "Asking",
    "Bench",
    "Change",
    "Claim",
    "Compared",
    "Condition",
    "Contrast",
    "Correlation",
    "Curve",
    "Derived",
    "Disagreement",
    "Effects",
    "Everywhere",
    "Exhibited",
    "Further",
    "Graded",
    "Ladder",
    "Largest",
    "Measured",
    "Mixing",
    "MoreCorrelated",
    "NoWorse",
    "NotApplicable",
    "OfData",
    "OneEffect",
    "Opposite",
    "Panel",
    "Place",
    "Question",
    "Resemblance",
    "RiseThenFall",
    "Separated",
    "Slope",
    "SomewhereOpposed",
    "Threshold",
    "TracksBetter",
    "Trend",
    "TwoStarts",
    "Unmatched",
    "claim",
    "cosine",
    "data_view",
    "each",
    "each_layers",
    "each_space",
    "id_and_ood",
    "jobs",
    "ladder",
    "seeds_of",
]
