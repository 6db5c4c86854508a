"""The options of `pytest claims`: bad ones are one line, and a rerun is told those that decide what
is asked.
"""

import argparse
import re
import shlex

import msgspec
import pytest

from ddiv.claim import Claim, Contrast
from ddiv.evidence import FALLS
from ddiv.finding import Asked
from ddiv.finding.wording import rerun
from ddiv.outcome import Spectral
from ddiv.plugin import options
from ddiv.plugin.options import Options
from ddiv.plugin.start import asking, chosen, set_data_root, slots, started
from ddiv.profiles.choose import PROFILES, profile
from ddiv.profiles.profile import Profile
from ddiv.run.run import seconds_of
from tests.support.claims_run import claims


@pytest.fixture
def parser():
    """Pytest's options without any plugin's but one, which has the name --profile."""
    parser = pytest.Parser(_ispytest=True)
    parser.addoption("--profile", default="theirs")
    options.add(parser)
    return parser


@pytest.mark.parametrize(
    "arguments, fields",
    [
        ([], {}),
        (["--profile", "smoke"], {}),
        (["--ddiv-profile", "embedded"], {"profile": "embedded"}),
        (["--first-seed", "0"], {"first_seed": 0}),
        (["--plan"], {"plan": True}),
        (["--max-seeds", "9", "--store=a"], {"max_seeds": 9, "store": "a"}),
    ],
)
def test_an_option_with_the_value_of_its_default_is_given_too(parser, arguments, fields):
    namespace = parser.parse(arguments)
    assert options.read(namespace) == Options(**fields)
    assert options.given(namespace) == bool(fields)


def test_options_are_added_once_and_their_names_given_free(parser):
    options.add(parser)
    with pytest.raises(argparse.ArgumentError, match="conflicting option string: --store"):
        parser.addoption("--store")
    options.release(parser)
    parser.addoption("--store", dest="theirs")
    assert parser.parse(["--store", "a", "--profile", "b"]).theirs == "a"


def test_a_rerun_is_told_the_names_that_options_have_here(parser, tmp_path):
    given = Options(profile="smoke", seeds=2)
    words = [*asking(given, tmp_path, options.flags(parser))]
    assert words == ["--ddiv-profile", "smoke", "--seeds", "2"]


def test_the_help_names_every_profile():
    assert (
        f"run: {', '.join(PROFILES)} (default: {Options.profile})"
        in (options.TABLE["profile"]["help"])
    )


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
    words = [*asking(Options(**given), tmp_path)]
    assert words == said
    again = rerun(argparse.Namespace(test="claims/test_x.py::test_y[a-b]"), words)
    assert shlex.split(again) == ["pytest", "claims/test_x.py::test_y[a-b]", *said]


@pytest.mark.parametrize(
    "option, message",
    [
        (
            {"profile": "nonsense"},
            "no profile 'nonsense'; choose one of: embedded, full, smoke, paper",
        ),
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
    given = Options(**{"profile": "smoke"} | option)
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        started(given, chosen(given), tmp_path, "pytest claims", strict=False)
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


@pytest.mark.parametrize(
    "given, headline, limits",
    [
        ({}, 0, (7, 7, 6, 16)),
        ({}, 15, (7, 15, 6, 16)),
        ({}, 20, (7, 20, 6, 20)),
        ({"max_seeds": 9}, 15, (9, 9, 9, 9)),
        ({"max_seeds": 30}, 15, (30, 30, 30, 30)),
        ({"seeds": 20}, 0, (20, 20, 20, 20)),
    ],
)
def test_headlines_and_surprises_may_get_more_seeds_and_dear_studies_fewer_unless_told(
    tmp_path, given, headline, limits
):
    (study,) = profile("smoke").studies
    studies = Profile("p", "", (study,), 3, 7, headline, study_seeds={"dear": 6})
    run = started(Options(**given), studies, tmp_path, "pytest claims", strict=False)
    main = Claim("a", "b", "c", "d", headline=True)
    plain = msgspec.structs.replace(main, headline=False)
    dear = msgspec.structs.replace(study, name="dear")
    question = Contrast(Spectral("frobenius_norm", "classifier"), (study.no_op,), FALLS)
    most = [
        run.most(Asked(claim, on, "", question, (0, 1, 2), 0.05, ""))
        for claim, on in ((plain, study), (main, study), (main, dear))
    ]
    assert (*most, run.surprise_seeds) == limits


def test_a_data_root_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"--data-root: there is no folder .*none"):
        set_data_root(Options(data_root=str(tmp_path / "none")))


@pytest.mark.parametrize("wrong", [0, -1])
def test_slots_that_no_trial_could_take_are_refused(wrong):
    with pytest.raises(ValueError, match="--slots needs a number of at least 1"):
        slots(Options(slots=wrong))


@pytest.mark.parametrize("wrong", ["0", "-1s", "nan", "inf", "9" * 400, "1e9h", "9" * 307 + "h"])
def test_a_budget_is_a_time(wrong):
    with pytest.raises(ValueError, match="a budget is a time"):
        seconds_of(wrong)
