"""The profiles that there are."""

import numpy as np
import pytest

from ddiv.data.digits import load_digits
from ddiv.profiles.choose import PROFILES, profile
from ddiv.profiles.profile import UnknownProfile
from ddiv.study import Digits
from ddiv.trial import key, trial


def test_every_profile_has_distinct_arms_and_a_baseline_first():
    for make in PROFILES.values():
        for study in filter(lambda study: study.trains, make().studies):
            assert study.arms[0].is_baseline
            assert len({key(trial(study, arm, 0)) for arm in study.arms}) == len(study.arms)


def test_unknown_profile_lists_those_that_there_are():
    with pytest.raises(UnknownProfile, match="embedded"):
        profile("paperr")


@pytest.mark.parametrize("name", ["embedded", "smoke"])
def test_every_fresh_split_of_the_digits_has_enough_of_each_class(name):
    """A view of one class takes all of its examples from that class, at any seed."""
    asked = [each for each in profile(name).studies if each.class_view_size]
    asked = [each for each in asked if isinstance(each.data, Digits)]
    assert asked
    for study in asked:
        for seed in range(100, 120):
            labels = load_digits(study.data_of(seed)).labels
            assert np.bincount(labels).min() >= study.class_view_size, (study.name, seed)
