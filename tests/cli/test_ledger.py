"""`ddiv ledger` and `ddiv report` on a run that met with errors: they tell them as errors."""

import datetime

import msgspec
import pytest

from ddiv.cli.main import main
from ddiv.finding import ENDED
from ddiv.finding.ledger import Entry, as_toml
from ddiv.report.gather import page
from ddiv.run import run as runs
from ddiv.trial.store import Store
from tests.support.smoke import STUDY
from tests.support.troubled import FAILED, RUN, STRONG, damage, store_of_run


@pytest.fixture
def store(tmp_path) -> Store:
    return store_of_run(tmp_path / "store")


@pytest.fixture
def ddiv(store, tmp_path, monkeypatch, capsys):
    """The command on this store: (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims").mkdir()

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "--store", str(store.root)])
        return status, *capsys.readouterr()

    return run


def test_changes_counts_errors_and_fails(ddiv):
    status, out, _ = ddiv("ledger", "--changes")
    assert status == 1
    assert "## ddiv: 1 error, 1 verdict differs from the ledger" in out
    assert "0 supported, 1 contradicted, 0 inconclusive, 1 error." in out
    assert "2 claims came to no verdict; the first: the loss is not a number" in out


def test_changes_of_a_run_that_was_only_stopped_is_no_failure(ddiv, store):
    runs.save_asked(store, RUN.id, msgspec.structs.replace(FAILED, error=ENDED))
    status, out, _ = ddiv("ledger", "--changes")
    assert status == 0 and "error" not in out and "2 claims came to no verdict" in out


def test_changes_tells_a_record_that_was_damaged_since(ddiv, store):
    damage(store, STRONG, 5)
    status, out, _ = ddiv("ledger", "--changes")
    assert status == 1 and "2 errors, no verdicts differ" in out and "is damaged" in out
    assert "0 contradicted" in out


def test_propose_tells_what_has_no_verdict_and_fails(ddiv):
    status, out, _ = ddiv("ledger", "--propose")
    assert status == 1 and 'claim = "fine"' in out
    assert f"# failed on {STUDY.name} has no verdict (error): the loss is not a number" in out
    assert f"# killed on {STUDY.name} has no verdict (not run): {ENDED}" in out


def test_propose_calls_no_entry_changed_that_met_with_an_error(ddiv, tmp_path):
    entry = Entry(
        "smoke", "failed", STUDY.name, "contradicted", datetime.date(2026, 1, 2), "why", ""
    )
    (tmp_path / "claims" / "ledger.toml").write_text(as_toml(entry))
    status, out, _ = ddiv("ledger", "--propose")
    assert status == 1 and "failed on" in out and "change or remove its entry" not in out


def test_the_page_and_its_command_say_error(ddiv, store, tmp_path):
    shown = page(store, RUN)
    words = {one.test.split("::")[1]: one for claim in shown.claims for one in claim.findings}
    assert [words[name].verdict for name in ("fine", "failed", "killed")] == [
        "contradicted",
        "error",
        "not run",
    ]
    assert words["failed"].evidence is None and words["failed"].note == FAILED.error
    status, _, err = ddiv("report", "--out", "page.html")
    assert status == 1 and "1 finding of the report ended in an error" in err
    text = (tmp_path / "page.html").read_text()
    assert "1 finding is an error and has no verdict. The first: the loss is not a number" in text
    assert "of 3 findings 1 is contradicted (none of them expected), 1 error and 1 not run" in text


def test_the_list_of_trials_goes_on_after_a_damaged_one(ddiv, store):
    damage(store, STRONG, 5)
    status, out, err = ddiv("trials")
    assert status == 1 and err.count("is damaged") == 1
    there = len(store.keys())
    assert len(out.splitlines()) == there and f"{there - 1} of {there} records" in out
