"""The wheel: claims and fixtures are in it below `ddiv`, and run without a checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT


def finished(*words: str | Path, cwd: Path, **environment: str) -> str:
    """What a command says that has to end well."""
    done = subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built of a copy, so that no folder `build` of an earlier one is in it."""
    place = tmp_path_factory.mktemp("wheel")
    copy = place / "ddiv"
    kept = ("ddiv", "claims", "fixtures")
    for name in kept:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    # Without the index where it can be: a venv of Python 3.11 brings a setuptools that is too old.
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    (needed,) = map(Requirement, asked)
    here = find_spec(needed.name) and version(needed.name) in needed.specifier
    alone = ["--no-build-isolation"] if here else []
    words = (sys.executable, "-m", "pip", "wheel", "--no-deps", *alone, "-w", place, ".")
    finished(*words, cwd=copy)
    (made,) = place.glob("*.whl")
    return made


def test_the_wheel_has_everything_below_ddiv(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"ddiv"}
    for folder, ending in (("claims", "py"), ("claims", "toml"), ("fixtures", "py")):
        for path in (ROOT / folder).glob(f"*.{ending}"):
            assert f"ddiv/{folder}/{path.name}" in names
    # Everything of the package too: a file that is not listed in pyproject.toml would be missing.
    here = [path.relative_to(ROOT) for path in (ROOT / "ddiv").rglob("*") if path.is_file()]
    wanted = {path.as_posix() for path in here if "__pycache__" not in path.parts}
    assert wanted <= {*names}
    texts = [zipfile.ZipFile(wheel).read(name).decode() for name in names if "/claims/" in name]
    assert not any("\nfrom fixtures" in text for text in texts)


def test_claims_run_from_the_wheel_without_a_checkout(wheel, tmp_path):
    """In an environment that has this one's packages, but for ddiv."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    scheme = sysconfig.get_paths(vars={"base": str(tmp_path / "env")})
    site = Path(scheme["purelib"])
    # The folder alone: what its own .pth files would add, a checkout of ddiv say, stays away.
    (site / "theirs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--python", python)
    finished(*pip, "install", "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=tmp_path)
    place = tmp_path / "elsewhere"
    place.mkdir()
    code = "import ddiv.claims, ddiv.fixtures.arms as f; print(ddiv.claims.__file__, f.__file__)"
    assert finished(python, "-c", code, cwd=place).count(str(site)) == 2
    claims = (python, "-m", "pytest", "--pyargs", "ddiv.claims", "-p", "no:cacheprovider")
    words = ("--profile", "smoke", "-k", "drop-frobenius and classifier", "-n", "0")
    said = finished(*claims, *words, "--max-seeds", "1", "--seeds", "1", cwd=place)
    assert (place / "reports" / "smoke.html").exists() and "1 inconclusive" in said
    assert (place / ".ddiv" / "trials").is_dir() and not (place / "claims").exists()
    ledger = finished(site.parents[2] / "bin" / "ddiv", "ledger", cwd=place)
    assert "0 of 0" not in ledger and str(site) in ledger.splitlines()[-1]
