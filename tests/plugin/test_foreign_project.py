"""ddiv's plugin in projects of others, which share an environment with ddiv: it does not disturb
them, and they can use it.
"""

import re
import subprocess
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.outside import started
from tests.support.paths import ROOT

INSTALLED = "ddiv.plugin" in entry_points(group="pytest11").names
pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="ddiv is not installed, so pytest does not know of its plugin"
)

# A plugin, or a conftest.py, that has options of ddiv's names.
OPTIONS = """
    def pytest_addoption(parser):
        for name in ("store", "report", "device", "profile"):
            parser.addoption(f"--{name}", default="their default")
"""
PLAIN = """
    def test_plain():
        pass
"""
CLAIM = """
    from unittest.mock import Mock

    from ddiv.claim import Trend
    from ddiv.claim.declare import claim
    from ddiv.evidence import FALLS
    from ddiv.outcome import Spectral

    @claim("decay-frobenius", "Decay shrinks the weights.", source="a note", needs=("decays",))
    def test_decay(study):
        return Trend(Spectral("frobenius_norm", "classifier"), study.decay(), FALLS)

    def test_insured():
        pass

    test_insured.claim = Mock()
"""


def project(folder: Path, **files: str) -> None:
    """Write Python files; in their names `__` stands for a folder's slash."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """A finished run of pytest in the folder, as from a shell."""
    return started(folder, "pytest", "-p", "no:cacheprovider", *arguments, **environment)


def test_a_project_without_claims_is_left_alone(tmp_path):
    """Not even where it has a folder `claims`, speaks of ddiv, calls something a claim, or adds
    options of ddiv's names in a subfolder, whose conftest.py pytest reads during collection.
    """
    project(
        tmp_path,
        conftest="""
            import sys
            from pathlib import Path

            def pytest_sessionfinish(session):
                packages = ("ddiv", "torch", "msgspec")
                names = sorted(name for name in sys.modules if name.split(".")[0] in packages)
                Path("loaded").write_text(" ".join(names))
        """,
        claims__test_insurance="""
            '''Claims of insured people; ddiv has nothing to do with them.'''

            from unittest.mock import Mock

            class TestClaim:
                claim = Mock()

                def test_paid(self):
                    pass

            def test_refused():
                assert "refused" == "paid"

            test_refused.claim = Mock()
        """,
        packages__part__conftest=OPTIONS,
        packages__part__test_part="""
            def test_options(pytestconfig):
                assert pytestconfig.getoption("--device") == "their default"
        """,
    )
    (tmp_path / "claims" / "test_gone.py").symlink_to("nowhere")
    printed = []
    for arguments, expected in (
        ((), "ddiv ddiv.plugin ddiv.plugin.options"),
        (("-p", "no:ddiv.plugin"), ""),
    ):
        done = run(tmp_path, "-v", *arguments)
        assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
        assert (tmp_path / "loaded").read_text() == expected
        lines = [line for line in done.stdout.splitlines() if not line.startswith("plugins: ")]
        printed.append([re.sub(r" in \d+\.\d+s|=", "", line) for line in lines])
        assert done.stderr == ""
    assert printed[0] == printed[1]
    assert not (tmp_path / ".ddiv").exists() and not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    "files, arguments, environment",
    [
        ({"conftest": OPTIONS}, (), {}),
        ({"conftest": 'pytest_plugins = ["other"]', "other": OPTIONS}, (), {}),
        ({"other": OPTIONS}, ("-p", "other"), {}),
        ({"other": OPTIONS}, ("-p", "ddiv.plugin", "-p", "other"), {}),
        ({"other": OPTIONS}, (), {"PYTEST_PLUGINS": "other"}),
    ],
    ids=["conftest", "conftest-plugins", "before", "after", "environment"],
)
def test_others_keep_the_names_of_their_options(tmp_path, files, arguments, environment):
    project(
        tmp_path,
        **files,
        test_options="""
            def test_options(pytestconfig):
                option = pytestconfig.getoption
                names = ("store", "report", "device", "profile")
                theirs = ["their store", "their default", "their device", "their default"]
                ours = ["our store", "our.html", None, "smoke"]
                assert [option(f"--{name}") for name in names] == theirs
                assert [option(f"--ddiv-{name}") for name in names] == ours
                assert option("--seeds") == 2
        """,
    )
    done = run(
        tmp_path,
        *arguments,
        *("--store", "their store", "--device=their device", "--ddiv-store", "our store"),
        *("--ddiv-report=our.html", "--ddiv-profile=smoke", "--seeds", "2"),
        **environment,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "our store").is_dir() and not (tmp_path / ".ddiv").exists()


@pytest.mark.parametrize(
    "conftest, arguments, environment",
    [
        ('pytest_plugins = ["ddiv.plugin"]', ("-p", "ddiv.plugin"), {}),
        ("", ("-p", "ddiv.plugin"), {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
        ((ROOT / "conftest.py").read_text(), (), {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
    ],
    ids=["three-ways", "named", "our-conftest"],
)
def test_the_plugin_is_registered_once(tmp_path, conftest, arguments, environment):
    """With and without its entry point."""
    project(
        tmp_path,
        conftest=conftest,
        test_registered="""
            import ddiv.plugin

            def test_registered(pytestconfig):
                plugins = pytestconfig.pluginmanager.list_name_plugin()
                names = [name for name, plugin in plugins if plugin is ddiv.plugin]
                assert names == ["ddiv.plugin"]
                assert pytestconfig.getoption("--store") == "records"
        """,
    )
    path = {"PYTHONPATH": str(ROOT)}
    done = run(tmp_path, "--store", "records", *arguments, **environment, **path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_claim_of_another_project_comes_to_a_verdict(tmp_path):
    """Without a conftest.py, next to a test that only calls something a claim.

    The second time the command line names no option, so that the session begins at the first claim
    that is collected. A conftest.py puts the values of the first time in place of the defaults, and
    nothing is trained.
    """
    project(tmp_path, test_a_plain=PLAIN, test_decay=CLAIM)
    page, made = tmp_path / "reports" / "smoke.html", []
    for arguments in (("--profile", "smoke", "--seeds", "1", "--max-seeds", "1"), ()):
        done = run(tmp_path, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 passed, 1 inconclusive" in done.stdout
        assert "0 supported, 0 contradicted, 1 inconclusive" in done.stdout
        made.append({path: path.stat().st_mtime_ns for path in tmp_path.glob(".ddiv/trials/*")})
        assert "decay-frobenius" in page.read_text()
        page.unlink()
        project(
            tmp_path,
            conftest="""
                from ddiv.plugin import options

                smoke = options.Options(profile="smoke", seeds=1, max_seeds=1)
                options.read = lambda namespace: smoke
            """,
        )
    # Two decays and the baseline: no calibration, no optimisation controls.
    assert len(made[0]) == 3 and made[1] == made[0]


def test_a_claim_is_collected_for_every_study_without_any_option(tmp_path):
    project(tmp_path, test_a_plain=PLAIN, test_decay=CLAIM)
    done = run(tmp_path, "--collect-only", "-q")
    names = [line for line in done.stdout.splitlines() if "::" in line]
    assert names[0] == "test_a_plain.py::test_plain"
    assert names[-1] == "test_decay.py::test_insured"
    assert "test_decay.py::test_decay[decay-frobenius-resnet18-digits]" in names[1:-1]


def test_workers_that_meet_an_unannounced_claim_say_which_option_helps(tmp_path):
    project(tmp_path, test_decay=CLAIM)
    done = run(tmp_path, "-n", "2")
    lines = [line for line in done.stdout.splitlines() if line.startswith("with -n, name one")]
    assert len(lines) == 1 and "--profile embedded" in lines[0], done.stdout + done.stderr
    assert "1 error" in done.stdout and "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / ".ddiv").exists()


def test_help_shows_the_names_that_the_options_have_here(tmp_path):
    project(tmp_path, conftest=OPTIONS, test_plain=PLAIN)
    shown = run(tmp_path, "--help")
    assert shown.returncode == 0 and "--ddiv-profile=NAME" in shown.stdout, shown.stderr
    assert "--first-seed=N" in shown.stdout and "--profile=PROFILE" in shown.stdout
    version = run(tmp_path, "--version")
    assert version.returncode == 0
    assert (version.stdout + version.stderr).strip() == f"pytest {pytest.__version__}"


def test_what_takes_the_fewest_trials_is_asked_first(tmp_path):
    project(
        tmp_path,
        test_order="""
            from ddiv.claim import Contrast, Threshold, claim
            from ddiv.evidence import RISES
            from ddiv.outcome import Spectral
            from ddiv.treatment import BASELINE

            NORM = Spectral("frobenius_norm", "classifier")

            @claim("all", "It rises.", source="ours")
            def test_all(study):
                return Contrast(NORM, tuple(arm for _, arm in study.decay()[1:]), RISES)

            def test_of_another_kind():
                pass

            @claim("one", "It rises.", source="ours")
            def test_one(study):
                return Contrast(NORM, (study.decay()[1][1],), RISES)

            @claim("none", "It is large.", source="ours")
            def test_none(study):
                return Threshold(NORM, BASELINE, 1.0, RISES)
        """,
    )
    done = run(tmp_path, "--collect-only", "-q", "--profile", "smoke")
    names = [line.split("::")[1].split("[")[0] for line in done.stdout.splitlines() if "::" in line]
    assert names == ["test_none", "test_of_another_kind", "test_one", "test_all"]


def test_a_control_that_nothing_judges_is_not_asked_rather_than_held(tmp_path):
    """A study without a calibration has no specific verdict."""
    project(
        tmp_path,
        test_control="""
            from ddiv.claim import Contrast, claim
            from ddiv.evidence import FALLS
            from ddiv.outcome import Spectral

            def question(study):
                arm = study.decay()[1][1]
                return Contrast(Spectral("frobenius_norm", "classifier"), (arm,), FALLS)

            @claim("a-control", "It falls.", source="ours", guards="specific", judged_by="specific")
            def test_control(study):
                return question(study)
        """,
    )
    done = run(tmp_path, "--profile", "smoke", "--seeds", "1", "--max-seeds", "1", "-rs")
    assert done.returncode == 0 and "1 skipped" in done.stdout, done.stdout + done.stderr
    assert "not calibrated: run `ddiv calibrate`" in done.stdout
    assert "controls held" not in done.stdout and not list(tmp_path.glob(".ddiv/trials/*"))


def test_who_stands_outside_the_project_of_the_claims_has_store_and_page_where_they_stand(tmp_path):
    project(tmp_path, theirs__test_shrinks=CLAIM)
    (tmp_path / "theirs" / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (mine := tmp_path / "mine").mkdir()
    asked = ("-k", "smoke", "--profile", "smoke", "--seeds", "1", "--max-seeds", "1")
    done = run(mine, "../theirs/test_shrinks.py", *asked)
    assert "1 inconclusive" in done.stdout, done.stdout + done.stderr
    assert (mine / ".ddiv" / "trials").is_dir() and (mine / "reports" / "smoke.html").exists()
    assert not (tmp_path / "theirs" / ".ddiv").exists()
