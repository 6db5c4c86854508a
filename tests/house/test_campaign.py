"""The fault campaign: that it tells faults from what is right, and one round of it for real."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign import judge, seen
from tests.campaign.target import Done
from tests.support.paths import ROOT

ROW = "digits | classifier | supported ★ | | −0.0318 [−0.04, −0.02] | 6 | 40.0"
FEWER = ROW.replace("supported", "inconclusive").replace("| 6", "| 3")
ERROR = ROW.replace("supported", "error") + " | the record abc in the store is damaged"
RIGHT = seen.Page({"one": ROW, "two": ROW}, "[]")


def kinds(faults) -> set[str]:
    return {fault.kind for fault in faults}


@pytest.mark.parametrize(
    "rows, said, found",
    [
        ({"one": ROW, "two": ROW}, "", set()),
        ({"one": ERROR, "two": ROW}, "1 error", set()),
        ({"one": FEWER, "two": ROW}, "", {"read corrupt", "unnoticed flip"}),
        ({"one": FEWER, "two": ROW}, "the record abc is damaged", {"verdict from an error"}),
        ({"one": FEWER, "two": ERROR}, "", {"verdict from an error"}),
        ({"one": ROW.replace("318", "319"), "two": ROW}, "", {"read corrupt", "unnoticed flip"}),
    ],
)
def test_a_page_is_right_or_shows_errors_without_verdicts(rows, said, found):
    done = Done(("python", "-m", "ddiv"), 0, said)
    assert kinds(judge.of_page(seen.Page(rows, "[]"), RIGHT, done, flipped=True)) == found


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):\n",
        "INTERNALERROR> def f():",
        "x\nddiv/run/crew.py:83: OSError\n",
        "E   msgspec.DecodeError: Input data was truncated",
    ],
)
def test_raw_errors_are_found_in_any_output(text):
    assert kinds(judge.of_output(Done((), 1, text))) == {"traceback"}
    clear = "ddiv: the store x cannot be written: No space left on device. Free some space"
    assert not judge.of_output(Done((), 1, clear))


def record(store: Path, key: str, *, runs: int = 1) -> None:
    (store / "trials" / key).mkdir(parents=True, exist_ok=True)
    (store / "trials" / key / "done").write_text("{}")
    for run in range(runs):
        (store / "runs" / f"{key}-{run}").mkdir(parents=True)
        line = json.dumps({"key": key, "kind": "x"})
        (store / "runs" / f"{key}-{run}" / "journal.jsonl").write_text(line + "\n")


def test_records_that_are_gone_or_written_or_trained_again_are_found(tmp_path):
    for key in ("aa", "bb", "cc"):
        record(tmp_path, key, runs=2 if key == "bb" else 1)
    before = seen.finished(tmp_path)
    assert kinds(judge.of_records(tmp_path, before, damaged=["bb"])) == set()
    (tmp_path / "trials" / "aa" / "done").unlink()
    done = tmp_path / "trials" / "cc" / "done"
    done.rename(done.with_name("old"))
    done.write_text("{}")
    found = [(fault.kind, fault.what[:13]) for fault in judge.of_records(tmp_path, before)]
    assert found == [
        ("lost", "the record aa"),
        ("lost", "the record cc"),
        ("twice", "the record bb"),
    ]


@pytest.mark.slow
def test_a_round_of_the_campaign_finds_no_fault(tmp_path):
    """One of the command's own rounds, on files that a run left."""
    out = tmp_path / "figures.json"
    options = ("--only", "flip-run", "--rounds", "1", "--seed", "1", "--out", str(out))
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaign", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads(out.read_text())
    assert made["rounds"] == 1 and set(made["by kind"]) == set(judge.KINDS)
    assert "| flip-run | 1 | 0 |" in done.stdout
