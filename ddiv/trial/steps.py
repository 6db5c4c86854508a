"""Steps of training: Adam or SGD along a cosine learning rate to 0.

On a GPU a step computes in bf16 and runs as one CUDA graph. At batch 32 a step of a ViT-B/32 is a
thousand kernels of a few microseconds, and Python launches them more slowly than a large GPU
computes them. So forward pass, loss, backward pass and optimiser are captured once in a CUDA graph
and then replayed. bf16 is that of torch's autocast: weights, gradients, Adam's state,
normalisations and the loss stay in fp32, so spectra are computed of fp32 weights. fp32 is never
TF32 (`ddiv.trial.devices.prepare`).
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache, partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ddiv.common.errors import TrialFailed
from ddiv.common.printed import first_line
from ddiv.models.network import Network
from ddiv.study import Recipe
from ddiv.treatment import Part
from ddiv.treatment.mixing import mean_loss
from ddiv.trial.hooks import changed_optimiser
from ddiv.trial.layout import in_bf16, lay_out
from ddiv.trial.step_hooks import StepHooks

Precision = Literal["bf16", "fp32"]

Step = Callable[..., Tensor]

# Takes work that returns a tensor. Gives a function that does the work again, and the tensor that
# then holds the result.
Capture = Callable[[Callable[[], Tensor]], tuple[Callable[[], None], Tensor]]

# Steps before the capture. The first initialises libraries and makes the optimiser's state.
WARM_UP = 3


def precision(device: torch.device) -> Precision:
    """bf16 on a GPU that computes in it, unless $DDIV_PRECISION is "fp32"; else fp32.

    Raises TrialFailed on another name.
    """
    name = os.environ.get("DDIV_PRECISION") or "bf16"
    if name not in get_args(Precision):
        raise TrialFailed(
            f"DDIV_PRECISION is {name!r}: set it to bf16 (on a GPU, the default there) or fp32"
        )
    able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if able and name == "bf16" else "fp32"


def computing(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The context in which a network computes in this precision. It can be entered again."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def cosine(rate: float, steps: int) -> Iterator[float]:
    """The learning rate after each of `steps` steps, from `rate` to 0.

    The numbers are those of torch's CosineAnnealingLR(T_max=steps).
    """
    # torch's own scheduler computes on the GPU where the learning rate lies there, which takes a
    # dozen kernels a step.
    for step in range(1, steps + 1):
        now, before = (1 + math.cos(math.pi * at / steps) for at in (step, step - 1))
        rate *= now / before
        yield rate


class Steps:
    """The training steps of one network, which is put on the device.

    `parts` change its optimiser, its loss and its gradients. After `planned` steps the learning
    rate is 0. `capture`: steps run as a CUDA graph, for which all batches but a few have to be of
    one shape.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        parts: Sequence[Part],
        planned: int,
        device: torch.device,
        precision: Precision,
        capture: bool,
    ) -> None:
        network.to(device)
        on_gpu = device.type == "cuda"
        if on_gpu:
            lay_out(network)
        self.optimiser = _optimiser(network, recipe, on_gpu)
        changed_optimiser(
            self.optimiser, network, [part for part in parts if "optimiser" in part.hooks]
        )
        groups = self.optimiser.param_groups
        self._rates = [cosine(float(group["lr"]), planned) for group in groups]
        for group in groups if on_gpu else ():
            # A graph would replay a number as it was at the capture, so there the rate is a tensor.
            group["lr"] = torch.tensor(float(group["lr"]), device=device)
        # A function and not a method: an object that holds a method of its own is freed only when
        # Python collects garbage, and until then a graph's memory would stay taken.
        forward = partial(in_bf16, network) if on_gpu and precision == "bf16" else network
        hooks = StepHooks(parts, network, watched=not on_gpu)
        step = partial(_step, forward, self.optimiser, computing(device, precision), hooks)
        self._run: Step = Captured(step) if capture else step

    def __call__(self, *batch: Tensor) -> Tensor:
        """One step on (inputs, labels) and what else `mixing.mean_loss` takes.

        Returns the loss (), which is valid until the next step.
        """
        loss = self._run(*batch)
        for group, rates in zip(self.optimiser.param_groups, self._rates):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(next(rates))
            else:
                group["lr"] = next(rates)
        return loss


