"""The options of `pytest claims`: bad ones are one line, and a rerun is told those that decide what
is asked.
"""

import re
import shlex
from argparse import Namespace

import pytest

from ddiv.finding.wording import rerun
from ddiv.plugin.options import asking, chosen, set_data_root, started
from tests.support.claims_run import claims

ASKING = {
    "profile": "embedded",
    "study": None,
    "data_root": None,
    "store": None,
    "seeds": None,
    "max_seeds": None,
    "first_seed": 0,
}


RUNNING = {"device": None, "slots": None}


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, []),
        (
            {"profile": "smoke", "seeds": 2, "first_seed": 100},
            ["--profile", "smoke", "--seeds", "2", "--first-seed", "100"],
        ),
        ({"study": "../mine.py", "profile": "smoke"}, ["--study", "mine.py"]),
        ({"study": "own study.py"}, ["--study", "sub/own study.py"]),
        (
            {"data_root": "/elsewhere", "max_seeds": 9, "store": "records"},
            ["--data-root", "/elsewhere", "--store", "sub/records", "--max-seeds", "9"],
        ),
    ],
)
def test_a_run_knows_the_options_that_a_rerun_from_the_projects_root_needs(
    tmp_path, monkeypatch, given, said
):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    found = [*asking(Namespace(**ASKING | given), tmp_path)]
    assert found == said
    again = rerun(Namespace(test="claims/test_x.py::test_y[a-b]"), found)
    assert shlex.split(again) == ["pytest", "claims/test_x.py::test_y[a-b]", *said]


@pytest.mark.parametrize(
    "option, message",
    [
        ({"profile": "nonsense"}, "no profile 'nonsense'; choose one of: embedded, smoke"),
        ({"first_seed": -1}, "--first-seed lies between 0 and"),
        ({"seeds": 0}, "--seeds needs a number of at least 1, got 0"),
        ({"seeds": -3}, "--seeds needs a number of at least 1, got -3"),
        (
            {"max_seeds": 2},
            "--max-seeds is less than the 3 seeds to start with:"
            " give a larger one, or fewer --seeds",
        ),
        ({"seeds": 5, "max_seeds": 4}, "--max-seeds is less than the 5 seeds to start with"),
        ({"budget": "soon"}, "a budget is a time such as 90s, 30m or 2h, got 'soon'"),
        ({"budget": "0m"}, "a budget is a time such as 90s, 30m or 2h, got '0m'"),
    ],
)
def test_bad_profiles_numbers_of_seeds_and_times_are_refused(tmp_path, option, message):
    options = Namespace(**ASKING | {"profile": "smoke", "budget": None} | RUNNING | option)
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        started(options, chosen(options), tmp_path, "pytest claims", strict=False)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--seeds", "0"), "--seeds needs a number of at least 1, got 0"),
        (("--device", "cuda:99"), "--device cuda:99 cannot be used.*this machine has: cpu"),
        (("--store", "/dev/null/store"), "cannot be written.*--store FOLDER"),
    ],
)
def test_what_is_wrong_before_the_first_test_is_one_line(tmp_path, arguments, message):
    """A bad option, no such device, no such store: each is found at a point of its own."""
    done = claims(tmp_path, "--profile", "smoke", *arguments)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert done.returncode == 4 and [line for line in lines if re.search(message, line)] == lines
    assert not (tmp_path / "store").exists()


def test_a_data_root_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"--data-root: there is no folder .*none"):
        set_data_root(Namespace(data_root=str(tmp_path / "none")))
