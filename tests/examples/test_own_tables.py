"""`examples/own_tables.py` as its head says: tables of six runs by the real WeightWatcher, claims
put to them without training, and a page.
"""

import re

import pytest

from ddiv.trial.store import Store
from tests.support.claims_run import claims
from tests.support.paths import ROOT
from tests.support.watched import runs

EXAMPLE = str(ROOT / "examples" / "own_tables.py")

ASKED = "wd-frobenius or heavy-tail or control-decay"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tables")
    runs(place, 6)
    return place


@pytest.mark.slow
def test_claims_are_put_to_the_tables(folder, tmp_path):
    chosen = ("--study", EXAMPLE, "--data-root", str(folder), "-q", "-k", ASKED)
    done = claims(tmp_path, *chosen)
    said = done.stdout[-3000:] + done.stderr[-2000:]
    assert done.returncode == 0, said
    assert re.search(r"[1-9]\d* supported", done.stdout), said
    assert "takes eigenvalues, and the tables have none" in done.stdout
    page = (tmp_path / "page.html").read_text()
    for told in ("exact two-sided sign test", "run 5", "6 published studies, each of one run"):
        assert told in page, told
    store = Store(tmp_path / "store")
    assert len(store.keys()) == 6 * 2
    again = claims(tmp_path, *chosen)
    assert again.returncode == 0 and store.keys() == Store(tmp_path / "store").keys()


@pytest.mark.slow
def test_a_table_that_cannot_be_used_ends_the_run_with_a_line(folder, tmp_path):
    path = folder / "run-3" / "decay-0.01-after.csv"
    whole = path.read_text()
    header, *rows = whole.splitlines()
    try:
        path.write_text("\n".join([header, *rows[:-1]]) + "\n")
        done = claims(tmp_path, "--study", EXAMPLE, "--data-root", str(folder), "-q", "-k", ASKED)
    finally:
        path.write_text(whole)
    assert done.returncode != 0 and not Store(tmp_path / "store").keys()
    told = [line for line in (done.stdout + done.stderr).splitlines() if "own-tables" in line]
    assert "of run 3 have different layers (classifier is in one of them only)" in told[0], told
    assert len({line.removeprefix("ERROR: ") for line in told}) == 1
    assert "Traceback" not in done.stdout + done.stderr
