"""pytest claims, run for real on the smoke profile in processes of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from ddiv import ledger
from ddiv import run as runs
from ddiv.plan import journal
from ddiv.report.page import page
from ddiv.store import Store
from ddiv.trial import GeneratorFit, Samples, Trial
from tests.browser import chromium, open_in_browser

ROOT = Path(__file__).parents[1]
SUBJECT = "(drop-frobenius or wd-frobenius) and not scratch or vendi-strongest"


def command(tmp_path: Path, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "pytest",
        "claims",
        "--profile",
        "smoke",
        "-p",
        "no:cacheprovider",
        "--store",
        str(tmp_path / "store"),
        "--report",
        str(tmp_path / "page.html"),
        *arguments,
    ]


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(tmp_path, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def answers(tmp_path: Path) -> dict:
    """What the newest run's page says of every test, without times and without the command that
    repeats it, which names the store.
    """
    store = Store(tmp_path / "store")
    shown = page(store, runs.latest(store))
    findings = {
        finding["test"]: {**finding, "command": ""}
        for claim in shown["claims"]
        for finding in claim["findings"]
    }
    return {"findings": findings, "materials": shown["materials"]}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """One undisturbed run without xdist: (its folder, its output)."""
    folder = tmp_path_factory.mktemp("alone")
    return folder, run(folder, "-n", "0", "-k", SUBJECT)


def test_a_run_leaves_verdicts_progress_and_a_page(alone):
    folder, done = alone
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert re.search(r"\d+ supported, \d+ contradicted, \d+ inconclusive", done.stdout)
    assert "trials: 0 of" in done.stdout and "running" in done.stdout
    assert (folder / "page.html").stat().st_size > 1_000_000
    verdicts = {finding["verdict"] for finding in answers(folder)["findings"].values()}
    assert (
        verdicts <= {"supported", "contradicted", "inconclusive"}
        and len(answers(folder)["findings"]) == 8
    )


def test_a_failing_claim_says_in_three_lines_what_was_measured(alone):
    folder, done = alone
    contradicted = [
        name
        for name, finding in answers(folder)["findings"].items()
        if finding["verdict"] == "contradicted"
    ]
    assert done.returncode == bool(contradicted)
    for name in contradicted:
        assert re.search(
            r"is contradicted on .*\nmeasured: median effect .*\nrerun just this: pytest \""
            + re.escape(name),
            done.stdout,
        )


def test_a_second_run_trains_nothing(alone):
    folder, _ = alone
    before = Store(folder / "store").keys()
    again = run(folder, "-n", "0", "-k", SUBJECT)
    assert Store(folder / "store").keys() == before and "trials:" not in again.stdout


def test_workers_without_a_test_help_with_the_trials_of_the_only_one(tmp_path):
    run(tmp_path, "-n", "2", "-k", "wd-spectral and classifier")
    store = Store(tmp_path / "store")
    lines = journal(runs.folder(store, runs.latest(store).id))
    assert {line.worker for line in lines} == {"gw0", "gw1"} and len(lines) == len(
        store.keys()
    ) >= 9


def test_a_selected_claim_trains_only_the_arms_that_it_reads(tmp_path):
    run(tmp_path, "-n", "2", "-k", "drop-frobenius and classifier")
    labels = {record.job.treatment.label for record in Store(tmp_path / "store").records()}
    assert labels == {"baseline", "dropout 0.05", "dropout 0.2"}


def test_a_synthetic_claim_trains_only_the_generator_the_samples_and_the_trials_that_it_reads(
    tmp_path,
):
    done = run(tmp_path, "-n", "2", "-k", "synth-15-id and good")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    jobs = [record.job for record in Store(tmp_path / "store").records()]
    seeds = {job.seed for job in jobs if isinstance(job, Trial)}
    assert {job.treatment.label for job in jobs if isinstance(job, Trial)} == {
        "baseline",
        "synthetic 15% (good)",
    }
    assert {
        (job.setting.name, job.round, job.seed) for job in jobs if isinstance(job, Samples)
    } == {("good", 1, seed) for seed in seeds}
    assert len([job for job in jobs if isinstance(job, GeneratorFit)]) == 1
    assert len(jobs) == 3 * len(seeds) + 1 and len(seeds) >= 3


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
        command(tmp_path, "-n", "2", "-k", SUBJECT),
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
    kept = {key: store.path(key).stat().st_mtime_ns for key in store.keys()}
    assert len(kept) >= 10
    run(tmp_path, "-n", "2", "-k", SUBJECT)
    assert {key: store.path(key).stat().st_mtime_ns for key in kept} == kept
    assert answers(tmp_path) == answers(alone[0])


def test_four_workers_say_what_one_process_says(alone, tmp_path):
    done = run(tmp_path, "-n", "4", "-k", SUBJECT)
    assert answers(tmp_path) == answers(alone[0])
    assert done.returncode == alone[1].returncode


def test_a_page_that_cannot_be_written_hides_no_verdict(alone, tmp_path):
    (tmp_path / "file").write_text("")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "claims",
        "--profile",
        "smoke",
        "-p",
        "no:cacheprovider",
        "-k",
        SUBJECT,
        "--store",
        str(alone[0] / "store"),
        "--report",
        str(tmp_path / "file" / "page.html"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and "INTERNALERROR" not in done.stdout + done.stderr
    assert (
        re.search(r"\d+ supported, \d+ contradicted", done.stdout)
        and "The report was not written, the verdicts" in done.stdout
    )


def test_the_report_command_writes_the_same_page_without_pytest(alone, tmp_path):
    code = (
        "import sys; from ddiv.cli import main; status = main(sys.argv[1:]);"
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
    )
    assert done.returncode == 0, done.stderr
    assert "drop-frobenius" in (tmp_path / "page.html").read_text()


def test_the_page_opens_in_a_browser_with_every_plot(alone):
    if chromium() is None:
        pytest.skip("no Chromium or Chrome is installed")
    seen = open_in_browser(alone[0] / "page.html", "#all")
    assert seen.console == [] and seen.requests == []
    assert seen.data("data-plots-drawn") == seen.data("data-plots-total") != "0"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ("--profile", "nonsense"),
            "there is no profile 'nonsense'; choose one of: embedded, smoke",
        ),
        (("--device", "cuda:99"), "--device cuda:99 cannot be used.*this machine has: cpu"),
        (("--seeds", "0"), "--seeds needs a number of at least 1"),
        (("--store", "/dev/null/store"), "cannot be written.*--store FOLDER"),
    ],
)
def test_bad_options_are_one_line(tmp_path, arguments, message):
    done = run(tmp_path, *arguments)
    assert done.returncode == 4 and re.search(message, done.stderr + done.stdout)
    assert "Traceback" not in done.stderr + done.stdout


def test_a_damaged_record_is_an_error_that_names_it_and_the_others_stay(alone, tmp_path):
    import shutil

    shutil.copytree(alone[0] / "store", tmp_path / "store")
    store = Store(tmp_path / "store")
    target = next(record for record in store.records() if record.job.label == "dropout 0.2, seed 0")
    path = store.path(target.key) / "arrays.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    done = run(tmp_path, "-n", "0", "-k", "(drop-frobenius or wd-frobenius) and classifier")
    assert re.search(rf"the record {target.key} in the store is damaged.*rm -r", done.stdout)
    assert "1 error" in done.stdout and "Traceback" not in done.stdout
    verdicts = {
        name.split("[")[1]: finding["verdict"]
        for name, finding in answers(tmp_path)["findings"].items()
    }
    assert verdicts.pop("drop-frobenius-resnet18-smoke-classifier]") == "not run"
    assert set(verdicts.values()) <= {"supported", "contradicted", "inconclusive"}


def test_a_change_against_the_ledger_fails_and_says_which_way(alone, tmp_path):
    """In a copy of the project whose ledger expects what the smoke run finds, and in one that
    expects something else.
    """
    import shutil

    found = {
        name: finding
        for name, finding in answers(alone[0])["findings"].items()
        if "wd-frobenius" in name or "drop-frobenius" in name
    }
    assert {finding["verdict"] for finding in found.values()} >= {"supported"}
    project = tmp_path / "project"
    shutil.copytree(
        ROOT,
        project,
        ignore=shutil.ignore_patterns(".git", ".venv*", ".ddiv", "reports", "*.egg-info"),
    )

    def claims_with(verdict_of) -> subprocess.CompletedProcess:
        rows = [
            ledger.as_toml(
                ledger.Entry(
                    "smoke",
                    "wd-frobenius" if "wd-" in name else "drop-frobenius",
                    "resnet18-smoke",
                    verdict_of(one),
                    date(2026, 1, 2),
                    "a reason of the test",
                    one["variant"],
                )
            )
            for name, one in found.items()
            if verdict_of(one)
        ]
        (project / "claims" / "ledger.toml").write_text("\n".join(rows))
        return subprocess.run(
            command(
                tmp_path,
                "-n",
                "0",
                "-k",
                "(wd-frobenius or drop-frobenius) and not scratch",
                "--store",
                str(alone[0] / "store"),
                "--junitxml",
                str(tmp_path / "junit.xml"),
            ),
            cwd=project,
            capture_output=True,
            text=True,
        )

    changed = claims_with(
        lambda one: "contradicted" if one["verdict"] != "contradicted" else "inconclusive"
    )
    assert changed.returncode == 1 and changed.stdout.count(
        "(claims/ledger.toml, since 2026-01-02)"
    ) >= len(found)
    assert re.search(
        r"changed from contradicted \(.*\) to supported:\n.* is supported on ", changed.stdout
    )
    as_known = claims_with(lambda one: one["verdict"] if one["verdict"] != "supported" else None)
    assert as_known.returncode == 0, as_known.stdout
    words = [finding["verdict"] for finding in found.values()]
    junit = (tmp_path / "junit.xml").read_text()
    for word in ("contradicted", "inconclusive"):
        assert f'name="ddiv expected-{word}" value="{words.count(word)}"' in junit
        assert words.count(word) == 0 or f"{words.count(word)} expected-{word}" in as_known.stdout
    assert f'name="ddiv supported" value="{words.count("supported")}"' in junit


def test_strict_fails_on_whatever_is_not_supported(alone):
    done = run(alone[0], "-n", "0", "-k", SUBJECT, "--strict")
    found = answers(alone[0])["findings"].values()
    assert f"{sum(one['verdict'] != 'supported' for one in found)} failed" in done.stdout


def test_the_ledger_command_proposes_and_does_not_write(tmp_path):
    """AugMix lowers the contrast of digits and with it their pixel diversity, at all six seeds."""
    run(tmp_path, "-n", "0", "-k", "vendi-aug-pixel and (augmix or noise50)")

    def ddiv(*arguments):
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "ddiv",
                "ledger",
                "--store",
                str(tmp_path / "store"),
                "--file",
                str(tmp_path / "ledger.toml"),
                *arguments,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    contradicted = [
        one for one in answers(tmp_path)["findings"].values() if one["verdict"] == "contradicted"
    ]
    assert [one["variant"] for one in contradicted] == ["augmix"]
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
