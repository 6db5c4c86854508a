"""The workflows of .github/workflows: what they run exists, and runs here by the same commands."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path

import pytest
import yaml

from ddiv.cli.main import _parser
from ddiv.finding.ledger import Entry, as_toml
from ddiv.profiles.choose import PROFILES
from tests.support.paths import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow(path: Path) -> dict:
    found = yaml.safe_load(path.read_text())
    return {**found, "on": found[True]}  # YAML 1.1 reads "on" as true


def steps(path: Path) -> list[dict]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def scripts() -> Iterator[str]:
    return (step["run"] for path in FILES for step in steps(path) if "run" in step)


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a script as words, without redirections and the words of a loop."""
    for line in script.splitlines():
        lexer = shlex.shlex(re.sub(r'>> "\$\w+"', "", line), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for ends, part in groupby(lexer, {";", "&&"}.__contains__):
            words = [word for word in part if word not in ("do", "done")]
            if words and not ends:
                yield words


def test_there_are_two_workflows_that_may_only_read():
    assert [path.name for path in FILES] == ["ci.yml", "nightly.yml"]
    for path in FILES:
        assert workflow(path)["permissions"] == {"contents": "read"}
        assert all("timeout-minutes" in job for job in workflow(path)["jobs"].values())
    ci, nightly = map(workflow, FILES)
    assert set(ci["on"]) == {"push", "pull_request"} and set(nightly["on"]) == {
        "schedule",
        "workflow_dispatch",
    }
    assert nightly["jobs"]["claims"]["runs-on"] == ["self-hosted", "gpu"]
    assert len(nightly["on"]["schedule"][0]["cron"].split()) == 5
    assert set(nightly["on"]["workflow_dispatch"]["inputs"]["profile"]["options"]) <= set(PROFILES)


def test_the_pythons_of_ci_are_those_that_the_project_is_for():
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    found = workflow(FILES[0])["jobs"]["check"]["strategy"]["matrix"]["python"]
    assert found == ["3.11", "3.13"] and required == f">={found[0]}"


def test_actions_are_githubs_own_in_a_major_version():
    used = [step["uses"] for path in FILES for step in steps(path) if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[a-z-]+@v\d+", one) for one in used)


@pytest.mark.parametrize("script", list(scripts()))
def test_each_step_is_plain_shell(script):
    """Without ${{ }}, which is nothing to a shell, and would put what somebody typed into the
    script.
    """
    assert "${{" not in script
    assert (
        subprocess.run(["bash", "-n", "-c", script], capture_output=True, check=False).returncode
        == 0
    )


@pytest.fixture(scope="module")
def known_to_pytest() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "claims", "--help", "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", done.stdout))


def test_each_command_names_files_and_options_that_there_are(known_to_pytest):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    seen = set()
    for words in (words for script in scripts() for words in commands(script)):
        match words:
            case [".ci/run"]:
                assert os.access(ROOT / ".ci" / "run", os.X_OK)
            case [".venv/bin/ddiv", *arguments]:
                _parser().parse_args(arguments)  # exits on what it doesn't know
            case [".venv/bin/python", "-m", "pytest", folder, *arguments]:
                assert (ROOT / folder).is_dir()
                assert {
                    word.split("=")[0] for word in arguments if word.startswith("-")
                } <= known_to_pytest
            case [".venv/bin/python", "-m", "pip", "install", "-e", target]:
                assert set(re.search(r"\[(.*)\]", target)[1].split(",")) <= set(extras)
            case [".venv/bin/uv", "pip", "install", *_, "-e", target]:
                assert "lowest-direct" in words and target == ".[test]"
            case [".venv/bin/python", "-m", "pip", "install", "uv"]:
                pass
            case ["python3", "-m", "venv", ".venv"] | ["echo", _] | ["for", *_]:
                pass
            case _:
                pytest.fail(f"a command that this test doesn't know: {words}")
        seen.add(words[0])
    assert {".ci/run", ".venv/bin/ddiv", ".venv/bin/python"} <= seen


def test_what_is_uploaded_is_what_the_claims_write():
    nightly = steps(FILES[1])
    run = next(step["run"] for step in nightly if step.get("name") == "Claims")
    uploaded = next(step for step in nightly if "upload-artifact" in step.get("uses", ""))
    assert uploaded["if"] == "always()" and all(
        path in run for path in uploaded["with"]["path"].split()
    )


@pytest.mark.slow
def test_the_nights_steps_run_here_by_the_same_commands(tmp_path):
    """On the smoke profile and one claim, in a copy of the project with this environment as its
    own.
    """
    if not Path(sys.prefix, "bin", "ddiv").exists():
        pytest.skip("ddiv is not installed in this environment: pip install -e .")
    project = tmp_path / "project"
    shutil.copytree(
        ROOT,
        project,
        ignore=shutil.ignore_patterns(
            ".git", ".venv*", ".ddiv", "reports", "*.egg-info", ".hypothesis"
        ),
    )
    (project / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    (project / "claims" / "ledger.toml").write_text(
        as_toml(
            Entry(
                "smoke",
                "drop-frobenius",
                "resnet18-smoke",
                "contradicted",
                date(2026, 1, 2),
                "a test",
                "classifier",
            )
        )
    )
    files = {name: tmp_path / name for name in ("GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
    told = {name: str(path) for name, path in files.items()} | {
        "PROFILE": "smoke",
        "FETCH": "",
        "DDIV_DATA": "",
        "DDIV_STORE": "",
        "HOME": str(tmp_path / "home"),
        "PYTEST_ADDOPTS": "-k 'drop-frobenius and classifier' --slots 1 -p no:cacheprovider",
    }
    ran = {}
    for step in steps(FILES[1]):
        # with tests of their own
        if "run" in step and step["name"] not in (
            "Environment",
            "What this machine can run",
            "What it will take",
        ):
            kept = (
                dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
                if files["GITHUB_ENV"].exists()
                else {}
            )
            ran[step["name"]] = subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                cwd=project,
                env={**os.environ, **told, **kept},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
    codes = {name: done.returncode for name, done in ran.items()}
    # the ledger that the test wrote is wrong
    assert codes.pop("Claims") == 1 and set(codes.values()) == {0}, ran
    assert (tmp_path / "home" / ".cache" / "ddiv" / "store" / "trials").is_dir()
    assert (project / "reports" / "nightly.html").stat().st_size > 100_000 and (
        project / "reports" / "nightly.xml"
    ).exists()
    summary = files["GITHUB_STEP_SUMMARY"].read_text()
    assert (
        "## ddiv: 1 verdict differs from the ledger" in summary
        and "contradicted since 2026-01-02" in summary
    )
    assert "--profile smoke</code>" in summary
