"""The plain loop that a paper's code trains by, for `training.py` to compare with."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from ddiv.common.machine import usable_cores
from ddiv.data.dataset import Dataset
from ddiv.models.network import Network
from ddiv.spectra.watcher import weightwatcher
from ddiv.study import Recipe
from ddiv.treatment import Augmentation
from ddiv.treatment.images import torchvision_transform


class Pictures(torch.utils.data.Dataset):
    """PIL images in memory, transformed when one is asked for, as torchvision's data sets do."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable):
        self.images = [Image.fromarray(image.transpose(1, 2, 0)) for image in images]
        self.labels, self.transform = labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int):
        return self.transform(self.images[i]), self.labels[i]


def loader(
    images: np.ndarray,
    labels: np.ndarray,
    augmentation: Augmentation | None,
    batch: int,
    shuffle: bool,
    device: torch.device,
) -> DataLoader:
    plain = [
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.25] * 3),
    ]
    first = [torchvision_transform(augmentation.name)] if augmentation else []
    transform = v2.Compose(first + plain)
    on_gpu = device.type == "cuda"
    workers = min(8, usable_cores()) if on_gpu else 0
    return DataLoader(
        Pictures(images, labels, transform),
        batch_size=batch,
        shuffle=shuffle,
        num_workers=workers,
        pin_memory=on_gpu,
        persistent_workers=workers > 0,
    )


def plain(
    network: Network,
    data: Dataset,
    recipe: Recipe,
    augmentation: Augmentation | None,
    device: torch.device,
) -> list[float]:
    """Train, evaluate and analyse; the accuracy on each domain's tests."""
    network.to(device)
    groups = [
        {"params": network.encoder.parameters(), "lr": recipe.lr},
        {"params": network.head.parameters(), "lr": recipe.head_lr or recipe.lr},
    ]
    optimiser = torch.optim.Adam(groups)
    batches = loader(data.inputs, data.labels, augmentation, recipe.batch, True, device)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs * len(batches))
    for _ in range(recipe.epochs):
        network.train()
        for images, labels in batches:
            loss = F.cross_entropy(network(images.to(device)), labels.to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    network.eval()
    accuracies = []
    with torch.no_grad():
        for inputs, truth in data.tests.values():
            right = [
                (network(images.to(device)).argmax(1).cpu() == labels).float().sum()
                for images, labels in loader(inputs, truth, None, 128, False, device)
            ]
            accuracies.append(float(sum(right)) / len(truth))
    with contextlib.redirect_stdout(io.StringIO()):
        weightwatcher().WeightWatcher(model=network.cpu()).analyze()
    return accuracies
