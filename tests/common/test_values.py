"""Frozen values refuse, when they are made, what could not be trained or would share a key."""

import math
from fractions import Fraction

import msgspec
import numpy as np
import pytest

from ddiv import study as studies
from ddiv import treatment as treatments
from ddiv import trial as jobs
from ddiv.common.values import Value, require_name
from ddiv.study import (
    Arrays,
    Complaints,
    Digits,
    DomainNet,
    Images,
    Lsa,
    MiniAlexNet,
    OwnModel,
    Published,
    Recipe,
    ResNet18,
    Study,
    World,
)
from ddiv.treatment import (
    Augmentation,
    BatchSize,
    Classes,
    Dropout,
    EvaluationDropout,
    Filtered,
    Flow,
    Length,
    NGram,
    Once,
    OpenAI,
    Setting,
    StableDiffusion,
    Synthetic,
    Treatment,
    Unswitched,
    WeightDecay,
)
from ddiv.trial import DataView, Samples, Trial, key, trial

RECIPE = Recipe(epochs=2, batch=40, lr=5e-3)
STUDY = Study("mine", "mine", Digits(120), ResNet18(4), RECIPE, ("digits",))
FLOW, GOOD = Flow(8, 16, 50), Setting("good")

# A sound value of each kind.
SOUND = [
    RECIPE,
    STUDY,
    Digits(120),
    World(1, 1, 1),
    Images("birds"),
    Arrays("0" * 64),
    Published("cifar10"),
    DomainNet(),
    Complaints("", test_share=0.5),
    studies.Tweets(""),
    ResNet18(4),
    MiniAlexNet(4, 8),
    studies.Bert("x"),
    studies.BertAsCoded("x"),
    studies.Clip("x"),
    studies.OpenClip("RN50", "openai"),
    studies.TorchvisionModel("resnet18"),
    studies.Gru("x"),
    studies.Mixer(),
    studies.Policy(),
    studies.CartPole(1, 1, 1),
    studies.ComplaintsWorld(1, 1, 1),
    studies.TwoComplaints(1, 1, 1),
    studies.Own("f", "x"),
    OwnModel("f", "x", (("width", 3), ("share", 0.5), ("on", True), ("kind", "a"))),
    Lsa(4),
    Dropout(0.1),
    WeightDecay(1e-3),
    Augmentation("auto"),
    Synthetic(0.5, FLOW, GOOD),
    Filtered(0.5, FLOW, GOOD, 0.8),
    Once("auto", 0.5),
    Unswitched(),
    BatchSize(4),
    Classes(2),
    Length(0.5),
    EvaluationDropout(0.1),
    treatments.Again(1),
    treatments.FromScratch(4),
    treatments.Traced(),
    FLOW,
    NGram(),
    StableDiffusion(),
    OpenAI(),
    GOOD,
    Treatment.of(Dropout(0.1)),
    trial(STUDY, Treatment(), 0),
    DataView(Digits(120), Treatment(), Lsa(4), 5, 0),
    Samples(Digits(120), FLOW, GOOD, 1, 0),
    jobs.GeneratorFit(Digits(120), FLOW),
]

NUMBERS = [
    (sound, name)
    for sound in SOUND
    for name in sound.__struct_fields__
    if isinstance(getattr(sound, name), int | float) and not isinstance(getattr(sound, name), bool)
]


def test_every_value_that_names_a_record_is_checked():
    kinds = {
        kind
        for module in (studies, treatments, jobs)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    }
    assert len(kinds) > 35 and all(issubclass(kind, Value) for kind in kinds)


@pytest.mark.parametrize(
    "wrong",
    [math.nan, math.inf, -math.inf, "1", True, None, 1j, (), 10**400, np.float32("nan")],
    ids=lambda x: repr(x)[:10],
)
def test_a_number_is_a_finite_number(wrong):
    assert len(NUMBERS) > 60
    for sound, name in NUMBERS:
        with pytest.raises(ValueError, match=rf"`{name}` of {type(sound).__name__} is .*, got"):
            msgspec.structs.replace(sound, **{name: wrong})


