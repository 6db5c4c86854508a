"""Small networks, really trained under the arms of `examples/own_tables.py`, with the real
WeightWatcher's tables of them and ddiv's own records of the same weights.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import shapes, weight_matrices
from ddiv.spectra.watcher import table
from ddiv.study import Digits, Recipe, ResNet18, Study
from ddiv.treatment import BASELINE, Dropout, Treatment, WeightDecay
from ddiv.trial import trial
from ddiv.trial.store import Record

CLASSES = 60

ARMS = {
    "baseline": BASELINE,
    "dropout-0.2": Treatment.of(Dropout(0.2)),
    "dropout-0.5": Treatment.of(Dropout(0.5)),
    "decay-0.01": Treatment.of(WeightDecay(0.01)),
}

# A study whose trials' records hold eigenvalues; it is never trained.
OWN = Study(
    "own",
    "own",
    Digits(1000),
    ResNet18(8),
    Recipe(1, 8, 1e-3),
    dropout_rates=(0.2, 0.5),
    decays=(0.01,),
)


class Small(nn.Module):
    """A convolution, a hidden layer and a classification layer of 60 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 12, 3)
        self.hidden = nn.Linear(12 * 16, 80)
        self.classifier = nn.Linear(80, CLASSES)

    def forward(self, images: torch.Tensor, rate: float) -> torch.Tensor:
        hidden = F.relu(self.hidden(F.relu(self.conv(images)).flatten(1)))
        return self.classifier(F.dropout(hidden, rate))


def trained(start: Small, treatment: Treatment, seed: int) -> Small:
    """The network after forty steps of Adam under a treatment."""
    network = copy.deepcopy(start)
    dropout, decay = treatment.part(Dropout), treatment.part(WeightDecay)
    torch.manual_seed(seed)
    images, labels = torch.randn(240, 8, 6, 6), torch.arange(240) % CLASSES
    optimiser = torch.optim.Adam(
        network.parameters(), lr=3e-3, weight_decay=decay.value if decay else 0.0
    )
    for _ in range(40):
        optimiser.zero_grad()
        F.cross_entropy(network(images, dropout.rate if dropout else 0.0), labels).backward()
        optimiser.step()
    return network


def runs(folder: Path, count: int) -> dict[tuple[int, str], Record]:
    """`count` runs of all arms: tables below the folder, run-0 and so on; records are returned by
    run and arm.
    """
    records = {}
    for number in range(count):
        place = folder / f"run-{number}"
        place.mkdir(parents=True)
        torch.manual_seed(1000 + number)
        start = Small()
        _save(start, place / "start.csv")
        for name, treatment in ARMS.items():
            after = trained(start, treatment, 2000 + number)
            (place / f"{name}-before.csv").write_bytes((place / "start.csv").read_bytes())
            _save(after, place / f"{name}-after.csv")
            records[number, name] = _record(start, after, treatment, number)
    return records


def _save(network: nn.Module, path: Path) -> None:
    """WeightWatcher's table as its own `to_csv` writes it."""
    import pandas

    pandas.DataFrame(table(network, mp=True)).to_csv(path, index=False)


def _record(start: Small, after: Small, treatment: Treatment, seed: int) -> Record:
    """What ddiv's own training would have left of these weights."""
    matrices = weight_matrices(after)
    sizes = shapes(matrices)
    before, later = (eigenvalues(weight_matrices(network)) for network in (start, after))
    layers = [
        {
            "name": each.name,
            "kind": each.kind,
            "shape": list(sizes[each.name]),
            "view": "classifier" if each.name.startswith("classifier") else "encoder",
            "eigenvalues": len(later[each.name]),
        }
        for each in matrices
    ]
    facts = {
        "layers": layers,
        "clean": {"accuracy": 1.0, "loss": 0.1},
        "trajectory": [],
        "classes": CLASSES,
        "domains": ["digits"],
    }
    arrays = {
        "eigenvalues/before": np.concatenate(list(before.values())),
        "eigenvalues/after": np.concatenate(list(later.values())),
        "labels/digits": np.arange(CLASSES, dtype=np.int32),
        "log_probabilities/digits": np.full((CLASSES, CLASSES), -np.log(CLASSES), np.float32),
    }
    return Record(trial(OWN, treatment, seed), facts, arrays)
