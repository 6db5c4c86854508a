"""Which settings of the n-gram generator the embedded text study should draw from: quality of
samples, and what they teach.

    python benchmarks/text_generator.py [--worlds 3]

On as many complaints worlds (of seeds that no study has) a model is fitted to the training texts
and a sample drawn for each of them, by every setting. `ddiv.generate.text_quality` judges the
samples with the shipped BERT's embeddings, beside fresh real texts; "teaches" is the accuracy on
real test texts of a linear classifier (ridge regression on TF-IDF of 1- and 2-grams) that was
trained on samples alone, in domain and out of it (Ravuri and Vinyals 2019). Writes
benchmarks/results/text_generator.json.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

from ddiv.data.complaints_world import WORLD_VERSION
from ddiv.datasets import Dataset, load
from ddiv.generate import ngram
from ddiv.generate.text_quality import quality
from ddiv.models import embedded_weights
from ddiv.models.bert import embed
from ddiv.source import NGram, Setting
from ddiv.study import Bert, ComplaintsWorld

OUT, SEED = Path(__file__).parent / "results" / "text_generator.json", 1000
SETTINGS = [
    Setting(
        f"{variant}, guidance {guidance}, temperature {temperature}",
        guidance,
        temperature,
        variant=variant,
    )
    for variant in ("additional", "variations")
    for guidance in (1, 2, 3)
    for temperature in (1, 0.7)
]


def teaches(texts: np.ndarray, labels: np.ndarray, data: Dataset) -> dict[str, float]:
    """Accuracy of a classifier of these texts on the real ones of the training domain, and its mean
    over the others.
    """
    pupil = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), RidgeClassifier()
    ).fit(texts, labels)
    inside, *outside = (pupil.score(*test) for test in data.tests.values())
    return {"in domain": inside, "out of domain": float(np.mean(outside))}


def judged(texts: np.ndarray, data: Dataset) -> dict:
    judge = partial(embed, Bert(embedded_weights("bert")))
    return quality(texts, data.labels, data, judge) | {"teaches": teaches(texts, data.labels, data)}


def mean(rows: list) -> dict | float:
    """Means of equal keys, at any depth."""
    if isinstance(rows[0], dict):
        return {key: mean([row[key] for row in rows]) for key in rows[0]}
    return round(float(np.mean(rows)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--worlds", type=int, default=3, help="complaints worlds to average over (default: 3)"
    )
    worlds = parser.parse_args().worlds
    torch.set_num_threads(1)
    found: dict[str, list] = {
        name: [] for name in ("fresh real texts", *(one.name for one in SETTINGS))
    }
    fits, spec = [], NGram(seed=SEED)
    for seed in range(SEED, SEED + worlds):
        data = load(ComplaintsWorld(12, 10, WORLD_VERSION, seed=seed))
        real = (data.inputs, data.labels)
        fresh = load(ComplaintsWorld(12, 10, WORLD_VERSION, seed=seed + 500)).inputs
        found["fresh real texts"].append(judged(fresh, data))
        started = time.process_time()
        fitted = ngram.fit(*real, len(data.classes), spec)
        fits.append(
            {
                "seconds": time.process_time() - started,
                "bytes": sum(array.nbytes for array in fitted.weights.values()),
                "perplexity": dict(
                    zip(("1-grams", "2-grams", "3-grams", "with classes"), np.exp(fitted.losses))
                ),
            }
        )
        for setting in SETTINGS:
            started = time.process_time()
            drawn = ngram.sample(fitted.weights, setting, data.labels, real, seed)
            found[setting.name].append(
                {"seconds": time.process_time() - started, **judged(drawn, data)}
            )
    rows = [{"setting": name, **mean(each)} for name, each in found.items()]
    for row in rows:
        print(
            f"{row['setting']:45} accuracy {row['accuracy']['samples']:.3f} of {row['accuracy']['real']:.3f}, "
            f"Vendi {row['vendi/embedding']['samples']:.1f}, copied {row['copied']['samples']:.2f}, "
            f"teaches {row['teaches']['in domain']:.3f}, {row['teaches']['out of domain']:.3f}"
        )
    OUT.write_text(
        json.dumps(
            {
                "command": f"python benchmarks/text_generator.py --worlds {worlds}",
                "world": WORLD_VERSION,
                "texts": len(data.inputs),
                "classes": len(data.classes),
                "fit": mean(fits),
                "rows": rows,
            },
            indent=2,
        )
        + "\n"
    )
    print(json.dumps(mean(fits)))


if __name__ == "__main__":
    main()
