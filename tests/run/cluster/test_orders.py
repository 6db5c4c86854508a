"""What nodes are told, and what they say of themselves: without Ray."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import pytest

from ddiv.run.cluster import joined, node
from ddiv.run.cluster.orders import Failed, Made, Node, Orders, Unfit, differences, needs, versions
from ddiv.study import Published
from ddiv.trial import canonical, requires
from ddiv.trial.store import Record, Store
from tests.support.pretended import job, synthetic
from tests.support.smoke import STUDY


def orders(token: str, **more) -> Orders:
    return Orders(token, versions(), (STUDY,), **more)


def test_a_node_with_other_versions_says_what_differs_and_measures_nothing():
    theirs = versions() | {"torch": "1.0"}
    told = ("t0", theirs, b"which another version could not read")
    assert node.looked(told, "id") == f"torch is {versions()['torch']}, here 1.0"
    assert node.answered(told, "id", canonical(job(0)), (), "") == node.looked(told, "id")
    assert differences({}, {"ddiv": "1"}) == "ddiv is not there, here 1"


def test_a_node_says_what_data_it_lacks_and_where_it_looked(tmp_path):
    lacking = msgspec.structs.replace(STUDY, name="of data", data=Published("cifar10"), domains=())
    found = node.look(
        replace(orders("t1", data_root=str(tmp_path)), studies=(STUDY, lacking)), "id"
    )
    assert list(found.lacks) == ["of data"] and str(tmp_path) in found.lacks["of data"]
    there = msgspec.structs.replace(job(0), study="x")
    assert found.can(there) and not found.can(msgspec.structs.replace(there, study="of data"))
    (line,) = joined.lines([replace(found, name="box")])
    assert line.startswith("box: lacks what these need: of data: ")


def test_samples_need_the_generator_and_trials_on_them_do_not():
    trial = msgspec.structs.replace(synthetic(0), study="s")
    (samples,) = requires(trial)
    assert needs(trial) == ("s",) and needs(samples) == ("s", "the generator of s")
    lacks = {"the generator of s": "no weights"}
    assert Node("1", "a", lacks=lacks).can(trial) and not Node("1", "a", lacks=lacks).can(samples)


def test_a_node_measures_a_job_or_says_why_not(monkeypatch):
    def measured(job, records, device, progress):
        if job.seed:
            raise ValueError("the loss is NaN")
        return Record(job, {"device": device}, {})

    monkeypatch.setitem(sys.modules, "ddiv.trial.measure", SimpleNamespace(measure=measured))
    told = orders("t2")
    made, failed = node.measure(told, "id", job(0)), node.measure(told, "id", job(1))
    assert isinstance(made, Made) and made.facts == {"device": "cpu"} and not made.kept
    assert isinstance(failed, Failed) and failed.text == "the loss is NaN"


def test_with_a_store_that_nodes_share_nothing_travels(tmp_path, monkeypatch):
    measured = SimpleNamespace(measure=lambda job, *_: Record(job, {"n": 1}, {}))
    monkeypatch.setitem(sys.modules, "ddiv.trial.measure", measured)
    (tmp_path / "probe").touch()
    shared = orders("t3", store=str(tmp_path), probe="probe")
    assert node.measure(shared, "id", job(0)).kept
    assert Store(tmp_path).load(job(0)).facts == {"n": 1}
    other = node.measure(replace(shared, token="t4", probe="another"), "id", job(1))
    assert isinstance(other, Unfit) and "is not the store of this run" in other.node.differs


def test_without_ray_the_option_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(joined.NoRay, match=r"pip install 'ray.*\[ray\]"):
        joined.join("auto")


@pytest.mark.parametrize(
    "given, told, address",
    [
        (None, "", None),
        (None, "ray://a:10001", "ray://a:10001"),
        ("auto", "", "auto"),
        ("none", "a:6379", None),
    ],
)
def test_the_address_is_the_options_or_the_environments(monkeypatch, given, told, address):
    monkeypatch.setenv("RAY_ADDRESS", told)
    assert joined.address(given) == address


@pytest.mark.parametrize(
    "kind, card, seen, named",
    [
        ("cpu", "", "", "cpu"),
        ("cuda", "1", "", "cuda:1"),
        ("cuda", "3", "2,3", "cuda:1"),  # as SLURM gives them
        ("cuda", "", "", "cuda"),
    ],
)
def test_a_gpu_is_named_by_its_place_among_those_that_are_seen(
    monkeypatch, kind, card, seen, named
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert node.device(kind, card) == named
