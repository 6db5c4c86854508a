"""Why tests are not asked of a study is told where pytest is not told to tell it."""

import pytest

from ddiv.plugin.answers import MOST_REASONS, UNASKED, Answers
from tests.plugin.test_foreign_project import CLAIM, INSTALLED, project, run


def skipped(nodeid: str, reason: str) -> pytest.TestReport:
    report = pytest.TestReport(nodeid, ("a.py", 1, "a"), {}, "skipped", None, "setup")
    setattr(report, UNASKED, reason)
    return report


def test_the_most_frequent_reasons_are_told_once_each():
    answers = Answers()
    for number in range(MOST_REASONS + 2):
        for test in range(1 + (number == 3)):
            for _ in range(2):  # a plugin runs the test twice
                report = skipped(f"test_{number}[{test}]", f"reason {number}")
                answers.pytest_runtest_logreport(report)
    expected = skipped("test_x", "expected")
    expected.wasxfail = "known"
    answers.pytest_runtest_logreport(expected)
    lines = [*answers.unasked()]
    assert lines[:2] == ["2 not asked: reason 3", "1 not asked: reason 0"]
    assert lines[MOST_REASONS:] == ["2 not asked for other reasons (a run with -rs tells all)"]


@pytest.mark.skipif(not INSTALLED, reason="pytest does not know of ddiv's plugin")
def test_a_run_tells_them_unless_pytest_does(tmp_path):
    study = """
        from ddiv.study import Digits, Recipe, ResNet18, Study

        STUDY = Study(name="mine", title="Digits", data=Digits(train=60, side=16),
            backbone=ResNet18(4), recipe=Recipe(epochs=1, batch=60, lr=5e-3))
    """
    project(tmp_path, mine=study, test_a=CLAIM)
    line = "1 not asked: no study of this run has decays"
    done = run(tmp_path, "test_a.py", "--study", "mine.py")
    assert f"\n{line}\n" in done.stdout and done.returncode == 0, done.stdout + done.stderr
    assert line not in run(tmp_path, "test_a.py", "--study", "mine.py", "-rs").stdout
