"""What bounds a training step on a GPU, and which arrangement of steps measures best there.

    python benchmarks/gpu_arrangements.py [--seconds 105] [--out FILE] [--subjects NAME ...]
    python benchmarks/gpu_arrangements.py --device cpu --tiny     tiny models, to try it on a CPU

Weights and data are random, and the batch stays on the card. The subjects are ViT-B/32, the
embedded CLIP, ResNet-18, BERT-base, RN50 and the embedded ResNet-18. The arrangements:

    eager fp32, eager bf16            a plain loop, kernel by kernel, without TF32
    graph bf16                        ddiv's way: the step is a CUDA graph
    graph bf16, no channels-last      the same, convolutions laid out as torch has them
    graph bf16, cast by autocast      the same, each weight cast by a kernel of its own
    graph bf16, patches by cuDNN      the same, images cut into patches by a convolution
    graph bf16, cudnn.benchmark       the same, cuDNN tries its kernels first
    graph bf16, compiled              the same, the forward pass through torch.compile
    graph bf16, k streams             k networks in one process, a stream and a graph each
    compiled, k streams               both
    graph bf16, k stacked             k networks under torch.func.vmap, one graph
    forward, forward and backward,    parts of a step of ViT-B/32, a graph each
    optimiser
    profile                           kernels with most time, and how long the card is busy

A measurement is the median of three rounds, which take 0.8 s or 200 steps in all. "loss" is that of
the first step: all arrangements of a subject start from equal weights, so it has to agree. BERT is
captured at a fixed length without a mask, which ddiv does not do, as its batches differ in length.
Compiled steps come late, as the compiler takes up to a minute for each; profiles come last, since a
profiler may slow down what is measured after it. `--out` is written after each measurement. A
failure stands in the place of its figures, and the next measurement goes on. What `--seconds` leave
no time for is named under "not_reached"; they count from after the imports. On a CPU graphs and
streams are plain steps in fp32.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import shlex
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import gpu_compiled
import torch
from stacked import Subject, stacked
from torch import Tensor, nn
from torch.autograd import DeviceType
from training_gpu import NOT_CAPTURED, PEAKS, failure, seconds_of, settled

from ddiv.common.machine import device_name
from ddiv.models.bert import BertEncoder
from ddiv.models.clip import CONFIGS, build_clip
from ddiv.models.from_scratch import ResNetEncoder
from ddiv.models.network import Network
from ddiv.study import Recipe
from ddiv.treatment.mixing import mean_loss
from ddiv.trial.devices import prepare
from ddiv.trial.layout import in_bf16
from ddiv.trial.steps import WARM_UP, Steps, computing, cuda_graph, own_stream

CLASSES = 142
MOST_STEPS, ROUNDS = 200, 3
PROFILES_TAKE = 16  # seconds kept for the profiles, which come last
PROFILED, KERNELS = 5, 12  # steps that are profiled, and kernels that are listed

# Kinds of kernels by parts of their names; the first that fits counts.
KINDS = {
    "attention": ("flash", "fmha", "attention", "softmax"),
    "optimiser": ("adam", "multi_tensor", "sgd"),
    "normalisation": ("layer_norm", "layernorm", "batch_norm", "batchnorm", "bn_"),
    "products and convolutions": (
        *("gemm", "nvjet", "cutlass", "xmma", "cublas", "splitk", "conv", "cudnn", "wgrad"),
        *("dgrad", "gemv"),
    ),
    "copies and casts": ("copy", "memcpy", "memset", "fillfunctor", "tofloat32"),
    "reductions": ("reduce",),
    "element by element": ("elementwise", "catarray"),
}

Figures = dict[str, Any]


class Machine(NamedTuple):
    """Where it is measured, and for how long each."""

    device: torch.device
    tiny: bool

    @property
    def graphs(self) -> bool:
        return self.device.type == "cuda"

    @property
    def precision(self) -> Any:
        return "bf16" if self.graphs else "fp32"

    @property
    def seconds(self) -> float:
        return 0.02 if self.tiny else 0.8


# --- subjects -------------------------------------------------------------------------------------


class FixedLength(BertEncoder):
    """BERT on texts of one length: nothing is cut off, for which a step would wait for the card."""

    def _outputs(self, ids: Tensor) -> Any:
        return self.bert(input_ids=ids), None


def tower(name: str, tiny: bool) -> Network:
    """A network on the image tower of open_clip's model, or on an embedded one where `tiny`."""
    if tiny:
        visual = build_clip(CONFIGS["resnet" if name == "RN50" else "vit"]).visual
    else:
        from ddiv.models.open_clip_models import architecture

        visual = architecture(name, quick_gelu=False).visual
    return Network(visual, visual.output_dim, CLASSES)


