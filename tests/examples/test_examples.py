"""The claims in examples/: what a user writes who knows nothing of ddiv but its documentation."""

import ast
import importlib
import inspect
import shutil

import pytest

import ddiv
from ddiv.finding.ledger import entries
from ddiv.profiles.study_file import of_file
from ddiv.run import run as runs
from ddiv.study import Study
from ddiv.trial.store import Store
from tests.support.claim_cases import CASES, Case, cases_of
from tests.support.claim_worlds import untrue
from tests.support.outside import started
from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"
FILES = sorted(EXAMPLES.glob("*.py"))
# What the README and the help of ddiv's commands point to.
MODULES = ("ddiv", "ddiv.claim", "ddiv.evidence", "ddiv.outcome", "ddiv.study", "ddiv.treatment")


@pytest.fixture(scope="module")
def studies() -> tuple[Study, ...]:
    return of_file(EXAMPLES / "elsewhere.py").studies


@pytest.fixture(scope="module")
def cases(studies) -> list[Case]:
    return list(cases_of(sorted(EXAMPLES.glob("test_*.py")), studies))


def test_each_claim_comes_out_as_its_records_say(cases):
    """In every variant: supported, contradicted and inconclusive."""
    assert len(cases) == 10
    assert untrue(cases) == {}


def test_the_claims_have_ids_of_their_own_and_a_control_for_each_family(cases):
    assert not {case.claim.id for case in cases} & {case.claim.id for case in CASES}
    families = {case.claim.family for case in cases}
    assert families == {case.claim.guards for case in cases if case.claim.control}
    sources = {case.claim.family: case.claim.source for case in cases if not case.claim.control}
    assert all(sources.values()) and len(sources) == 3


def test_an_arm_that_several_files_name_is_one(cases):
    """At the top of a file, in a test's body, in one file or another."""
    arms = {arm for case in cases for arm in case.question.arms()}
    labels = sorted(arm.label for arm in arms)
    assert labels == sorted({*labels}) and "label smoothing 0.1" in labels


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_used_but_what_is_documented(path):
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                assert not any(name.name.startswith(("ddiv", "fixtures")) for name in node.names)
            case ast.ImportFrom(module=module) if module.partition(".")[0] == "ddiv":
                assert module in MODULES
                there = importlib.import_module(module)
                public = dir(ddiv) if module == "ddiv" else there.__all__
                for name in (alias.name for alias in node.names):
                    assert name in public and not name.startswith("_")
                    thing = getattr(there, name)
                    assert not callable(thing) or inspect.getdoc(thing)
            case ast.ImportFrom(module=module):
                assert module.partition(".")[0] in ("elsewhere", "torch")
            case ast.Attribute(attr=name):
                assert not name.startswith("_") or name == "__init__"


@pytest.mark.slow
def test_they_run_from_a_copy_elsewhere(tmp_path):
    folder = tmp_path / "my_paper"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    options = ("-p", "no:cacheprovider", "-n", "0", "--seeds", "1", "--max-seeds", "1")
    some = ("-k", "flatness or smooth", *options)
    done = started(folder, "pytest", ".", "--study", "elsewhere.py", *some)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (folder / "reports" / "elsewhere.html").read_text()
    assert 'class="subtitle"' not in page  # the paper that ddiv is about is not this one
    store = Store(folder / ".ddiv")
    arms = [record.job.treatment.label for record in store.records() if record.job.seed == 0]
    arms_of_claims = ["label smoothing 0.1", "label smoothing 0.3", "no-op", "sharpness aware 0.05"]
    assert sorted(arms) == ["baseline", *arms_of_claims]  # no calibration, no slower optimiser
    answered = runs.load_asked(store, runs.latest(store).id)
    assert len(answered) == 7 and not any(question.error for question in answered)


def test_the_ledger_beside_the_claims_names_tests_that_there_are(cases):
    known = entries(EXAMPLES / "ledger.toml")
    assert known and set(known) <= {
        ("elsewhere", case.claim.id, case.study.name, case.variant) for case in cases
    }
