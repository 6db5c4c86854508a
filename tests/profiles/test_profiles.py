"""The profiles that there are."""

import pytest

from ddiv.profiles.choose import PROFILES, profile
from ddiv.profiles.profile import UnknownProfile
from ddiv.trial import key, trial


def test_every_profile_has_distinct_arms_and_a_baseline_first():
    for make in PROFILES.values():
        for study in filter(lambda study: study.trains, make().studies):
            assert study.arms[0].is_baseline
            assert len({key(trial(study, arm, 0)) for arm in study.arms}) == len(study.arms)


def test_unknown_profile_lists_those_that_there_are():
    with pytest.raises(UnknownProfile, match="embedded"):
        profile("paperr")
