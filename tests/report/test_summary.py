"""What all findings of a run say together, from planted effects."""

import pytest

from ddiv.evidence import FALLS, judge
from ddiv.finding import Unanswered
from ddiv.outcome import Score
from ddiv.report import summary
from ddiv.report.schema import Listed, Spent
from ddiv.run.run import Run
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


def test_controls_are_counted_by_the_family_that_they_guard_and_pooled():
    findings = [
        found(FALLING, guards="x"),
        found(RISING, guards="x", study="two"),
        found(FALLING[:2], guards="y"),
        found(FALLING),
    ]
    controls = summary.controls(findings, 0.05)
    assert {name: (row.held, row.of) for name, row in controls.items()} == {
        "x": (1, 2),
        "y": (1, 1),
    }
    evalues = [2 * judge(effects, FALLS).e_for for effects in (FALLING, RISING)]
    assert controls["x"].pooled == pytest.approx(evalues[0] * evalues[1])
    assert (controls["x"].bar, controls["x"].studies) == (40, 2)  # of two families


def test_a_bias_that_no_control_shows_is_shown_by_all_of_them():
    findings = [found(FALLING[:4], guards="x", study=f"study {i}") for i in range(4)]
    (row,) = summary.controls(findings, 0.05).values()
    assert (row.held, row.of) == (4, 4) and row.pooled > row.bar and row.failed
    (alone,) = summary.controls(findings[:1], 0.05).values()
    assert not alone.failed


def test_a_control_of_what_is_specific_is_judged_by_it():
    findings = [
        found(FALLING, guards="specific", judged_by="specific", specific=[0.0] * 6),
        found(RISING, guards="specific", judged_by="specific", specific=FALLING, study="two"),
        found(FALLING, guards="specific", judged_by="specific", study="three"),  # has none
    ]
    (row,) = summary.controls(findings, 0.05).values()
    assert (row.held, row.of) == (2, 3)


def test_what_is_specific_has_a_list_of_its_own():
    findings = [
        found(FALLING, test="both", specific=FALLING),
        found([-2.0] * 6, test="claimed", study="two", specific=RISING),
        found([-3.0] * 6, test="without", study="three"),
    ]
    assert summary.listed(findings, 0.1).tests == ("both", "claimed", "without")
    specific = summary.listed(findings, 0.1, specific=True)
    assert (specific.tests, specific.of) == (("both",), 2)


def test_claims_over_studies_multiply_and_say_which_are_listed():
    weak = FALLING[:4]
    findings = [found(weak, study=f"study {i}", specific=[0.0] * 4) for i in range(4)]
    findings.append(found(RISING, "other"))
    claimed, specific = (summary.claims_listed(findings, 0.05, way) for way in (False, True))
    rows = summary.with_products(summary.over_studies(findings, 0.05), claimed, specific)
    one = 2 * judge(weak, FALLS).e_for
    (row, other) = rows
    assert row.verdict == "inconclusive"  # no study shows it alone
    assert row.product == pytest.approx(one**4) and row.listed and not row.specific_listed
    assert row.specific_product < 1 and not other.listed and other.specific_product is None
    counted = summary.counted(claimed, 0.05)
    assert (counted.of, counted.listed) == (2, 1)


def test_what_was_spent_is_counted_once_for_claims_that_share_trials():
    run = Run("id", "pytest claims", "mine", (0, 1, 2), 0.05, 1, "cpu", False, 0.0, 7)
    spent = summary.spent(
        run,
        [found(FALLING), found(FALLING, "b", outcome=Score("ece", "id")), found(FALLING[:3], "c")],
    )
    family = 6  # optimisation controls, besides the baseline and the arm
    assert spent == Spent(
        first=3, most=7, trials=6 * (2 + family), fixed=7 * (2 + family), by_seeds=((3, 1), (6, 2))
    )
