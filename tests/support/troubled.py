"""A run of three questions on planted records, two of which met with trouble."""

from dataclasses import replace
from pathlib import Path

from ddiv.claim import Claim, Contrast
from ddiv.evidence import FALLS
from ddiv.finding import ENDED, Asked
from ddiv.outcome import Spectral
from ddiv.run import run as runs
from ddiv.run.run import Run
from ddiv.treatment import Treatment, WeightDecay
from ddiv.trial import key, trial
from ddiv.trial.store import Store
from tests.support import planted
from tests.support.planted import Levels
from tests.support.smoke import SEEDS, STUDY

WEAK, STRONG = Treatment.of(WeightDecay(0.01)), Treatment.of(WeightDecay(0.1))
RUN = Run(
    id="20270102-030405-abc",
    command="pytest claims",
    profile="smoke",
    seeds=SEEDS[:3],
    alpha=0.05,
    workers=1,
    device="cpu",
    strict=False,
    started=0.0,
    max_seeds=7,
    seconds=1.0,
)


def asked(claim: str, arm: Treatment, seeds=SEEDS, **more) -> Asked:
    """The claim that a norm falls under an arm, which it does not in the records of `store`."""
    question = Contrast(Spectral("frobenius_norm", "classifier"), (arm,), FALLS)
    about = Claim(claim, "a statement", "a source", "a family")
    return Asked(about, STUDY, "", question, seeds, 0.05, f"claims/test_x.py::{claim}", **more)


FINE = asked("fine", STRONG)
# As the hook notes them: the first seeds' question, though a later one met with the error.
FAILED = asked("failed", WEAK, SEEDS[:3], error="the loss is not a number at step 7", order=1)
KILLED = asked("killed", WEAK, SEEDS[:3], error=ENDED, order=2)


def store_of_run(folder: Path) -> Store:
    """A store with the run and with the records of all its seeds and arms, whole."""
    store = Store(folder)
    made = {"device_name": "this", "seconds": 1.0, "device": "cpu"}
    for job in dict.fromkeys([*FINE.jobs(), *asked("failed", WEAK).jobs()]):
        scale = {WEAK: 0.1, STRONG: 1.0}.get(job.treatment, 0.0)
        record = planted.record(job, STUDY, Levels(scale=scale))
        store.save(replace(record, facts={**record.facts, "provenance": made}))
    runs.save(store, RUN)
    for question in (FINE, FAILED, KILLED):
        runs.save_asked(store, RUN.id, question)
    return store


def folder_of(store: Store, arm: Treatment, seed: int) -> Path:
    """The folder of the record of an arm at a seed."""
    return store.path(key(trial(STUDY, arm, seed)))


def damage(store: Store, arm: Treatment, seed: int) -> None:
    """Empty a file of that record."""
    (folder_of(store, arm, seed) / "arrays.safetensors").write_bytes(b"")
