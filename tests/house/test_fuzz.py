"""The fuzzer: that it tells failures from refusals, and a moment of it for real."""

import json
import os
import subprocess
import sys
import time

import pytest

from ddiv.data.root import BadData
from tests.fuzz import fork, inputs
from tests.fuzz.readers import Reader
from tests.fuzz.smaller import smaller
from tests.support.paths import ROOT


def raising(error):
    def read(folder):
        raise error

    return read


def ran(folder):
    open(os.environ[inputs.MARKER], "w").close()
    raise BadData("it is damaged: get it anew")


def died(folder):
    os._exit(3)


def grew(folder):
    return len(bytearray(99 << 20))


@pytest.mark.parametrize(
    "read, kind",
    [
        (lambda folder: None, "ok"),
        (raising(BadData("it is damaged: get it anew")), "clear error"),
        (raising(BadData("")), "raw error"),
        (raising(KeyError("x")), "raw error"),
        (raising(ValueError("of a library's")), "raw error"),
        (raising(RecursionError()), "raw error"),
        (ran, "payload"),
        (died, "crash"),
        (grew, "memory"),
        (lambda folder: time.sleep(60), "hang"),
    ],
)
def test_an_outcome_is_told_for_what_it_is(tmp_path, monkeypatch, read, kind):
    monkeypatch.setattr(fork, "WAIT_SECONDS", 1.0)
    monkeypatch.setattr(fork, "GROWTH", 50 << 10)
    reader = Reader("", lambda rng: {}, read)
    found = list(fork.batch(reader, lambda number: {}, range(2), tmp_path / "x"))
    assert [(number, outcome.kind) for number, outcome in found] == [(0, kind), (1, kind)]


def test_a_failing_input_is_made_smaller(tmp_path):
    def read(folder):
        if b"bad" in (folder / "b").read_bytes():
            raise KeyError("bad")

    reader = Reader("", lambda rng: {}, read)
    files = {"a": b"x", "b": b"0123456789" * 20 + b"bad", "c": b"y"}
    ((_, failure),) = fork.batch(reader, lambda number: files, range(1), tmp_path / "x")
    small = smaller(reader, files, failure, tmp_path / "x")
    assert set(small) == {"b"} and len(small["b"]) < 20


@pytest.mark.slow
def test_a_moment_of_the_fuzzer_finds_no_failure(tmp_path):
    out = tmp_path / "figures.json"
    readers = [word for name in ("toml-ledger", "npz", "checkpoint") for word in ("--reader", name)]
    options = [*readers, "--inputs", "20", "--minutes", "2", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *options, "--failures", str(tmp_path / "failures")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads(out.read_text())
    assert made["inputs"] >= 60 and not any(made["failures"].values())
