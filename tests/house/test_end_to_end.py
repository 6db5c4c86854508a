"""`pytest claims`, run for real on the smoke profile in processes of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from functools import partial
from itertools import takewhile
from pathlib import Path

import msgspec
import pytest

from ddiv.common import printed
from ddiv.finding import ledger
from ddiv.profiles.choose import profile
from ddiv.report.gather import page
from ddiv.run import run as runs
from ddiv.run.crew import journal
from ddiv.trial.store import Store
from tests.support.browser import chromium, open_in_browser
from tests.support.claims_run import claims, command, seeds_of
from tests.support.paths import ROOT

# Trained networks and views of data; what is supported, contradicted and inconclusive.
FROBENIUS = "(drop-frobenius or wd-frobenius) and not scratch and not only"
SUBJECT = f"{FROBENIUS} or vendi-aug-pixel and augmix"


def run(folder: Path, *arguments: str, project: Path = ROOT) -> subprocess.CompletedProcess:
    return claims(folder, "--profile", "smoke", *arguments, project=project)


def answers(tmp_path: Path) -> dict:
    """What the newest run's page says of every test, without times and without the command that
    repeats it, which names the store.
    """
    store = Store(tmp_path / "store")
    shown = page(store, runs.latest(store))
    findings = {
        finding.test: msgspec.structs.replace(finding, command="")
        for claim in shown.claims
        for finding in claim.findings
    }
    return {"findings": findings, "materials": shown.materials}


def verdicts(folder: Path) -> dict[str, str]:
    """The verdicts of the newest run, by test."""
    return {name: finding.verdict for name, finding in answers(folder)["findings"].items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """One undisturbed run without xdist: (its folder, its output)."""
    folder = tmp_path_factory.mktemp("alone")
    return folder, run(folder, "-n", "0", "-k", SUBJECT)


def test_a_run_leaves_verdicts_progress_and_a_page(alone):
    folder, done = alone
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert re.search(r"\d+ supported, \d+ contradicted, \d+ inconclusive", done.stdout)
    assert re.search(r"trials: \d+ of \d+ done · \d+ running", done.stdout)
    page = (folder / "page.html").read_text()
    assert 100_000 < len(page) < 1_000_000 and "Ba, Mancenido and Pan" in page
    findings = answers(folder)["findings"].values()
    verdicts = {finding.verdict for finding in findings}
    assert verdicts <= {"supported", "contradicted", "inconclusive"} and len(findings) == 5


def test_a_failing_claim_says_in_three_lines_what_was_measured(alone):
    folder, done = alone
    contradicted = [
        name
        for name, finding in answers(folder)["findings"].items()
        if finding.verdict == "contradicted"
    ]
    assert done.returncode == bool(contradicted)
    for name in contradicted:
        assert re.search(
            r"is contradicted on .*\nmeasured: median effect .*\nrerun just this: pytest "
            + re.escape(printed.command(name)),
            done.stdout,
        )


def test_a_second_run_trains_nothing(alone):
    folder, _ = alone
    before = Store(folder / "store").keys()
    again = run(folder, "-n", "0", "-k", SUBJECT)
    assert Store(folder / "store").keys() == before and "trials:" not in again.stdout


def test_a_run_starts_with_the_profiles_seeds_and_adds_to_the_undecided(alone, tmp_path):
    smoke, seeds = profile("smoke"), seeds_of(alone[0] / "store")
    assert all(numbers == tuple(range(len(numbers))) for numbers in seeds.values())
    counts = {test: len(numbers) for test, numbers in seeds.items()}
    assert set(counts.values()) <= set(range(smoke.seeds, smoke.max_seeds + 1))
    # Decay of .1 shrinks the weights at every seed, so these claims are decided at the sixth.
    assert [count for test, count in counts.items() if "wd-frobenius" in test] == [6, 6]
    # One that even seeds that all agree could not decide any more gets none beyond the first.
    run(tmp_path, "-n", "0", "-k", "drop-frobenius and encoder and not scratch and not only")
    (few,) = seeds_of(tmp_path / "store").values()
    assert few == tuple(range(smoke.seeds))


def stored_seeds(store: Store) -> dict[str, tuple[int, ...]]:
    """The first seeds in a row for which the store has all that a question of its newest run needs,
    by test.
    """

    def stored(one, seed: int) -> bool:
        return all(job in store for job in msgspec.structs.replace(one, seeds=(seed,)).jobs())

    most = range(profile("smoke").max_seeds)
    return {
        one.test: tuple(takewhile(partial(stored, one), most))
        for one in runs.load_asked(store, runs.latest(store).id)
    }


def test_all_seeds_that_the_store_has_in_a_row_count_and_with_no_budget_left_no_others(
    alone, tmp_path
):
    """Up to a gap, whatever the run that left them there was asked, and nothing is trained."""
    shutil.copytree(alone[0] / "store", tmp_path / "store")
    store = Store(tmp_path / "store")

    def seeds_without(gone) -> dict[str, tuple[int, ...]]:
        for record in list(store.records()):
            if gone(record.job):
                shutil.rmtree(store.path(record.key))
        run(tmp_path, "-n", "0", "-k", SUBJECT, "--budget", "0.001s")
        assert journal(runs.folder(store, runs.latest(store).id)) == []
        found = seeds_of(tmp_path / "store")
        assert found == stored_seeds(store)
        return found

    whole = seeds_without(lambda job: False)
    assert min(map(len, whole.values())) >= 6
    gap = seeds_without(lambda job: job.label == "decay 0.1, seed 4")
    assert {test: seeds for test, seeds in whole.items() if "wd-frobenius" not in test} == {
        test: seeds for test, seeds in gap.items() if "wd-frobenius" not in test
    }
    assert [seeds for test, seeds in gap.items() if "wd-frobenius" in test] == [(0, 1, 2, 3)] * 2
    assert set(seeds_without(lambda job: job.seed > 2).values()) == {(0, 1, 2)}


def test_another_block_of_seeds_begins_where_it_is_told_to(tmp_path):
    block = ("--first-seed", "100", "--seeds", "2", "--max-seeds", "2")
    run(tmp_path, "-n", "0", "-k", "wd-spectral and classifier", *block)
    assert set(seeds_of(tmp_path / "store").values()) == {(100, 101)}
    assert {record.job.seed for record in Store(tmp_path / "store").records()} == {100, 101}


def test_one_claim_trains_only_the_arms_that_it_reads_and_all_workers_help_with_them(tmp_path):
    run(tmp_path, "-n", "2", "-k", "drop-frobenius and classifier")
    store = Store(tmp_path / "store")
    labels = {record.job.treatment.label for record in store.records()}
    assert labels == {"baseline", "dropout 0.05", "dropout 0.2"}
    lines = journal(runs.folder(store, runs.latest(store).id))
    assert {line.worker for line in lines} == {"gw0", "gw1"}
    assert len(lines) == len(store.keys()) >= 3 * len(labels)


def assert_alike(folder: Path, other: Path) -> None:
    """That two runs trained the same and came to the same verdicts.

    How many seeds one of their questions was answered with hangs on what others had left in the
    store by then; once more, over the same records, all is the same.
    """
    assert Store(folder / "store").keys() == Store(other / "store").keys() != []
    assert verdicts(folder) == verdicts(other)
    for each in (folder, other):
        run(each, "-n", "0", "-k", SUBJECT)
    assert answers(folder) == answers(other)
    assert seeds_of(folder / "store") == seeds_of(other / "store")


def kill_everything(run_process) -> None:
    os.killpg(run_process.pid, signal.SIGKILL)


def kill_one_worker(run_process) -> None:
    children = Path(f"/proc/{run_process.pid}/task/{run_process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="finds the workers through Linux's /proc"
)
@pytest.mark.parametrize("kill", [kill_everything, kill_one_worker])
def test_a_killed_run_loses_only_what_was_in_flight_and_ends_like_an_undisturbed_one(
    alone, tmp_path, kill
):
    victim = subprocess.Popen(
        command(tmp_path, "--profile", "smoke", "-n", "2", "-k", SUBJECT),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    store = Store(tmp_path / "store")
    while len(store.keys()) < 10:
        assert victim.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    kill(victim)
    victim.wait(timeout=120)
    before = store.keys()
    kept = {key: store.path(key).stat().st_mtime_ns for key in before}
    assert len(kept) >= 10
    run(tmp_path, "-n", "2", "-k", SUBJECT)
    assert {key: store.path(key).stat().st_mtime_ns for key in kept} == kept
    assert_alike(tmp_path, alone[0])


def test_four_workers_say_what_one_process_says(alone, tmp_path):
    done = run(tmp_path, "-n", "4", "--slots", "4", "-k", SUBJECT)
    assert "created: 4/4 workers" in done.stdout or "4 workers" in done.stdout
    assert done.returncode == alone[1].returncode
    assert_alike(tmp_path, alone[0])


def test_no_more_workers_start_than_trials_run_at_once(alone, tmp_path):
    done = run(alone[0], "-n", "4", "--slots", "1", "-k", SUBJECT)
    assert "1 worker for -n 4: no more trials run at once here" in done.stdout
    assert "1 worker [" in done.stdout or "1/1 worker" in done.stdout
    assert done.returncode == alone[1].returncode


def test_a_page_that_cannot_be_written_hides_no_verdict(alone, tmp_path):
    (tmp_path / "file").write_text("")
    unwritable = ("--report", str(tmp_path / "file" / "page.html"))
    done = run(alone[0], "-n", "0", "-k", SUBJECT, *unwritable)
    assert done.returncode != 0 and "INTERNALERROR" not in done.stdout + done.stderr
    assert (
        re.search(r"\d+ supported, \d+ contradicted", done.stdout)
        and "The report was not written, the verdicts" in done.stdout
    )


def test_the_report_command_writes_the_same_page_without_pytest(alone, tmp_path):
    code = (
        "import sys; from ddiv.cli.main import main; status = main(sys.argv[1:]);"
        "assert 'pytest' not in sys.modules and 'torch' not in sys.modules; sys.exit(status)"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "report",
            "--store",
            str(alone[0] / "store"),
            "--out",
            str(tmp_path / "page.html"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "drop-frobenius" in (tmp_path / "page.html").read_text()


def test_the_page_opens_in_a_browser_with_every_plot(alone):
    if chromium() is None:
        pytest.skip("no Chromium or Chrome is installed")
    seen = open_in_browser(alone[0] / "page.html", "#all")
    assert seen.console == [] and seen.requests == []
    assert seen.data("data-plots-drawn") == seen.data("data-plots-total") != "0"


def test_a_damaged_record_is_an_error_that_names_it_and_the_others_stay(alone, tmp_path):
    shutil.copytree(alone[0] / "store", tmp_path / "store")
    store = Store(tmp_path / "store")
    # At a seed that the claim starts with, and at one that was added because it was undecided.
    labels = ("dropout 0.2, seed 0", "decay 0.1, seed 4")
    targets = [record.key for record in store.records() if record.job.label in labels]
    for key in targets:
        path = store.path(key) / "arrays.safetensors"
        path.write_bytes(path.read_bytes()[:100])
    assert len(targets) == 2
    chosen = "(drop-frobenius or wd-frobenius or vendi-aug-pixel and augmix) and not encoder"
    done = run(tmp_path, "-n", "0", "-k", f"{chosen} and not scratch and not only")
    for key in targets:
        assert re.search(rf"the record {key} in the store is damaged.*rm -r", done.stdout)
    assert "2 errors" in done.stdout and "Traceback" not in done.stdout and done.returncode == 1
    assert re.search(r"\d inconclusive, 2 errors\n", done.stdout)
    verdicts = {
        name.split("[")[1].split("-resnet18")[0]: finding.verdict
        for name, finding in answers(tmp_path)["findings"].items()
    }
    assert verdicts.pop("drop-frobenius") == verdicts.pop("wd-frobenius") == "error"
    assert verdicts and set(verdicts.values()) <= {"supported", "contradicted", "inconclusive"}


KILLER = """
import os

