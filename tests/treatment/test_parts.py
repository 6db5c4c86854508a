"""Treatments are values: their parts, doses and groups."""

from functools import partial

import pytest

from ddiv.treatment import (
    BASELINE,
    Added,
    Augmentation,
    Blurred,
    Dropout,
    Filtered,
    Flow,
    Length,
    NoOp,
    Rate,
    Setting,
    StableDiffusion,
    Synthetic,
    Treatment,
    WeightDecay,
)


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
    "make, message",
    [
        (lambda: Dropout(1.0), "a dropout rate lies in"),
        (lambda: Dropout(-0.1), "a dropout rate lies in"),
        (lambda: WeightDecay(-1), "a weight decay is at least 0"),
        (lambda: Rate(0), "a factor of the learning rates lies in"),
        (lambda: Length(101), "a factor of the steps lies in"),
    ],
)
def test_impossible_doses_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_not_retrained_has_no_second_round():
    assert Synthetic(1.0, Flow(8, 8, 1), Setting("good"), round=2).round == 2
    with pytest.raises(ValueError, match="no round 2"):
        Synthetic(1.0, StableDiffusion(), Setting("good"), round=2)


def test_synthetic_examples_replace_or_are_added():
    made = Flow(8, 8, 1), Setting("good")
    with pytest.raises(ValueError, match="and not both"):
        Treatment.of(Synthetic(0.5, *made), Added(0.5, *made))
    with pytest.raises(ValueError, match="and not both"):
        Treatment.of(Filtered(0.5, *made, 0.8), Added(0.5, *made))
    with pytest.raises(ValueError, match="and not both"):
        Treatment.of(Filtered(0.5, *made, 0.8), Synthetic(0.5, *made))
    assert Treatment.of(Added(0, *made), Filtered(0, *made, 0.8), Blurred(8, 0)) == BASELINE
    for part in (Added, Synthetic, partial(Filtered, kept=0.8)):
        with pytest.raises(ValueError, match="a share of synthetic examples"):
            part(1.5, *made)
    with pytest.raises(ValueError, match=r"a filter keeps a share in \(0, 1\]"):
        Filtered(0.5, *made, 0)
    with pytest.raises(ValueError, match="a share of blurred examples"):
        Blurred(8, -1)


def test_groups_of_arms():
    groups = {
        part: Treatment.of(part).group
        for part in (
            Dropout(0.1),
            Dropout(0.1, "head"),
            WeightDecay(1),
            Augmentation("auto"),
            NoOp(),
            Rate(0.5),
        )
    }
    assert list(groups.values()) == [
        "dropout",
        "dropout in one place",
        "weight decay",
        "augmentation",
        "control",
        "optimisation",
    ]
