"""Which weight matrices a model has, or a bare state dict.

One pass over the parameters gives for each of them its matrices, or a reason why it has none.
``weight_matrices`` and ``skipped`` are the two halves of that pass, so nothing is left out in
silence. Everything is decided in ``_matrices_of``, from names, shapes and what is known of the
layer that owns a parameter: a model tells it by its modules (``_layer_of``), a state dict only by
names and shapes (``_guessed_layer``). ``tables`` tells what is no weight, ``effective`` puts
weights together that a layer keeps in parts.

WeightWatcher 0.7.7 leaves out the fused q, k, v weight of nn.MultiheadAttention and halves the
eigenvalues of every convolution (its `conv2d_norm`); here the fused weight is split in three and no
eigenvalue is rescaled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import nn

from ddiv.spectra import tables
from ddiv.spectra.effective import UNKNOWN, part_of_unknown, wholes

KINDS = ("linear", "mlp", "q", "k", "v", "out", "conv-flat", "conv-pooled", "embedding", "other")

_PROJECTIONS = {
    "q": ("q", "q_proj", "query", "to_q", "wq", "q_lin", "q_proj_weight"),
    "k": ("k", "k_proj", "key", "to_k", "wk", "k_lin", "k_proj_weight"),
    "v": ("v", "v_proj", "value", "to_v", "wv", "v_lin", "v_proj_weight"),
    "out": (
        "out_proj",
        "o_proj",
        "c_proj",
        "proj",
        "to_out",
        "wo",
        "Wo",
        "out",
        "out_lin",
        "o",
        "dense",
    ),
}

_KIND_OF = {alias: kind for kind, aliases in _PROJECTIONS.items() for alias in aliases}

_FUSED = ("in_proj_weight", "in_proj", "qkv", "qkv_proj", "to_qkv", "Wqkv", "c_attn")

# q, k and v head by head: thirds of it would mix them, so it stays whole
_INTERLEAVED = ("query_key_value",)

# In transformers' BERT family the output projection and the MLP are siblings of the attention, not
# parts of it.
_BERT_OUT = ("attention.output.dense", "attention.output")

_MLP = (
    "mlp",
    "ffn",
    "feed_forward",
    "feedforward",
    "linear1",
    "linear2",
    "fc1",
    "fc2",
    "DenseReluDense",
    "intermediate",
)

_EMBEDDING = re.compile(r"(?!patch|pos).*(_emb|_?embed|_?embeddings?)|embed_\w+|wte|shared")

_TRANSPOSED = nn.modules.conv._ConvTransposeNd


@dataclass(frozen=True, eq=False)
class WeightMatrix:
    """One weight matrix.

    name: unique in the model, e.g. "blocks.0.attn.q"; kind: one of KINDS; tensor: a detached view,
    (rows, columns), or for "conv-pooled" (slices, rows, columns), in the parameter's own precision
    (``eigenvalues`` converts); parameter: the name of the model's parameter that it comes from.
    """

    name: str
    kind: str
    tensor: torch.Tensor
    parameter: str


class Shape(NamedTuple):
    """N >= M are the sides of one matrix; ``count`` is the number of pooled slices, else 1."""

    N: int
    M: int
    count: int = 1  # type: ignore[assignment]  # hides tuple.count, which nobody calls


def weight_matrices(source: nn.Module | Mapping[str, torch.Tensor]) -> list[WeightMatrix]:
    """Every weight matrix of a model or of a state dict (name -> tensor), in the parameters' order.

    - a layer's matrix has the layer's name; attention projections and outputs ("attn.out_proj") and
      the layers of a transformer's MLP get their kind from their usual names; a fused attention
      weight (q, k and v on top of each other, or side by side as in GPT-2) is split in three:
      "<attention>.q", "<attention>.k", "<attention>.v";
    - a convolution (out, in, k, ..) gives two: "<conv>.flat", the matrix (out, in * k * ..) that
      acts on patches, and "<conv>.pooled", WeightWatcher's choice: a slice (out, in) per kernel
      position, eigenvalues pooled. For a grouped convolution ``in`` is the channels of one group;
    - experts kept in one parameter (experts, rows, columns) give a matrix each: "<parameter>.0" and
      so on;
    - a pruned or reparametrised weight (weight norm, spectral norm) is listed once, as the weight
      that the layer uses;
    - masks, tables of positions, queues, and averages of other weights are none (``tables``);
    - any other parameter with two or more sides is "other", flattened after its first side.

    A state dict gives the same names, kinds and spectra as its model, with four exceptions that it
    cannot know better: a transposed convolution is flattened as it is stored, (in, out * k * ..);
    an embedding is one by its name alone; a matrix that a layer of an unusual class calls its
    "weight" is a "linear" under the layer's name; and a parametrization other than weight norm and
    spectral norm is skipped, as only the model knows how its parts combine.
    """
    parameters = _sorted_parameters(source)
    return [m for _, content in parameters if not isinstance(content, str) for m in content]


def skipped(source: nn.Module | Mapping[str, torch.Tensor]) -> list[tuple[str, str]]:
    """(name, reason) of each parameter or buffer that ``weight_matrices`` leaves out."""
    parameters = _sorted_parameters(source)
    return [(name, content) for name, content in parameters if isinstance(content, str)]


def shapes(matrices: Sequence[WeightMatrix]) -> dict[str, Shape]:
    """Name -> (N, M, count) with N >= M; N and M of one slice for "conv-pooled"."""
    return {m.name: shape_of(m.tensor) for m in matrices}


def shape_of(tensor: torch.Tensor) -> Shape:
    """The shape of a matrix (rows, columns), or of pooled slices (slices, rows, columns)."""
    rows, columns = tensor.shape[-2:]
    return Shape(max(rows, columns), min(rows, columns), tensor[..., 0, 0].numel())


def _sorted_parameters(
    source: nn.Module | Mapping[str, torch.Tensor],
) -> Iterator[tuple[str, list[WeightMatrix] | str]]:
    """Each parameter's name with its matrices, or with the reason why it has none."""
    model: nn.Module | None = None
    parameters: Mapping[str, object]  # a state dict may hold more than tensors
    if isinstance(source, nn.Module):
        model, parameters = source, dict(source.named_parameters(remove_duplicate=False))
        beside = dict(model.named_buffers(remove_duplicate=False))  # masks, norms' vectors
    else:
        parameters, beside = source, {}
    whole_of = {
        part: whole
        for whole in wholes(_readable({**beside, **parameters}), model)
        for part in whole.parts
    }
    parts, copies = _parts_of(parameters), tables.copies(_readable(parameters))
    first_name: dict[object, str] = {}
    listed: set[str] = set()
    for name, parameter in parameters.items():
        if not isinstance(parameter, torch.Tensor):
            yield name, f"not a tensor but {type(parameter).__name__}"
            continue
        same = first_name.setdefault(_identity(parameter, model), name)
        if same != name:
            yield name, f"the same tensor as {same}"
            continue
        if name in copies:
            yield name, "a running average or a momentum copy of weights beside it"
            continue
        whole, weight = name, parameter
        if name in whole_of:
            whole, weight = whole_of[name].name, whole_of[name].weight
            if whole in listed:
                yield name, f"a part of {whole}, which is listed whole"
                continue
            listed.add(whole)
        elif part_of_unknown(name):
            yield name, UNKNOWN
            continue
        trained = model is not None and parameter.requires_grad
        if (reason := tables.why_not(whole, weight, trained)) is not None:
            yield name, reason
            continue
        owner, _, leaf = whole.rpartition(".")
        if model is None:
            layer = _guessed_layer(owner, leaf, weight)
        else:
            layer = _layer_of(model.get_submodule(owner), leaf)
        found = _matrices_of(whole, owner, leaf, weight.detach(), layer, parts)
        yield (
            name,
            found if isinstance(found, str) else [replace(m, parameter=name) for m in found],
        )


