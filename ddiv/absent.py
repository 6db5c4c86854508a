"""What is not on this machine, told before anything is trained: data, weights, a key.

Nothing is loaded for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec

from ddiv import datasets
from ddiv.digests import is_digest
from ddiv.models import embedded_weights
from ddiv.source import Generator, OpenAI, StableDiffusion
from ddiv.store import Store
from ddiv.study import Bert, OpenClip, OwnModel, Study
from ddiv.trial import Job, Samples, requires


@lru_cache
def data_or_weights(study: Study) -> str | None:
    """One line that says what a study's data or models lack here and how to get it; None where
    nothing is lacking.
    """
    if reason := datasets.absent(study.data):
        return reason
    # What ddiv ships is there; asking of it would cost every worker the seconds that torch's import
    # takes.
    models = [
        one
        for one in dict.fromkeys((study.backbone, *study.embedders))
        if isinstance(one, OpenClip | OwnModel)
        or isinstance(one, Bert)
        and one.weights != embedded_weights("bert")
    ]
    if not models:
        return None
    from ddiv.backbone import absent

    return next(filter(None, map(absent, models)), None)


def samples(jobs: Iterable[Job], store: Store) -> str | None:
    """One line that says what a generator lacks here whose samples jobs read and the store doesn't
    hold; None where none does.
    """
    wanted = dict.fromkeys(
        needed for job in jobs for needed in requires(job) if isinstance(needed, Samples)
    )
    return next(
        filter(None, (_generator(one.generator) for one in wanted if one not in store)), None
    )


def _generator(generator: Generator) -> str | None:
    match generator:
        case StableDiffusion() if find_spec("diffusers") is None:
            return "Stable Diffusion needs diffusers: pip install -e '.[stable-diffusion]'"
        case StableDiffusion(model=model) if is_digest(model):
            from ddiv.generate.stable_diffusion import FOLDER_VARIABLE

            return (
                None
                if os.environ.get(FOLDER_VARIABLE)
                else f"let {FOLDER_VARIABLE} name the folder of Stable Diffusion {model[:12]}"
            )
        case StableDiffusion(model=model):
            from ddiv.models.hub import cached

            return (
                None
                if cached(model, "model_index.json")
                else f"Stable Diffusion is not on this machine: hf download {model}"
            )
        case OpenAI() if find_spec("openai") is None:
            return "texts from OpenAI's models need the package openai: pip install -e '.[openai]'"
        case OpenAI(model=model):
            from ddiv.generate.openai_client import KEY

            return (
                None
                if os.environ.get(KEY, "").strip()
                else f"texts from {model} cost money, and {KEY} is not set"
            )
    return None
