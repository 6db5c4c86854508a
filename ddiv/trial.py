"""Trials and views: the values that name what is to be measured, and their keys.

A **trial** (study x treatment x seed) is trained once. A **view** is the training set as one treatment
shows it to the model; measuring its diversity needs no training. Both are jobs: frozen values whose key
is a hash of their canonical JSON and of the version of the code's meaning, never of a path, a device or
a worker.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

from ddiv.study import Backbone, Clip, Data, Recipe, Study
from ddiv.treatment import Augmentation, Treatment

# Raise when training, augmentation or measurement come to MEAN something else: stored records made under
# the old meaning are then left alone and trained anew. A refactoring or a speed-up leaves it as it is.
MEANING = 2


class Trial(msgspec.Struct, frozen=True, tag="trial"):
    """Train `backbone` on `data` by `recipe` under `treatment`; `seed` fixes every random draw."""

    data: Data
    backbone: Backbone
    recipe: Recipe
    treatment: Treatment
    seed: int

    @property
    def label(self) -> str:
        return f"{self.treatment.label}, seed {self.seed}"


class View(msgspec.Struct, frozen=True, tag="view"):
    """`n` training images as an augmentation (None: as they are) shows them, and who embeds them."""

    data: Data
    augmentation: Augmentation | None
    embedder: Clip
    n: int
    seed: int

    @property
    def label(self) -> str:
        name = self.augmentation.name if self.augmentation else "plain"
        return f"diversity of {name}, seed {self.seed}"


Job = Trial | View


def trial(study: Study, treatment: Treatment, seed: int) -> Trial:
    """The trial of this treatment in this study at this seed."""
    return Trial(study.data, study.backbone, study.recipe, treatment, seed)


def canonical(job: Job) -> bytes:
    """The job as JSON with sorted keys: equal jobs give equal bytes on every machine."""
    # Once there and back, so that a rate written as 1 and one written as 1.0 are the same.
    return msgspec.json.encode(decode(msgspec.json.encode(job)), order="sorted")


@lru_cache(maxsize=4096)
def key(job: Job) -> str:
    """Twenty hexadecimal digits that name the job, by SHA-256 over its canonical form and MEANING."""
    return hashlib.sha256(b"%d:%s" % (MEANING, canonical(job))).hexdigest()[:20]


def decode(text: bytes) -> Job:
    """The job that `canonical` wrote. Raises msgspec.ValidationError where the text is not one."""
    return msgspec.json.decode(text, type=Job)
