"""A run's options that are read from text."""

import re

import pytest

from ddiv.run import run as runs


@pytest.mark.parametrize(
    "text, expected",
    [
        (None, None),
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1.5 m", 90),
        (" 10s ", 10),
    ],
)
def test_a_budget_is_read_in_seconds(text, expected):
    assert runs.seconds_of(text) == expected


@pytest.mark.parametrize("text", ["", "m", "0", "-1s", "1d", "1h30m", "inf", "1e3"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=re.escape("90s, 30m or 2h")):
        runs.seconds_of(text)
