"""Generators of synthetic images, as pure data: what `ddiv.generate` trains, loads and samples from."""

from __future__ import annotations

import msgspec


class Flow(msgspec.Struct, frozen=True, tag="flow"):
    """A small class-conditional flow-matching model, trained on a study's own real training images.

    `side`: images are brought to this side for the model and back afterwards; `width` channels (multiples of it at lower
    resolutions); trained for `steps` batches. `seed` fixes the training's draws.
    """

    side: int
    width: int
    steps: int
    batch: int = 64
    lr: float = 1e-3
    seed: int = 0

    @property
    def label(self) -> str:
        return f"flow matching, width {self.width}, {self.steps} steps"


class StableDiffusion(msgspec.Struct, frozen=True, tag="stable-diffusion"):
    """Stable Diffusion through diffusers (v1 section 3.4); `model` is a hub id or the SHA-256 of a local folder's index."""

    model: str = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    steps: int = 50

    @property
    def label(self) -> str:
        return self.model


Generator = Flow | StableDiffusion


class Setting(msgspec.Struct, frozen=True):
    """How samples are drawn: by how much classes are exaggerated, how loudly noise starts, in how many steps.

    `guidance` 1 is none (classifier-free guidance, Ho and Salimans 2022); `temperature` scales the initial noise, below 1
    giving samples that are more alike.
    """

    name: str
    guidance: float = 1.0
    temperature: float = 1.0
    steps: int = 10
