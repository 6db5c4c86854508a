"""The rerun lines of a run, typed where the run was: each selects the one test that it is of."""

import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ddiv import trial as trials
from ddiv.claim import Claim, Contrast
from ddiv.evidence import RISES
from ddiv.finding import Asked
from ddiv.finding.wording import rerun, rerun_claim
from ddiv.outcome import Spectral
from ddiv.plugin.options import surroundings
from ddiv.profiles.study_file import of_file
from ddiv.run import run as runs
from ddiv.study import Study
from ddiv.treatment import Treatment
from ddiv.trial.store import Store
from tests.plugin.test_foreign_project import INSTALLED, project, run
from tests.support.planted import Levels, record

pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="ddiv is not installed, so pytest does not know of its plugin"
)

STUDY = """
    from ddiv.study import Digits, Recipe, ResNet18, Study

    STUDY = Study(
        name="mine", title="Digits", data=Digits(train=60, side=16), domains=("digits",),
        backbone=ResNet18(width=4, stem_stride=2), recipe=Recipe(epochs=1, batch=60, lr=5e-3),
        dropout_rates=(0.1, 0.3), decays=(1e-3, 1e-1), augmentations=("auto",))
"""
CLAIM = """
    from ddiv.claim import Trend, claim, each_layers
    from ddiv.evidence import RISES
    from ddiv.outcome import Spectral

    @claim({id!r}, "It rises.", source="ours")
    @each_layers
    def test_rise(study, layers):
        return Trend(Spectral("frobenius_norm", layers), study.dropout(), RISES)
"""
# One test of every kind.
CLAIMS = """
    import pytest

    from ddiv.claim import Contrast, Trend, claim, each
    from ddiv.evidence import FALLS, RISES
    from ddiv.outcome import Score, Spectral
    from ddiv.treatment import Part, Treatment

    NORM = Spectral("frobenius_norm", "classifier")

    @claim("drop", "Dropout raises the norm.", source="ours")
    @each(called="it's $so \\"here\\"")
    def test_supported(study, called):
        return Trend(NORM, study.dropout(), RISES)

    @claim("drop-falls", "Dropout lowers the norm.", source="ours")
    def test_contradicted(study):
        return Trend(NORM, study.dropout(), FALLS)

    @claim("drop-known", "Dropout lowers the norm.", source="ours")
    def test_expected(study):
        return Trend(NORM, study.dropout(), FALLS)

    @claim("decay", "Decay raises the norm.", source="ours")
    def test_inconclusive(study):
        return Trend(NORM, study.decay(), RISES)

    @claim("control", "Decay raises the norm.", source="ours", guards="claims")
    def test_control(study):
        return Contrast(NORM, (study.decay()[1][1],), RISES)

    @claim("damaged", "Augmentation raises the norm.", source="ours")
    def test_error(study):
        return Contrast(NORM, (study.augmentation("auto"),), RISES)

    @claim("elsewhere", "Dropout is better elsewhere.", source="ours")
    @pytest.mark.parametrize("rate", [0.1, 0.3])
    def test_not_applicable(study, rate):
        return Contrast(Score("accuracy", "ood"), (study.dropout()[1][1],), RISES)

    class Breaks(Part, frozen=True):
        def loss(self, outputs, labels):
            if len(labels) > 2:  # not in the dry step, which takes two examples
                raise RuntimeError("it breaks")
            return outputs.sum(1)

    @claim("breaks", "What breaks raises the norm.", source="ours")
    def test_failed_training(study):
        return Contrast(NORM, (Treatment.of(Breaks()),), RISES)
"""
LEDGER = """
[[entry]]
profile = "my study"
study = "mine"
claim = "drop-known"
variant = ""
verdict = "contradicted"
since = 2026-01-01
reason = "Nobody knows."
"""
SEEDS = range(7)


def levels(arm: Treatment, seed: int) -> Levels:
    """Dropout raises the norm at every seed, and decay at every other."""
    if "dropout" in arm.label:
        return Levels(scale=1.0 + (arm.label == "dropout 0.3"))
    return Levels(scale=(-1.0) ** seed * ("decay" in arm.label))


def plant(store: Store, study: Study) -> None:
    """Write the records of all arms that can be trained, and damage one."""
    arms = [arm for _, arm in (*study.dropout(), *study.decay())]
    norm = Spectral("frobenius_norm", "classifier")
    question = Contrast(norm, (*arms, study.augmentation("auto")), RISES)
    asked = Asked(Claim("", "", "", ""), study, "", question, tuple(SEEDS), alpha=0.05, test="")
    for job in asked.jobs():
        store.save(record(job, study, levels(job.treatment, job.seed)))
        if "auto" in job.treatment.label:
            for path in store.path(trials.key(job)).glob("*.safetensors"):
                path.unlink()