def _readable(parameters: Mapping[str, object]) -> dict[str, torch.Tensor]:
    """The plain tensors among parameters."""
    return {
        name: parameter
        for name, parameter in parameters.items()
        if isinstance(parameter, torch.Tensor) and tables.unreadable(parameter) is None
    }


def _identity(parameter: torch.Tensor, model: nn.Module | None) -> object:
    """A value that is equal for two names of one tensor.

    A state dict holds a view for each name, and two views may be of one memory.
    """
    plain = parameter.layout == torch.strided and not parameter.is_nested and not parameter.is_meta
    if model is not None or not plain or parameter.numel() == 0:
        return id(parameter)
    return parameter.data_ptr(), parameter.dtype, parameter.shape, parameter.stride()


def _parts_of(names: Iterable[str]) -> dict[str, set[str]]:
    """Module's name -> names of its direct children, parameters among them; the root is ""."""
    parts: dict[str, set[str]] = {}
    for name in names:
        while name:
            above, _, last = name.rpartition(".")
            parts.setdefault(above, set()).add(last)
            name = above
    return parts


def _layer_of(module: nn.Module, leaf: str) -> str | None:
    """What kind of layer a module is, so far as its ``weight`` is concerned; None if unknown."""
    if leaf != "weight":
        return None
    if isinstance(module, _TRANSPOSED) and module.groups == 1:
        return "transposed convolution"
    if isinstance(module, nn.modules.conv._ConvNd):
        return "convolution"
    if isinstance(module, nn.Embedding):
        return "embedding"
    # transformers' Conv1D (GPT-2) is a linear layer with its weight stored as (in, out).
    return "linear" if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D" else None


