"""Outcomes of a user's own in files outside the checkout, from the claim to its place on the page.

Real processes, as a user starts them.
"""

import shutil

import pytest

from ddiv.finding import Reader
from ddiv.finding.unanswered import Unanswered, settled
from ddiv.run import run as runs
from ddiv.trial.store import Store
from tests.support.outside import started
from tests.support.parsed_page import opened

STUDY = """
import torch
from torch.nn import functional as F

from ddiv.outcome import of_network
from ddiv.study import Digits, Recipe, ResNet18, Study


@of_network(unit="nats", better="lower")
def sharpness(trained, radius: float = 0.05) -> float:
    weights = dict(trained.network.named_parameters())
    loss = F.cross_entropy(trained.network(trained.inputs), trained.labels)
    gradient = torch.autograd.grad(loss, list(weights.values()))
    length = torch.stack([part.norm() for part in gradient]).norm()
    moved = {
        name: weight.detach() + radius * part / length
        for (name, weight), part in zip(weights.items(), gradient)
    }
    there = torch.func.functional_call(trained.network, moved, (trained.inputs,))
    return float(F.cross_entropy(there, trained.labels).detach() - loss.detach())


STUDY = Study(
    name="my-digits",
    title="Digits",
    data=Digits(train=120, side=16),
    backbone=ResNet18(width=4, stem_stride=2),
    recipe=Recipe(epochs=1, batch=40, lr=5e-3, checkpoints=(0, 1)),
    dropout_rates=(0.5,),
    outcomes=(sharpness(),),
)
"""

CLAIMS = """
import numpy as np
from my_study import sharpness

from ddiv.claim import Contrast
from ddiv.claim.declare import claim
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import of_outputs, of_spectrum


@of_outputs(better="lower")
def brier(log_probabilities, labels):
    probabilities = np.exp(log_probabilities)
    return ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1).mean()


@of_spectrum(unit="share")
def middle(evals, N, M):
    return evals[len(evals) // 4 : -len(evals) // 4].sum() / evals.sum()


def arms(study):
    return tuple(arm for _, arm in study.dropout()[1:])


@claim("drop-sharp", "Dropout makes minima flatter.", source="a note", needs=("dropout_rates",))
def test_sharpness(study):
    return Contrast(sharpness(), arms(study), FALLS)


@claim("drop-brier", "Dropout raises the Brier score.", source="a note", needs=("dropout_rates",))
def test_brier(study):
    return Contrast(brier("id"), arms(study), RISES)


@claim("drop-middle", "Dropout moves mass.", source="a note", needs=("dropout_rates",))
def test_middle(study):
    return Contrast(middle("all"), arms(study), RISES)
"""


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """The folder of a run of three claims, and what it printed."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "my_study.py").write_text(STUDY)
    (folder / "test_mine.py").write_text(CLAIMS)
    options = ("--study", "my_study.py", "--seeds", "2", "--max-seeds", "2", "--store", "kept")
    plugins = ("-p", "no:cacheprovider", "-p", "ddiv.plugin")
    return folder, started(folder, "pytest", *plugins, "-n", "0", *options, "test_mine.py")


def test_claims_about_own_outcomes_come_to_verdicts_over_shared_trials(answered):
    folder, done = answered
    assert "3 inconclusive" in done.stdout, done.stdout + done.stderr
    # Two seeds of the baseline and one arm of dropout: no calibration, no optimisation controls.
    assert len(Store(folder / "kept").keys()) == 2 * 2


def test_a_process_without_the_functions_reads_their_tables(answered):
    folder, _ = answered
    done = started(folder, "ddiv", "report", "--store", "kept", "--out", "again.html")
    assert done.returncode == 0, done.stdout + done.stderr
    page = opened((folder / "again.html").read_text("utf-8"))
    assert "sharpness (radius 0.05) [nats]" in page and "brier (id)" in page


def test_where_neither_table_nor_function_is_there_the_file_is_named(answered, tmp_path):
    folder, _ = answered
    shutil.copytree(folder / "kept", tmp_path / "kept")
    store = Store(tmp_path / "kept")
    for tables in (*store.root.glob("own-*"), store.root / "answers-1"):
        shutil.rmtree(tables)
    questions = runs.questions(store, runs.latest(store).id).asked
    lacking = {one.claim.id: settled(one, Reader(store)) for one in questions}
    told = {name: no.reason for name, no in lacking.items() if isinstance(no, Unanswered)}
    assert set(told) == {"drop-brier", "drop-middle"}
    for reason in told.values():
        assert "run pytest with test_mine.py that defines it, unchanged" in reason