def _step(
    forward: Callable[[Tensor], Tensor],
    optimiser: torch.optim.Optimizer,
    precision: AbstractContextManager[object],
    hooks: StepHooks,
    inputs: Tensor,
    *targets: Tensor,
) -> Tensor:
    def backward() -> Tensor:
        with precision:
            outputs = forward(inputs)
        loss = mean_loss(hooks.loss, outputs.float(), *targets)
        loss = hooks.penalised(loss)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach()

    loss = hooks.gradients(backward)
    optimiser.step()
    return loss


def _optimiser(network: Network, recipe: Recipe, on_gpu: bool) -> torch.optim.Optimizer:
    rates = recipe.lr, recipe.head_lr or recipe.lr
    groups: list[dict[str, Any]] = [
        {"params": list(part.parameters()), "lr": rate}
        for part, rate in zip((network.encoder, network.head), rates)
    ]
    # Fused kernels make steps of small models up to 1.6 times as fast on a CPU.
    if recipe.momentum is not None:
        return torch.optim.SGD(groups, momentum=recipe.momentum, fused=True)
    # The warning is about steps outside of a graph: those before the capture, and short batches.
    warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
    return torch.optim.Adam(groups, fused=True, capturable=on_gpu)


@lru_cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """The stream of all trials of this process on a device.

    torch keeps freed memory for the stream that used it, so a stream for each trial would take more
    memory with each trial.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """On a GPU work goes to a stream of its own: on the default one nothing can be captured."""
    if device.type != "cuda":
        yield
        return
    own = _stream(device)
    own.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(own):
        yield


def cuda_graph(work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Capture what `work` does on the current stream, without doing it: a `Capture`.

    The current stream must not be the default one. Dropout draws anew at every replay: torch hands
    the graph the state of its CUDA generator.
    """
    graph = torch.cuda.CUDAGraph()
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    spare = generator.clone_state()
    try:
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            result = work()
    except RuntimeError:
        # a failed capture leaves the generator as if it were still going on
        generator.graphsafe_set_state(spare)
        raise
    return graph.replay, result


class Captured:
    """A step that is captured at its fourth batch, and then replayed on copies of the batches.

    A batch of another shape than the first, such as a short last one, is stepped without the graph.
    Where the capture fails, a warning says so and all batches are stepped without it.
    """

    def __init__(self, step: Step, capture: Capture = cuda_graph) -> None:
        self._step, self._capture = step, capture
        self._shapes: list[torch.Size] = []
        self._calls = 0
        self._places: list[Tensor] = []
        self._replay: Callable[[], None] | None = None
        self._loss = torch.empty(0)  # that of the latest replay

    def __call__(self, *batch: Tensor) -> Tensor:
        shapes = [tensor.shape for tensor in batch]
        self._shapes = self._shapes or shapes
        if shapes != self._shapes:
            return self._step(*batch)
        self._calls += 1
        if self._calls == WARM_UP + 1:
            self._try(batch)
        if self._replay is None:
            return self._step(*batch)
        for place, tensor in zip(self._places, batch):
            place.copy_(tensor)
        self._replay()
        return self._loss

    def _try(self, batch: tuple[Tensor, ...]) -> None:
        formats = [torch.channels_last if t.ndim == 4 else torch.preserve_format for t in batch]
        self._places = [
            torch.empty_like(tensor, memory_format=format) for tensor, format in zip(batch, formats)
        ]
        try:
            self._replay, self._loss = self._capture(lambda: self._step(*self._places))
        except (RuntimeError, TrialFailed) as error:  # a part's hook may wait for the device
            cause = first_line(error)
            warnings.warn(
                f"a step of training could not be captured as a CUDA graph ({cause}): steps are "
                "launched kernel by kernel, which is slower",
                RuntimeWarning,
                stacklevel=2,
            )
