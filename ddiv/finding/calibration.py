"""What is known of a study before any arm is judged: how far a mere optimiser lies from the curves,
and how much the baseline's outcomes move from run to run.

It is measured on seeds that no claim uses (`ddiv calibrate`) and depends on no arm. Those of ddiv's
own studies are in the package, others in the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ddiv import profiles
from ddiv.common.files import contents
from ddiv.outcome import METRICS, Outcome
from ddiv.study import Study
from ddiv.study.measures import OwnMeasure
from ddiv.study.optimisation import CALIBRATION_SEEDS, FIRST_CALIBRATION, MEMBERS
from ddiv.treatment import Treatment
from ddiv.trial.job import MEANING, Trial

SHIPPED = Path(profiles.__file__).parent / "calibrations"

# How the name of a study ends that does what the published code does, and not what the text says.
# It has the data, the model and the recipe of the study without that ending.
AS_CODED = "-as-coded"

# Held-out members that a margin is told of: of fewer, the largest residuals say too little.
FEWEST = 20

# Raise it when the margin, the noise or the best member comes to mean something else.
_MEANING = 1


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The calibration of a study.

    - `fingerprint`: of all that it depends on (`fingerprint`);
    - `best`: the member of the family that is the most accurate in domain, by its label, and
      `accuracy`: that of each member, means over the seeds;
    - `margins`, by `name_of` an outcome: the 95th percentile of how far held-out members lie
      beyond both curves, in the outcome's unit;
    - `noise`: the standard deviation over the seeds of the effect of an arm that does nothing;
    - `matched`: at how many seeds each held-out member could be matched.
    """

    study: str
    fingerprint: str
    seeds: tuple[int, ...]
    best: str
    accuracy: dict[str, float]
    margins: dict[str, float]
    noise: dict[str, float]
    matched: dict[str, int]

    def margin(self, outcome: Outcome) -> float | None:
        """The margin of an outcome; None where it was not calibrated."""
        return self.margins.get(name_of(outcome))

    @property
    def held_out(self) -> int:
        """How many trials of held-out members were trained, and should be matched."""
        return len(self.matched) * len(self.seeds)

    @property
    def held_out_matched(self) -> int:
        return sum(self.matched.values())

    @property
    def best_member(self) -> Treatment:
        """The member of the family that is the most accurate in domain."""
        return next(member for member in MEMBERS if member.label == self.best)


def name_of(outcome: Outcome) -> str:
    """What a calibration calls an outcome: its label, with the source of a user's own."""
    source = f" {outcome.source[:12]}" if isinstance(outcome, OwnMeasure) else ""
    return outcome.label + source


def fingerprint(study: Study) -> str:
    """Twenty hexadecimal digits that name all that a calibration depends on: data, checkpoints,
    recipe, optimisation controls, and what trials and metrics mean. No arm is in it, nor a name.
    """
    recipe = study.recipe and msgspec.structs.replace(study.recipe, checkpoints=())
    rest = (*study.family, study.held_out, FIRST_CALIBRATION, CALIBRATION_SEEDS)
    meaning = (_MEANING, MEANING[Trial], METRICS)
    values = (study.data, study.backbones, recipe, rest, meaning)
    return hashlib.sha256(msgspec.json.encode(values, order="sorted")).hexdigest()[:20]


def path_in(store: Path, study: Study) -> Path:
    """Where a store keeps the calibration of a study."""
    return store / "calibrations" / f"{fingerprint(study)}.json"


def written(calibration: Calibration) -> bytes:
    """The file of a calibration: sorted, and six digits of each number."""

    def rounded(table: dict[str, float]) -> dict[str, float]:
        return {name: float(f"{number:.6g}") for name, number in table.items()}

    short = msgspec.structs.replace(
        calibration,
        accuracy=rounded(calibration.accuracy),
        margins=rounded(calibration.margins),
        noise=rounded(calibration.noise),
    )
    return msgspec.json.format(msgspec.json.encode(short, order="sorted"), indent=1) + b"\n"


def known(study: Study, store: Path | None) -> tuple[Calibration | None, str]:
    """The calibration of a study, from the store or else from the package, and "".

    None where neither has one of this data, recipe and model, and a line that says so; no line for
    a study that trains nothing.
    """
    if not study.trains:
        return None, ""
    wanted, others = fingerprint(study), 0
    for path in _places(study, store):
        # ValueError: a study's name may be none that a file can have, as in a terminal of ASCII.
        with suppress(OSError, ValueError, msgspec.MsgspecError):
            found = msgspec.json.decode(contents(path), type=Calibration)
            if found.fingerprint == wanted:
                return found, ""
            others += 1
    other = f"; the one that ddiv has of {study.name} is of other data, model or recipe" * bool(
        others
    )
    return None, (
        f"the optimisation controls of {study.name} are not calibrated: run `ddiv calibrate` with "
        f"the same --study or --profile{other}"
    )


def _places(study: Study, store: Path | None) -> Iterator[Path]:
    if store is not None:
        yield path_in(store, study)
    if study.name == Path(study.name).name:
        # That of the same data, model and recipe serves too, or its fingerprint is another.
        for name in dict.fromkeys((study.name, study.name.removesuffix(AS_CODED))):
            yield SHIPPED / f"{name}.json"
