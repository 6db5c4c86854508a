"""Generators of synthetic images and texts, as pure data.

`ddiv.generate` trains or loads them, and samples from them.
"""

from __future__ import annotations

from typing import Literal

from ddiv.common.values import Value, require_name
from ddiv.treatment.own_generator import OwnGenerator


class Flow(Value, frozen=True, tag="flow"):
    """A small class-conditional flow-matching model, trained on a study's own real training images.

    The model works on images of `side` pixels: images are resized to it and back. It has `width`
    hidden units a layer (`ddiv.generate.network`) and is trained for `steps` batches. `seed` fixes
    the training's draws.
    """

    side: int
    width: int
    steps: int
    batch: int = 64
    lr: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "side", "width", "steps", "batch")
        self.at_least(0, "seed")
        if self.lr <= 0:
            raise ValueError(f"a learning rate is above 0, got {self}")

    @property
    def label(self) -> str:
        return f"flow matching, width {self.width}, {self.steps} steps"


class Captioned(Value, frozen=True, tag="captioned"):
    """The shipped generator of captioned pictures: it knows more than a study's images.

    A flow-matching model conditional on words, trained once (`python -m
    ddiv.generate.pretrain_flow`) on pictures of the image world's pre-training classes in all
    styles. It knows all shapes and motifs, and none of the classes of a study, which it is asked
    for in words, as Stable Diffusion is. `weights` is the SHA-256 of its checkpoint; it draws
    `side` pixels, which are enlarged. The `Setting` says which styles are asked for.
    """

    weights: str
    side: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "side")

    @property
    def label(self) -> str:
        return "captioned flow matching, pre-trained"


class StableDiffusion(Value, frozen=True, tag="stable-diffusion"):
    """Stable Diffusion through diffusers (v1 section 3.4).

    `model` is a hub id, or the SHA-256 of a local folder (`ddiv.common.digests.folder_digest`),
    since a path would name something else on another machine. Each image has a random size within
    `heights` and `widths` (pixels, multiples of 8). `steps` are those of the scheduler. Guidance
    and temperature come from the `Setting`, whose own steps are ignored.
    """

    model: str = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    steps: int = 50
    heights: tuple[int, int] = (320, 640)
    widths: tuple[int, int] = (240, 720)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_name("the model of a generator", self.model)
        self.at_least(1, "steps")
        for low, high in (self.heights, self.widths):
            if not 0 < low <= high or high // 8 < -(-low // 8):
                raise ValueError(
                    "a range of picture sizes must hold a multiple of 8, got "
                    f"{low} to {high} pixels"
                )

    @property
    def label(self) -> str:
        return self.model


class NGram(Value, frozen=True, tag="ngram"):
    """A class-conditional n-gram language model over words, trained on a study's own real texts.

    `order` is the length of the longest n-grams. The model is in `ddiv.generate.ngram`.
    """

    order: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(0, "seed")
        if self.order < 1:
            raise ValueError(f"an n-gram has at least 1 word, got {self.order}")

    @property
    def label(self) -> str:
        return f"{self.order}-gram language model"


class OpenAI(Value, frozen=True, tag="openai"):
    """A chat model behind OpenAI's API (v2: GPT-4o), asked for texts like the real ones.

    Each request shows it `examples` real training texts of a class and asks for `per_request` new
    ones of at most `max_tokens` tokens each; `kind` tells the model what the texts are. Variant and
    temperature come from the `Setting`. `reasoning_effort` is for models that reason (None: not
    sent); they take a temperature only with "none". Requests are made in
    `ddiv.generate.openai_texts`.
    """

    model: str = "gpt-4o-2024-08-06"
    examples: int = 5
    per_request: int = 5
    max_tokens: int = 256
    kind: str = "complaints of consumers about financial products and services"
    reasoning_effort: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_name("the model of a generator", self.model)
        self.at_least(1, "examples", "per_request", "max_tokens")

    @property
    def label(self) -> str:
        return self.model


Generator = Flow | Captioned | StableDiffusion | NGram | OpenAI | OwnGenerator


class Setting(Value, frozen=True):
    """How samples are drawn from a generator.

    - `guidance`: how much classes are exaggerated, 1 is not at all. For images it is
      classifier-free guidance (Ho and Salimans 2022), for an n-gram model the exponent of a class's
      word ratios.
    - `temperature`: for images the factor of the initial noise, for texts the temperature of the
      language model. Below 1 samples are more alike.
    - `steps`: the number of steps in which an image is drawn.
    - `variant`: for texts, additional new ones or variations of given real ones (v2's D_add and
      D_vf).
    - `styles`: for a `Captioned` generator, the words for a style that prompts begin with ("photo
      of a star with stripes"), one drawn for each image. The paper's prompts are for photographs.
    """

    name: str
    guidance: float = 1.0
    temperature: float = 1.0
    steps: int = 10
    variant: Literal["additional", "variations"] = "additional"
    styles: tuple[str, ...] = ("photo",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_name("a setting's name", self.name)
        for style in self.styles:
            require_name("a style", style)
        if not self.styles:
            raise ValueError("a setting names at least one style")
        self.at_least(0, "guidance")
        if self.steps < 1:
            raise ValueError(f"samples are drawn in at least 1 step, got {self.steps}")
        if self.temperature < 0:
            raise ValueError(f"a temperature is at least 0, got {self.temperature}")
