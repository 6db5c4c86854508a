"""The ten image augmentations of the paper (section 3.3), drawn per image and applied in batches.

The trap. torchvision's automatic augmentations draw *one* policy per call: hand them a batch and
every image in it gets the same treatment, which quietly removes most of the diversity that the
paper measures. Calling them image by image is right but costs 0.4 to 4 ms an image.

The remedy. This module draws every random decision, one per image, in a few vectorised calls on an
explicit `torch.Generator`. It then gathers the images that drew the same *move* (operation and
signed magnitude) and applies torchvision's own kernel once to each such group. The policy tables,
the magnitudes and the kernels stay torchvision's; the tests check that a kernel gives the same bits
on a batch as image by image, and that the draws follow torchvision's distribution.

Sizes. ElasticTransform's blur kernel (8 sigma + 1 = 41 wide) needs reflect padding smaller than
the image, so it cannot run as published on small ones. For images whose shorter side is below 32
pixels alpha and sigma are both multiplied by side / 32. The displacement then keeps its size in
pixels (about 1 RMS, as it does with torchvision at any size), and its smoothness its share of the
image. TrivialAugment's translations reach 32 pixels, the side of the images that it was published
for (one move in 31 shifts such an image out of sight); on smaller images they are scaled by side /
32 too, since otherwise half of the translated 16-pixel images would be black.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import torch
import torchvision
from torch import Generator, Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

_PRIVATE = ("_AUGMENTATION_SPACE", "_apply_image_or_video_transform", "_fill", "interpolation")

_AUTOMATIC: Mapping[str, tuple[Callable[[], Any], tuple[str, ...]]] = MappingProxyType(
    {
        "auto": (v2.AutoAugment, (*_PRIVATE, "_policies")),
        "rand": (v2.RandAugment, (*_PRIVATE, "num_ops", "magnitude", "num_magnitude_bins")),
        "augmix": (v2.AugMix, (*_PRIVATE, "severity", "mixture_width", "_PARAMETER_MAX")),
        "trivial": (v2.TrivialAugmentWide, (*_PRIVATE, "num_magnitude_bins")),
    }
)

_AUTO_BINS = 10  # a literal in AutoAugment.forward, so it cannot be read from torchvision

_MAX_DEPTH = 3  # likewise in AugMix.forward: a chain has 1, 2 or 3 operations

# ElasticTransform's defaults, and those of the paper's published code
_ALPHA, _SIGMA, _CODED_ALPHA, _CODED_SIGMA = 50.0, 5.0, 40.0, 6.0

# The side below which alpha and sigma shrink
_FULL_SIDE = 32

_CHUNK = 1 << 23  # pixel values per chunk, so that float copies stay near 32 MiB whatever the batch

# On a GPU a group of few images costs as much as one of many; float copies stay near 512 MiB.
_CUDA_CHUNK = 1 << 27

Moves = tuple[tuple[str, float], ...]  # operations with their signed magnitudes

Augmentation = Callable[[Tensor, Generator], Tensor]


class Draw(NamedTuple):
    """The draws of a batch: `chosen` (n, ..., steps) int64 indexes `moves`.

    `moves[0]` is the identity.
    """

    moves: Moves
    chosen: Tensor


@cache
def torchvision_transform(name: str) -> Any:
    """The transform of torchvision's behind "auto", "rand", "augmix" or "trivial", with defaults.

    This module needs some of its private attributes: raises RuntimeError, naming the torchvision
    version, if one of them is gone.
    """
    make, needed = _AUTOMATIC[name]
    transform = make()
    if missing := [attribute for attribute in needed if not hasattr(transform, attribute)]:
        raise RuntimeError(
            f"torchvision {torchvision.__version__}: {type(transform).__name__} has no "
            f"{', '.join(missing)}; ddiv.treatment.images was written for torchvision 0.26 to 0.29"
        )
    return transform


@cache
def _table(name: str, bins: int, height: int, width: int) -> tuple[Moves, Tensor]:
    """All distinct moves, and their numbers as an (operations, bins, 2 signs) tensor."""
    numbers = {("Identity", 0.0): 0}
    table: list[list[int]] = []
    for op, (magnitudes, signed) in torchvision_transform(name)._AUGMENTATION_SPACE.items():
        values = magnitudes(bins, height, width)
        if name == "trivial" and op.startswith("Translate"):
            values = values * min(1.0, min(height, width) / _FULL_SIDE)
        signs = (1, -1 if signed else 1)
        # 0.0 == -0.0 and repeated Posterize bits share a number, hence a group
        table.extend(
            [numbers.setdefault((op, sign * float(value)), len(numbers)) for sign in signs]
            for value in ([0.0] * bins if values is None else values.tolist())
        )
    return tuple(numbers), torch.tensor(table).view(-1, bins, 2)


def _coin(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.randint(2, shape, generator=generator, device=generator.device)


def draw(
    name: str, n: int, height: int, width: int, generator: Generator, magnitude: int | None = None
) -> Draw:
    """Draw the moves of `n` images for "auto", "rand", "trivial" or "augmix".

    `chosen` is (n, steps), for "augmix" (n, chains, steps). The distribution is that of the
    torchvision class of that name called once per image. `magnitude` is that of "rand", by default
    torchvision's.
    """
    if name == "auto":
        return _draw_auto(n, height, width, generator)
    transform = torchvision_transform(name)
    integers = partial(torch.randint, generator=generator, device=generator.device)
    shape: tuple[int, ...]
    if name == "rand":
        bins, shape = transform.num_magnitude_bins, (n, transform.num_ops)
        low = transform.magnitude if magnitude is None else magnitude
        high = low + 1
    elif name == "trivial":
        bins, shape = transform.num_magnitude_bins, (n, 1)
        low, high = 0, bins
    else:
        bins, shape = transform._PARAMETER_MAX, (n, transform.mixture_width, _MAX_DEPTH)
        low, high = 0, transform.severity
    moves, table = _table(name, bins, height, width)
    op, level = integers(len(table), shape), integers(low, high, shape)
    chosen = table.to(generator.device)[op, level, _coin(shape, generator)]
    if name == "augmix":
        depth = integers(1, _MAX_DEPTH + 1, (*shape[:2], 1))
        chosen = chosen.where(torch.arange(_MAX_DEPTH, device=generator.device) < depth, 0)
    return Draw(moves, chosen)


def _draw_auto(n: int, height: int, width: int, generator: Generator) -> Draw:
    """AutoAugment: a policy per image, whose two operations are each kept with their own chance."""
    transform = torchvision_transform("auto")
    moves, table = _table("auto", _AUTO_BINS, height, width)
    ops = list(transform._AUGMENTATION_SPACE)
    policies = transform._policies
    rows = torch.tensor([[ops.index(op) for op, _, _ in policy] for policy in policies])
    bins = torch.tensor([[magnitude or 0 for _, _, magnitude in policy] for policy in policies])
    chances = torch.tensor([[chance for _, chance, _ in policy] for policy in policies])
    table = table[rows, bins].to(generator.device)  # (policies, 2 slots, 2 signs)
    policy = torch.randint(len(policies), (n,), generator=generator, device=generator.device)
    slots = torch.arange(2, device=generator.device)
    chosen = table[policy[:, None], slots, _coin((n, 2), generator)]
    kept = torch.rand((n, 2), generator=generator, device=generator.device)
    return Draw(moves, chosen.where(kept <= chances.to(generator.device)[policy], 0))


def apply_moves(name: str, images: Tensor, moves: Moves, chosen: Tensor) -> Tensor:
    """Apply `moves[chosen[i]]` to `images[i]` (n, 3, h, w uint8), once per group of equal moves."""
    transform = torchvision_transform(name)
    chosen = chosen.cpu()  # the grouping is host work; one transfer here instead of one per group
    order = chosen.argsort(stable=True).to(images.device)
    sizes: list[int] = chosen.bincount(minlength=len(moves)).tolist()
    groups = torch.split(images[order], sizes)
    parts = [
        transform._apply_image_or_video_transform(
            group, op, magnitude, interpolation=transform.interpolation, fill=transform._fill
        )
        for group, (op, magnitude) in zip(groups, moves, strict=True)
        if len(group)
    ]
    out = torch.empty_like(images)
    out[order] = torch.cat(parts)
    return out


def _automatic(
    name: str, images: Tensor, generator: Generator, magnitude: int | None = None
) -> Tensor:
    n, _, height, width = images.shape
    moves, chosen = draw(name, n, height, width, generator, magnitude)
    for step in chosen.unbind(1):
        images = apply_moves(name, images, moves, step)
    return images


def draw_mixture(n: int, chains: int, generator: Generator) -> Tensor:
    """AugMix's weights (n, 1 + chains), summing to 1: of the original image, then of each chain."""

    # torchvision's alpha is 1, and normalised exponentials are Dirichlet(1, ..., 1)
    def dirichlet(k: int) -> Tensor:
        sample = torch.empty((n, k), device=generator.device).exponential_(generator=generator)
        return sample / sample.sum(1, keepdim=True)

    original, augmented = torch.split(dirichlet(2), 1, dim=1)
    return torch.cat([original, dirichlet(chains) * augmented], dim=1)


