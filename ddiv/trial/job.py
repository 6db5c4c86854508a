"""Jobs: the values that name what is to be measured, and their keys.

A **trial** (study x treatment x seed) is trained once. A **view** is the training set as one
treatment shows it to the model; measuring its diversity needs no training. A **generator fit** and
the **samples** drawn from it make the synthetic images and texts that some trials and views read.
An **experiment** is a call of a function that draws, computes and returns numbers.
All five are jobs: frozen values whose key is a hash of their canonical JSON and of the version of
the code's meaning, never of a path, a device or a worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache, partial

import msgspec

from ddiv.common.draws import stream
from ddiv.common.errors import TrialFailed
from ddiv.common.values import Value
from ddiv.study import Backbone, Data, Embedder, NetworkOutcome, OwnExperiment, Recipe, Study
from ddiv.study.measures import united
from ddiv.treatment import (
    Anchored,
    Flow,
    Generator,
    NGram,
    OwnPart,
    Setting,
    Synthetic,
    Treatment,
    is_built_in,
)
from ddiv.treatment.calls import called, called_twice, named, wrong


def draws_of(seed: int, study: str) -> int:
    """The number that all random streams of a job begin from: no two studies share a draw."""
    return stream(seed, f"study {study}")


# A job without some field, such as outcomes of a user's own, is written, and so named, as if there
# were no such field.
class Trial(Value, frozen=True, tag="trial", omit_defaults=True):
    """Train `backbone` on `data` by `recipe` under `treatment`.

    Data and backbone are those of a replicate; `seed` and the name of the `study` fix every random
    draw (`trial` makes them all). `outcomes` are those of a user's own that are computed of the
    network.
    """

    data: Data
    backbone: Backbone
    recipe: Recipe
    treatment: Treatment
    seed: int
    study: str = ""
    outcomes: tuple[NetworkOutcome, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(0, "seed")

    @property
    def label(self) -> str:
        return f"{self.treatment.label}, seed {self.seed}"

    @property
    def draws(self) -> int:
        """The number that all random streams of this trial begin from.

        Raises as `Treatment.seed`.
        """
        return draws_of(self.treatment.seed(self.seed), self.study)

    @property
    def batch(self) -> int:
        """Examples a step: the recipe's, unless the treatment says otherwise."""
        return self.trained_by.batch

    @property
    def trained_by(self) -> Recipe:
        """The recipe as the treatment changes it; without checkpoints where it does.

        Raises TrialFailed where a part of a user's own returns no recipe, or the one that it was
        given and nothing else acts.
        """
        recipe = self.recipe
        for part in self.treatment.with_hook("recipe"):
            given = msgspec.structs.replace(recipe, checkpoints=())
            recipe = called_twice(part, "recipe", partial(called, part, "recipe", given))
            if not isinstance(recipe, Recipe):
                wanted = "the recipe that it is given, changed by msgspec.structs.replace"
                raise wrong(part, "recipe", wanted, recipe)
            if recipe == given and part.hooks == {"recipe"} and not is_built_in(part):
                raise TrialFailed(
                    f"{named(part, 'recipe')} returns the recipe as it is, so the arm "
                    f"{part.label} is the baseline: leave this dose out, or let `does_nothing` be "
                    "True at it"
                )
        return recipe


class DataView(Value, frozen=True, tag="view", omit_defaults=True):
    """`n` training examples of a replicate as a treatment shows them.

    The treatment is an augmentation, a synthetic share or a number of classes. `study` as in
    `Trial`.
    """

    data: Data
    treatment: Treatment
    embedder: Embedder
    n: int
    seed: int
    study: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "n")
        self.at_least(0, "seed")

    @property
    def label(self) -> str:
        shown = "plain" if self.treatment.is_baseline else self.treatment.label
        return f"diversity of {shown}, seed {self.seed}"

    @property
    def draws(self) -> int:
        """As `Trial.draws`: a view shows what a trial of the same arm, replicate and study sees."""
        return draws_of(self.treatment.seed(self.seed), self.study)


class GeneratorFit(Value, frozen=True, tag="generator", omit_defaults=True):
    """Train a generator: in round 1 on real data, later on samples of the round before, `anchored`
    on both.

    `study` as in `Trial`.
    """

    data: Data
    generator: Flow | NGram
    setting: Setting | None = None  # of the samples that it is retrained on; None in round 1
    round: int = 1
    seed: int = 0
    study: str = ""
    anchored: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "round")
        self.at_least(0, "seed")

    @property
    def label(self) -> str:
        kept = ", real data kept" * self.anchored
        return f"generator ({self.generator.label}), round {self.round}{kept}, seed {self.seed}"

    @property
    def draws(self) -> int:
        """The number that all random streams of this training begin from."""
        return draws_of(self.seed, self.study)


class Samples(Value, frozen=True, tag="samples", omit_defaults=True):
    """Examples drawn from a generator with this seed, as many per class as the training set has.

    `study` as in `Trial`, `anchored` as in `GeneratorFit`.
    """

    data: Data
    generator: Generator
    setting: Setting
    round: int
    seed: int
    study: str = ""
    anchored: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "round")
        self.at_least(0, "seed")

    @property
    def label(self) -> str:
        kept = ", real data kept" * self.anchored
        return f"samples ({self.setting.name}), round {self.round}{kept}, seed {self.seed}"

    @property
    def draws(self) -> int:
        """The number that all random streams of these samples begin from."""
        return draws_of(self.seed, self.study)


