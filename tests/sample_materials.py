"""What the pictures of a sample page are drawn from: made-up tables in the shapes of
`ddiv.report.changes` and others.
"""

from __future__ import annotations

import random

import numpy as np

from ddiv.report.changes import SCALE, SHAPE
from ddiv.report.diversity import correlation
from ddiv.report.spectra import figure
from ddiv.spectra.analysis import Layer, fit_all

SEEDS = [0, 1, 2, 3, 4]
AUGMENTATIONS = [
    "auto",
    "rand",
    "augmix",
    "trivial",
    "noise10",
    "noise30",
    "noise50",
    "auto-v1",
    "auto-v2",
    "auto-v3",
]
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


def material(draw: random.Random, study: str, tower: str, ood: bool) -> dict:
    """All that a study can show; without `ood` no accuracy out of domain and no views of few
    classes.
    """
    arms = ARMS + (EXTREMES if ood else [])
    return {
        "study": study,
        "tower": tower,
        "changes": _changes(draw, arms),
        "diversity": _diversity(draw, arms, ood),
        "densities": _densities(draw),
        "scores": _scores(draw, study, arms, ood),
    }


def _changes(draw, arms):
    metrics = [*SCALE, *SHAPE]
    views = ["classifier", "encoder", "attention-q", "feed-forward"]

    def table(metric):
        way = -1 if metric in SCALE else 1
        return [
            [
                None
                if draw.random() < 0.02 and group != "baseline"
                else 5 + way * push + draw.gauss(0, 0.05)
                for _ in SEEDS
            ]
            for _, group, _, push in arms
        ]

    groups = ("baseline", "dropout", "weight decay", "augmentation")
    layers = {
        metric: {group: [draw.gauss(0, 1) for _ in LAYERS] for group in groups}
        for metric in metrics
    }
    layers["alpha"]["dropout"][1] = None
    return {
        "seeds": SEEDS,
        "views": views,
        "metrics": metrics,
        "arms": [
            {
                "label": label,
                "group": group,
                "dose": dose,
                "diversity": 10 + push if group == "augmentation" else None,
            }
            for label, group, dose, push in arms
        ],
        "values": {view: {metric: table(metric) for metric in metrics} for view in views},
        "layers": {
            "names": [name for name, _ in LAYERS],
            "kinds": [kind for _, kind in LAYERS],
            "values": layers,
        },
    }


def _diversity(draw, arms, ood):
    shown = [
        arm
        for arm in arms
        if arm[1] in ("baseline", "augmentation", "further augmentation", "synthetic")
    ]
    rows = [
        {
            "label": "plain" if group == "baseline" else label,
            "group": group,
            "pixel": [8 + push + draw.gauss(0, 0.1) for _ in SEEDS],
            "embedding": [12 - push / 2 + draw.gauss(0, 0.1) for _ in SEEDS],
            "id": 0.6 + 0.02 * push,
            **({"ood": 0.3 + 0.01 * push} if ood else {}),
        }
        for label, group, _, push in shown
    ]
    classes = (
        [
            {"count": count, "n": 720, "pixel": [peak] * 2, "embedding": [peak + 3] * 2}
            for count, peak in ((2, 5.0), (10, 7.0), (40, 6.5))
        ]
        if ood
        else []
    )
    return {
        "n": 720,
        "classes": classes,
        "arms": rows,
        "correlations": {
            f"{space}/{place}": told
            for space in ("pixel", "embedding")
            for place in ("id", "ood")
            if (told := correlation(rows, space, place))
        },
    }


def _densities(draw):
    rng = np.random.default_rng(draw.randrange(1000))
    spectra = {
        (name, state): np.sort(rng.pareto(2.0, 60) + 1)
        for name, _ in LAYERS
        for state in ("after", "before")
    }
    fits = fit_all(spectra)
    layers = []
    for name, kind in LAYERS:
        curves = {
            state: figure(
                Layer(name, kind, name, 80, 60, 1, spectra[name, state], {}, fits[name, state])
            )
            for state in ("after", "before")
        }
        fit = fits[name, "after"]
        layers.append(
            {
                "name": name,
                "kind": kind,
                **curves,
                "alpha": fit.alpha,
                "reliable": bool(fit.reliable),
                "tail": int(fit.num_pl_spikes),
                "of": 60,
            }
        )
    return {"seed": 0, "layers": layers}


def _scores(draw, study, arms, ood):
    places = ["in domain", *(["clipart", "sketch", "mean out of domain"] if ood else [])]
    columns = [f"{place} {kind}" for place in places for kind in ("acc", "ECE")]

    def row(label, group):
        return {
            "arm": label,
            "group": group,
            "cells": [
                {
                    "mean": base + delta,
                    "sd": 0.01,
                    "delta": None if group == "baseline" else delta,
                    **({"paper": 0.85, "paper_delta": -0.01} if group == "augmentation" else {}),
                }
                for base in [0.6, 0.1] * len(places)
                for delta in [draw.gauss(0, 0.03)]
            ],
        }

    in_paper = ("baseline", "augmentation", "synthetic")
    rows = [row(label, group) for label, group, _, _ in arms if group in in_paper]
    rows[1]["cells"][1] = None
    rows[2]["cells"][0] = {"mean": float("nan"), "sd": None, "delta": None}
    return {
        "study": study,
        "columns": columns,
        "rows": rows,
        "note": "Made-up numbers.",
        "further": [row(label, group) for label, group, _, _ in arms if group not in in_paper],
    }