def mix_chains(images: Tensor, moves: Moves, chosen: Tensor, weights: Tensor) -> Tensor:
    """AugMix given its draws: `chosen` (n, chains, steps) and `weights` (n, 1 + chains).

    The mixture is truncated to uint8, not rounded, because torchvision's is.
    """
    n, chains, steps = chosen.shape
    # chain-major: all chains of all images share their groups
    augmented = images.repeat(chains, 1, 1, 1)
    for step in range(steps):
        augmented = apply_moves("augmix", augmented, moves, chosen[:, :, step].T.flatten())
    weights = weights.to(images.device)[:, :, None, None, None]
    mixed = weights[:, 0] * images
    for chain, picture in enumerate(torch.split(augmented, n), start=1):
        mixed.add_(weights[:, chain] * picture)
    return mixed.to(torch.uint8)


def _augmix(images: Tensor, generator: Generator) -> Tensor:
    n, _, height, width = images.shape
    moves, chosen = draw("augmix", n, height, width, generator)
    return mix_chains(images, moves, chosen, draw_mixture(n, chosen.shape[1], generator))


def _noise(deviation: float, images: Tensor, generator: Generator) -> Tensor:
    noise = torch.randn(images.shape, generator=generator, device=generator.device)
    noisy = noise.to(images.device).mul_(255 * deviation).add_(images)
    # rounded, where torchvision's GaussianNoise cuts towards zero and so weakens the noise a little
    return noisy.round_().clamp_(0, 255).to(torch.uint8)