def embedded_clip() -> Network:
    visual = build_clip().visual
    return Network(visual, visual.output_dim, CLASSES)


def resnet(width: int) -> Network:
    encoder = ResNetEncoder(width)
    return Network(encoder, encoder.width, CLASSES)


def bert(tiny: bool) -> Network:
    from transformers import BertConfig, BertModel

    sizes: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    if tiny:
        sizes |= {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 64, "vocab_size": 1000}
    encoder = FixedLength(BertModel(BertConfig(**sizes)))
    return Network(encoder, encoder.width, CLASSES)


def template(name: str, tiny: bool) -> Network:
    match name:
        case "ViT-B/32":
            return tower("ViT-B-32", tiny)
        case "RN50":
            return tower("RN50", tiny)
        case "embedded CLIP":
            return embedded_clip()
        case "ResNet-18":
            return resnet(4 if tiny else 64)
        case "embedded ResNet-18":
            return resnet(4 if tiny else 16)
    return bert(tiny)


CONVOLUTIONAL = "ResNet-18", "RN50", "embedded ResNet-18"
SIDES = {"ViT-B/32": 224, "RN50": 224}  # of the others' images 32
BATCHES = {"ResNet-18": 128}  # of the others 32
COMPILED = "ViT-B/32", "embedded CLIP", "ResNet-18", "BERT-base", "RN50", "embedded ResNet-18"


@cache
def original(name: str, tiny: bool) -> Network:
    """The network that all arrangements of a subject start from, on the CPU."""
    torch.manual_seed(0)
    return template(name, tiny).train()


def subject(name: str, machine: Machine, batch: int | None = None) -> Subject:
    network, device = original(name, machine.tiny), machine.device
    batch = batch or BATCHES.get(name, 32)
    batch = min(batch, 4) if machine.tiny else batch
    side = 32 if machine.tiny else SIDES.get(name, 32)
    draws = torch.Generator(device).manual_seed(0)
    random = partial(torch.randint, generator=draws, device=device)
    if name == "BERT-base":
        inputs = random(1, 1000, (batch, 16 if machine.tiny else 128))
    else:
        inputs = random(0, 256, (batch, 3, side, side), dtype=torch.uint8)
    labels = random(0, CLASSES, (batch,))
    return Subject(name, lambda: copy.deepcopy(network), Recipe(1, batch, 1e-5), inputs, labels)


def flops_an_item(subject: Subject, device: torch.device) -> float:
    """Of forward and backward pass, a multiplication and its addition counting as two."""
    from torch.utils.flop_counter import FlopCounterMode

    network, inputs = subject.make().to(device), subject.inputs[:4]
    with FlopCounterMode(display=False) as counter:
        network(inputs).sum().backward()
    return counter.get_total_flops() / len(inputs)


# --- measuring ------------------------------------------------------------------------------------


def timed(step: Callable[[], object], machine: Machine, warm: int = WARM_UP + 7) -> Figures:
    """Milliseconds a step after `warm` steps: the median of the rounds, and the slowest one's."""
    device = machine.device
    seconds_of(step, device, warm if machine.graphs else 1)
    each = seconds_of(step, device, 3 if machine.graphs else 1)
    count = min(MOST_STEPS, int(machine.seconds / each)) // ROUNDS
    rounds = [
        1e3 * seconds_of(step, device, max(count, 1 if machine.tiny else 2)) for _ in range(ROUNDS)
    ]
    return {"ms": round(statistics.median(rounds), 4), "slowest_ms": round(max(rounds), 4)}


