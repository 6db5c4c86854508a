"""Steps of training: Adam or SGD along a cosine learning rate to 0.

On a GPU in bf16, and as one CUDA graph.

At batch 32 a step of a ViT-B/32 is a thousand kernels of a few microseconds, which Python launches
more slowly than a large GPU computes them. So forward pass, loss, backward pass and optimiser are
captured once in a CUDA graph and then replayed. bf16 is autocast's: weights, gradients, Adam's
state, normalisations and the loss stay in fp32, and so do the weights that spectra are of. fp32 is
never TF32 (`ddiv.measure.prepare`).
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache, partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ddiv.backbone import Network
from ddiv.errors import TrialFailed
from ddiv.mixing import cross_entropy
from ddiv.study import Recipe

Precision = Literal["bf16", "fp32"]
Step = Callable[..., Tensor]
# Given work that returns a tensor: what does it again, and where its result then stands.
Capture = Callable[[Callable[[], Tensor]], tuple[Callable[[], None], Tensor]]

# Steps before the capture: libraries are initialised and the optimiser's state is made in the
# first.
WARM_UP = 3


def precision(device: torch.device) -> Precision:
    """bf16 on a GPU that computes in it, unless $DDIV_PRECISION is "fp32"; else fp32.

    Raises TrialFailed on another name.
    """
    asked = os.environ.get("DDIV_PRECISION") or "bf16"
    if asked not in get_args(Precision):
        raise TrialFailed(
            f"DDIV_PRECISION is {asked!r}: set it to bf16 (on a GPU, the default there) or fp32"
        )
    able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return asked if able else "fp32"


def computing(device: torch.device, precision: Precision) -> AbstractContextManager:
    """The context in which a network computes in this precision. It can be entered again."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def cosine(rate: float, steps: int) -> Iterator[float]:
    """The learning rate after each of `steps` steps, from `rate` to 0: the numbers of
    CosineAnnealingLR(T_max=steps).
    """
    # torch's scheduler would compute with a learning rate that lies on the GPU there: a dozen
    # kernels a step.
    for step in range(1, steps + 1):
        rate *= (1 + math.cos(math.pi * step / steps)) / (
            1 + math.cos(math.pi * (step - 1) / steps)
        )
        yield rate


class Steps:
    """The training steps of one network, which is put on the device: `planned` of them until the
    learning rate is 0.

    `capture`: as a CUDA graph, for which all batches but a few have to be of one shape.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        decay: float,
        planned: int,
        device: torch.device,
        precision: Precision,
        capture: bool,
    ):
        network.to(device)
        if device.type == "cuda":
            channels_last(network)
        rates = recipe.lr, recipe.head_lr or recipe.lr
        self.optimiser = _optimiser(network, rates, recipe.momentum, decay, device)
        self._rates = [cosine(rate, planned) for rate in rates]
        # Not a method: it would hold itself, and a graph's memory would be free only when Python
        # collects garbage.
        step = partial(_step, network, self.optimiser, computing(device, precision))
        self._run: Step = Captured(step) if capture else step

    def __call__(self, *batch: Tensor) -> Tensor:
        """One step on (inputs, labels) and what else `mixing.cross_entropy` takes; its loss (),
        good until the next step.
        """
        loss = self._run(*batch)
        for group, rates in zip(self.optimiser.param_groups, self._rates):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(next(rates))
            else:
                group["lr"] = next(rates)
        return loss


def _step(
    network: Network,
    optimiser: torch.optim.Optimizer,
    precision: AbstractContextManager,
    inputs: Tensor,
    *targets: Tensor,
) -> Tensor:
    with precision:
        outputs = network(inputs)
    loss = cross_entropy(outputs.float(), *targets)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return loss.detach()


def _optimiser(
    network: Network,
    rates: tuple[float, float],
    momentum: float | None,
    decay: float,
    device: torch.device,
) -> torch.optim.Optimizer:
    on_gpu = device.type == "cuda"
    if on_gpu:
        # a graph would replay a number as it was captured
        rates = [torch.tensor(rate, device=device) for rate in rates]
    groups = [
        {"params": list(part.parameters()), "lr": rate}
        for part, rate in zip((network.encoder, network.head), rates)
    ]
    # The fused kernels are the single largest saving on a CPU at small sizes (1.6 times in the
    # prototype).
    if momentum is not None:
        return torch.optim.SGD(groups, momentum=momentum, fused=True, weight_decay=decay)
    # The steps before the capture, and a short last batch, run outside of it on purpose.
    warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
    return torch.optim.Adam(groups, fused=True, weight_decay=decay, capturable=on_gpu)


def channels_last(network: nn.Module) -> None:
    """Lay convolutions out as a GPU's tensor cores read them; shapes and meaning stay."""
    # torch refuses tensors of five dimensions, such as weights of 3-d convolutions.
    if all(one.ndim != 5 for one in (*network.parameters(), *network.buffers())):
        network.to(memory_format=torch.channels_last)


@lru_cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One a process and device: torch keeps freed memory for the stream that had it, so each
    trial's own would add its own.
    """
    return torch.cuda.Stream(device)


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """On a GPU a stream beside the default one, on which nothing can be captured."""
    if device.type != "cuda":
        yield
        return
    own = _stream(device)
    own.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(own):
        yield


def cuda_graph(work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Capture what `work` does on the current stream, which is not the default one, without doing
    it: a `Capture`.

    Dropout draws anew at every replay: torch hands the graph the state of its CUDA generator.
    """
    graph, generator = (
        torch.cuda.CUDAGraph(),
        torch.cuda.default_generators[torch.cuda.current_device()],
    )
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
    """A step that is captured at its fourth batch and from then on replayed on copies of the
    batches' tensors.

    Batches of another shape than the first's, such as a short last one, are stepped as they are; so
    are all where the capture fails, which is said in a warning.
    """

    def __init__(self, step: Step, capture: Capture = cuda_graph):
        self._step, self._capture = step, capture
        self._shapes: list[torch.Size] = []
        self._calls = 0
        self._places: list[Tensor] = []
        self._replay: Callable[[], None] | None = None
        self._loss: Tensor | None = None

    def __call__(self, *batch: Tensor) -> Tensor:
        shapes = [one.shape for one in batch]
        self._shapes = self._shapes or shapes
        if shapes != self._shapes:
            return self._step(*batch)
        self._calls += 1
        if self._calls == WARM_UP + 1:
            self._try(batch)
        if self._replay is None:
            return self._step(*batch)
        for place, given in zip(self._places, batch):
            place.copy_(given)
        self._replay()
        return self._loss

    def _try(self, batch: tuple[Tensor, ...]) -> None:
        self._places = [
            torch.empty_like(
                one, memory_format=torch.channels_last if one.ndim == 4 else torch.preserve_format
            )
            for one in batch
        ]
        try:
            self._replay, self._loss = self._capture(lambda: self._step(*self._places))
        except RuntimeError as error:
            cause = str(error).splitlines()[0]
            warnings.warn(
                f"a step of training could not be captured as a CUDA graph ({cause}): steps are launched kernel "
                "by kernel, which is slower",
                RuntimeWarning,
                stacklevel=2,
            )