def draw_flips(n: int, generator: Generator) -> Tensor:
    """Whether to flip each of n images horizontally and vertically: (n, 2) bool.

    Each has probability one half, independently of the others.
    """
    return _coin((n, 2), generator).bool()


def _flips(images: Tensor, generator: Generator) -> Tensor:
    return flipped(images, draw_flips(len(images), generator))


def _flips_by_chance(
    horizontal: float, vertical: float, images: Tensor, generator: Generator
) -> Tensor:
    """Flips of these chances, each image by draws of its own."""
    drawn = torch.rand((len(images), 2), generator=generator, device=generator.device)
    return flipped(images, drawn < torch.tensor([horizontal, vertical], device=drawn.device))


def flipped(images: Tensor, flips: Tensor) -> Tensor:
    """Images flipped where `flips` (n, 2) bool says so, horizontally and vertically."""
    flips = flips.to(images.device)
    horizontal, vertical = flips[:, :, None, None, None].unbind(1)
    images = torch.where(horizontal, images.flip(-1), images)
    return torch.where(vertical, images.flip(-2), images)


@cache
def _blur_matrix(side: int, sigma: float) -> Tensor:
    """(side, side) matrix of torchvision's reflect-padded Gaussian blur along one axis."""
    # torchvision makes an even width odd; padding stays smaller than the side
    kernel = min(int(8 * sigma + 1) | 1, 2 * side - 1)
    matrix: Tensor = F.gaussian_blur(torch.eye(side)[None], [1, kernel], [1.0, sigma])[0]
    return matrix


