"""E-values combined: lists at a false discovery rate, claims over studies, controls pooled."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddiv.evidence import (
    Row,
    average,
    claims_over_studies,
    ebh,
    log_capital,
    pooled_controls,
    product,
    rows_listed,
)

STUDIES = ("a", "b", "c", "d")


# --- closed e-BH ----------------------------------------------------------------------------------


def test_ebh_by_hand():
    # K = 4, alpha = .1: for e-BH the largest would have to be 40, the second 20.
    assert ebh([1, 40, 3, 2], 0.1) == (1,)
    assert ebh([10, 10, 10, 10], 0.1) == (0, 1, 2, 3)
    # Closed: the mean of ALL e-values is enough for the largest, as is its own.
    assert ebh([39, 1, 3, 2], 0.1) == (0,) and ebh([33, 1, 3, 2], 0.1) == ()
    assert ebh([9.9, 0, 0, 0], 0.4) == () and ebh([10, 0, 0, 0], 0.4) == (0,)
    assert ebh([0, 0], 0.5) == ()
    with pytest.raises(ValueError, match="alpha"):
        ebh([1.0], 0)


def by_definition(evalues, alpha):
    """The size of the largest set of the largest e-values, each 1 / alpha or more and without one
    of several equal ones, that passes for EVERY set of hypotheses.
    """
    order = sorted(range(len(evalues)), key=lambda i: -evalues[i])
    sets = [s for k in range(1, len(evalues) + 1) for s in itertools.combinations(order, k)]
    sizes = [
        size
        for size in range(1, len(evalues) + 1)
        if evalues[order[size - 1]] >= 1 / alpha
        and evalues[order[size - 1]] not in [evalues[i] for i in order[size:]]
        and all(
            alpha * np.mean([evalues[i] for i in s]) * (1 + 1e-9)
            >= len({*s} & {*order[:size]}) / size
            for s in sets
        )
    ]
    return max(sizes, default=0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=6), st.sampled_from([0.05, 0.1, 0.5]))
def test_ebh_is_its_definition(evalues, alpha):
    chosen = ebh(evalues, alpha)
    assert len(chosen) == by_definition(evalues, alpha)
    if chosen:
        others = [e for i, e in enumerate(evalues) if i not in chosen]
        assert min(evalues[i] for i in chosen) >= max(others, default=0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1000), min_size=1, max_size=40), st.sampled_from([0.05, 0.1]))
def test_ebh_rejects_all_that_the_open_procedure_does(evalues, alpha):
    ordered, count = sorted(evalues, reverse=True), len(evalues)
    sizes = [k for k in range(1, count + 1) if ordered[k - 1] >= count / (alpha * k)]
    assert len(ebh(evalues, alpha)) >= max(sizes, default=0)


def test_evalues_that_are_not_rejected_help_where_the_open_procedure_lists_none():
    # The open procedure lists the 64s from 282 of 900 on: 900 / (.05 * 282) = 63.8.
    for strong, others, listed in (
        (282, 0.0, 282),
        (276, 1.0, 276),
        (268, 1.5, 268),
        (270, 1.0, 0),
    ):
        assert len(ebh([64.0] * strong + [others] * (900 - strong))) == listed


def test_ebh_controls_false_discoveries_among_claims_that_share_their_seeds():
    rng, false_share = np.random.default_rng(13), []
    for _ in range(300):
        effects = rng.standard_normal((1, 30)) + 0.5 * rng.standard_normal((10, 30))
        effects[:3] += 2
        false_share.append(false_among(ebh(np.exp(log_capital(effects)[:, -1]), 0.1), 3))
    assert at_most(false_share, 0.1)


def false_among(chosen, first_null: int) -> float:
    return sum(i >= first_null for i in chosen) / max(len(chosen), 1)


def at_most(values, level: float) -> bool:
    return np.mean(values) <= level + 5 * np.std(values) / math.sqrt(len(values))


# --- bets that go on where other questions do ---------------------------------------------------


@pytest.mark.parametrize("bar", [1.5, 4, 20])
def test_a_bet_that_stops_where_another_question_does_is_fair(bar):
    """Exact, over all signs of two questions at seven seeds, the second the same as the first, the
    reverse, or another: the capital of the first is worth 1 where the second has reached its bar.
    """
    first = np.array(list(itertools.product((1.0, -1.0), repeat=7)))
    mixed = first * [1, -1, 1, 1, -1, 1, -1]
    for second in (first, -first, mixed):
        reached = np.exp(log_capital(second)) >= bar
        stop = np.where(reached.any(axis=1), reached.argmax(axis=1), 6)
        worth = np.exp(log_capital(first))[np.arange(len(first)), stop]
        assert worth.mean() == pytest.approx(1) and worth.std() > 0


def at_joint_stops(rng, effects):
    """E-values (questions,) of effects (questions, seeds): each stops at its bar or at seven seeds,
    and takes all seeds to which its arms were trained for others.
    """
    paths = np.exp(log_capital(effects))
    reached = paths[:, :7] >= 40
    own = np.where(reached.any(axis=1), reached.argmax(axis=1), 6)
    groups = rng.integers(3, size=len(effects))
    last = [own[groups == group].max() for group in groups]
    return paths[np.arange(len(effects)), last]


# --- claims over studies --------------------------------------------------------------------------


def rows(evalues, studies=STUDIES):
    """A row for each claim and study of e-values (claims, studies)."""
    return [
        Row(claim, study, float(evalue))
        for claim, of_claim in enumerate(evalues)
        for study, evalue in zip(studies, of_claim)
    ]


def test_a_claims_evalue_is_the_product_over_studies_of_averages_within_one():
    given = [Row("x", "a", 4.0), Row("x", "a", 8.0), Row("x", "b", 5.0), Row("y", "a", 0.5)]
    listed = claims_over_studies(given)
    assert listed.evalues == {"x": 30.0, "y": 0.5} and (listed.of, listed.repeats) == (2, 0)
    assert listed.chosen == () and claims_over_studies(given, 0.1).chosen == ("x",)
    assert claims_over_studies([]) == ((), {}, 0, 0)


def test_what_a_study_withholds_is_left_out_over_studies_and_counts_0_among_rows():
    given = [Row("x", "a", 50.0), Row("x", "b", 0.01, withheld=True), Row("y", "a", 9.0, (), True)]
    assert claims_over_studies(given).evalues == {"x": 50.0, "y": 0.0}
    assert [*rows_listed(given).evalues.values()] == [50.0, 0.0, 0.0]


def test_equal_draws_are_one_hypothesis():
    twice = [Row(what, study, 45.0, (1.0, 2.0)) for what in "xy" for study in "ab"]
    listed = rows_listed(twice)
    assert (listed.of, listed.repeats, listed.chosen) == (2, 2, (0, 2, 1, 3))
    over = claims_over_studies(twice)
    assert (over.of, over.repeats, {*over.chosen}) == (1, 1, {"x", "y"})
    # Not where nothing happened, or the bet was another.
    nothing = [Row(what, "a", 0.2, (0.0, 0.0)) for what in "xy"]
    reverse = [Row("x", "a", 45.0, (1.0, 2.0)), Row("y", "a", 0.1, (1.0, 2.0))]
    assert all(each(two).of == 2 for each in (rows_listed, claims_over_studies)
               for two in (nothing, reverse))  # fmt: skip


def test_questions_in_which_nothing_happens_do_not_empty_the_list_of_claims():
    """270 of 900 rows agree at seven seeds, 54 claims on five studies each; 500 rows more, in which
    nothing happens, empty the list of rows and change nothing in that of claims.
    """
    rng = np.random.default_rng(5)

    def null(claims):
        return np.exp(log_capital(rng.standard_normal((claims, 5, 7)))[..., -1])

    studies = (*STUDIES, "e")
    strong = np.full((54, 5), 80.0)
    before = rows(np.concatenate([strong, null(126)]), studies)
    after = rows(np.concatenate([strong, null(226)]), studies)
    assert len(rows_listed(before).chosen) >= 270 > len(rows_listed(after).chosen)
    for of_run in (before, after):
        assert {*range(54)} <= {*claims_over_studies(of_run).chosen} and len(of_run) >= 900


def test_the_list_of_claims_controls_false_discoveries():
    """Five of thirty claims hold, on some studies; claims share their seeds within a study, and how
    many seeds each has depends on what the others showed.
    """
    rng, false_share, null = np.random.default_rng(14), [], []
    for _ in range(300):
        evalues = []
        for _study in STUDIES:
            effects = rng.standard_normal((1, 16)) + 0.5 * rng.standard_normal((30, 16))
            effects[:5] += rng.choice([0, 2], size=(5, 1))
            evalues.append(at_joint_stops(rng, effects))
        null.append(np.mean([e[5:].mean() for e in evalues]))
        chosen = claims_over_studies(rows(np.transpose(evalues)), 0.1).chosen
        false_share.append(false_among(chosen, 5))
    assert at_most(false_share, 0.1) and at_most(null, 1.0)


# --- controls pooled ------------------------------------------------------------------------------


def test_controls_are_pooled_by_family():
    given = [Row("dropout", "a", 10.0), Row("dropout", "a", 2.0), Row("dropout", "b", 7.0),
             Row("decay", "a", 39.0), Row("decay", "b", 0.0, (), True)]  # fmt: skip
    pooled = pooled_controls(given)
    assert pooled["dropout"] == (42.0, 40.0, 3, 2) and pooled["dropout"].supported
    assert pooled["decay"] == (39.0, 40.0, 1, 1) and not pooled["decay"].supported
    # One family alone has the claims' own level.
    assert pooled_controls(given[3:])["decay"].supported and pooled_controls([]) == {}


def test_a_bias_too_weak_for_any_control_shows_where_they_are_pooled():
    # Six of seven seeds: nothing on one study (the bar is 40), enough on eight.
    weak = 6.0
    given = [Row("f", str(study), weak) for study in range(8)] + [Row("g", "0", 1.0)]
    assert pooled_controls(given)["f"].supported
    assert not pooled_controls([*given[:2], given[-1]])["f"].supported


def test_pooled_controls_of_a_sound_run_are_supported_at_alpha_at_most():
    rng, false = np.random.default_rng(15), []
    for _ in range(400):
        given = []
        for family in ("f", "g", "h"):
            for study in STUDIES:
                shared = rng.standard_normal((1, 12))
                effects = shared + 0.3 * rng.standard_normal((4, 12))
                given += [Row(family, study, float(e)) for e in at_joint_stops(rng, effects)]
        false.append(any(each.supported for each in pooled_controls(given).values()))
    assert at_most(false, 0.05)


# --- average and product --------------------------------------------------------------------------


def test_average_and_product():
    assert average([1, 2, 6]) == 3 and product([2, 0.5, 8]) == 8 and product([5, 0]) == 0
    with pytest.raises(ValueError, match="largest float"):
        product([1e200, 1e200])


def test_claims_on_many_studies_have_a_finite_evalue():
    listed = claims_over_studies([Row("x", str(i), 1e90) for i in range(5)])
    assert listed.evalues == {"x": 1e100} and listed.chosen == ("x",)


@pytest.mark.parametrize("combine", [average, product, ebh])
@pytest.mark.parametrize("bad", [[], [1, -0.1], [math.nan], [math.inf], [[1.0]]])
def test_numbers_that_are_no_evalues_are_refused(combine, bad):
    with pytest.raises(ValueError, match="e-value"):
        combine(bad)