def test_a_negative_number_is_refused():
    for sound, name in NUMBERS:
        with pytest.raises(ValueError, match=r"got .*-1|at least"):
            msgspec.structs.replace(sound, **{name: -1})


def test_a_field_of_another_kind_is_refused():
    for sound in SOUND:
        for name in sound.__struct_fields__:
            with pytest.raises(ValueError, match=f"`{name}` of {type(sound).__name__} is"):
                msgspec.structs.replace(sound, **{name: object()})


def test_a_rate_that_is_no_number_never_shares_a_key():
    for field in ("momentum", "head_lr"):
        for wrong in (math.nan, math.inf):
            with pytest.raises(ValueError, match=f"`{field}` of Recipe is a finite number"):
                msgspec.structs.replace(RECIPE, **{field: wrong})
    with pytest.raises(ValueError, match="part of it a finite number"):
        Recipe(2, 40, 5e-3, checkpoints=(0, math.nan))
    with pytest.raises(ValueError, match="part of it"):
        OwnModel("f", "x", (("rate", math.nan),))


@pytest.mark.parametrize(
    "made",
    [
        lambda: msgspec.structs.replace(RECIPE, momentum=1.0),
        lambda: msgspec.structs.replace(RECIPE, momentum=-0.1),
        lambda: Recipe(2.0, 40, 1e-3),
        lambda: Recipe(2, 40, -1e-3),
        lambda: Flow(8, 16, 50, lr=0),
        lambda: StableDiffusion(steps=0),
        lambda: StableDiffusion(heights=(8, 16, 24)),
        lambda: Dropout(0.1, "middle"),
        lambda: Setting("good", variant="more"),
        lambda: Trial(Digits(120), ResNet18(4), RECIPE, Treatment(), -1),
        lambda: Treatment.of("dropout"),
        lambda: Images("birds", domains="birds"),
        lambda: Setting("bad\ud800"),
    ],
)
def test_impossible_values_are_refused(made):
    with pytest.raises(ValueError, match="got"):
        made()


def test_equal_values_have_equal_keys():
    plus, minus = (
        trial(STUDY, Treatment.of(Dropout(0.1), WeightDecay(zero)), 0) for zero in (0.0, -0.0)
    )
    assert key(plus) == key(minus)
    recipes = [msgspec.structs.replace(RECIPE, momentum=zero) for zero in (0.0, -0.0)]
    assert len({msgspec.json.encode(recipe) for recipe in recipes}) == 1


def test_numbers_of_numpy_and_lists_are_taken_as_what_they_mean():
    made = Recipe(np.int64(2), np.int32(40), np.float64(5e-3), checkpoints=list(np.arange(3.0)[:2]))
    same = Recipe(2, 40, 5e-3, checkpoints=(0.0, 1.0))
    assert made == same and type(made.epochs) is int and type(made.checkpoints[0]) is float
    assert Recipe(2, 40, 5e-3, np.array([0.0, 1.0])) == same
    assert Recipe(2, 40, Fraction(1, 2)).lr == 0.5
    plain, from_numpy = (
        trial(STUDY, Treatment.of(Dropout(kind(0.25))), 0) for kind in (float, np.float32)
    )
    assert key(plain) == key(from_numpy) and hash(plain) == hash(from_numpy)
    assert OwnModel("f", "x", (("on", True), ("n", 3), ("r", 3.0))).options[0] == ("on", True)


@pytest.mark.parametrize(
    "name", ["", " ", "a ", "a\nb", "a\x1b[31m", "a\u202eb", "x" * 201, "a\x9bb"]
)
def test_names_can_be_read_and_typed(name):
    with pytest.raises(ValueError, match="a name has 1 to 200 characters"):
        require_name("a name", name)


def test_names_of_any_script_are_names():
    for name in ("clip-world", "写真", "a/b:c d", "..", "é", "x" * 200):
        require_name("a name", name)
