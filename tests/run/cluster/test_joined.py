"""Jobs as tasks of a real Ray on this machine; skipped where Ray is not installed."""

import pickle
import sys

import pytest

from ddiv.common import own
from ddiv.run.cluster import code, joined
from ddiv.run.cluster.orders import Orders, versions
from ddiv.study.experiments import OwnExperiment
from ddiv.trial import Experiment, key
from ddiv.trial.store import Store
from tests.support.pretended import driver, until

pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[ray]'")


def counted(draws) -> dict[str, float]:
    return {"number": _beside(draws.number)}


def _beside(number: int) -> float:
    return float(number % 7)


def fails(draws) -> dict[str, float]:
    raise ValueError("the loss is NaN")


def call(function) -> OwnExperiment:
    """An experiment of this file, which nodes cannot import."""
    own.know(OwnExperiment, "0" * 64, function)
    return OwnExperiment(function.__name__, "0" * 64, (), ("number",))


def test_a_module_of_the_users_goes_along_without_the_session_that_imported_it(
    tmp_path, monkeypatch
):
    """Pytest's loader of rewritten modules knows all of its session, its open files too."""
    (tmp_path / "beside_us.py").write_text("SEVEN = 7\n\n\ndef seven():\n    return SEVEN\n")
    (tmp_path / "uses_it.py").write_text(
        "import beside_us\n\n\ndef told(draws):\n    return {'number': beside_us.seven()}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import beside_us
    import uses_it

    monkeypatch.setattr(beside_us, "__loader__", sys.stdout)
    own.know(OwnExperiment, "1" * 64, uses_it.told)
    sent = code.packed()
    for module in ("beside_us", "uses_it"):
        monkeypatch.delitem(sys.modules, module)
    (tmp_path / "beside_us.py").unlink()
    (tmp_path / "uses_it.py").unlink()
    known = pickle.loads(sent)
    (function,) = [known[name] for name in known if "told" in name]
    assert function(None) == {"number": 7}


def test_jobs_with_code_of_a_users_own_go_out_and_records_come_back(tmp_path):
    jobs = [Experiment(call(counted), None, seed, "s") for seed in range(3)]
    bad = Experiment(call(fails), None, 0, "s")
    orders = Orders("t", versions(), (), code=code.packed())
    cluster = joined.Joined(joined.join("local"), orders, "cpu", 2)
    drives = driver(tmp_path, cluster)
    try:
        drives.ask([*jobs, bad])
        until(lambda: sum(drives.done.values()) == 3 and drives.keeper.failure(key(bad)), 300)
    finally:
        drives.stop()
    store = Store(tmp_path / "store")
    found = [store.load(each).facts["numbers"]["number"] for each in jobs]
    assert found == [_beside(each.draws) for each in jobs]
    assert "raised ValueError: the loss is NaN" in drives.keeper.failure(key(bad))
    assert list(drives.done) == [node.name for node in cluster.nodes.values()]
