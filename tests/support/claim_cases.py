"""Every test of a claim, as pytest collects it: those in claims/ on the embedded studies, for tests
that go through all of them.
"""

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec

from ddiv.claim import Claim, NotApplicable, Question
from ddiv.claim.declare import parameters, variant
from ddiv.finding import Asked
from ddiv.profiles import studies
from ddiv.profiles.choose import profile
from ddiv.study import Bert, BertAsCoded, Clip, ResNet18, Study
from ddiv.treatment import Flow, Setting
from tests.support.paths import ROOT

PROFILE = profile("embedded")
NAMED = {study.name: study for study in PROFILE.studies}
WORLD, DIGITS = NAMED["clip-world"], NAMED["resnet18-digits"]

# A study with all that claims may ask for, never trained. Claims that no study of the profile can
# answer are put to it.
EVERYTHING = msgspec.structs.replace(
    WORLD,
    name="everything",
    further_augmentations=("cutout", "cutmix", "mixup"),
    very_large_dropout=0.9,
    combinations=((0.1, 1e-4), (0.1, 1e-2), (0.3, 1e-4), (0.3, 1e-2)),
    generator=Flow(side=8, width=8, steps=1),
    generators=(),
    settings=(Setting("good"), Setting("poor", temperature=0.5)),
    shares=((0.15, 0.25, 0.35, 0.5, 0.7, 1.0),) * 2,
    rounds=3,
    class_counts=(2, 5, 15, 30, 60),
    batches=(4, 8, 16, 32, 128, 720),
    coded_rates=(0.1, 0.5),
    kept=0.8,
    recipe=msgspec.structs.replace(WORLD.recipe, checkpoints=(1, 2)),
    both_augmentations=("auto", "noise30"),
    both_rates=(0.1,),
)
BACKBONES = (
    *(Clip(WORLD.backbone.weights, tower="resnet"), ResNet18()),
    *(Bert("any"), BertAsCoded("any")),
)
ANYTHING = (
    EVERYTHING,
    *(
        msgspec.structs.replace(EVERYTHING, backbone=backbone, further_backbones=())
        for backbone in BACKBONES
    ),
    studies.clip_world_as_coded(),
    studies.initialisations(),
)


class Case(NamedTuple):
    """One test of a claim on one study."""

    claim: Claim
    study: Study
    question: Question
    variant: str

    def asked(self, seeds: tuple[int, ...]) -> Asked:
        return Asked(
            claim=self.claim,
            study=self.study,
            variant=self.variant,
            question=self.question,
            seeds=seeds,
            alpha=0.05,
            test=f"claims/test_x.py::{self}",
        )

    @property
    def applicable(self) -> bool:
        """Whether the study has the domains that the question asks about."""
        try:
            return bool(self.asked((0,)).jobs())
        except NotApplicable:
            return False

    def __str__(self) -> str:
        return "-".join(filter(None, (self.claim.id, self.study.name, self.variant)))


def cases_of(files: Iterable[Path], studies: Sequence[Study]) -> Iterator[Case]:
    """The tests in these files; one that applies to no study is put to one that has everything."""
    for path in files:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for test in (one for one in vars(module).values() if hasattr(one, "ask")):
            marks = [
                mark.args for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"
            ]
            rows = [
                [dict(zip(names.split(", "), row if ", " in names else (row,))) for row in given]
                for names, given in marks
            ]
            names, found = parameters(
                test, [*filter(test.applies, studies)] or [next(filter(test.applies, ANYTHING))]
            )
            for own, chosen in product([dict(zip(names, row)) for row in found], product(*rows)):
                values = own | {name: value for row in chosen for name, value in row.items()}
                yield Case(test.claim, values["study"], test.ask(**values), variant(test, values))


FILES = sorted((ROOT / "claims").glob("test_*.py"))
CASES = list(cases_of(FILES, PROFILE.studies))
APPLICABLE = [case for case in CASES if case.applicable]
