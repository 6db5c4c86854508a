"""What a plan is made of: questions, a run, and stored records that took a time."""

import msgspec
import numpy as np

from ddiv.claim import Claim
from ddiv.finding import Asked
from ddiv.outcome import Spectral
from ddiv.run.run import Run
from ddiv.study.optimisation import MEMBERS
from ddiv.trial.store import Record, Store
from tests.support.smoke import STUDY

NORM = Spectral("frobenius_norm", "classifier")
HERE = "a processor"

# The trials of an arm's contrast with the baseline at one seed: the arm, and the optimisation
# controls, which the baseline is one of.
AT_A_SEED = 1 + len(MEMBERS)


def asked(question, seeds=(0, 1, 2), guards="", study=STUDY) -> Asked:
    return Asked(
        Claim("a-claim", "it holds", "v1", "family", guards),
        study,
        "",
        question,
        seeds,
        0.05,
        "claims/test_x.py::test",
    )


def run(**changes) -> Run:
    return msgspec.structs.replace(
        Run("id", "pytest claims", "smoke", (0, 1, 2), 0.05, 4, "cpu", False, 0.0, 7, slots=2),
        **changes,
    )


def stored(store: Store, job, seconds: float, device: str = HERE, kilobytes: int = 0) -> None:
    facts = {"provenance": {"seconds": seconds, "device": "cpu", "device_name": device}}
    store.save(Record(job, facts, {"x": np.zeros(kilobytes * 128)}))