def draw_displacement(
    n: int,
    height: int,
    width: int,
    generator: Generator,
    alpha: float = _ALPHA,
    sigma: float = _SIGMA,
) -> Tensor:
    """ElasticTransform's displacement fields, one per image: (n, h, w, 2) float32.

    Each is what torchvision's `elastic` takes.
    """
    scale = min(1.0, min(height, width) / _FULL_SIDE)
    noise = torch.rand((n, 2, height, width), generator=generator, device=generator.device) * 2 - 1
    # The 2-D blur is separable, and two small matrix products are far cheaper than a 41 x 41
    # convolution.
    rows = _blur_matrix(height, sigma * scale).to(noise.device)
    columns = _blur_matrix(width, sigma * scale).to(noise.device)
    smooth = rows @ (noise @ columns.T)
    size = torch.tensor([width, height], device=noise.device)
    return smooth.permute(0, 2, 3, 1) * (alpha * scale) / size


def warp(
    images: Tensor, displacement: Tensor, mode: Literal["bilinear", "bicubic"] = "bilinear"
) -> Tensor:
    """Warp each image by its own displacement field, as torchvision's `elastic` does.

    The fill is 0. Bicubic interpolation overshoots, and is cut off at 0 and 255 where torchvision
    leaves open what becomes of it.
    """
    n, _, height, width = images.shape
    x, y = (
        torch.linspace((1 - side) / side, (side - 1) / side, side, device=images.device)
        for side in (width, height)
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1) + displacement.to(images.device)
    inside = torch.ones((n, 1, height, width), device=images.device)
    sampled = torch.nn.functional.grid_sample(
        torch.cat([images.float(), inside], dim=1),
        grid,
        mode=mode,
        padding_mode="zeros",
        align_corners=False,
    )
    # The border is darkened twice, by the zero padding and by this product: torchvision does so for
    # a numeric fill.
    warped = (sampled[:, :3] * sampled[:, 3:]).round_()
    return (warped if mode == "bilinear" else warped.clamp_(0, 255)).to(torch.uint8)


def _elastic(images: Tensor, generator: Generator) -> Tensor:
    n, _, height, width = images.shape
    return warp(images, draw_displacement(n, height, width, generator))


def _coded_elastic(images: Tensor, generator: Generator) -> Tensor:
    n, _, height, width = images.shape
    field = draw_displacement(n, height, width, generator, _CODED_ALPHA, _CODED_SIGMA)
    return warp(images, field, "bicubic")


def _chain(*steps: Augmentation) -> Augmentation:
    def run(images: Tensor, generator: Generator) -> Tensor:
        for step in steps:
            images = step(images, generator)
        return images

    return run


_auto, _noise50 = partial(_automatic, "auto"), partial(_noise, 0.5)
_noise5 = partial(_noise, 0.05)


