"""Trials are values: what their keys depend on, and what they don't."""

import msgspec

from ddiv import trial as trials
from ddiv.profiles.choose import profile
from ddiv.study import Digits, Recipe, ResNet18
from ddiv.treatment import BASELINE, Dropout, Treatment
from ddiv.trial import Trial, canonical, decode, key, trial

SPEC = Trial(Digits(500), ResNet18(16, 2), Recipe(12, 50, 2e-3), Treatment.of(Dropout(0.1)), 3)


def test_key_is_stable():
    # A change here means that every stored record of every user is trained anew: raise MEANING on
    # purpose instead.
    assert key(SPEC) == "7c8adaf0cf26431f7b87"


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
            {"study": "mine"},
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
        for arm in study.arms if study.recipe else ():
            job = trial(study, arm, 0)
            assert decode(canonical(job)) == job and key(decode(canonical(job))) == key(job)