def selected(line: str, folder: Path) -> list[str]:
    """The tests that a shell's line selects, typed in this folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        ["bash", "-c", f"{line} --collect-only -q -p no:cacheprovider"],
        cwd=folder,
        env=shell | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [each for each in done.stdout.splitlines() if "::" in each]


def selections(lines: list[str], folder: Path) -> list[list[str]]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda line: selected(line, folder), lines))


@pytest.mark.slow
def test_each_line_of_a_run_with_answers_of_every_kind_selects_its_test(tmp_path):
    project(tmp_path, **{"my study": STUDY, "my claims__test_all": CLAIMS})
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "ledger.toml").write_text(LEDGER, "utf-8")
    store = Store(tmp_path / ".ddiv")
    (study,) = of_file(tmp_path / "my study.py").studies
    plant(store, study)
    done = run(tmp_path, "my claims", "--study", "my study.py")
    shown = done.stdout + done.stderr
    assert "1 supported, 2 contradicted (1 of them expected), 1 inconclusive, 2 errors" in shown
    assert "1 of 1 controls held" in shown and "2 skipped" in shown and done.returncode == 1
    told = runs.latest(store)
    asked = runs.load_asked(store, told.id)
    lines = [rerun(one, told.options) for one in asked]
    assert len({one.claim.id for one in asked}) == 8 and "it breaks" in shown
    printed = [line for line in shown.splitlines() if line.startswith("rerun just this: ")]
    assert {line.partition(": ")[2] for line in printed} <= {*lines}
    assert selections(lines, tmp_path) == [[one.test] for one in asked]
    drop = next(one for one in asked if one.claim.id == "drop")
    (rates,) = selections([rerun_claim(drop, told.options)], tmp_path)
    assert all("drop" in each for each in rates) and len(rates) == 3


@pytest.mark.parametrize(
    "place, files, words",
    [
        ("claims", {"claims__test_a": CLAIM}, ["--study=../my_study.py"]),
        ("x", {"x__other": "", "y__test_a": CLAIM}, ["../y", "--study", "../my_study.py"]),
        (
            ".",
            {"a__check_a": CLAIM, "b____init__": "", "b__check_a": CLAIM.replace("rise", "rose")},
            [
                *("a", "b", "-o", "python_files=check_*", "--import-mode", "importlib"),
                *("--rootdir=a", "--study", "my_study.py"),
            ],
        ),
        (".", {"-a__test_a": CLAIM, "@b__test_b": CLAIM}, ["./-a", "./@b", "--study=-study.py"]),
    ],
    ids=["within", "beside", "settings", "signs"],
)
def test_a_line_is_typed_where_the_run_was(tmp_path, place, files, words):
    named = {
        name: text.replace("{id!r}", f"'it is ${number}'")
        for number, (name, text) in enumerate(files.items())
    }
    project(tmp_path, **{"my_study": STUDY, "-study": STUDY}, **named, lines=LINES)
    done = run(tmp_path / place, *words, "--collect-only", "-p", "lines", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (tmp_path / "lines.txt").read_text("utf-8").replace("-p lines ", "").splitlines()
    tests = [shlex.split(line)[1] for line in lines]
    assert len({*tests}) == len(tests) >= 2
    (only,) = selected(lines[-1], tmp_path / place)  # one: each takes a second
    assert only.rpartition("::")[2] == tests[-1].rpartition("::")[2]


def test_a_line_keeps_what_decides_the_tests_and_what_fails():
    words = [
        "claims",
        "--strict",
        "-x",
        "-p",
        "mine",
        "--noconftest",
        "--strict-markers",
        "-k",
        "a",
    ]
    assert [*surroundings(words)] == ["--strict", "-p", "mine", "--noconftest"]


LINES = """
    from pathlib import Path

    def pytest_collection_finish(session):
        from ddiv.finding.wording import rerun
        from ddiv.plugin.session import ASKED, SESSION

        options = session.config.stash[SESSION].run.options
        lines = [rerun(item.stash[ASKED], options) for item in session.items if ASKED in item.stash]
        (Path(__file__).parent / "lines.txt").write_text("\\n".join(lines), "utf-8")
"""


def test_a_run_keeps_its_records_where_its_user_stands_and_says_so(tmp_path):
    """Not in the folder that all paths have in common, which may be anybody's."""
    project(tmp_path, x__my_study=STUDY, y__test_a=CLAIM.replace("{id!r}", "'a'"))
    (tmp_path / "x").mkdir(exist_ok=True)
    seeds = ("--seeds", "1", "--max-seeds", "1")
    done = run(tmp_path / "x", "../y", "--study", "my_study.py", *seeds)
    assert "2 inconclusive" in done.stdout, done.stdout + done.stderr
    page = tmp_path / "x" / "reports" / "my_study.html"
    assert f"report: {page}\n" in done.stdout and page.is_file()
    assert f"records: {tmp_path / 'x' / '.ddiv'}\n" in done.stdout
    assert (tmp_path / "x" / ".ddiv" / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / ".ddiv").exists() and not (tmp_path / "y" / ".ddiv").exists()
    # Where there are settings, the project's folder: from below, the same records.
    (tmp_path / "x" / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (tmp_path / "x" / "below").mkdir()
    (tmp_path / "x" / "test_a.py").write_text((tmp_path / "y" / "test_a.py").read_text())
    again = run(tmp_path / "x" / "below", "../test_a.py", "--study", "../my_study.py", *seeds)
    assert f"records: {tmp_path / 'x' / '.ddiv'}\n" in again.stdout, again.stdout + again.stderr
    assert "trials: 0 of" not in again.stdout
