"""The study that is trained in seconds, and a question to it."""

from ddiv.claim import Claim
from ddiv.finding import Asked
from ddiv.profiles.choose import profile

PROFILE = profile("smoke")
(STUDY,) = PROFILE.studies
# As few as can decide.
SEEDS = (0, 1, 2, 3, 4, 5)


def ask(question, **more) -> Asked:
    given = {
        "variant": "",
        "seeds": SEEDS,
        "alpha": 0.05,
        "test": "claims/test_x.py::test_y",
        **more,
    }
    return Asked(
        Claim("an-id", "a statement", "a source", "a family"), STUDY, question=question, **given
    )
