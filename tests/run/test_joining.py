"""Stores are checked, copied and merged; nothing goes over that is not whole."""

from dataclasses import replace

import numpy as np
import pytest

from ddiv.cli.main import main
from ddiv.common.locks import held
from ddiv.export.public import findings
from ddiv.outcome import read
from ddiv.run import run as runs
from ddiv.run.joining import bring, check
from ddiv.trial.store import Store, StoreError
from tests.support.troubled import RUN, STRONG, WEAK, damage, folder_of, store_of_run


@pytest.fixture
def store(tmp_path) -> Store:
    return store_of_run(tmp_path / "store")


def test_a_copy_holds_the_same_and_answers_the_same(store, tmp_path, capsys):
    record = next(store.records())
    table = read(record, store).spectra  # leaves a derived table
    calibration = store.root / "calibrations" / "x.json"
    target = tmp_path / "copy"
    assert main(["store", "copy", str(target), "--store", str(store.root)]) == 0
    assert "54 records, 1 runs and 0 calibrations" in capsys.readouterr().out
    copy = Store(target)
    assert copy.keys() == store.keys() and not calibration.exists()
    assert [each.digest for each in copy.records()] == [each.digest for each in store.records()]
    assert findings(copy) == findings(store)
    (there,) = target.glob(f"metrics-*/{record.key}.table")
    assert there.read_bytes() == next(store.root.glob(f"*/{record.key}.table")).read_bytes()
    assert table.keys() == read(record, copy).spectra.keys()
    assert main(["store", "copy", str(target), "--store", str(store.root)]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_what_is_damaged_stays_behind_and_is_told(store, tmp_path, capsys):
    damage(store, STRONG, 2)
    (runs.folder(store, RUN.id) / "run.json").write_bytes(b"{")
    assert main(["store", "check", "--store", str(store.root)]) == 1
    told = capsys.readouterr()
    assert "is damaged" in told.err and RUN.id in told.err and "2 left out" in told.out
    target = Store(tmp_path / "other")
    found = bring(store, target)
    assert found.records == 53 and found.runs == 0 and len(found.bad) == 2
    assert len(target.keys()) == 53 and check(target).bad == []
    assert not runs.folder(target, RUN.id).exists()


def test_a_merge_keeps_what_is_there_and_tells_what_differs(store, tmp_path, capsys):
    other = Store(tmp_path / "other")
    mine = next(each for each in store.records() if each.job.treatment == WEAK)
    arrays = {**mine.arrays, "eigenvalues/after": mine.arrays["eigenvalues/after"] * 2}
    other.save(replace(mine, arrays=arrays))
    near = next(each for each in store.records() if each.job.treatment == STRONG)
    close = {**near.arrays, "eigenvalues/after": near.arrays["eigenvalues/after"] * (1 + 1e-6)}
    other.save(replace(near, arrays=close))
    assert main(["store", "merge", str(store.root), "--store", str(other.root)]) == 0
    told = capsys.readouterr()
    assert "52 records (2 more were there), 1 runs" in told.out
    assert "1 of the records that both have are of trainings that differ" in told.err
    kept = other.read(mine.key).arrays["eigenvalues/after"]
    assert np.array_equal(kept, arrays["eigenvalues/after"])
    # Once more: nothing is left to bring.
    again = bring(store, other)
    assert (again.records, again.known, again.runs, again.bad) == (0, 54, 0, [])


def test_a_run_that_goes_on_stays_behind(store, tmp_path):
    with held(runs.folder(store, RUN.id) / "at-tests" / "gw0"):
        found = bring(store, Store(tmp_path / "other"))
    assert found.runs == 0 and "is going on" in found.notes[0]


def test_a_record_under_another_name_stays_behind(store, tmp_path):
    folder = folder_of(store, STRONG, 1)
    folder.rename(folder.with_name("0" * 20))
    found = bring(store, Store(tmp_path / "other"))
    assert found.records == 53 and "stays behind" in found.notes[0]


@pytest.mark.parametrize(
    "words, said",
    [
        (["merge"], "takes one folder or more"),
        (["check", "x"], "takes no folder"),
        (["merge", "stroe"], "Did you mean"),
    ],
)
def test_errors_of_use_are_a_line(store, words, said, capsys, monkeypatch):
    monkeypatch.chdir(store.root.parent)
    assert main(["store", *words, "--store", str(store.root)])
    assert said in capsys.readouterr().err
    with pytest.raises(StoreError, match="joined with itself"):
        bring(store, Store(store.root / ".." / "store"))
