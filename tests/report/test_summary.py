"""What all findings of a run say together, from planted effects."""

from types import SimpleNamespace

import pytest

from ddiv.evidence import FALLS, judge
from ddiv.finding import Unanswered
from ddiv.outcome import Score, Vendi
from ddiv.report import summary
from ddiv.report.schema import Controls, Listed, Spent
from tests.support.made_findings import FALLING, RISING, found


def test_a_claim_over_studies_needs_every_study():
    (row,) = summary.over_studies([found(FALLING), found(FALLING, study="two")], 0.05)
    assert row.verdict == "supported" and row.studies == {"one": "supported", "two": "supported"}
    (row,) = summary.over_studies([found(FALLING), found(FALLING[:3], study="two")], 0.05)
    assert row.verdict == "inconclusive" and row.e_for == judge(FALLING[:3], FALLS).e_for
    # Against: (0.04 + 20.5) / 2 is no 20, three more seeds make it (0.04 + 140) / 2.
    (row,) = summary.over_studies([found(FALLING), found(RISING, study="two")], 0.05)
    assert row.verdict == "inconclusive"
    (row,) = summary.over_studies([found(FALLING), found(RISING + [1.0] * 3, study="two")], 0.05)
    assert row.verdict == "contradicted"


def test_what_a_study_withheld_decides_nothing_over_studies():
    rising = RISING + [1.0] * 3
    (row,) = summary.over_studies(
        [found(FALLING), found(rising, study="two", unreliable=True)], 0.05
    )
    assert (row.verdict, row.e_for) == ("inconclusive", 0) and row.e_against < 1


@pytest.mark.parametrize("somewhere", [False, True])
@pytest.mark.parametrize(
    "words, verdict",
    [
        (["error"], "error"),
        (["not run"], "not run"),
        (["not run", "error"], "error"),
        (["not applicable"], "supported"),
    ],
)
def test_trouble_on_one_study_leaves_no_verdict_over_studies(somewhere, words, verdict):
    """Not that of the other studies: the claim is about all of them."""
    lacking = [
        (found(FALLING, study=f"study {i}").asked, Unanswered(word, "why"))
        for i, word in enumerate(words)
    ]
    (row,) = summary.over_studies([found(FALLING, somewhere=somewhere)], 0.05, lacking)
    assert row.verdict == verdict and row.studies["one"] == "supported"
    if verdict != "supported":
        assert row.e_for is None and list(row.studies.values())[1:] == words


def test_variants_and_claims_are_kept_apart_and_controls_left_out():
    rows = summary.over_studies(
        [
            found(FALLING, variant="x"),
            found(FALLING, variant="y"),
            found(FALLING, "b"),
            found(FALLING, "c", guards="a family"),
        ],
        0.05,
    )
    assert [(row.claim, row.variant) for row in rows] == [("a", "x"), ("a", "y"), ("b", "")]


def test_the_list_leaves_out_what_is_withheld_and_controls():
    findings = [
        found(FALLING, test="good"),
        found(FALLING, test="withheld", study="two", unreliable=True),
        found(RISING, test="wrong", study="three"),
        found(FALLING, test="control", study="four", guards="a family"),
    ]
    # One e-value of 41 among three needs 3 / alpha; a second like it makes that 3 / (2 alpha).
    assert summary.listed(findings, 0.05) == Listed(alpha=0.05, of=3)
    more = [*findings, found(FALLING, test="other", study="five")]
    assert summary.listed(more, 0.1).tests == ("good", "other")
    assert summary.listed([], 0.05) == Listed(alpha=0.05, of=0)


def test_a_question_that_two_claims_put_to_a_study_is_one_discovery():
    twice = [found(FALLING, test="good"), found(FALLING, claim="b", test="again")]
    listed = summary.listed([*twice, found(RISING, test="wrong", study="two")], 0.1)
    assert listed == Listed(alpha=0.1, of=2, repeats=1, tests=("good", "again"))
    assert not summary.listed([*twice, found(RISING, test="wrong", study="two")], 0.04).tests


def test_what_is_said_to_be_so_somewhere_is_judged_so_over_studies():
    (row,) = summary.over_studies(
        [found(FALLING + [-1.0] * 3, somewhere=True), found(RISING, study="two", somewhere=True)],
        0.05,
    )
    assert row.verdict == "supported" and row.somewhere


def test_controls_are_counted_by_the_family_that_they_guard():
    findings = [
        found(FALLING, guards="x"),
        found(RISING, guards="x"),
        found(FALLING[:2], guards="y"),
        found(FALLING),
    ]
    assert summary.controls(findings) == {"x": Controls(1, 2), "y": Controls(1, 1)}


def test_at_equal_fit_both_effects_are_in_the_spread_of_the_first():
    half = [effect / 2 for effect in FALLING]
    (row,) = summary.fit([found(FALLING, matched=half)])
    spread = 0.18708286933869708  # of six values .1 apart: sqrt(.035)
    assert (row.equal, row.matched) == pytest.approx((-1.25 / spread, -0.625 / spread))
    assert row.share == pytest.approx(0.5) and (row.verdict, row.matched_verdict) == (
        "supported",
        "supported",
    )


def test_an_effect_without_a_match_or_a_spread_keeps_its_row():
    alone, flat, balanced = summary.fit(
        [
            found(FALLING),
            found([-1.0] * 6, matched=[-1.0] * 6),
            found([-1.0, 1.0], matched=[0.0, 0.0]),
        ]
    )
    assert (
        alone.matched_verdict == "unmatched"
        and alone.matched is None
        and alone.note == "never that loss"
    )
    assert (flat.equal, flat.matched, flat.share) == (None, None, 1)
    # a mean of 0 has a spread all the same
    assert (balanced.equal, balanced.share) == (0, None)


def test_only_spectra_and_calibration_are_compared_at_equal_fit():
    findings = [
        found(FALLING, "s"),
        found(FALLING, "e", outcome=Score("ece", "id")),
        found(FALLING, "a", outcome=Score("accuracy", "id")),
        found(FALLING, "v", outcome=Vendi("pixel")),
        found(FALLING, "c", guards="a family"),
    ]
    assert [row.claim for row in summary.fit(findings)] == ["s", "e"]


def test_what_was_spent_is_counted_once_for_claims_that_share_trials():
    run = SimpleNamespace(seeds=(0, 1, 2), max_seeds=7, budget=None)
    spent = summary.spent(
        run,
        [found(FALLING), found(FALLING, "b", outcome=Score("ece", "id")), found(FALLING[:3], "c")],
    )
    assert spent == Spent(first=3, most=7, trials=12, fixed=14, by_seeds=((3, 1), (6, 2)))
