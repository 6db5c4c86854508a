"""Which data, weights, packages and keys are not on this machine, told before anything is trained.

Nothing is loaded to find out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec

from ddiv.common import own
from ddiv.common.digests import is_digest
from ddiv.common.printed import command
from ddiv.data import load as datasets
from ddiv.models.shipped import shipped
from ddiv.study import Backbone, Bert, Embedder, Gru, OpenClip, OwnEmbedder, OwnModel, Study
from ddiv.treatment import Generator, OpenAI, OwnGenerator, StableDiffusion
from ddiv.trial import Job, Samples, requires
from ddiv.trial.store import Store


@lru_cache
def data_or_weights(study: Study) -> str | None:
    """One line that says which data or model of a study is lacking here, and how to get it.

    None where nothing is lacking.
    """
    if study.data and (reason := datasets.absent_data(study.data)):
        return reason
    models = [
        model
        for model in dict.fromkeys((*study.backbones, *study.embedders))
        if not _is_shipped(model)
    ]
    if not models:
        return None
    from ddiv.models.build import absent_model

    return next(filter(None, map(absent_model, models)), None)


def _is_shipped(model: Backbone | Embedder) -> bool:
    """Whether ddiv ships or builds this model itself.

    Such a model is there, and asking `ddiv.models.build` for it would cost every worker the seconds
    that torch's import takes.
    """
    if isinstance(model, Bert | Gru):
        read = model if isinstance(model, Bert) else model.tokens
        return read.weights in shipped("bert")
    return not isinstance(model, OpenClip | OwnModel | OwnEmbedder)


def lines(left_out: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """One line for each study that is left out; claims are counted by (study, why)."""
    for (study, reason), claims in sorted(left_out.items()):
        yield f"Left out: {claims} claim{'s' * (claims > 1)} on {study}: {reason}"


def samples(jobs: Iterable[Job], store: Store) -> str | None:
    """One line that says what a generator lacks here, and how to get it.

    Asked are the generators of those samples that the jobs read and the store does not hold. None
    where nothing is lacking.
    """
    wanted = dict.fromkeys(
        needed for job in jobs for needed in requires(job) if isinstance(needed, Samples)
    )
    reasons = (generator(sample.generator) for sample in wanted if sample not in store)
    return next(filter(None, reasons), None)


def of_generator(study: str) -> str:
    """What a study's generator needs is told apart by this from what its training needs."""
    return f"the generator of {study}"


def generator(spec: Generator) -> str | None:
    """One line that says what a generator lacks here, and how to get it; None where nothing."""
    match spec:
        case OwnGenerator():
            return own.absent(spec)
        case StableDiffusion() if find_spec("diffusers") is None:
            return "Stable Diffusion needs diffusers: pip install -e '.[stable-diffusion]'"
        case StableDiffusion(model=model) if is_digest(model):
            from ddiv.generate.stable_diffusion import FOLDER_VARIABLE

            if not os.environ.get(FOLDER_VARIABLE):
                return f"let {FOLDER_VARIABLE} name the folder of Stable Diffusion {model[:12]}"
        case StableDiffusion(model=model):
            from ddiv.models.hub import cached

            if not cached(model, "model_index.json"):
                return "Stable Diffusion is not on this machine: " + command(
                    "hf", "download", model
                )
        case OpenAI() if find_spec("openai") is None:
            return "texts from OpenAI's models need the package openai: pip install 'openai>=3'"
        case OpenAI(model=model):
            from ddiv.generate.openai_client import KEY

            if not os.environ.get(KEY, "").strip():
                return f"texts from {model} cost money, and {KEY} is not set"
    return None
