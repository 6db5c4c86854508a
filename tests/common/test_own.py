"""What stands for functions and classes of a user's own, and what is wrong with these in words."""

import functools

import pytest

from ddiv.common.errors import NoModel, TrialFailed
from ddiv.common.own import OwnValue, absent, called, made, own, titled


class Thing(OwnValue, frozen=True, tag="own-thing"):
    pass


def double(number, by=2):
    return number * by


class Counter:
    def __init__(self, start=0):
        self.count = start

    def __call__(self, number):
        self.count += number
        return self.count


class Silent:
    pass


def fails(number):
    raise KeyError("none")


def reports(number):
    raise TrialFailed("the reason")


def test_a_value_stands_for_a_function_and_its_options():
    spec = own(Thing, double, {"by": 3}, ("number",))
    assert called(spec, 2) == 6 and absent(spec) is None
    assert (spec.name, spec.options) == ("double", (("by", 3),)) and len(spec.source) == 64
    assert spec.label == "double(by=3)" and titled(spec) == "the own thing double(by=3)"
    assert own(Thing, double, {}, ("number",)).label == "double"


def test_a_class_is_made_once_with_its_options_and_then_called():
    spec = own(Thing, Counter, {"start": 5}, ("number",))
    assert [called(spec, 1), called(spec, 1)] == [6, 7]
    assert made(spec).count == 5


@pytest.mark.parametrize(
    "thing, options, said",
    [
        (
            double,
            {"bye": 3},
            r"called as double\(number, bye=3\), and cannot be: got an unexpected",
        ),
        (double, {"by": [3]}, "the option by of an own thing is neither text nor number"),
        (double, {"by": float("nan")}, "finite number"),
        (Counter, {"begin": 3}, r"called as Counter\(begin=3\), and cannot be"),
        (Silent, {}, r"cannot be called: an own thing has `def __call__\(self, number\)`"),
        (functools.partial(double, by=3), {}, "is no function or class of a file"),
        (Counter(), {}, "is no function or class of a file"),
        (int, {}, "comes from no file"),
    ],
)
def test_what_cannot_be_called_so_is_refused(thing, options, said):
    with pytest.raises(ValueError, match=said):
        own(Thing, thing, options, ("number",))


def test_errors_of_the_user_s_code_name_it():
    spec = own(Thing, fails, {}, ("number",))
    with pytest.raises(TrialFailed, match="the own thing fails raised KeyError: 'none'"):
        called(spec, 1)
    with pytest.raises(TrialFailed, match=r"^the reason$"):
        called(own(Thing, reports, {}, ("number",)), 1)
    unknown = Thing("double", "0" * 64)
    with pytest.raises(NoModel, match=r"defines the own thing 'double' .*: give --study the file"):
        called(unknown, 1)
    assert "0" * 12 in absent(unknown)
