"""A disk that fills up under a run: what has records gets its verdict, all else is one line."""

import re
from dataclasses import replace

import pytest

from ddiv.study.optimisation import MEMBERS
from ddiv.trial import key, trial
from ddiv.trial.store import Store
from tests.plugin.test_foreign_project import project, run
from tests.plugin.test_foreign_project import pytestmark as needs_installed
from tests.support import planted
from tests.support.paths import ROOT
from tests.support.planted import Levels
from tests.support.small_disk import small_disk
from tests.support.smoke import STUDY

pytestmark = needs_installed

CLAIMS = """
    from ddiv.claim import Trend
    from ddiv.claim.declare import claim
    from ddiv.evidence import FALLS
    from ddiv.outcome import Spectral

    NORM = Spectral("frobenius_norm", "classifier")

    @claim("has-records", "Decay shrinks the weights.", source="a note", needs=("decays",))
    def test_decay(study):
        return Trend(NORM, study.decay(), FALLS)

    @claim("has-a-damaged-one", "Dropout shrinks.", source="a note", needs=("dropout_rates",))
    def test_dropout(study):
        return Trend(NORM, study.dropout(), FALLS)
"""
# The disk has room when the run begins, and none when the first test does.
FILLS_UP = """
    import os
    from pathlib import Path

    import pytest
    from tests.support.small_disk import fill

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(session):
        fill(Path(os.environ["DISK"]))
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_disk_that_fills_up_is_told_and_costs_no_verdict_that_has_its_records(tmp_path, workers):
    project(tmp_path / "project", test_claims=CLAIMS, conftest=FILLS_UP)
    with small_disk(tmp_path / "disk", 4096) as disk:
        store = Store(disk / "store")
        doses = (arm for _, arm in (*STUDY.decay(), *STUDY.dropout()))
        for arm in dict.fromkeys((*doses, *MEMBERS)):
            record = planted.record(trial(STUDY, arm, 0), STUDY, Levels())
            made = {"device_name": "this", "seconds": 1.0, "device": "cpu"}
            store.save(replace(record, facts={**record.facts, "provenance": made}))
        damaged = store.path(key(trial(STUDY, STUDY.dropout()[-1][1], 0)))
        (damaged / "arrays.safetensors").write_bytes(b"")
        done = run(
            tmp_path / "project",
            *("--profile", "smoke", "--seeds", "1", "--max-seeds", "1", *workers),
            *("--store", str(store.root), "--report", str(disk / "page.html")),
            PYTHONPATH=str(ROOT),
            DISK=str(disk),
        )
        text = done.stdout + done.stderr
        assert done.returncode, text
        assert "0 supported, 0 contradicted, 1 inconclusive, 1 error" in text, text
        assert damaged.name in text and "is damaged" in text
        assert text.count("The report was not written") == 1
        assert "cannot be written: No space left on device" in text
        assert not re.search("Traceback|INTERNALERROR|OSError|Errno", text), text
        assert not (disk / "page.html").exists()
