"""Descriptions of data: what cannot be, is refused when it is written down."""

import pytest

from ddiv.study import Arrays, Complaints, DomainNet, Images, Published

IMPOSSIBLE = {
    Images: [
        {"folder": "/pets"},
        {"folder": "~/pets"},
        {"folder": "../pets"},
        {"folder": "a//b"},
        {"folder": ""},
        {"digest": "abc"},
        {"domains": ("a", "a")},
        {"domains": ("a/b",)},
        {"domains": ("..",)},
        {"side": 0},
        {"per_class": -1},
        {"test_per_class": -1},
        {"test_share": 0.0},
        {"test_share": 1.0},
    ],
    Complaints: [
        {"digest": "a.csv"},
        {"label": ()},
        {"domains": ("a", "b")},
        {"test_share": 0.0},
        {"test_share": 1.0},
        {"min_per_class": 1},
        {"per_class": -1},
        {"max_words": -1},
        {"domain": "source", "domains": ("a", "a")},
    ],
    DomainNet: [
        {"domains": ()},
        {"domains": ("real", "real")},
        {"domains": ("photo",)},
        {"classes": 1},
        {"classes": 346},
        {"train": 100},
        {"side": 0},
        {"test_per_class": -1},
    ],
    Arrays: [{"digest": "a.npz"}, {"side": -1}, {"per_class": -1}],
    Published: [{"name": "mnist"}, {"side": 0}, {"per_class": -1}],
}
POSSIBLE = {
    Images: {"folder": "pets"},
    Complaints: {"digest": "0" * 64},
    DomainNet: {},
    Arrays: {"digest": "0" * 64},
    Published: {"name": "cifar10"},
}


def is_refused(spec: type, fields: dict) -> bool:
    """Whether the error says what it got."""
    try:
        spec(**fields)
    except ValueError as error:
        return "got" in str(error)
    return False


@pytest.mark.parametrize("spec", IMPOSSIBLE)
def test_impossible_descriptions_are_refused(spec):
    assert not is_refused(spec, POSSIBLE[spec])
    taken = [fields for fields in IMPOSSIBLE[spec] if not is_refused(spec, POSSIBLE[spec] | fields)]
    assert taken == []
