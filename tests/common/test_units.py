"""Times and sizes in words."""

from ddiv.common.units import duration, size


def test_durations_read_well():
    assert [duration(s) for s in (4.4, 200, 7500)] == ["4 s", "3 min 20 s", "2 h 5 min"]


def test_sizes_in_words():
    assert [size(count) for count in (0, 900, 12.34e6, 3.456e9)] == [
        "0 kB",
        "1 kB",
        "12.3 MB",
        "3.46 GB",
    ]
