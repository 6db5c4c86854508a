"""Fields of questions that hold what belongs elsewhere."""

import pytest

from ddiv.claim import All, Change, Contrast, Correlation, Mixing, Trend, claim
from ddiv.claim.returned import BadQuestion, checked
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Spectral
from ddiv.treatment import BASELINE
from tests.support.smoke import STUDY

NORM = Spectral("frobenius_norm", "classifier")
LADDER = STUDY.dropout()
ARM = LADDER[1][1]
WRONG = Trend(Spectral("frobenius_nrom", "classifier"), LADDER, FALLS)
REVERSED = [(arm, dose) for dose, arm in LADDER]


def measured(trained):
    return 1.0


@pytest.mark.parametrize(
    "make, said",
    [
        (
            lambda: Trend(LADDER, NORM, FALLS),
            r"Trend: its `outcome` is a tuple, expected an outcome, such as .* "
            r"\(in order, its fields are outcome, ladder, direction\)",
        ),
        (
            lambda: Trend(NORM, FALLS, LADDER),
            r"Trend: its `ladder` is an int, expected `tuple` \(in order, .* outcome, ladder, dir",
        ),
        (lambda: Contrast((ARM,), NORM, FALLS), r"its `outcome` is a tuple, .* outcome, treatm"),
        (lambda: Mixing(LADDER, NORM, 0.1), r"its `outcome` is a tuple, .* ladder, margin, half"),
        (lambda: Change(NORM, FALLS, ARM), "its `arm` is an int, expected a Treatment .*, arm, d"),
        (lambda: Correlation(NORM, NORM, ARM, RISES), r"is a Treatment, .*: write \(arm,\)"),
        (
            lambda: Trend(NORM, STUDY.dropout, FALLS),
            r"its `ladder` is the method dropout, call it: study\.dropout\(\)",
        ),
        (
            lambda: Trend(measured, LADDER, FALLS),
            r"its `outcome` is the function measured: decorate it with @of_network\(.*measured\(\)",
        ),
        (lambda: Trend(Spectral, LADDER, FALLS), r"is the class Spectral: write Spectral\("),
        (lambda: Trend(NORM, lambda: 0, FALLS), "its `ladder` is the function <lambda>, call it"),
        (lambda: Trend(NORM, LADDER, "falls"), "`direction` is a str, expected RISES or FALLS of"),
        (lambda: Trend(NORM, REVERSED, FALLS), r"\(treatment, dose\): write \(dose, treatment\)"),
        (
            lambda: checked(WRONG),
            r"`outcome\.metric`: invalid enum value 'frobenius_nrom', did you mean "
            r"'frobenius_norm'\? \(there are: alpha, .*stable_rank\)",
        ),
        (lambda: checked(All((WRONG,))), r"`questions\[0\]\.outcome\.metric`: .* did you mean"),
    ],
)
def test_what_is_in_the_wrong_place_is_told(make, said):
    with pytest.raises(BadQuestion, match=said):
        make()


def test_what_fits_is_let_through():
    for question in (Trend(NORM, list(LADDER), FALLS), Contrast(NORM, [ARM], RISES, BASELINE)):
        assert checked(question) == checked(checked(question))


def test_a_claim_that_lacks_its_arguments_says_how_it_is_written():
    def body(study):
        return WRONG

    written = 'write @claim("an-id", "What is claimed.", source='
    for test in (claim(body), claim("id")(body), claim("id", "It is so.")(body)):
        assert written in test.fault
