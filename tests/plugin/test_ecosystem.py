"""Other plugins of pytest's, and its own options: they run tests again, repeat or share them, and
still each question has one answer.
"""

import subprocess
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.plugin.test_foreign_project import INSTALLED, project, run

pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="ddiv is not installed, so pytest does not know of its plugin"
)

# Dropout shrinks the weights of the smoke profile's network, so this comes out contradicted.
CLAIM = """
    from ddiv.claim import Trend
    from ddiv.claim.declare import claim
    from ddiv.evidence import RISES
    from ddiv.outcome import Spectral

    @claim("drop-frobenius", "Weights swell.", source="a note", needs=("dropout_rates",))
    def test_dropout(study):
        return Trend(Spectral("frobenius_norm", "classifier"), study.dropout(), RISES)
"""
LEDGER = """
    [[entry]]
    profile = "smoke"
    study = "resnet18-smoke"
    claim = "drop-frobenius"
    variant = ""
    verdict = "contradicted"
    since = 2026-01-01
    reason = "Nobody knows."
"""
REPEATED = """
    import pytest

    def pytest_generate_tests(metafunc):
        metafunc.parametrize("step", range(2), indirect=True)

    @pytest.fixture(autouse=True)
    def step(request):
        return request.param
"""
RUN_AGAIN = """
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        for outcome in ("rerun", "rerun", None):
            for report in runtestprotocol(item, log=False, nextitem=nextitem):
                if outcome and report.when == "call":
                    report.outcome = outcome
                if outcome is None or report.when == "call":
                    item.ihook.pytest_runtest_logreport(report=report)
        return True
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A store with all that the claim reads."""
    folder = tmp_path_factory.mktemp("project")
    done = claims(folder, folder / "store")
    assert done.returncode == 1 and "0 supported, 1 contradicted" in done.stdout, done.stdout
    return folder / "store"


def claims(folder: Path, store: Path, *arguments: str, **files: str) -> subprocess.CompletedProcess:
    project(folder, test_dropout=CLAIM, **files)
    return run(folder, "--profile", "smoke", f"--store={store}", *arguments)


def installed(module: str, *arguments: str):
    lacking = pytest.mark.skipif(not find_spec(module), reason=f"{module} is not installed")
    return pytest.param({}, arguments, marks=lacking, id=module)


@pytest.mark.parametrize(
    "files, arguments",
    [
        pytest.param({"conftest": REPEATED}, (), id="repeated"),
        pytest.param({"conftest": RUN_AGAIN}, (), id="run-again"),
        pytest.param({}, ("-n", "2", "--dist", "each"), id="on-each-worker"),
        installed("pytest_repeat", "--count", "2"),
        installed("pytest_rerunfailures", "--reruns", "2"),
    ],
)
def test_a_question_counts_once_however_often_it_is_put(tmp_path, store, files, arguments):
    done = claims(tmp_path, store, *arguments, **files)
    shown = done.stdout + done.stderr
    assert done.returncode == 1 and "0 supported, 1 contradicted, 0 inconclusive" in shown, shown
    assert "test_dropout.py::test_dropout[drop-frobenius-resnet18-smoke]'" in shown  # to be rerun
    page = (tmp_path / "reports" / "smoke.html").read_text("utf-8")
    assert "INTERNALERROR" not in shown and "drop-frobenius" in page


def test_the_properties_of_a_verdict_are_in_junits_file_where_warnings_are_errors(tmp_path, store):
    done = claims(tmp_path, store, "--junitxml=out.xml", "-W", "error", conftest=RUN_AGAIN)
    assert done.returncode == 1 and "1 contradicted" in done.stdout, done.stdout + done.stderr
    last = ElementTree.parse(tmp_path / "out.xml").getroot().findall(".//testcase")[-1]
    names = [each.get("name") for each in last.findall(".//property")]
    assert names.count("ddiv verdict") == 1


@pytest.mark.parametrize(
    "arguments, status, word", [((), 0, "expected-contradicted"), (("--runxfail",), 1, "failed")]
)
def test_no_failure_is_expected_with_runxfail(tmp_path, store, arguments, status, word):
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "ledger.toml").write_text(LEDGER.replace("    ", ""), "utf-8")
    done = claims(tmp_path, store, *arguments)
    assert done.returncode == status and f"1 {word}" in done.stdout, done.stdout + done.stderr


def test_counts_are_there_without_a_terminal(tmp_path, store):
    done = claims(tmp_path, store, "-p", "no:terminal", "--junitxml=out.xml")
    tree = ElementTree.parse(tmp_path / "out.xml")
    counts = {each.get("name"): each.get("value") for each in tree.iter("property")}
    assert counts["ddiv contradicted"] == "1", done.stdout + done.stderr


def test_a_claim_whose_body_fails_is_an_error_of_its_own(tmp_path, store):
    broken = CLAIM.replace("return", "study.nothing;").replace("test_drop", "test_other")
    done = claims(tmp_path, store, test_broken=broken)
    shown = done.stdout + done.stderr
    assert "drop-frobenius cannot be put to resnet18-smoke: AttributeError" in shown, shown
    assert "test_broken.py:" in shown and "INTERNALERROR" not in shown
    assert "1 failed, 1 error" in shown and "1 contradicted" in shown
