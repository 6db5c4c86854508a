"""The weights in what a training script saved, under the names that the model itself gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch

# Tensors by name, and (name, reason) for everything beside them.
Found = tuple[dict[str, torch.Tensor], list[tuple[str, str]]]

# Under which name training scripts keep the weights, the most specific first.
_USUAL = ("state_dict", "model_state_dict", "model_state", "model", "module", "network", "net")

# What they keep beside the weights, tensors among it.
_STATE = re.compile(
    r"(.*_)?(optim(izer)?s?|opt|(lr_?)?sched(uler)?s?|scaler|amp|rng|random|args|config|hparams"
    r"|hyper_parameters|callbacks|loops|trainer|history|metrics|stats|extra)(_.*)?",
    re.IGNORECASE,
)

_COPY = re.compile(r"(.*_)?(ema|swa|averaged?|teacher|target|momentum|shadow)(_.*)?", re.IGNORECASE)

# Modules that torch and DeepSpeed put around others, which change no name that a model gave.
_AROUND = re.compile(
    r"(?:(?<=^)|(?<=\.))(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\."
)

_DEEPEST = 16  # mappings inside mappings


def weights_in(content: Mapping[object, object]) -> Found:
    """The weights in a mapping, whatever wraps them, and a reason for each thing beside them.

    A mapping that holds tensors by name is a network. Of networks inside it the one with a usual
    name ("state_dict", "model", ..) is taken, else all of them, each with its own name in front. A
    copy that is an average of another (by its name, and as it has the same tensors) is left out, as
    is the state of an optimiser.
    """
    return _taken(_node(content, set(), 0), "")


@dataclass
class _Node:
    """A mapping of a checkpoint: its tensors, the mappings inside that hold some, and the rest."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    inner: dict[str, _Node] = field(default_factory=dict)
    rest: dict[str, str] = field(default_factory=dict)  # name -> type

    def numbers(self) -> int:
        """How many numbers its own matrices have."""
        return sum(_held(tensor) for tensor in self.tensors.values())

    def networks(self) -> Iterator[_Node]:
        """Itself and the mappings inside it."""
        yield self
        for node in self.inner.values():
            yield from node.networks()


def _held(tensor: torch.Tensor) -> int:
    """The numbers that a matrix really has, however many its strides show; 0 for a vector."""
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta:
        return 1
    if sum(side != 1 for side in tensor.shape) < 2:
        return 0
    return min(tensor.numel(), tensor.untyped_storage().nbytes() // tensor.element_size())


def _node(content: Mapping[object, object], seen: set[int], depth: int) -> _Node:
    """A mapping, looked at once, however often it lies in others or in itself."""
    seen.add(id(content))
    node = _Node()
    if {"state", "param_groups"} <= content.keys():  # of torch.optim
        node.rest = {str(key): "the state of an optimiser" for key in content}
        return node
    for key, value in content.items():
        name = str(key)
        while name in node.tensors or name in node.inner or name in node.rest:
            name += "'"  # 0 and "0" are two keys
        if isinstance(value, torch.Tensor):
            node.tensors[name] = value
        elif isinstance(value, Mapping) and id(value) not in seen and depth < _DEEPEST:
            inner = _node(value, seen, depth + 1)
            if inner.tensors or inner.inner:
                node.inner[name] = inner
                continue
            node.rest[name] = type(value).__name__
        else:
            node.rest[name] = type(value).__name__
    return node


def _taken(node: _Node, at: str) -> Found:
    """The weights of a node that is called `at` (with a dot at its end)."""
    chosen, copies = _chosen(node)
    if not chosen:
        beside = [(f"{at}{name}", f"not a tensor but {kind}") for name, kind in node.rest.items()]
        beside += [(f"{at}{name}", "tensors beside the weights") for name in node.inner]
        return node.tensors, beside
    place = " and ".join(f"{at}{name}" for name in chosen)
    beside = [
        (f"{at}{name}", f"an average of {copies[name]}" if name in copies else reason)
        for reason in (f"beside the weights, which are in {place}",)
        for name in (*node.tensors, *node.inner, *node.rest)
        if name not in chosen
    ]
    weights: dict[str, torch.Tensor] = {}
    for name in chosen:
        tensors, others = _taken(node.inner[name], f"{at}{name}.")
        if len(chosen) > 1:
            tensors = {f"{name}.{key}": value for key, value in unwrapped(tensors).items()}
        weights |= tensors
        beside += others
    return weights, beside


def _chosen(node: _Node) -> tuple[list[str], dict[str, str]]:
    """The mappings inside that hold the weights, none where the node itself does.

    Also the copies among them, each with what it is a copy of.
    """
    numbers = {
        name: max(each.numbers() for each in inner.networks()) for name, inner in node.inner.items()
    }
    usual = [name for name in _USUAL if name in numbers]
    usual = [name for name in usual if numbers[name]] or usual
    names = [name for name in numbers if not _STATE.fullmatch(name)]
    names = [name for name in names if numbers[name]] or names
    own = node.numbers()
    # Names with dots are parameters; a queue may be larger than the network beside it.
    dotted = any("." in name for name, tensor in node.tensors.items() if tensor.ndim > 1)
    if usual and not (dotted and own > numbers[usual[0]]):
        return usual[:1], {}
    if not names or own > max(numbers[name] for name in names):
        return [], {}
    shapes = {name: _signature(node.inner[name]) for name in names}
    copies: dict[str, str] = {}
    for name in names:
        if _COPY.fullmatch(name):
            same = (n for n in names if shapes[n] == shapes[name] and not _COPY.fullmatch(n))
            if (original := next(same, None)) is not None:
                copies[name] = original
    return [name for name in names if name not in copies], copies


def _signature(node: _Node) -> set[tuple[str, tuple[int, ...]]]:
    """What the weights of a node are called, and their shapes."""
    return {(name, _shape(value)) for name, value in unwrapped(_taken(node, "")[0]).items()}


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return () if tensor.is_nested else tuple(tensor.shape)


def unwrapped(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights without what wrappers (DataParallel, torch.compile, FSDP) put into their names.

    A "module." is cut off where it begins all names.
    """
    names = {name: _AROUND.sub("", name) for name in weights}
    while (paths := [n for n in names.values() if "." in n]) and all(
        n.startswith("module.") for n in paths
    ):
        # A name without a dot is a counter of torch.optim.swa_utils.AveragedModel.
        names = {old: new.removeprefix("module.") for old, new in names.items()}
    if len(set(names.values())) < len(names):
        return dict(weights)
    return {new: weights[old] for old, new in names.items()}
