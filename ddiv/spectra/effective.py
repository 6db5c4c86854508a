"""The weight that a layer uses, where it keeps it in parts: pruned and reparametrised layers.

torch.nn.utils knows five ways. With X for the weight's name:

    prune                          X_orig * X_mask
    weight_norm                    X_g * X_v / norm of X_v
    spectral_norm                  X_orig / sigma, sigma = X_u . (X_orig X_v)
    parametrizations.weight_norm   the same of parametrizations.X.original0 (g) and .original1 (v)
    parametrizations.spectral_norm the same of parametrizations.X.original, .0._u and .0._v

These are computed from the parts alone, so that a state dict gives what its model gives: the old
ways keep X up to date only while the layer runs. Other parametrizations are known to a model only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import nn

UNKNOWN = "a part of a reparametrised or pruned weight: only the model knows how its parts combine"

_PARAMETRISED = re.compile(r"(?:(.*)\.)?parametrizations\.([^.]+)\.(.+)")

# What is left of a weight whose other parts are gone.
_LONE = re.compile(r"weight_(g|v|orig)|parametrizations\..*")


class Whole(NamedTuple):
    """A weight: its name in the model, its value, and the names of its parts."""

    name: str
    weight: torch.Tensor
    parts: tuple[str, ...]


def wholes(tensors: Mapping[str, torch.Tensor], model: nn.Module | None = None) -> list[Whole]:
    """The weights that have parts among parameters and buffers (name -> strided tensor).

    model: whose tensors they are; it computes its parametrizations itself, as in evaluation mode,
    and is left as it is.
    """
    found: dict[str, Whole] = {}
    usable = {n: t for n, t in tensors.items() if not (t.is_quantized or t.is_meta)}
    for name, parts in _parametrised(tensors).items():
        weight = _of_parametrization(name, {part: usable.get(part) for part in parts}, model)
        if weight is not None:
            found[name] = Whole(name, weight, tuple(parts))
    # Until nothing is new: spectral_norm may have been put on a pruned weight.
    while new := dict(_of_hooks(usable, found)):
        found |= new
        usable |= {name: whole.weight for name, whole in new.items()}
    inner = {part for whole in found.values() for part in whole.parts}
    return [
        whole._replace(parts=tuple(_leaves(whole, found)))
        for name, whole in found.items()
        if name not in inner
    ]


def part_of_unknown(name: str) -> bool:
    """Whether a parameter that belongs to no whole is a part all the same, by its name."""
    leaf = name.rpartition(".")[2]
    return bool(_LONE.fullmatch(leaf) or _PARAMETRISED.fullmatch(name))


def _leaves(whole: Whole, found: Mapping[str, Whole]) -> Iterator[str]:
    for part in whole.parts:
        if part in found:
            yield from _leaves(found[part], found)
        else:
            yield part


def _of_hooks(
    tensors: Mapping[str, torch.Tensor], found: Mapping[str, Whole]
) -> Iterator[tuple[str, Whole]]:
    """Weights of torch's older ways, which keep the parts beside each other."""
    for name, tensor in tensors.items():
        whole, _, kind = name.rpartition("_")
        if kind not in ("orig", "v") or not whole or whole in tensors:
            continue
        mask, g, u, v = (tensors.get(f"{whole}_{part}") for part in ("mask", "g", "u", "v"))
        if kind == "v" and g is not None and _is_norm_of(g, tensor):
            yield whole, Whole(whole, _weight_norm(g, tensor), (f"{whole}_g", name))
        elif kind == "orig" and mask is not None and mask.shape == tensor.shape:
            kept = tensor.detach() * mask.detach().to(tensor)
            yield whole, Whole(whole, kept, (name, f"{whole}_mask"))
        elif kind == "orig" and (normed := _spectral_norm(tensor, u, v)) is not None:
            beside = tuple(f"{whole}_{p}" for p in "uv" if f"{whole}_{p}" in tensors)
            yield whole, Whole(whole, normed, (name, *beside))


def _parametrised(tensors: Mapping[str, torch.Tensor]) -> dict[str, list[str]]:
    """Name of a parametrised weight -> names of its parts."""
    parts: dict[str, list[str]] = {}
    for name in tensors:
        if match := _PARAMETRISED.fullmatch(name):
            parts.setdefault(f"{match[1] or ''}.{match[2]}".lstrip("."), []).append(name)
    return parts


def _of_parametrization(
    name: str, parts: Mapping[str, torch.Tensor | None], model: nn.Module | None
) -> torch.Tensor | None:
    """A parametrised weight; None where only its model would know it."""
    owner, _, leaf = name.rpartition(".")
    if model is not None:
        return _computed(model.get_submodule(owner), leaf)
    of = {part.partition(f"parametrizations.{leaf}.")[2]: parts[part] for part in parts}
    match of:
        case {"original0": torch.Tensor() as g, "original1": torch.Tensor() as v} if len(of) == 2:
            return _weight_norm(g, v) if _is_norm_of(g, v) else None
        case {"original": torch.Tensor() as w, "0._u": u, "0._v": v} if len(of) == 3:
            return _spectral_norm(w, u, v)
    return None


@torch.no_grad()
def _computed(module: nn.Module, leaf: str) -> torch.Tensor:
    """A parametrised weight as its module computes it."""
    parametrizations: nn.Module = module.parametrizations[leaf]  # type: ignore[index, assignment]
    training = {part: part.training for part in parametrizations.modules()}
    try:
        # While it trains, spectral_norm takes a step of its power iteration at each look.
        parametrizations.eval()
        weight: torch.Tensor = getattr(module, leaf)
        return weight.detach()
    finally:
        for part, was in training.items():
            part.training = was


def _is_norm_of(g: torch.Tensor, v: torch.Tensor) -> bool:
    """Whether g has the shape of weight_norm's norms of v: one along at most one side of v."""
    if g.ndim == 0:
        return v.ndim > 0
    sides = [(a, b) for a, b in zip(g.shape, v.shape) if a != 1]
    return g.ndim == v.ndim > 1 and len(sides) < 2 and all(a == b for a, b in sides)


def _weight_norm(g: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    g, v = _precise(g), _precise(v)
    over = tuple(i for i in range(v.ndim) if g.ndim == 0 or g.shape[i] == 1)
    norm: torch.Tensor = torch.linalg.vector_norm(v, dim=over, keepdim=True)
    return v * (g / norm)


def _spectral_norm(
    w: torch.Tensor, u: torch.Tensor | None, v: torch.Tensor | None
) -> torch.Tensor | None:
    """The weight over its norm; None where u is not a vector of one of its first two sides."""
    if u is None or u.ndim != 1 or w.ndim < 2:
        return None
    w, u = _precise(w), _precise(u)
    sigmas = []
    for side in (0, 1):  # the second of transposed convolutions
        matrix = w.transpose(0, side).flatten(1)
        if len(u) != len(matrix):
            continue
        image = matrix.T @ u
        if v is None:  # in files of torch before 1.0
            sigmas.append(torch.linalg.vector_norm(image))
        elif v.ndim == 1 and len(v) == len(image):
            sigmas.append(image @ _precise(v))
    # Where both sides fit, u and v are near the largest singular vectors of the right one.
    return w / max(sigmas, key=lambda sigma: sigma.abs().item()) if sigmas else None


def _precise(tensor: torch.Tensor) -> torch.Tensor:
    """float32 or float64: half precision would round the norms."""
    tensor = tensor.detach()
    return tensor if tensor.dtype == torch.float64 else tensor.float()