def first_loss(loss: Tensor, device: torch.device) -> list[float]:
    settled(device)
    return [round(each, 4) for each in loss.detach().float().reshape(-1).tolist()]


def steps_of(subject: Subject, machine: Machine, precision: Any, capture: bool) -> Steps:
    capture = capture and machine.graphs
    recipe = subject.recipe
    return Steps(subject.make(), recipe, (), 10**9, machine.device, precision, capture)


def is_captured(steps: Steps) -> bool:
    return getattr(steps._run, "_replay", None) is not None


def single(subject: Subject, machine: Machine, precision: Any, capture: bool) -> Figures:
    steps = steps_of(subject, machine, precision, capture)
    loss = first_loss(steps(subject.inputs, subject.labels), machine.device)
    figures = timed(lambda: steps(subject.inputs, subject.labels), machine)
    return {**figures, "captured": is_captured(steps), "loss": loss}


def eager(subject: Subject, machine: Machine, precision: str) -> Figures:
    return single(subject, machine, precision if machine.graphs else "fp32", capture=False)


def graph(subject: Subject, machine: Machine) -> Figures:
    return single(subject, machine, machine.precision, capture=True)


def no_channels_last(subject: Subject, machine: Machine) -> Figures:
    """The way of ddiv with convolutions, and the images that they take, as torch lays them out."""

    def make() -> Network:
        network = subject.make()
        network.register_forward_pre_hook(_contiguous)
        return network

    with patch("ddiv.trial.layout.channels_last", lambda network: None):
        return graph(subject._replace(make=make), machine)


def cast_by_autocast(subject: Subject, machine: Machine) -> Figures:
    with patch("ddiv.trial.steps.in_bf16", lambda network, inputs: network(inputs)):
        return graph(subject, machine)


def patches_by_cudnn(subject: Subject, machine: Machine) -> Figures:
    with patch("ddiv.trial.layout._cuts_patches", lambda module: False):
        return graph(subject, machine)


def compiled(subject: Subject, machine: Machine, how: Callable = graph) -> Figures:
    with patch("ddiv.trial.steps.in_bf16", gpu_compiled.in_bf16):
        return how(subject, machine)


def tried_by_cudnn(subject: Subject, machine: Machine) -> Figures:
    torch.backends.cudnn.benchmark = True
    try:
        return graph(subject, machine)
    finally:
        torch.backends.cudnn.benchmark = False


