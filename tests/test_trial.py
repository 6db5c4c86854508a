"""Trials are values: what their keys depend on, and what they don't."""

import subprocess
import sys

import msgspec
import pytest

from ddiv import trial as trials
from ddiv.profiles import PROFILES, UnknownProfile, profile
from ddiv.source import Flow, Setting, StableDiffusion
from ddiv.study import Digits, Recipe, ResNet18
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    Dropout,
    EarlyStop,
    NoOp,
    Synthetic,
    Treatment,
    WeightDecay,
)
from ddiv.trial import Trial, canonical, decode, key, trial

SPEC = Trial(Digits(500), ResNet18(16, 2), Recipe(12, 50, 2e-3), Treatment.of(Dropout(0.1)), 3)


def test_key_is_stable():
    # A change here means that every stored record of every user is trained anew: raise MEANING on
    # purpose instead.
    assert key(SPEC) == "bacbae4304196e1ceefd"


def test_key_follows_every_part_of_the_spec():
    others = [
        msgspec.structs.replace(SPEC, **change)
        for change in (
            {"data": Digits(501)},
            {"backbone": ResNet18(16, 1)},
            {"recipe": Recipe(12, 50, 1e-3)},
            {"treatment": BASELINE},
            {"treatment": Treatment.of(Dropout(0.1, "head"))},
            {"seed": 4},
        )
    ]
    assert len({key(one) for one in [SPEC, *others]}) == len(others) + 1


def test_key_follows_the_meaning_of_the_code(monkeypatch):
    before = key.__wrapped__(SPEC)
    monkeypatch.setitem(trials.MEANING, Trial, trials.MEANING[Trial] + 1)
    assert key.__wrapped__(SPEC) != before


def test_key_does_not_tell_1_from_1_point_0():
    one, same = (
        msgspec.structs.replace(SPEC, recipe=Recipe(12, 50, 1e-3, checkpoints))
        for checkpoints in ((0, 1), (0.0, 1.0))
    )
    assert canonical(one) == canonical(same)


def test_canonical_form_round_trips():
    for study in profile("embedded").studies:
        for arm in study.arms:
            job = trial(study, arm, 0)
            assert decode(canonical(job)) == job and key(decode(canonical(job))) == key(job)


def test_parts_compose_in_one_order():
    a = Treatment.of(WeightDecay(1e-3), Dropout(0.1), Augmentation("auto"))
    b = Treatment.of(Augmentation("auto")) + Dropout(0.1) + WeightDecay(1e-3)
    assert a == b and a.label == "auto + dropout 0.1 + decay 0.001" and a.group == "combination"
    with pytest.raises(ValueError, match="one part of a kind"):
        a + Dropout(0.2)


def test_parts_that_do_nothing_are_the_baseline():
    assert (
        Treatment.of(Dropout(0), WeightDecay(0), Dropout(0, "head")) == BASELINE
        and BASELINE.is_baseline
    )


@pytest.mark.parametrize(
    "bad",
    [lambda: Dropout(1.0), lambda: Dropout(-0.1), lambda: WeightDecay(-1), lambda: EarlyStop(0)],
)
def test_impossible_doses_are_refused(bad):
    with pytest.raises(ValueError):
        bad()


def test_what_is_not_retrained_has_no_second_round():
    assert Synthetic(1.0, Flow(8, 8, 1), Setting("good"), round=2).round == 2
    with pytest.raises(ValueError, match="no round 2"):
        Synthetic(1.0, StableDiffusion(), Setting("good"), round=2)


def test_starting_up_loads_neither_torch_nor_scipys_statistics():
    """Every worker and `ddiv report` would pay for them: a second, and most of one."""
    code = "import sys, ddiv.plugin; print([name for name in ('torch', 'scipy.stats', 'scipy.optimize') if name in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_groups_of_arms():
    groups = {
        part: Treatment.of(part).group
        for part in (
            Dropout(0.1),
            Dropout(0.1, "head"),
            WeightDecay(1),
            Augmentation("auto"),
            NoOp(),
            EarlyStop(0.5),
        )
    }
    assert list(groups.values()) == [
        "dropout",
        "dropout in one place",
        "weight decay",
        "augmentation",
        "control",
        "control",
    ]


def test_every_profile_has_distinct_arms_and_a_baseline_first():
    for make in PROFILES.values():
        for study in make().studies:
            assert study.arms[0].is_baseline
            assert len({key(trial(study, arm, 0)) for arm in study.arms}) == len(study.arms)


def test_unknown_profile_lists_those_that_there_are():
    with pytest.raises(UnknownProfile, match="embedded"):
        profile("paperr")


def test_profiles_name_the_augmentations_that_there_are():
    from ddiv import augment, mixing, profiles

    # Named twice, because profiles must not import torch.
    assert (
        profiles.AUGMENTATIONS == tuple(augment.AUGMENTATIONS)[:10]
        and profiles.EXTREME == augment.EXTREME
    )
    assert set(profiles.FURTHER) == set(augment.AUGMENTATIONS) - set(profiles.AUGMENTATIONS) | set(
        mixing.MIXING
    )