class Experiment(Value, frozen=True, tag="experiment", omit_defaults=True):
    """Call a function with the draws of one replicate (`ddiv.study.experiments`).

    `data` is that of the replicate, where the study has some; `study` as in `Trial`.
    """

    call: OwnExperiment
    data: Data | None = None
    seed: int = 0
    study: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(0, "seed")

    @property
    def label(self) -> str:
        return f"experiment {self.call.label}, seed {self.seed}"

    @property
    def draws(self) -> int:
        """The number that all random streams of this call begin from.

        No option is in it, so that calls of one function at one seed can share their draws.
        """
        return stream(draws_of(self.seed, self.study), f"experiment {self.call.name}")


Job = Trial | DataView | GeneratorFit | Samples | Experiment

# The number is part of a job's key. Raise it for a kind of job when training or measuring such a
# job comes to MEAN something else: records made under the old meaning then stay in the store
# unread, and new ones are made. A refactoring or a speed-up leaves the number as it is.
MEANING = {Trial: 4, DataView: 5, GeneratorFit: 4, Samples: 4, Experiment: 1}


def requires(job: Job) -> tuple[Job, ...]:
    """The jobs whose records this one reads."""
    match job:
        case Trial() | DataView():
            if (part := job.treatment.mixes) is not None:
                number = part.round if isinstance(part, Synthetic) else 1
                seed, kept = replicate(job.treatment, job.seed), isinstance(part, Anchored)
                drawn = (part.generator, part.setting, number, seed, job.study, kept)
                return (Samples(job.data, *drawn),)
        case Samples(generator=Flow() | NGram() as generator):
            # Each replicate trains its own: it has other images. The settings of a study share it.
            setting = job.setting if job.round > 1 else None
            of = (generator, setting, job.round, job.seed, job.study, job.anchored)
            return (GeneratorFit(job.data, *of),)
        case GeneratorFit(setting=Setting() as setting) if job.round > 1:
            before = job.round - 1
            # Of the first round there is one: real data are all that it has seen.
            kept = job.anchored and before > 1
            drawn = (job.generator, setting, before, job.seed, job.study, kept)
            return (Samples(job.data, *drawn),)
    return ()


def with_requirements(jobs: Iterable[Job]) -> list[Job]:
    """The jobs and all that they read, each once, in an order in which they can be measured."""
    ordered: dict[Job, None] = {}

    def add(job: Job) -> None:
        if job not in ordered:
            for needed in requires(job):
                add(needed)
            ordered[job] = None

    for job in jobs:
        add(job)
    return list(ordered)


def replicate(treatment: Treatment, seed: int) -> int:
    """The replicate that an arm's data and checkpoint are drawn for, at this seed of a study.

    A part of a user's own with a hook `seed` does not move it: those who read records need not have
    its code, and must find the trial.
    """
    for part in treatment.parts:
        if "seed" in part.hooks and not isinstance(part, OwnPart):
            seed = part.seed(seed)
    return seed


def trial(
    study: Study, treatment: Treatment, seed: int, further: Iterable[NetworkOutcome] = ()
) -> Trial:
    """The trial of this treatment in this study at this seed, on the replicate's data and backbone.

    further: outcomes that are computed besides the study's. Raises ValueError where two different
    functions have one name, and where the study trains nothing.
    """
    return _trial(study, treatment, seed, tuple(further))


# Every look at a question asks for all of its trials, and making one checks all values of it.
@lru_cache(maxsize=1 << 16)
def _trial(
    study: Study, treatment: Treatment, seed: int, further: tuple[NetworkOutcome, ...]
) -> Trial:
    drawn = replicate(treatment, seed)
    if study.recipe is None:
        raise ValueError(f"the study {study.name} trains nothing: it is one of experiments alone")
    return Trial(
        study.data_of(drawn),
        study.backbone_of(drawn),
        study.recipe,
        treatment,
        seed,
        study.name,
        united(study.outcomes, further),
    )


def sampling(
    study: Study, generator: Generator, setting: Setting, round: int, seed: int
) -> Samples:
    """The samples of a generator for the replicate `seed` of a study."""
    return Samples(study.data_of(seed), generator, setting, round, seed, study.name)


def performance(study: Study, call: OwnExperiment, seed: int) -> Experiment:
    """The experiment with the draws and the data of the replicate `seed` of a study."""
    data = study.data_of(seed) if study.data else None
    return Experiment(call, data, seed, study.name)


def canonical(job: Job) -> bytes:
    """The job as JSON with sorted keys: equal jobs give equal bytes on every machine."""
    # Decoding once turns a rate written as 1 into 1.0, so that both spellings are the same job.
    return msgspec.json.encode(decode(msgspec.json.encode(job)), order="sorted")


@lru_cache(maxsize=4096)
def key(job: Job) -> str:
    """Twenty hexadecimal digits that name the job, a SHA-256 of its MEANING and canonical form."""
    return hashlib.sha256(b"%d:%s" % (MEANING[type(job)], canonical(job))).hexdigest()[:20]


def decode(text: bytes) -> Job:
    """The job that `canonical` wrote. Raises msgspec.ValidationError where the text is not one."""
    job: Job = msgspec.json.decode(text, type=Job)
    return job
