"""What is no weight, though it is an array of numbers: buffers, masks, tables, and copies.

A model tells its buffers from its parameters. A state dict does not, so there the name and the
values tell: no layer of torch or of the usual libraries calls its weight `pe`, `tril` or `queue`,
and no training ends at 0 and 1, at whole numbers or at sampled sines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

# Of a table of positions: `pos_embed`, `relative_position_bias_table`, `embed_positions.weight`.
_POSITIONS = re.compile(
    r"(.*_)?pos(ition(al|s)?)?_?(emb|enc)\w*|(.*_)?relative_(position|attention_bias|bias|emb|coord"
    r"|pos)\w*|rel_(emb|pos|bias)\w*|(distance|dist|row|col|column)_emb\w*|embed_positions|wpe"
    r"|(abs|absolute|sinusoidal)_(emb|pos)\w*|attention_bias(es)?"
)

# What only reads like one: a layer that acts on positions is a map.
_MAP = re.compile(r".*(proj|mlp|conv|linear|fc\d*|dense|net|layer|norm|key|query|value).*")

_POSITION_LEAF = re.compile(
    r"pe|pos|(pos|position)(al|s)?_?(ids|table|bias|grid)\w*|sinusoid\w*|alibi\w*|slopes"
    r"|(rope|rotary)(_.*)?|freqs?(_.*)?|inv_freq\w*"
    r"|(cos|sin)(_?(cached?|emb\w*|table|pos\w*))?|(rel_)?(height|width|h|w)_rel|rel_(height|width|h|w)"
)

_MASK = re.compile(r"(.*_)?masks?(_.*)?|masked_bias|tril|triu|causal(_.*)?")

_STATISTIC = re.compile(
    r"(running|moving|ema|avg|averaged?|exp_avg|momentum|shadow)_.*"
    r"|.*_(ema|avg|average|momentum|shadow|integer)|num_batches_tracked|cluster_size|exp_avg|fisher\w*"
)

_QUEUE = re.compile(
    r"(.*_)?(queue|(memory|feature|feat)_?bank|bank|buffer)(_?\d+|_.*)?"
    r"|memory(_(l|ab|s|t|v1|v2|\d+))?"
)

_TABLE = re.compile(
    r"anchors?|anchor_(grid|points|boxes)|grid(_.*)?|(.*_)?coords?(_.*)?|priors?|prior_boxes"
    r"|(.*_)?(mel|filter)_?(filters?|basis|fb|banks?)|mel|fb|dct(_.*)?|(forward|inverse)_basis"
    r"|(.*_)?window|filt|(re)?sample_filter|blur(_.*)?|noise(_?(const|\d+))?|hadamard\w*"
    r"|projection_matrix|adj(acency)?(_matrix)?|laplacian|(?!.*emb).*_(table|lookup|lut)|lut"
    r"|.*_(index(es)?|indices|ids)"
)

# Leaves of names that are weights whatever their values.
_WEIGHT = re.compile(r".*(weight|kernel|lora).*")

_AVERAGES = re.compile(
    r"(model_)?ema(_model)?|(.*_)?ema(_.*)?|(.*_)?(teacher|momentum)(_.*)?|swa_model|averaged_model"
    r"|encoder_k|key_encoder|target(_(net|model|encoder|network|q|actor|critic)\w*)?|shadow(_.*)?"
)

POSITIONAL = "a positional embedding: added to the activations, not a map between them"

_BUFFER = "a buffer (statistics, masks, tables), not a weight"

_LOOKED_AT = 2**16  # numbers of which values are judged

_ROWS = 64


def why_not(name: str, tensor: torch.Tensor, trained: bool) -> str | None:
    """Why a tensor of this name is no weight; None if it may be one.

    trained: whether a model says that it learns it. What is learned is no queue and no constant.
    """
    path, _, leaf = name.rpartition(".")
    if (reason := unreadable(tensor)) is not None:
        return reason
    if _MASK.fullmatch(leaf) or (_STATISTIC.fullmatch(leaf) and not trained):
        return _BUFFER
    if (reason := _no_real_numbers(tensor)) is not None:
        return reason
    if leaf == "weight":
        return POSITIONAL if _positions(path.rpartition(".")[2]) else None
    if sum(side != 1 for side in tensor.shape) < 2:
        return None
    if _positions(leaf) or _POSITION_LEAF.fullmatch(leaf):
        return POSITIONAL
    if leaf == "bias" or leaf.endswith(("_bias", "_biases")) or leaf.startswith("bias_"):
        return "a bias of several dimensions: added to the activations, not a map between them"
    if trained:
        return None
    if _QUEUE.fullmatch(leaf) or _TABLE.fullmatch(leaf):
        return _BUFFER
    return None if _WEIGHT.fullmatch(leaf) else _constant(tensor)


def _positions(name: str) -> bool:
    return bool(_POSITIONS.fullmatch(name) and not _MAP.fullmatch(name))


def unreadable(tensor: torch.Tensor) -> str | None:
    """Why a tensor is no array of numbers of whatever kind; None if it is one."""
    if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
        return "not initialised yet: run the model once"
    if tensor.is_nested:
        return "a nested tensor: rows of several lengths are no matrix"
    if tensor.layout != torch.strided:
        return f"a sparse tensor ({tensor.layout}): save it dense (tensor.to_dense())"
    if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        return f"a {type(tensor).__name__}, not a plain tensor: save its full tensor"
    return None


def _no_real_numbers(tensor: torch.Tensor) -> str | None:
    """Why the numbers of a tensor have no spectrum in any layer."""
    dtype = tensor.dtype
    if tensor.is_quantized or (tensor.is_floating_point() and tensor.element_size() < 2):
        return (
            f"{dtype}: quantised, and meaningless without the scales kept beside it; dequantise it "
            "first"
        )
    if not tensor.is_floating_point():
        return f"{dtype}: not a real-valued weight (an index, a mask, or packed and quantised)"
    if tensor.is_meta:
        return "on the meta device: it has no values"
    if tensor.numel() == 0:
        return "empty"
    if tensor.ndim < 2:
        return "a scalar or a vector, not a matrix"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "an expanded view, whose strides show the same numbers many times"
    return None


def _constant(tensor: torch.Tensor) -> str | None:
    """Why the values of a tensor are not trained ones; None if they may be."""
    sides = [side for side in tensor.shape if side != 1]
    table = tensor.detach().reshape(sides)
    flat = table.flatten()
    some = flat[:: 1 + len(flat) // _LOOKED_AT].double()
    values = torch.unique(some)
    if len(values) == 2 and bool((values == 0).any()):
        return "two values, one of them 0: a mask, not a weight"
    if len(values) > 2 and bool((values == values.round()).all()):
        return "whole numbers: a table, not a weight"
    if any(_sampled(table.movedim(axis, 0)) for axis in range(table.ndim)):
        return "sampled sines or a grid: a table of positions, not a weight"
    return None


def _sampled(rows: torch.Tensor) -> bool:
    """Whether each column is a sine (or a line) at equal steps, x[t+1] + x[t-1] = c x[t]."""
    if len(rows) < 8:
        return False
    x = rows[:_ROWS].flatten(1)[:, : _LOOKED_AT // _ROWS].double()
    total, steps = (x**2).sum(), (x[1:] - x[:-1]) ** 2
    if not torch.isfinite(total) or steps.sum() <= 1e-4 * total:
        return False  # the same in each row
    around, middle = x[2:] + x[:-2], x[1:-1]
    c = (around * middle).sum(0) / (middle**2).sum(0).clamp_min(1e-300)
    return bool(((around - c * middle) ** 2).sum() < 1e-3 * total)


def copies(tensors: Mapping[str, torch.Tensor]) -> set[str]:
    """The names of running averages and momentum copies of other tensors beside them.

    They are told by a part of their path (`model_ema`, `teacher`, `encoder_k`) whose matrices all
    have a twin of equal name and shape elsewhere; without twins they are the only weights there
    are. The codes of a quantiser that have running sums beside them (`embed`, `embed_avg`) are
    averages of what it has met.
    """
    sums = {n: tensors[f"{n}_avg"] for n in tensors if f"{n}_avg" in tensors}
    codes = {name for name, summed in sums.items() if summed.shape == tensors[name].shape}
    groups: dict[str, list[tuple[str, str]]] = {}
    originals: set[tuple[str, torch.Size]] = set()
    for name, tensor in tensors.items():
        path = name.split(".")
        at = next((i for i, part in enumerate(path[:-1]) if _AVERAGES.fullmatch(part)), None)
        if at is not None:
            # Stable Diffusion's averages have no dots in their names.
            groups.setdefault(".".join(path[: at + 1]), []).append((name, "".join(path[at + 1 :])))
        else:
            originals |= {("".join(path[i:]), tensor.shape) for i in range(len(path))}
    return codes | {
        name
        for group in groups.values()
        if all(tensors[n].ndim < 2 or (rest, tensors[n].shape) in originals for n, rest in group)
        for name, _ in group
    }
