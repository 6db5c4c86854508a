"""An experiment of a user's own in files outside the checkout, from the claim to the page.

Real processes, as a user starts them.
"""

import pytest

from ddiv.trial.store import Store
from tests.support.outside import started
from tests.support.parsed_page import opened

STUDY = """
from ddiv.study import Study

STUDY = Study(name="my-bench", title="Means of Gaussians", experiments=("means",))
"""

CLAIMS = """
from ddiv.claim import Graded, Measured, claim
from ddiv.evidence import FALLS, RISES
from ddiv.study import experiment


@experiment(error="distance of the mean of n draws from the true mean, over the expected one")
def mean_of(draws, n: int = 10):
    drawn = draws.numpy("numbers").normal(size=n)
    return {"error": abs(drawn.mean()) / n**-0.5}


@claim("mean-far", "They lie ten deviations off.", source="a note", needs="experiments")
def test_far(study):
    return Measured(mean_of("error"), RISES, 10.0)


@claim("mean-near", "Means lie near.", source="a note", needs="experiments")
def test_near(study):
    return Measured(mean_of("error"), FALLS, 10.0)
"""

OPTIONS = ("--study", "my_study.py", "--store", "kept", "test_mine.py")


def run(folder, *further: str):
    plugins = ("-p", "no:cacheprovider", "-p", "ddiv.plugin")
    return started(folder, "pytest", *plugins, "-n", "0", *OPTIONS, *further)


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """The folder of a run of two claims, what a plan before it said, and what it printed."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "my_study.py").write_text(STUDY)
    (folder / "test_mine.py").write_text(CLAIMS)
    return folder, run(folder, "--plan"), run(folder)


def test_claims_about_experiments_come_to_verdicts_over_shared_records(answered):
    folder, _, done = answered
    # A user's own contradiction fails, as no ledger speaks of it.
    assert "1 failed, 1 supported" in done.stdout, done.stdout + done.stderr
    assert "mean-far is contradicted on my-bench" in done.stdout
    assert len(Store(folder / "kept").keys()) == 6  # the seeds at which a verdict falls


def test_a_plan_counts_experiments_and_tries_one_of_each_function(answered):
    _, plan, _ = answered
    assert "experiments" in plan.stdout and "0/3" in plan.stdout, plan.stdout + plan.stderr
    assert "1 by a calibration" in plan.stdout and "Not known" not in plan.stdout


def test_a_process_without_the_function_writes_the_page_again(answered):
    folder, _, _ = answered
    done = started(folder, "ddiv", "report", "--store", "kept", "--out", "again.html")
    assert done.returncode == 0, done.stdout + done.stderr
    page = opened((folder / "again.html").read_text("utf-8"))
    assert "distance of the mean of n draws" in page and "Means of Gaussians" in page


def test_another_source_is_another_experiment(answered):
    folder, _, _ = answered
    known = {*Store(folder / "kept").keys()}
    (folder / "test_mine.py").write_text(CLAIMS.replace("n**-0.5", "float(n) ** -0.5"))
    run(folder, "-k", "near")
    assert len({*Store(folder / "kept").keys()} - known) == 6