def _guessed_layer(owner: str, leaf: str, weight: torch.Tensor) -> str | None:
    """``_layer_of`` from the name and the shape alone."""
    if leaf != "weight" or weight.ndim < 2:
        return None
    if 3 <= weight.ndim <= 5:
        return "convolution"
    return "embedding" if _EMBEDDING.fullmatch(owner.rpartition(".")[2]) else "linear"


def _matrices_of(
    parameter: str,
    owner: str,
    leaf: str,
    weight: torch.Tensor,
    layer: str | None,
    parts: dict[str, set[str]],
) -> list[WeightMatrix] | str:
    """The matrices that one parameter holds, or why it holds none; all kinds are decided here."""
    above, _, last = owner.rpartition(".")
    name = owner if layer and owner else parameter
    if layer in ("convolution", "transposed convolution"):
        w = weight.transpose(0, 1) if layer == "transposed convolution" else weight
        slices = w.flatten(2).permute(2, 0, 1)
        return [
            WeightMatrix(f"{name}.flat", "conv-flat", w.flatten(1), parameter),
            WeightMatrix(f"{name}.pooled", "conv-pooled", slices, parameter),
        ]
    own, home = (last, above) if layer == "linear" else (leaf, owner)
    # Other proportions (grouped queries) do not say where to cut: such a weight stays whole.
    if own in _FUSED and weight.ndim == 2 and 3 * min(weight.shape) == max(weight.shape):
        at = f"{home}.".lstrip(".")
        thirds = weight.chunk(3, dim=int(weight.shape[1] > weight.shape[0]))
        return [WeightMatrix(at + n, n, w, parameter) for n, w in zip("qkv", thirds)]
    if layer == "linear":
        return [WeightMatrix(name, _linear_kind(owner, last, above, parts), weight, parameter)]
    # nn.MultiheadAttention whose keys or values have another width
    if leaf in _KIND_OF and leaf.endswith("_proj_weight"):
        kind = _KIND_OF[leaf]
        return [WeightMatrix(f"{owner}.{kind}".lstrip("."), kind, weight, parameter)]
    if layer == "embedding":
        return [WeightMatrix(name, "embedding", weight, parameter)]
    sides = [side for side in weight.shape if side != 1]
    if len(sides) < 2:
        return "a vector kept in several dimensions, not a matrix"
    if weight.ndim == 3 and "experts" in parameter.split("."):
        return [WeightMatrix(f"{parameter}.{i}", "mlp", w, parameter) for i, w in enumerate(weight)]
    # Leading sides of 1 are batch axes by habit: flattening after them would leave one row.
    return [WeightMatrix(parameter, "other", weight.reshape(sides).flatten(1), parameter)]


def _linear_kind(owner: str, last: str, above: str, parts: dict[str, set[str]]) -> str:
    """The kind of a linear layer, from its name and from those of its siblings."""
    if owner.endswith(_BERT_OUT):
        return "out"
    siblings = parts.get(above, set())
    kinds = {_KIND_OF[name] for name in siblings if name in _KIND_OF}
    attention = {"q", "k", "v"} <= kinds or bool(siblings & {*_FUSED, *_INTERLEAVED})
    if attention and last in _KIND_OF:
        return _KIND_OF[last]
    path = owner.split(".")
    after_mlp = last == "dense" and path[-2:-1] == ["output"]  # BERT's "layer.3.output.dense"
    return "mlp" if after_mlp or set(path) & set(_MLP) else "linear"
