"""Made-up material, which the pictures of a sample page are drawn from."""

from __future__ import annotations

import random

import numpy as np

from ddiv.report.figures.changes import SCALE, SHAPE
from ddiv.report.figures.diversity import correlation
from ddiv.report.figures.spectra import figure
from ddiv.report.schema import (
    ChangedArm,
    Changes,
    ClassCount,
    DenseLayer,
    Densities,
    DiverseArm,
    Diversity,
    LayerChanges,
    Material,
    ScoreCell,
    ScoreRow,
    Scores,
)
from ddiv.spectra.analysis import Layer, fit_all
from ddiv.treatment.names import AUGMENTATIONS

SEEDS = (0, 1, 2, 3, 4)
# (label, group, dose, push): the push is how far an arm goes, of which each metric takes its own
# share.
ARMS = [
    ("baseline", "baseline", None, 0.0),
    ("no-op", "control", None, 0.0),
    *((f"dropout {d}", "dropout", d / 0.3, 4 * d) for d in (0.05, 0.1, 0.2, 0.3)),
    *(
        (f"decay {d:g}", "weight decay", (i + 1) / 6, -0.2 * (i + 1))
        for i, d in enumerate((1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3))
    ),
    *((name, "augmentation", None, 0.2 * (i + 1)) for i, name in enumerate(AUGMENTATIONS)),
    ("cutout", "further augmentation", None, 0.3),
    ("synthetic 25% (good)", "synthetic", 0.25, 0.1),
]
EXTREMES = [
    ("dropout 0.9 head", "very large dropout", 1.0, 4.0),
    ("dropout 0.1 + decay 0.005", "combination", None, -2.0),
]
LAYERS = [
    ("head.weight", "linear"),
    ("encoder.block.0.attn.q", "q"),
    ("encoder.block.0.mlp.fc", "mlp"),
]


def material(draw: random.Random, study: str, tower: str, ood: bool) -> Material:
    """All that a study can show; without `ood` no accuracy out of domain and no views of few
    classes.
    """
    arms = ARMS + (EXTREMES if ood else [])
    return Material(
        study,
        tower,
        changes=_changes(draw, arms),
        diversity=_diversity(draw, arms, ood),
        densities=_densities(draw),
        scores=_scores(draw, study, arms, ood),
    )


def _changes(draw, arms):
    metrics = (*SCALE, *SHAPE)
    views = ("classifier", "encoder", "attention-q", "feed-forward")

    def value(way, group, push):
        if draw.random() < 0.02 and group != "baseline":
            return None
        return 5 + way * push + draw.gauss(0, 0.05)

    def table(metric):
        way = -1 if metric in SCALE else 1
        return tuple(tuple(value(way, group, push) for _ in SEEDS) for _, group, _, push in arms)

    groups = ("baseline", "dropout", "weight decay", "augmentation")
    layers = {
        metric: {group: tuple(draw.gauss(0, 1) for _ in LAYERS) for group in groups}
        for metric in metrics
    }
    first, _, *others = layers["alpha"]["dropout"]
    layers["alpha"]["dropout"] = (first, None, *others)
    return Changes(
        seeds=SEEDS,
        views=views,
        metrics=metrics,
        values={view: {metric: table(metric) for metric in metrics} for view in views},
        arms=tuple(
            ChangedArm(label, group, dose, 10 + push if group == "augmentation" else None)
            for label, group, dose, push in arms
        ),
        layers=LayerChanges(
            names=tuple(name for name, _ in LAYERS),
            kinds=tuple(kind for _, kind in LAYERS),
            values=layers,
        ),
    )


def _diversity(draw, arms, ood):
    of_data = ("baseline", "augmentation", "further augmentation", "synthetic")
    rows = tuple(
        DiverseArm(
            label="plain" if group == "baseline" else label,
            group=group,
            pixel=tuple(8 + push + draw.gauss(0, 0.1) for _ in SEEDS),
            embedding=tuple(12 - push / 2 + draw.gauss(0, 0.1) for _ in SEEDS),
            table=False,
            id=0.6 + 0.02 * push,
            ood=0.3 + 0.01 * push if ood else None,
        )
        for label, group, _, push in arms
        if group in of_data
    )
    classes = tuple(
        ClassCount(count=count, n=720, pixel=(peak,) * 2, embedding=(peak + 3,) * 2)
        for count, peak in ((2, 5.0), (10, 7.0), (40, 6.5))
    )
    return Diversity(
        n=720,
        classes=classes if ood else (),
        arms=rows,
        correlations={
            f"{space}/{place}": over_arms
            for space in ("pixel", "embedding")
            for place in ("id", "ood")
            if (over_arms := correlation(rows, space, place))
        },
    )


def _densities(draw):
    rng = np.random.default_rng(draw.randrange(1000))
    spectra = {
        (name, state): np.sort(rng.pareto(2.0, 60) + 1)
        for name, _ in LAYERS
        for state in ("after", "before")
    }
    fits = fit_all(spectra)

    def curves(name, kind, state):
        evals, fit = spectra[name, state], fits[name, state]
        return figure(Layer(name, kind, name, 80, 60, 1, evals, {}, fit))

    return Densities(
        0,
        tuple(
            DenseLayer(
                name=name,
                kind=kind,
                after=curves(name, kind, "after"),
                before=curves(name, kind, "before"),
                alpha=fits[name, "after"].alpha,
                reliable=bool(fits[name, "after"].reliable),
                tail=int(fits[name, "after"].num_pl_spikes),
                of=60,
            )
            for name, kind in LAYERS
        ),
    )


def _scores(draw, study, arms, ood):
    places = ["in domain", *(["clipart", "sketch", "mean out of domain"] if ood else [])]

    def cell(base, group):
        delta = draw.gauss(0, 0.03)
        printed = {"paper": 0.85, "paper_delta": -0.01} if group == "augmentation" else {}
        return ScoreCell(base + delta, 0.01, None if group == "baseline" else delta, **printed)

    def row(label, group):
        return ScoreRow(label, tuple(cell(base, group) for base in [0.6, 0.1] * len(places)), group)

    in_paper = ("baseline", "augmentation", "synthetic")
    base, first, second, *others = (
        row(label, group) for label, group, _, _ in arms if group in in_paper
    )
    lacking = ScoreRow(first.arm, (first.cells[0], None, *first.cells[2:]), first.group)
    missing = ScoreRow(second.arm, (ScoreCell(mean=float("nan")), *second.cells[1:]), second.group)
    return Scores(
        study=study,
        columns=tuple(f"{place} {kind}" for place in places for kind in ("acc", "ECE")),
        rows=(base, lacking, missing, *others),
        note="Made-up numbers.",
        further=tuple(row(label, group) for label, group, _, _ in arms if group not in in_paper),
    )
