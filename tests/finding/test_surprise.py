"""Verdicts beside the ledger: which are surprises, which of them are sure, and what is told."""

import datetime

import pytest

from ddiv.claim import Claim, Contrast
from ddiv.evidence import RISES, judge
from ddiv.finding import CONTROL_SHARE, Asked, Finding, standing
from ddiv.finding.ledger import Entry
from ddiv.finding.surprise import enough, is_surprise, told
from ddiv.finding.together import row
from tests.support.made_findings import NORM, STRONG
from tests.support.smoke import STUDY

SINCE = datetime.date(2027, 1, 2)
AGREE, AGAINST, OPEN = [1.0] * 7, [-1.0] * 7, [1.0, -1.0] * 3


def entry(verdict: str) -> Entry:
    return Entry("smoke", "an-id", STUDY.name, verdict, SINCE, "why")


def finding(effects, known=None, guards="", ledger=True, among=100, **more) -> Finding:
    claim = Claim("an-id", "it rises", "a source", "a family", guards)
    asked = Asked(
        claim,
        STUDY,
        "classifier",
        Contrast(NORM, (STRONG,), RISES),
        tuple(range(len(effects))),
        0.05 / (CONTROL_SHARE if guards else 1),
        "t",
        expected=known and entry(known),
        ledger=ledger,
        among=among,
    )
    evidence = judge(effects, RISES, alpha=asked.alpha)
    return Finding(asked, evidence, tuple((effect,) for effect in effects), **more)


@pytest.mark.parametrize(
    "effects, known, stands",
    [
        (AGREE, None, ""),
        (OPEN, None, ""),
        (AGAINST, None, "unexpected"),
        (AGAINST * 2, None, "sure"),
        (AGAINST, "contradicted", "expected"),
        (AGAINST * 2, "contradicted", "expected"),
        (AGAINST, "inconclusive", "unexpected"),
        (AGAINST * 2, "inconclusive", "sure"),
        (OPEN, "inconclusive", "expected"),
        (OPEN, "contradicted", "weakened"),
        (AGREE, "contradicted", "unexpected"),
        (AGREE * 2, "contradicted", "sure"),
        (AGREE * 2, "inconclusive", "sure"),
    ],
)
def test_a_claim_beside_the_ledger(effects, known, stands):
    assert standing(finding(effects, known)) == stands


def test_where_no_ledger_speaks_of_the_profile_a_contradiction_is_a_verdict():
    found = finding(AGAINST * 2, ledger=False)
    assert found.evidence.verdict == "contradicted"
    assert not is_surprise(found) and standing(found) == "" and told(found) == ""


@pytest.mark.parametrize("ledger", [True, False])
def test_a_supported_control_is_a_surprise_with_or_without_a_ledger(ledger):
    twelve = [1.0] * 12
    assert standing(finding(twelve, guards="x", ledger=ledger, among=50)) == "sure"
    assert standing(finding(twelve, guards="x", ledger=ledger, among=900)) == "unexpected"
    assert standing(finding([1.0] * 15, guards="x", ledger=ledger, among=900)) == "sure"
    # Not supported, at a fiftieth of the level: nothing to tell. Contradicted: as it has to be.
    assert standing(finding(AGREE, guards="x", ledger=ledger, among=1)) == ""
    assert standing(finding([-1.0] * 12, guards="x", ledger=ledger, among=1)) == ""


def test_a_surprise_is_sure_at_the_number_of_questions_over_alpha():
    # Seven seeds that agree: 2^6 + 2^7 / 8 * P(Beta(8, 1) > 1/2) = 79.9, four questions need 80.
    assert standing(finding(AGAINST, among=3)) == "sure"
    assert standing(finding(AGAINST, among=4)) == "unexpected"
    assert 2 * finding(AGAINST).evidence.e_against == pytest.approx(80 - 1 / 16, abs=0.05)


def test_what_is_told_names_claim_study_and_evidence():
    assert told(finding(AGAINST)) == (
        f"an-id on {STUDY.name}, classifier is contradicted, not sure: evidence 79.9 at 7 seeds, "
        "where 2,000 is enough among 100 questions"
    )
    assert "supported (before: contradicted, since 2027-01-02), not sure" in told(
        finding(AGREE, "contradicted")
    )
    assert told(finding([1.0] * 12, guards="x", among=900)).startswith("a control, an-id on")
    weaker = told(finding(OPEN, "contradicted"))
    assert weaker.startswith(f"an-id on {STUDY.name}, classifier is inconclusive (before: contra")
    for effects, known in ((AGREE, None), (AGAINST * 2, None), (AGAINST, "contradicted")):
        assert told(finding(effects, known)) == ""
    assert enough(finding(AGAINST, among=1)).endswith("20 is enough of a single question")


def test_a_findings_row():
    found = finding(AGREE)
    assert row(found) == (
        ("an-id", "classifier"), STUDY.name, found.evidence.evalue, (1.0,) * 7, False
    )  # fmt: skip
    assert row(finding(AGREE, guards="dropout", withheld=True))[::4] == ("dropout", True)
