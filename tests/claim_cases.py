"""Every test in claims/, as pytest collects it on the embedded studies: for tests that go through all of them."""

import importlib.util
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from ddiv.claim import Claim, Question
from ddiv.finding import Asked
from ddiv.profiles import profile
from ddiv.study import Study

PROFILE = profile("embedded")
WORLD, DIGITS = (next(study for study in PROFILE.studies if study.name == name) for name in ("clip-world", "resnet18-digits"))


class Case(NamedTuple):
    """One test of a claim on one study."""

    claim: Claim
    study: Study
    question: Question
    variant: str

    def asked(self, seeds: tuple[int, ...]) -> Asked:
        return Asked(claim=self.claim, study=self.study, variant=self.variant, question=self.question, seeds=seeds,
                     embedder=PROFILE.embedder, alpha=0.05, test=f"claims/test_x.py::{self}")

    def __str__(self) -> str:
        return "-".join(filter(None, (self.claim.id, self.study.name, self.variant)))


def every_case() -> Iterator[Case]:
    for path in sorted((Path(__file__).parents[1] / "claims").glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for test in (one for one in vars(module).values() if hasattr(one, "claim")):
            marks = [mark.args for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
            rows = [[dict(zip(names.split(", "), row if ", " in names else (row,))) for row in given]
                    for names, given in marks]
            for study, chosen in product(filter(test.applies, PROFILE.studies), product(*rows)):
                values = {name: value for row in chosen for name, value in row.items()}
                variant = ", ".join(value for value in values.values() if isinstance(value, str))
                yield Case(test.claim, study, test.ask(study=study, **values), variant)


CASES = list(every_case())
