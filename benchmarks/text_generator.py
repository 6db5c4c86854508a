"""Which settings of the n-gram generator the embedded text study should draw from.

    python benchmarks/text_generator.py [--worlds 3]

It measures the quality of samples and what a classifier learns from them, on several complaints
worlds (of seeds that no study has). In each a model is fitted to the training texts, and every
setting draws one sample per training text. `ddiv.generate.text_quality` judges the samples with the
shipped BERT's embeddings, beside fresh real texts; "teaches" is the accuracy on real test texts of
a linear classifier (ridge regression on TF-IDF of 1- and 2-grams) that was trained on samples
alone, in domain and out of it (Ravuri and Vinyals 2019). Writes
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

from ddiv.data.dataset import Dataset
from ddiv.data.load import load
from ddiv.data.worlds.complaints import WORLD_VERSION
from ddiv.generate import ngram
from ddiv.generate.text_quality import quality
from ddiv.models.bert import embed
from ddiv.models.shipped import embedded_weights
from ddiv.study import Bert, ComplaintsWorld
from ddiv.treatment import NGram, Setting

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
    """Accuracy on real texts, in domain and its mean over the others, of a classifier of these."""
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pupil = make_pipeline(vectors, RidgeClassifier()).fit(texts, labels)
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
    names = ("fresh real texts", *(setting.name for setting in SETTINGS))
    judgements: dict[str, list] = {name: [] for name in names}
    fits, spec = [], NGram(seed=SEED)
    for seed in range(SEED, SEED + worlds):
        data = load(ComplaintsWorld(12, 10, WORLD_VERSION, seed=seed))
        real = (data.inputs, data.labels)
        fresh = load(ComplaintsWorld(12, 10, WORLD_VERSION, seed=seed + 500)).inputs
        judgements["fresh real texts"].append(judged(fresh, data))
        started = time.process_time()
        fitted = ngram.fit(*real, len(data.classes), spec)
        models = ("1-grams", "2-grams", "3-grams", "with classes")
        fits.append(
            {
                "seconds": time.process_time() - started,
                "bytes": sum(array.nbytes for array in fitted.weights.values()),
                "perplexity": dict(zip(models, np.exp(fitted.losses))),
            }
        )
        for setting in SETTINGS:
            started = time.process_time()
            drawn = ngram.sample(fitted.weights, setting, data.labels, real, seed)
            spent = time.process_time() - started
            judgements[setting.name].append({"seconds": spent, **judged(drawn, data)})
    rows = [{"setting": name, **mean(each)} for name, each in judgements.items()]
    for row in rows:
        accuracy, learnt = row["accuracy"], row["teaches"]
        print(
            f"{row['setting']:45} "
            f"accuracy {accuracy['samples']:.3f} of {accuracy['real']:.3f}, "
            f"Vendi {row['vendi/embedding']['samples']:.1f}, "
            f"copied {row['copied']['samples']:.2f}, "
            f"teaches {learnt['in domain']:.3f}, {learnt['out of domain']:.3f}"
        )
    results = {
        "command": f"python benchmarks/text_generator.py --worlds {worlds}",
        "world": WORLD_VERSION,
        "texts": len(data.inputs),
        "classes": len(data.classes),
        "fit": mean(fits),
        "rows": rows,
    }
    OUT.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    print(json.dumps(mean(fits)))


if __name__ == "__main__":
    main()
