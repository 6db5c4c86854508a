"""From a `DataView` to a `Record`: the diversity of the training set as a treatment shows it.

Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ddiv.common.draws import generator, permutation, stream
from ddiv.common.errors import TrialFailed
from ddiv.data.dataset import Shown
from ddiv.data.load import load
from ddiv.data.worlds.draw import drawn_at_will
from ddiv.diversity.span import Span
from ddiv.models.embedders import scored_on, spaces_of, vectors
from ddiv.study import ComplaintsWorld, Data, Embedder, Space, World
from ddiv.treatment import Classes, is_built_in
from ddiv.trial.facts import HELD, NEIGHBOURS, VENDI_ORDERS, coverage_key, outside_key, vendi_key
from ddiv.trial.hooks import Shows, as_given, batch_shown, stream_of
from ddiv.trial.job import DataView, Job
from ddiv.trial.provenance import provenance, start
from ddiv.trial.store import Record
from ddiv.trial.training_set import synthetic_data, training_set

if TYPE_CHECKING:
    from ddiv.diversity.weighted import Balls


class Seen(NamedTuple):
    """The examples of a view: images (n, 3, h, w) or texts (n,), and their labels (n,).

    `fresh` (n,) marks the examples at places whose real example is not part of the reference; None
    where the view is not compared with the real data.
    """

    inputs: np.ndarray
    labels: np.ndarray
    fresh: npt.NDArray[np.bool_] | None


def diversity(
    view: DataView, device: torch.device, records: Mapping[Job, Record] = MappingProxyType({})
) -> Record:
    """The diversity of a view, by pixels (of images) and by embeddings.

    The record holds, by space,

    - the Vendi Scores (cosine kernel, of the orders of `facts.VENDI_ORDERS`). Scores grow with
      n, so every treatment is scored on the same `n` training examples, and a view of fewer
      classes has as many examples;
    - the kernel's eigenvalues, from which a score of any other order can be computed;
    - the share of energy outside the span of the real data (`ddiv.diversity.span`);
    - the share of held-out real data, of the first test set, that the view covers
      (`ddiv.diversity.weighted`), for each number of `facts.NEIGHBOURS`;
    - of embeddings, the alignment with the real data under each definition
      (`ddiv.diversity.weighted`).

    Energy and alignment compare two halves of the training set: the plain real examples of one
    half are the reference, and the view's examples at the places of the other half are compared
    with it. Views of fewer classes have neither, and no coverage: these would tell the classes.
    """
    from ddiv.diversity import VendiResult
    from ddiv.diversity.entropy import score_of
    from ddiv.diversity.rows import backend
    from ddiv.diversity.spectrum import spectrum as kernel_spectrum

    started, where = start(), backend(scored_on(device))
    seen = _seen(view, records)
    scores: dict[str, float] = {}
    outside: dict[str, float] = {}
    covered: dict[str, float] = {}
    aligned: dict[str, float] = {}
    settings: dict[str, dict[str, object]] = {}
    arrays: dict[str, np.ndarray] = {}
    for space in spaces_of(seen.inputs):
        rows, embedder, preprocessing = vectors(
            seen.inputs, space, view.embedder, view.data, device
        )
        kernel = kernel_spectrum(rows, "cosine", None, None, where)
        scores |= {vendi_key(space, order): score_of(kernel.p, order) for order in VENDI_ORDERS}
        settings[space] = asdict(
            VendiResult(scores[space], kernel.n, 1.0, kernel.kernel, embedder, preprocessing)
        )
        arrays[f"eigenvalues/{space}"] = kernel.p[kernel.p > 0]
        if seen.fresh is None:
            continue
        reference = _reference(view.data, space, view.embedder, device)
        fresh = _unit(rows[seen.fresh])
        outside |= {outside_key(space, held): reference.span.outside(fresh, held) for held in HELD}
        held_out = _held_out(view.data, space, view.embedder, view.n, device)
        covered |= _covered(rows, held_out, space)
        if space == "embedding":
            aligned = _alignments(fresh, seen.labels[seen.fresh], reference, scored_on(device))
    facts = {
        "vendi": scores,
        "outside": outside,
        "coverage": covered,
        "alignment": aligned,
        "settings": settings,
        "provenance": provenance(device, started),
    }
    return Record(view, facts, arrays)


def _covered(rows: np.ndarray, held_out: Balls | None, space: Space) -> dict[str, float]:
    """The share of held-out vectors that vectors (n, d) cover, by number of neighbours.

    Data with too few held-out examples for a number has no coverage by it.
    """
    from ddiv.diversity.weighted import coverage

    shares = coverage(rows, held_out) if held_out else {}
    return {coverage_key(space, k): share for k, share in shares.items()}


def _alignments(
    rows: np.ndarray, labels: np.ndarray, reference: Reference, where: torch.device | str
) -> dict[str, float]:
    """The alignment of vectors (n, d) with the reference, by definition."""
    from ddiv.diversity.weighted import DEFINITIONS, alignment

    rho: dict[str, float] = {}
    for definition in DEFINITIONS:
        by_class = definition == "centroid"  # the others know no classes
        rho[definition] = alignment(
            rows,
            reference.rows,
            definition,
            labels=labels if by_class else None,
            original_labels=reference.labels if by_class else None,
            device=where,
        ).rho
    return rho


def fitting_half(labels: np.ndarray) -> npt.NDArray[np.bool_]:
    """Which of the real examples with these labels (n,) are the reference, as bool (n,).

    They are the first, third, fifth ... of each class.
    """
    half = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        half[np.flatnonzero(labels == label)[::2]] = True
    return half


class Reference(NamedTuple):
    """The fitting half of a training set: vectors (m, d), labels (m,) and principal axes.

    The vectors have length 1, since the kernel of the Vendi Score is the cosine.
    """

    rows: np.ndarray
    labels: np.ndarray
    span: Span


@lru_cache(maxsize=8)
def _reference(data: Data, space: Space, embedder: Embedder, device: torch.device) -> Reference:
    real = load(data)
    half = fitting_half(real.labels)
    rows = _unit(vectors(real.inputs[half], space, embedder, data, device).rows)
    return Reference(rows, real.labels[half], Span.of(rows))


@lru_cache(maxsize=8)
def _held_out(
    data: Data, space: Space, embedder: Embedder, most: int, device: torch.device
) -> Balls | None:
    """Real examples that no arm is trained on, of the training domain, with their neighbours; None
    where they are too few.

    They are at most as many as a view has, drawn once for all arms.
    """
    from ddiv.diversity.weighted import balls

    inputs, _ = next(iter(load(data).tests.values()))
    chosen = permutation(len(inputs), generator(0, "held out"))[:most]
    if not (counts := [k for k in NEIGHBOURS if k < len(chosen)]):
        return None
    return balls(vectors(inputs[chosen], space, embedder, data, device).rows, counts)


def _seen(view: DataView, records: Mapping[Job, Record]) -> Seen:
    part, fresh = view.treatment.part(Classes), None
    draws = view.draws
    if part:
        shown = of_classes(view.data, part.count, view.n, draws)
    else:
        data = load(view.data)
        require_examples(view)
        whole = training_set(data, view.treatment, draws, synthetic_data(view, records))
        chosen = permutation(len(whole.inputs), generator(draws, "view"))[: view.n]
        if len(chosen) < view.n:
            raise TrialFailed(
                f"a view of {view.n} examples was asked for, and {view.treatment.label} leaves "
                f"{len(chosen)}: lower the study's `view_size`"
            )
        shown = Shown(whole.inputs[chosen], whole.labels[chosen])
        half = fitting_half(data.labels)
        # Examples that were added come after the real ones, and none is part of the reference.
        known = np.zeros(max(len(half), len(whole.inputs)), dtype=bool)
        known[: len(half)] = half
        fresh = ~known[chosen]
        if not all(map(is_built_in, view.treatment.with_hook("training_set"))):
            # A part of a user's own may put examples at other places.
            reference = {_content(each) for each in data.inputs[half]}
            fresh = np.array([_content(each) not in reference for each in shown.inputs])
            fresh = fresh if fresh.any() else None
    parts = view.treatment.with_hook("batch")
    shows = [Shows(part, generator(draws, stream_of(part, "batch"))) for part in parts]
    inputs, _ = batch_shown(as_given(shown.inputs), shows)
    return Seen(np.asarray(inputs), shown.labels, fresh)


def _content(example: np.ndarray | str) -> bytes:
    return example.encode() if isinstance(example, str) else example.tobytes()


def require_examples(view: DataView) -> None:
    """Raise TrialFailed where the data has too few examples, or classes, for a view."""
    data, part = load(view.data), view.treatment.part(Classes)
    if part and not isinstance(view.data, World | ComplaintsWorld):  # which draw at will
        of_classes(view.data, part.count, view.n, view.draws)
    if not part and view.n > len(data.inputs):
        raise TrialFailed(
            f"a view of {view.n} examples was asked for, but the training set has "
            f"{len(data.inputs)}. Lower the study's `view_size`."
        )


def of_classes(spec: Data, count: int, n: int, draws: int) -> Shown:
    """`n` training examples of `count` classes, as evenly spread as possible.

    The number `draws` (`DataView.draws`) draws the classes. The worlds draw as many examples of a
    class as are needed; of other data it draws the examples too. Raises TrialFailed where the data
    has fewer classes, or too few examples of one.
    """
    rng = np.random.default_rng(stream(draws, "classes"))
    data = load(spec)
    chosen = _draw(rng, np.unique(data.labels), count)
    labels = chosen[np.sort(np.arange(n) % count)]
    if (drawn := drawn_at_will(spec, labels)) is not None:
        return Shown(drawn, labels)
    places: list[int] = []
    for label, take in zip(chosen, np.bincount(np.arange(n) % count, minlength=count)):
        members = rng.permutation(np.flatnonzero(data.labels == label))
        if len(members) < take:
            raise TrialFailed(
                f"{take} training examples of the class {data.classes[label]} are needed for a "
                f"view of {n} examples of {count} classes, and there are {len(members)}: leave out "
                "the smallest of the study's `class_counts`, or lower its `view_size`"
            )
        places.extend(members[:take])
    return Shown(data.inputs[places], data.labels[places])


def _draw(rng: np.random.Generator, classes: np.ndarray, count: int) -> np.ndarray:
    if count > len(classes):
        raise TrialFailed(
            f"{count} classes were asked for, and the data has {len(classes)}: lower the study's "
            "`class_counts`"
        )
    return np.sort(rng.permutation(classes)[:count])


def _unit(rows: np.ndarray) -> np.ndarray:
    """Vectors (n, d) scaled to length 1."""
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
