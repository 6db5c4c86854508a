"""A table computes a value when it is first asked for, and once."""

import pytest

from ddiv.outcome.lazy import Lazy


def test_values_are_computed_when_they_are_asked_for_and_once():
    asked = []
    table = Lazy(("a", "b", "a"), lambda name: asked.append(name) or name * 2)
    assert "a" in table and "c" not in table and list(table) == ["a", "b"] and len(table) == 2
    assert not asked
    assert table["b"] == "bb" == table["b"] and asked == ["b"]
    assert table == {"a": "aa", "b": "bb"} and asked == ["b", "a"]


def test_a_name_that_is_not_there_is_a_key_error_and_is_not_computed():
    with pytest.raises(KeyError, match="c"):
        Lazy(("a",), lambda name: name)["c"]
