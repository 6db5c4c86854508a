"""`-k FAMILY` chooses a family of claims; an expression that chooses none is answered."""

import pytest

from ddiv.plugin.chosen import _of_families, unmatched
from tests.plugin.test_foreign_project import INSTALLED, project, run

FAMILIES = ("dropout", "weight_decay", "as_coded", "as_coded_texts")


@pytest.mark.parametrize(
    "typed, read",
    [
        ("dropout", "ddiv:dropout:"),
        ("Weight-Decay and not classifier", "ddiv:weight_decay: and not classifier"),
        ("as_coded", "ddiv:as_coded:"),
        ("(dropout or drop-alpha) and bert", "(ddiv:dropout: or drop-alpha) and bert"),
        ("drop", "drop"),
        ("test_dropout.py", "test_dropout.py"),
        ("not as-coded", "not as-coded"),  # of a study
    ],
)
def test_a_word_that_names_a_family_means_the_family(typed, read):
    names = ["test_dropout_alpha[drop-alpha-clip-world-as-coded-classifier]"]
    assert _of_families(typed, FAMILIES, names) == read


def test_an_expression_without_a_match_is_told_what_there_is():
    line = unmatched("dropuot and clip", FAMILIES, ())
    assert "Did you mean dropout?" in line
    assert "families are dropout, weight_decay, as_coded, as_coded_texts" in line
    assert "Did you mean" not in unmatched("zzz", FAMILIES, ())


CLAIM = """
    from ddiv.claim import Trend
    from ddiv.claim.declare import claim
    from ddiv.evidence import FALLS
    from ddiv.outcome import Spectral

    @claim("{name}", "A statement.", source="a note", needs=("decays",), guards="{guards}")
    def test_{name}(study):
        return Trend(Spectral("frobenius_norm", "classifier"), study.decay(), FALLS)
"""


@pytest.mark.skipif(not INSTALLED, reason="pytest does not know of ddiv's plugin")
def test_of_claims_that_name_a_family_only_its_own_and_its_controls_are_chosen(tmp_path):
    project(
        tmp_path,
        test_dropout=CLAIM.format(name="shrinks", guards=""),
        test_augmentation=CLAIM.format(name="as_dropout", guards=""),
        test_controls=CLAIM.format(name="idle", guards="dropout"),
        test_plain="def test_dropout_of_students(): pass",
    )
    smoke = ("--profile", "smoke", "--store", "store")
    done = run(tmp_path, *smoke, "--collect-only", "-q", "-k", "dropout")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(line.split("[")[0] for line in done.stdout.splitlines() if "::" in line) == [
        "test_controls.py::test_idle",
        "test_dropout.py::test_shrinks",
        "test_plain.py::test_dropout_of_students",
    ]
    # The controlling process of xdist collects nothing, and tells what a worker found.
    done = run(tmp_path, *smoke, "-n", "1", "-k", "dropuot")
    assert done.returncode == 5, done.stdout + done.stderr
    assert done.stdout.count("-k 'dropuot' chooses no claim. Did you mean dropout?") == 1