def _contiguous(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(each.contiguous() for each in inputs)


def on(stream: torch.cuda.Stream | None) -> AbstractContextManager[object]:
    return nullcontext() if stream is None else torch.cuda.stream(stream)


def streams(subject: Subject, machine: Machine, arms: int) -> Figures:
    """A step of each of so many networks; also the replays alone, without copies of batches."""
    device, batch = machine.device, (subject.inputs, subject.labels)
    own = [torch.cuda.Stream(device) if machine.graphs else None for _ in range(arms)]
    trained, losses = [], []
    for stream in own:
        settled(device)
        with on(stream):
            steps = steps_of(subject, machine, machine.precision, capture=True)
            losses += first_loss(steps(*batch), device)
            for _ in range((WARM_UP + 2) * machine.graphs):
                steps(*batch)
        trained.append(steps)
    settled(device)

    def by_turns(each: list[Callable[[], object]]) -> None:
        for stream, step in zip(own, each):
            with on(stream):
                step()

    figures = timed(partial(by_turns, [partial(steps, *batch) for steps in trained]), machine)
    figures |= {"captured": all(map(is_captured, trained)), "loss": losses, "networks": arms}
    if figures["captured"]:
        replays = [steps._run._replay for steps in trained]
        figures["replays_alone_ms"] = timed(partial(by_turns, replays), machine, 2)["ms"]
    return figures


def captured(work: Callable[[], Any], machine: Machine) -> Callable[[], object]:
    """The work as a CUDA graph, warmed up; the work itself on a CPU."""
    for _ in range(WARM_UP):
        work()
    settled(machine.device)
    return cuda_graph(work)[0] if machine.graphs else work


def stack(subject: Subject, machine: Machine, arms: int) -> Figures:
    adam = partial(torch.optim.Adam, capturable=machine.graphs)
    with patch("torch.optim.Adam", adam):
        step = stacked(subject, arms, machine.device)
        loss = first_loss(step(), machine.device)
        replay = captured(step, machine)
    figures = {"captured": machine.graphs, "loss": loss, "networks": arms}
    return {**timed(replay, machine), **figures}


def part(subject: Subject, machine: Machine, which: str) -> Figures:
    """A part of a step as a graph: "forward", "forward and backward" or "optimiser"."""
    network = subject.make()
    optimiser = Steps(
        network, subject.recipe, (), 10**9, machine.device, machine.precision, capture=False
    ).optimiser

    forward_pass = partial(in_bf16, network) if machine.precision == "bf16" else network

    def forward() -> Tensor:
        with computing(machine.device, machine.precision):
            outputs = forward_pass(subject.inputs)
        return mean_loss(None, outputs.float(), subject.labels)

    def backward() -> Tensor:
        loss = forward()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        return loss.detach()

    if which == "optimiser":
        backward()
        work: Callable[[], Any] = optimiser.step
    else:
        work = backward if which == "forward and backward" else lambda: forward().detach()
    figures = timed(captured(work, machine), machine, 5)
    parameters = sum(each.numel() for each in network.parameters())
    if which == "optimiser":  # reads weights, gradients and two moments, and writes all but one
        figures["gb_a_second"] = round(7 * 4 * parameters / figures["ms"] / 1e6, 1)
    return figures


# --- kernels --------------------------------------------------------------------------------------


def profiled(subject: Subject, machine: Machine) -> Figures:
    """Kernels of replayed steps, against the time of a step that is not profiled."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU]
    if machine.graphs:
        activities.append(ProfilerActivity.CUDA)
    steps = steps_of(subject, machine, machine.precision, capture=True)
    step = partial(steps, subject.inputs, subject.labels)
    wall = timed(step, machine)["ms"]
    with profile(activities=activities) as seen:
        for _ in range(PROFILED):
            step()
        settled(machine.device)
    kind = DeviceType.CUDA if machine.graphs else DeviceType.CPU
    spans = [
        (event.name, float(event.time_range.start), float(event.time_range.end))
        for event in seen.events()
        if event.device_type == kind and not getattr(event, "is_user_annotation", False)
    ]
    if not spans:
        raise RuntimeError("the profiler saw no kernels")
    return {"unprofiled_ms": wall, "captured": is_captured(steps), **kernels(spans, wall)}


def kernels(spans: list[tuple[str, float, float]], wall: float) -> Figures:
    """Of (name, start, end) in microseconds: times by kernel and kind, and the card's busy time."""
    times, counts, kinds = Counter[str](), Counter[str](), Counter[str]()
    for name, start, end in spans:
        times[name] += end - start
        counts[name] += 1
        kinds[kind_of(name)] += end - start
    total = sum(times.values()) or 1.0
    busy, window = covered([span[1:] for span in spans])
    kernel_ms, busy_ms = total / PROFILED / 1e3, busy / PROFILED / 1e3
    return {
        "kernels_a_step": round(len(spans) / PROFILED, 1),
        "kernel_ms_a_step": round(kernel_ms, 4),
        "busy_ms_a_step": round(busy_ms, 4),
        "idle_share": round(1 - busy_ms / wall, 3),
        "idle_share_while_profiled": round(1 - busy / (window or 1.0), 3),
        "kinds": {kind: round(each / total, 3) for kind, each in kinds.most_common()},
        "most": [
            {
                "kernel": short(name),
                "share": round(each / total, 3),
                "ms_a_step": round(each / PROFILED / 1e3, 4),
                "a_step": round(counts[name] / PROFILED, 1),
            }
            for name, each in times.most_common(KERNELS)
        ],
    }


def covered(spans: list[tuple[float, float]]) -> tuple[float, float]:
    """The time in which at least one span goes on, and that from the first to the last."""
    busy, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return busy, until - min(start for start, _ in spans)


def kind_of(kernel: str) -> str:
    name = kernel.lower()
    return next((kind for kind, parts in KINDS.items() if any(p in name for p in parts)), "others")


def short(kernel: str) -> str:
    for noise in ("void ", "at::native::", "(anonymous namespace)::", "at::cuda::"):
        kernel = kernel.replace(noise, "")
    return kernel[:140]


# --- the plan -------------------------------------------------------------------------------------


class Measurement(NamedTuple):
    subject: str
    arrangement: str
    measure: Callable[[Subject, Machine], Figures]
    batch: int | None = None


def plan() -> Iterator[Measurement]:
    """What is measured, in this order."""
    one, vit = ("graph bf16", graph), "ViT-B/32"
    plain = [(f"eager {name}", partial(eager, precision=name)) for name in ("fp32", "bf16")]
    layout = ("graph bf16, no channels-last", no_channels_last)
    cast = ("graph bf16, cast by autocast", cast_by_autocast)
    patches = ("graph bf16, patches by cuDNN", patches_by_cudnn)
    tried = ("graph bf16, cudnn.benchmark", tried_by_cudnn)
    parts = [
        (f"{which} (graph bf16)", partial(part, which=which))
        for which in ("forward", "forward and backward", "optimiser")
    ]
    four = ("graph bf16, 4 stacked", partial(stack, arms=4))
    each = partial(map, lambda arms: (f"graph bf16, {arms} streams", partial(streams, arms=arms)))
    many = list(each((2, 4, 8)))
    yield Measurement(vit, *one)
    for arrangement in (cast, patches, *each((2, 4, 8)), *parts):
        yield Measurement(vit, *arrangement)
    yield Measurement(vit, "graph bf16, batch 128", graph, 128)
    for arrangement in (*plain, four):
        yield Measurement(vit, *arrangement)
    for name, arrangements in {
        "embedded CLIP": [one, four, cast, patches, *many, *plain],
        "ResNet-18": [one, tried, cast, layout, *many, *plain],
        "BERT-base": [one, cast, *plain],
        "RN50": [one, tried, cast, layout, *plain],
        "embedded ResNet-18": [one, *many, layout, *plain],
    }.items():
        yield from (Measurement(name, *arrangement) for arrangement in arrangements)
    yield from (Measurement(name, "graph bf16, compiled", compiled) for name in COMPILED)
    yield Measurement(vit, "compiled, 4 streams", partial(compiled, how=partial(streams, arms=4)))
    for name in (vit, "embedded CLIP"):
        yield Measurement(name, "profile", profiled)


def recover(device: torch.device) -> None:
    """Free what a measurement held, whatever state it left the card in."""
    with suppress(Exception):
        settled(device)
    with suppress(Exception):
        gc.collect()
    with suppress(Exception):
        if device.type == "cuda":
            torch.cuda.empty_cache()


def guarded(work: Callable[[], Figures], device: torch.device) -> Figures:
    try:
        with own_stream(device), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", RuntimeWarning)
            figures = work()
        if noted := [" ".join(str(each.message).split())[:200] for each in warned]:
            failed = [note for note in noted if NOT_CAPTURED in note]
            figures |= {"note": failed[0]} if failed else {}
    except Exception as error:
        figures = failure(error)
    recover(device)
    return figures


def rated(figures: Figures, batch: int, flops: float | None, peak: float | None) -> Figures:
    """With images (or texts) a second, TFLOP/s and the share of the peak."""
    if not figures.get("ms"):
        return figures
    speed = figures.get("networks", 1) * batch / figures["ms"] * 1e3
    tflops = flops and speed * flops / 1e12
    return {
        **figures,
        "images_a_second": round(speed),
        "tflops": tflops and round(tflops, 2),
        "share_of_peak": tflops and peak and round(tflops / peak, 4),
    }


def facts(name: str, machine: Machine) -> Figures:
    this = subject(name, machine)
    parameters = sum(each.numel() for each in original(name, machine.tiny).parameters())
    return {
        "batch": len(this.inputs),
        "input": list(this.inputs.shape[1:]),
        "parameters": parameters,
        "gflops_an_image": flops_an_item(this, machine.device) / 1e9,
    }


def measured(each: Measurement, machine: Machine, about: Figures, peak: float | None) -> Figures:
    this = subject(each.subject, machine, each.batch)
    figures = each.measure(this, machine)
    parts = each.measure is profiled or "(" in each.arrangement
    flops = about.get("gflops_an_image")
    return figures if parts else rated(figures, len(this.inputs), flops and flops * 1e9, peak)


def measure_all(
    machine: Machine,
    subjects: Sequence[str],
    seconds: float,
    found: Figures,
    keep: Callable[[], object],
) -> None:
    started, kept = time.perf_counter(), min(PROFILES_TAKE, seconds / 4)
    for each in plan():
        if each.subject not in subjects:
            continue
        at = time.perf_counter()
        if at - started > seconds - kept * (each.measure is not profiled):
            found["not_reached"].append(f"{each.subject}: {each.arrangement}")
            continue
        figures = one(each, machine, found)
        figures["took_s"] = round(time.perf_counter() - at, 2)
        print(f"{each.subject}: {each.arrangement}: {figures.get('ms', '')}", file=sys.stderr)
        keep()
    keep()


def one(each: Measurement, machine: Machine, found: Figures) -> Figures:
    """The figures of a measurement, which are also put among those found."""
    if each.subject not in found["subjects"]:
        about = guarded(partial(facts, each.subject, machine), machine.device)
        found["subjects"][each.subject] = {**about, "measured": {}}
    about = found["subjects"][each.subject]
    work = partial(measured, each, machine, about, found["bf16_peak_tflops"])
    about["measured"][each.arrangement] = guarded(work, machine.device)
    return about["measured"][each.arrangement]


def table(found: Figures) -> str:
    lines = [
        f"{'subject':19}{'arrangement':38}{'ms':>9}{'images/s':>10}{'TFLOP/s':>9}{'of peak':>9}"
    ]
    for name, about in found["subjects"].items():
        for arrangement, figures in about["measured"].items():
            keys = ("ms", "images_a_second", "tflops", "share_of_peak")
            ms, speed, tflops, share = (figures.get(key) for key in keys)
            cells = (
                f"{name:19}{arrangement:38}{'' if ms is None else f'{ms:.3f}':>9}"
                f"{speed or '':>10}{tflops or '':>9}{f'{share:.1%}' if share else '':>9}"
            )
            lines.append(f"{cells}  {remark(figures)}".rstrip())
    missed = found["not_reached"]
    return "\n".join(lines + [f"not reached: {'; '.join(missed)}"] * bool(missed))


def remark(figures: Figures) -> str:
    if "kernels_a_step" in figures:
        most = max(figures["kinds"].items(), key=lambda kind: kind[1])
        return (
            f"{figures['kernels_a_step']:.0f} kernels, {figures['kernel_ms_a_step']} ms of "
            f"{figures['unprofiled_ms']}, idle {figures['idle_share']:.0%}, most: {most[0]} "
            f"{most[1]:.0%}"
        )
    return str(figures.get("error") or figures.get("note") or "")[:100]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:1 or cpu")
    parser.add_argument(
        "--seconds", type=float, default=105, help="after which no more is begun (default: 105)"
    )
    parser.add_argument("--peak", type=float, metavar="TFLOPS", help="the card's, if unknown here")
    parser.add_argument("--tiny", action="store_true", help="tiny models, to try it on a CPU")
    names = list(dict.fromkeys(each.subject for each in plan()))
    parser.add_argument(
        "--subjects", nargs="+", choices=names, default=names, metavar="NAME", help="some of them"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write the figures as JSON"
    )
    options = parser.parse_args()
    device = torch.device(options.device)
    prepare(device)
    if device.index is not None:
        torch.cuda.set_device(device)
    card, machine = device_name(device), Machine(device, options.tiny)
    found: Figures = {
        "command": shlex.join(["python", "benchmarks/gpu_arrangements.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "card": card,
        "torch": str(torch.__version__),
        "precision_of_graphs": machine.precision,
        "bf16_peak_tflops": options.peak
        or next((peak for name, peak in PEAKS.items() if name in card), None),
        "subjects": {},
        "not_reached": [],
    }

    def keep() -> None:
        if options.out:
            options.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")

    measure_all(machine, options.subjects, options.seconds, found, keep)
    print(table(found))


if __name__ == "__main__":
    main()
