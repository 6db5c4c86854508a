"""The commands that people type in the project's root, and what they mean."""

import shutil
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT

# What the project says it stands on; each comes with the plain installation.
STANDS_ON = {
    "pytest",
    "pytest-xdist",
    "pytest-benchmark",
    "torch",
    "torchvision",
    "open-clip-torch",
    "weightwatcher",
    "vendi-score",
    "transformers",
    "openai",
}


def collected(*arguments):
    """The node ids that pytest collects with these arguments in the project's root."""
    command = [sys.executable, "-m", "pytest", *arguments, "--collect-only", "-q", "-n", "0"]
    command += ["-p", "no:cacheprovider"]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_pytest_k_alone_means_the_claims():
    found = collected("-k", "synthetic")
    assert found == collected("claims", "-k", "synthetic")
    assert found and all(test.startswith("claims/") for test in found)
    assert any("synth-less-diverse-clip-world" in test for test in found)


def test_what_the_project_stands_on_is_installed_plainly():
    needed = map(Requirement, metadata.requires("ddiv"))
    plain = {one.name.lower().replace("_", "-") for one in needed if one.marker is None}
    assert plain >= STANDS_ON


def test_without_their_extra_the_tests_say_in_a_line_what_to_install(tmp_path):
    facts = tmp_path / "ddiv-9.dist-info" / "METADATA"
    facts.parent.mkdir()
    facts.write_text(
        "Metadata-Version: 2.1\nName: ddiv\nVersion: 9\nProvides-Extra: test\n"
        'Requires-Dist: nowhere-to-be-had>=2; extra == "test"\n'
        'Requires-Dist: pytest>=999; extra == "test"\nRequires-Dist: numpy\n',
        encoding="utf-8",
    )
    # In the project's root lie the true facts; the tests' conftest.py is what is tried.
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR and not done.stdout.strip()
    (line,) = done.stderr.strip().splitlines()
    assert "nowhere-to-be-had" in line and "pytest>=999" in line and "'.[test]'" in line