def pytest_runtest_call(item):
    if "PYTEST_XDIST_WORKER" in os.environ:
        os._exit(9)
"""


def test_a_worker_that_dies_leaves_an_error_and_no_verdict(alone, tmp_path):
    """The records of its claim are all there, and the run goes on without it."""
    shutil.copytree(alone[0] / "store", tmp_path / "store")
    (tmp_path / "killer.py").write_text(KILLER)
    chosen = ("-k", "wd-frobenius and classifier", "-n", "1", "-p", "killer")
    done = claims(tmp_path, "--profile", "smoke", *chosen, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1 and "0 inconclusive, 1 error\n" in done.stdout
    (finding,) = answers(tmp_path)["findings"].values()
    assert finding.verdict == "error" and "crashed" in finding.note


def test_a_change_against_the_ledger_is_told_and_fails_where_it_is_sure(alone, tmp_path):
    """In a copy of the project whose ledger expects what the smoke run finds, and in one that
    expects something else.
    """
    found = {
        name: finding
        for name, finding in answers(alone[0])["findings"].items()
        if "wd-frobenius" in name or "drop-frobenius" in name
    }
    words = [finding.verdict for finding in found.values()]
    decided = len(words) - words.count("inconclusive")
    assert words.count("supported") >= 2
    project = tmp_path / "project"
    shutil.copytree(
        ROOT,
        project,
        ignore=shutil.ignore_patterns(".git", ".venv*", ".ddiv", "reports", "*.egg-info"),
    )
    # Of its own, because sure surprises take further seeds.
    shutil.copytree(alone[0] / "store", tmp_path / "store")

    def claims_with(verdict_of, *options: str) -> subprocess.CompletedProcess:
        rows = [
            ledger.as_toml(
                ledger.Entry(
                    "smoke",
                    "wd-frobenius" if "wd-" in name else "drop-frobenius",
                    "resnet18-smoke",
                    verdict_of(one),
                    date(2026, 1, 2),
                    "a reason of the test",
                    one.variant,
                )
            )
            for name, one in found.items()
            if verdict_of(one)
        ]
        (project / "claims" / "ledger.toml").write_text("\n".join(rows))
        return run(
            tmp_path,
            *("-n", "0", "-k", FROBENIUS, "--junitxml", str(tmp_path / "junit.xml"), *options),
            project=project,
        )

    def others(one) -> str:
        return "contradicted" if one.verdict != "contradicted" else "inconclusive"

    as_known = claims_with(lambda one: one.verdict if one.verdict != "supported" else None)
    assert as_known.returncode == 0, as_known.stdout
    junit = (tmp_path / "junit.xml").read_text()
    for word in ("contradicted", "inconclusive"):
        assert f'name="ddiv expected-{word}" value="{words.count(word)}"' in junit
        assert words.count(word) == 0 or f"{words.count(word)} expected-{word}" in as_known.stdout
    assert f'name="ddiv supported" value="{words.count("supported")}"' in junit
    # Six seeds that agree decide one question, and are not sure among four.
    unsure = claims_with(others, "--max-seeds", "6")
    assert unsure.returncode == 0, unsure.stdout
    was = r"\(before: \w+, since 2026-01-02\)"
    told = re.findall(rf"unexpected: .* is \w+ {was}, not sure: ", unsure.stdout)
    assert len(told) == decided and f"{decided} unexpected" in unsure.stdout
    changed = claims_with(others)
    assert changed.returncode == 1
    failed = re.findall(
        # At a line's start: on a CI machine the summary repeats the whole message.
        r"(?m)^sure: changed from \w+ \(claims/ledger.toml, since 2026-01-02\) to (\w+); "
        r"evidence .*:\n(wd|drop)-.* is \1 on ",
        changed.stdout,
    )
    assert failed.count(("supported", "wd")) == 2, changed.stdout
    assert len(failed) + changed.stdout.count("\nunexpected: ") == decided
    weaker = "weaker than in the ledger, which is no failure: .* is inconclusive " + was
    assert len(re.findall(weaker, changed.stdout)) == words.count("inconclusive")


def test_strict_fails_on_whatever_is_not_supported(alone):
    done = run(alone[0], "-n", "0", "-k", SUBJECT, "--strict")
    found = answers(alone[0])["findings"].values()
    assert f"{sum(one.verdict != 'supported' for one in found)} failed" in done.stdout


def test_the_ledger_command_proposes_and_does_not_write(alone, tmp_path):
    """AugMix lowers the contrast of digits and with it their pixel diversity, at all six seeds."""
    folder = alone[0]
    run(folder, "-n", "0", "-k", SUBJECT)

    def ddiv(*arguments):
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "ddiv",
                "ledger",
                "--store",
                str(folder / "store"),
                "--file",
                str(tmp_path / "ledger.toml"),
                *arguments,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    contradicted = [
        one for one in answers(folder)["findings"].values() if one.verdict == "contradicted"
    ]
    assert [one.variant for one in contradicted] == ["augmix"]
    proposed = ddiv("--propose")
    assert proposed.returncode == 0 and proposed.stdout.count("[[entry]]") == len(contradicted)
    assert not (tmp_path / "ledger.toml").exists()
    assert ddiv("--propose", "--write").returncode == 2
    assert ddiv("--propose", "--write", "--reason", "a test").returncode == 0
    shown = ddiv()
    assert (
        f"{len(contradicted)} of {len(contradicted)} entries" in shown.stdout
        and shown.stdout.count("a test") == len(contradicted)
    )
    assert "calls for no new entry" in ddiv("--propose").stdout
    (tmp_path / "ledger.toml").write_text("[[entry]]\nclaim = 3")
    broken = ddiv()
    assert (
        broken.returncode == 2
        and "cannot be read" in broken.stderr
        and "Traceback" not in broken.stderr
    )