def _cutout(images: Tensor, generator: Generator) -> Tensor:
    """A grey square of half the side around a random pixel, cut at the border.

    Source: DeVries and Taylor (2017).
    """
    n, _, height, width = images.shape
    near = []
    for length in (height, width):
        centre = torch.randint(length, (n, 1), generator=generator, device=generator.device)
        first = centre - length // 4
        pixel = torch.arange(length, device=generator.device)
        near.append((pixel >= first) & (pixel < first + length // 2))
    hidden = (near[0][:, :, None] & near[1][:, None, :]).to(images.device)
    return images.masked_fill(hidden[:, None], 128)


AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "auto": _auto,
        "rand": partial(_automatic, "rand"),
        "augmix": _augmix,
        "trivial": partial(_automatic, "trivial"),
        "noise10": partial(_noise, 0.1),
        "noise30": partial(_noise, 0.3),
        "noise50": _noise50,
        "auto-v1": _chain(_auto, _noise50),
        "auto-v2": _chain(_auto, _noise50, _flips),
        "auto-v3": _chain(_auto, _noise50, _elastic),
        "cutout": _cutout,
        "noise1": partial(_noise, 0.01),
        "noise3": partial(_noise, 0.03),
        "noise5": _noise5,
        "auto-v1-coded": _chain(_auto, _noise5),
        "auto-v2-coded": _chain(_auto, partial(_flips_by_chance, 0.5, 0.3), _noise5),
        "auto-v3-coded": _chain(
            _auto, partial(_flips_by_chance, 0.5, 0.0), _coded_elastic, _noise5
        ),
        "noise20": partial(_noise, 0.2),
        "noise40": partial(_noise, 0.4),
        **{f"rand{m}": partial(_automatic, "rand", magnitude=m) for m in (3, 15, 21, 27)},
    }
)

"""What carries out each augmentation that leaves labels alone, by its name.

The names are those of `ddiv.treatment.names`, in their order. Call them through `augment`, which
checks its input.
"""


def augment(name: str, images: Tensor, generator: Generator) -> Tensor:
    """Augment every image of a batch with its own random draw.

    Source: section 3.3 of the paper. `name` is one of `AUGMENTATIONS`:

    - "auto" (AutoAugment, ImageNet policy; Auto in the figures), "rand" (RandAugment; Rand),
      "augmix" (AugMix; AugM), "trivial" (TrivialAugment; TrAU), all with torchvision's defaults;
    - "noise10", "noise30", "noise50": Gaussian noise of standard deviation .1, .3, .5 on the [0, 1]
      scale, clipped;
    - "auto-v1": AutoAugment, then noise .5; "auto-v2": auto-v1, then RandomHorizontalFlip and
      RandomVerticalFlip; "auto-v3": auto-v1, then ElasticTransform;
    - beyond the paper, "cutout" (`ddiv.treatment.mixing` has CutMix and mixup, which mix labels);
    - as the paper's published code has it: "noise1", "noise3", "noise5" of standard deviation .01,
      .03, .05; "auto-v1-coded": AutoAugment, then noise .05; "auto-v2-coded": AutoAugment, a
      horizontal flip (.5), a vertical flip (.3), then noise .05; "auto-v3-coded": AutoAugment, a
      horizontal flip (.5), ElasticTransform (alpha 40, sigma 6, bicubic), then noise .05;
    - further strengths: "noise20", "noise40"; "rand3", "rand15", "rand21", "rand27", which are
      RandAugment with a magnitude of 3, 15, 21, 27 (of 30; "rand" has 9).

    `images` is uint8 (n, 3, h, w) with h and w at least 2 and is left unchanged; the result has the
    same shape, dtype and device. Draws come from `generator` alone, on the generator's device, so
    the same generator state and batch give the same result on one device.

    Raises ValueError for an unknown name (listing the known ones) or images of another dtype or
    shape.
    """
    if name not in AUGMENTATIONS:
        raise ValueError(f"unknown augmentation {name!r}; known: {', '.join(AUGMENTATIONS)}")
    if images.dtype != torch.uint8:
        raise ValueError(f"images must be uint8, got {images.dtype}")
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 2:
        raise ValueError(f"images must be (n, 3, h, w) with h, w >= 2, got {tuple(images.shape)}")
    if len(images) == 0:
        return images.clone()
    chunk_size = _CUDA_CHUNK if images.is_cuda else _CHUNK
    chunks = torch.split(images, max(1, chunk_size // images[0].numel()))
    return torch.cat([AUGMENTATIONS[name](chunk, generator) for chunk in chunks])
