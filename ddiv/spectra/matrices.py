"""Which weight matrices a model has.

One pass over the model's parameters sorts every one of them: into one or more matrices, or into a reason
why it is none. ``weight_matrices`` and ``skipped`` are the two halves of that pass, so nothing is left out in
silence. WeightWatcher 0.7.7 leaves out the fused q, k, v weight of nn.MultiheadAttention and halves the
eigenvalues of every convolution (its `conv2d_norm`); here the fused weight is split in three and no
eigenvalue is rescaled.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

_PROJECTIONS = {
    "q": ("q", "q_proj", "query", "to_q", "wq", "q_proj_weight"),
    "k": ("k", "k_proj", "key", "to_k", "wk", "k_proj_weight"),
    "v": ("v", "v_proj", "value", "to_v", "wv", "v_proj_weight"),
    "out": ("out_proj", "o_proj", "c_proj", "proj", "to_out", "wo", "out"),
}
_KIND_OF = {alias: kind for kind, aliases in _PROJECTIONS.items() for alias in aliases}
_FUSED = ("in_proj_weight", "in_proj", "qkv", "qkv_proj", "to_qkv")
_POSITIONAL = ("pos_emb", "pos_enc", "position_emb", "positional_emb", "positional_enc", "relative_position")
_REPARAMETRISED = re.compile(r"(?:(.*)\.)?parametrizations\.([^.]+)\.[^.]+$")
_MLP = ("mlp", "ffn", "feed_forward", "feedforward", "linear1", "linear2")
_CONVOLUTION = nn.modules.conv._ConvNd
_TRANSPOSED = nn.modules.conv._ConvTransposeNd


@dataclass(frozen=True, eq=False)
class WeightMatrix:
    """One weight matrix.

    name: unique in the model, e.g. "blocks.0.attn.q"; kind: "linear", "mlp", "q", "k", "v", "out",
    "conv-flat", "conv-pooled", "embedding" or "other"; tensor: a detached view, (rows, columns), or for
    "conv-pooled" (slices, rows, columns); parameter: the name of the model's parameter that it comes from.
    """

    name: str
    kind: str
    tensor: torch.Tensor
    parameter: str


class Shape(NamedTuple):
    """N >= M are the sides of one matrix; ``count`` is the number of pooled slices (1 without pooling)."""

    N: int
    M: int
    count: int = 1


def weight_matrices(model: nn.Module) -> list[WeightMatrix]:
    """Every weight matrix of the model, in the order of its parameters.

    - a layer's matrix has the layer's name; separate attention projections and outputs ("attn.out_proj") get their
      kind from their usual names; a fused attention weight (q, k and v on top of each other) is split in
      three: "<attention>.q", "<attention>.k", "<attention>.v";
    - a convolution (out, in, k, ..) gives two: "<conv>.flat", the matrix (out, in * k * ..) that acts on patches,
      and "<conv>.pooled", WeightWatcher's choice: a slice (out, in) per kernel position, eigenvalues pooled. For a
      grouped convolution ``in`` is the channels of one group;
    - a reparametrised weight (weight norm and the like) is listed once, as the weight that the layer uses;
    - any other parameter with two or more sides is "other", flattened after its first side.
    """
    return [m for _, found in _sorted_parameters(model) if not isinstance(found, str) for m in found]


def skipped(model: nn.Module) -> list[tuple[str, str]]:
    """The parameters that ``weight_matrices`` leaves out: (parameter's name, reason)."""
    return [(name, found) for name, found in _sorted_parameters(model) if isinstance(found, str)]


def shapes(matrices: Sequence[WeightMatrix]) -> dict[str, Shape]:
    """Name -> (N, M, count) with N >= M; N and M of one slice for "conv-pooled"."""
    return {m.name: shape_of(m.tensor) for m in matrices}


def shape_of(tensor: torch.Tensor) -> Shape:
    rows, columns = tensor.shape[-2:]
    return Shape(max(rows, columns), min(rows, columns), tensor[..., 0, 0].numel())


def _sorted_parameters(model: nn.Module) -> Iterator[tuple[str, list[WeightMatrix] | str]]:
    """Each parameter's name with its matrices, or with the reason why it has none."""
    first_name: dict[int, str] = {}
    whole: set[str] = set()
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owner, _, leaf = name.rpartition(".")
        if id(parameter) in first_name:
            yield name, f"the same tensor as {first_name[id(parameter)]}"
            continue
        first_name[id(parameter)] = name
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            yield name, "not initialised yet: run the model once"
            continue
        weight: torch.Tensor = parameter
        if (match := _REPARAMETRISED.match(name)) is not None:
            owner, leaf = match[1] or "", match[2]
            effective = f"{owner}.{leaf}".lstrip(".")
            if effective in whole:
                yield name, f"a part of {effective}, which is listed whole"
                continue
            whole.add(effective)
            weight = getattr(model.get_submodule(owner), leaf)
        yield name, _matrices_of(name, owner, leaf, weight.detach(), model)


def _matrices_of(
    parameter: str, owner: str, leaf: str, weight: torch.Tensor, model: nn.Module
) -> list[WeightMatrix] | str:
    """What one parameter holds. Only here is it decided what counts as which kind of matrix."""
    if weight.numel() == 0:
        return "empty"
    if weight.ndim < 2:
        return "a scalar or a vector, not a matrix"
    module = model.get_submodule(owner)
    above, _, last = owner.rpartition(".")
    main = leaf == "weight"
    name = owner if main and owner else parameter

    if isinstance(module, _CONVOLUTION) and main:
        w = weight.transpose(0, 1) if isinstance(module, _TRANSPOSED) and module.groups == 1 else weight
        slices = w.flatten(2).permute(2, 0, 1)
        return [
            WeightMatrix(f"{name}.flat", "conv-flat", w.flatten(1), parameter),
            WeightMatrix(f"{name}.pooled", "conv-pooled", slices, parameter),
        ]
    linear = isinstance(module, nn.Linear) and main
    own, home = (last, above) if linear else (leaf, owner)
    # Other proportions (grouped queries) do not say where to cut: such a weight stays whole.
    if own in _FUSED and weight.ndim == 2 and weight.shape[0] == 3 * weight.shape[1]:
        at = f"{home}.".lstrip(".")
        return [WeightMatrix(at + n, n, w, parameter) for n, w in zip("qkv", weight.chunk(3))]
    if linear:
        kind = _KIND_OF.get(last) if _is_attention(model.get_submodule(above)) else None
        kind = kind or ("mlp" if set(owner.split(".")) & set(_MLP) else "linear")
        return [WeightMatrix(name, kind, weight, parameter)]
    if isinstance(module, nn.MultiheadAttention) and leaf in _KIND_OF:  # key or value of another width
        return [WeightMatrix(f"{owner}.{_KIND_OF[leaf]}".lstrip("."), _KIND_OF[leaf], weight, parameter)]
    if own.startswith(_POSITIONAL) or (main and last.startswith(_POSITIONAL)):
        return "a positional embedding: added to the activations, not a map between them"
    if isinstance(module, nn.Embedding) and main:
        return [WeightMatrix(name, "embedding", weight, parameter)]
    sides = [side for side in weight.shape if side != 1]
    if len(sides) < 2:
        return "a vector kept in several dimensions, not a matrix"
    # Leading sides of 1 are batch axes by habit: flattening after them would leave one row.
    return [WeightMatrix(parameter, "other", weight.reshape(sides).flatten(1), parameter)]


def _is_attention(module: nn.Module) -> bool:
    """True for torch's attention, and for any module with projections of q, k and v or a fused one."""
    children = {name for name, _ in module.named_children()}
    kinds = {_KIND_OF[name] for name in children if name in _KIND_OF}
    return isinstance(module, nn.MultiheadAttention) or {"q", "k", "v"} <= kinds or bool(children & set(_FUSED))
