"""What training forgets of the scale of its initialisation.

"Do Deep Networks Forget Initialization? A Forgetting-Time View of Practical Inductive Bias"
(arXiv): initialisation memory is "the dependence of the validation-selected predictor on the scale
of the random initialization"; "Low-learning-rate SGD can interpolate while still remembering its
initialization: on ResNet-9 with batch size b=128, test accuracy varies by 26.5 percentage points
across initialization scales despite >=99.5% training accuracy. This is not undertraining: extending
the same low-learning-rate regime to 5,000 epochs leaves the spread essentially unchanged. In
contrast, Adam-family methods largely erase the dependence. SGD can also be made to forget when
larger learning rates are paired with explicit L2 norm control."

Theirs are ResNets on CIFAR-10; ours are networks of three layers on 1,797 small digits
(`fixtures.initialisations`), on which every network that fits is right nine times out of ten, so
ranges are a part of 26.5 points. A range over five scales is not 0 by chance either: the range over
five seeds at scale 1 is taken from it.
"""

from collections.abc import Callable
from functools import partial

from ddiv.claim import All, Compared, Condition, Measured, Panel, Question
from ddiv.claim.declare import claim, each
from ddiv.evidence import FALLS, RISES
from ddiv.study import Number, Study
from fixtures.arms import called, having, sizes
from fixtures.initialisations import AT, SCALES, prolonged, remembered

GROUP = "initialisation"
REGIMES = {
    "low": "SGD at a low rate",
    "adam": "Adam",
    "fast adam": "Adam at a high rate",
    "decayed": "SGD at a high rate, with L2",
}
# Of training accuracy: what is claimed is claimed of networks that fit their training set.
FITTED = 0.99
# Of a range, in points: "essentially unchanged".
UNCHANGED = 2.0

each_size = each(size=lambda study: sizes(study, GROUP))


def has(size: str) -> Callable[[Study], bool]:
    return lambda study: size in sizes(study, GROUP)


# Of studies in which networks begin at several scales.
memory = partial(
    claim, source="initialisation memory, abstract", needs="experiments", on=having(GROUP)
)


def fitting(*regimes: str, size: str) -> tuple[Condition, ...]:
    """Every network fits its training set."""
    return tuple(Condition(of(regime, size, "fitted"), RISES, FITTED) for regime in regimes)


def over_scales(size: str) -> Panel:
    curves = {
        name: tuple(remembered(at, regime=regime, size=size) for at in AT)
        for regime, name in REGIMES.items()
    }
    return Panel("scale of the initialisation", SCALES, tuple(curves.items()))


def of(regime: str, size: str, number: str = "memory") -> Number:
    return remembered(number, regime=regime, size=size)


@memory(
    "init-memory",
    "Low-rate SGD remembers the scale of its initialisation: test accuracy varies more over scales "
    "than over seeds, of networks that fit their training set (26.5 points of ResNet-9 on "
    "CIFAR-10).",
)
@each_size
@called("low rate remembers")
def test_low_rate_remembers(study: Study, called: str, size: str) -> Question:
    return Measured(
        of("low", size), RISES, provided=fitting("low", size=size), shown=over_scales(size)
    )


@memory(
    "init-memory",
    "Test accuracy varies more over scales under low-rate SGD than under Adam (at a usual and at a "
    "high rate), and than under SGD at a high rate with L2.",
)
@each_size
@each(forgets=("adam", "fast adam", "decayed"))
def test_others_forget(study: Study, forgets: str, size: str) -> Question:
    return Compared(
        of("low", size),
        of(forgets, size),
        RISES,
        provided=fitting("low", forgets, size=size),
        shown=over_scales(size),
    )


@memory(
    "init-memory",
    "Ten times the epochs leave the range over scales as it is under low-rate SGD (within "
    f"{UNCHANGED:g} points).",
    on=has("whole"),
)
@called("ten times the epochs")
def test_longer_training_changes_nothing(study: Study, called: str) -> Question:
    change, fitted = (
        prolonged(name, regime="low", size="whole", times=10) for name in ("change", "fitted")
    )
    given = (Condition(fitted, RISES, FITTED),)
    return All(
        (
            Measured(change, FALLS, UNCHANGED, provided=given),
            Measured(change, RISES, -UNCHANGED, provided=given),
        )
    )


# --- controls -----------------------------------------------------------------------------------


@memory(
    "init-memory",
    "Where the initial function is added to what Adam has trained, the range over scales is larger "
    "than without.",
    source="ours: it shows that memory is not missed",
)
@each_size
@called("planted")
def test_planted_memory_is_found(study: Study, called: str, size: str) -> Question:
    return Compared(of("adam", size, "planted"), of("adam", size), RISES)


@memory(
    "control-initialisation",
    "Test accuracy varies more over draws of one scale than over other draws of the same.",
    source="ours: a negative control",
    guards="initialisation",
)
@each_size
@called("one scale")
def test_one_scale_is_as_another(study: Study, called: str, size: str) -> Question:
    return Measured(of("low", size, "same_scale"), RISES)
