"""`ddiv`: what it prints is shown by a terminal, never obeyed."""

import shlex

import pytest

from ddiv.cli.main import main
from ddiv.trial.store import Store

LEDGER = """
[[entry]]
profile = "p\\nPASSED"
claim = "c\\u009b2J"
study = "s\\u202e"
verdict = "contradicted"
since = 2026-01-01
reason = "why\\u001b]0;title\\u0007\\nsecond line"
"""


def test_the_reasons_of_a_ledger_do_not_reach_the_terminal_as_commands(tmp_path, capsys):
    (tmp_path / "ledger.toml").write_text(LEDGER, "utf-8")
    assert main(["ledger", "--store", str(tmp_path), "--file", str(tmp_path / "ledger.toml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(map(str.isprintable, lines)) and not any(line.startswith("PASSED") for line in lines)
    assert "second line" in lines[1] and len(lines) == 3


def test_errors_are_one_line_that_can_be_printed(tmp_path, capsys):
    store = tmp_path / "a\nb\x1b[2J"
    assert main(["report", "--store", str(store)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.rstrip("\n").isprintable()
    (tmp_path / "my store").mkdir()
    assert main(["report", "--store", str(tmp_path / "my store")]) == 2
    advised = shlex.split(capsys.readouterr().err.partition("Make one: ")[2])
    assert advised == ["pytest", "claims", "-n", "2", "--store", str(tmp_path / "my store")]


def test_paths_that_are_no_utf8_are_printed(tmp_path, capsys):
    store = Store(tmp_path / "caf\udce9")
    try:
        store.check_writable()
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 only")
    assert main(["trials", "--store", str(store.root)]) == 0
    assert "0 of 0 records" in capsys.readouterr().out
