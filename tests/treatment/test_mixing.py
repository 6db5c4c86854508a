"""mixup and CutMix: images and labels mixed by the same shares."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch.nn import functional as F

from ddiv.treatment.images import augment
from ddiv.treatment.mixing import augmented, mean_loss
from ddiv.treatment.names import MIXING


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(n, side=16):
    return torch.randint(0, 256, (n, 3, side, side), generator=seeded(1), dtype=torch.uint8)


def test_mixup_is_the_weighted_mean_of_two_images():
    images = noise(40)
    out, mixed = augmented("mixup", images, seeded())
    share = mixed.weight[:, None, None, None]
    expected = share * images.double() + (1 - share) * images[mixed.partner].double()
    assert (out.double() - expected).abs().max() <= 0.5 + 1e-3 and out.dtype == torch.uint8


def test_cutmix_pastes_one_box_whose_area_is_what_the_label_loses():
    images = (
        torch.arange(60, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 16, 16).contiguous()
    )
    out, mixed = augmented("cutmix", images, seeded())
    for i in range(60):
        own = out[i] == images[i]
        if mixed.partner[i] == i:
            assert own.all()
            continue
        pasted = ~own
        assert (out[i][pasted] == images[mixed.partner[i]].max()).all() and torch.equal(
            pasted[0], pasted[2]
        )
        assert float(mixed.weight[i]) == pytest.approx(float(own[0].float().mean()))
        rows, columns = (
            pasted[0].any(dim=1).nonzero().ravel(),
            pasted[0].any(dim=0).nonzero().ravel(),
        )
        assert pasted[0].sum() == len(rows) * len(columns)  # a box
        assert len(rows) == 0 or (
            rows.max() - rows.min() + 1 == len(rows)
            and columns.max() - columns.min() + 1 == len(columns)
        )


@pytest.mark.parametrize("name", MIXING)
def test_partners_are_a_permutation_and_shares_are_drawn_per_image(name):
    _, mixed = augmented(name, noise(500), seeded())
    assert torch.equal(mixed.partner.sort().values, torch.arange(500))
    # boxes of 16 by 16 pixels have few areas
    assert len(mixed.weight.unique()) > (400 if name == "mixup" else 50)
    assert 0 <= float(mixed.weight.min()) and float(mixed.weight.max()) <= 1


def test_mixup_shares_are_uniform():
    """Beta(1, 1)."""
    _, mixed = augmented("mixup", noise(2000, 2), seeded())
    assert kstest(mixed.weight.numpy(), "uniform").pvalue > 1e-3


def test_cutmix_shares_are_those_of_its_boxes():
    """A square of area 1 - u with a uniform centre, cut at the border, loses what lies beyond: the
    mean, by simulation.
    """
    rng = np.random.default_rng(0)
    half = np.sqrt(1 - rng.random(200_000)) / 2
    sides = [np.minimum(c + half, 1) - np.maximum(c - half, 0) for c in rng.random((2, 200_000))]
    _, mixed = augmented("cutmix", noise(4000, 32), seeded())
    assert float(mixed.weight.mean()) == pytest.approx(
        1 - float((sides[0] * sides[1]).mean()), abs=0.02
    )


@pytest.mark.parametrize("name", MIXING)
def test_the_loss_is_the_cross_entropy_with_the_mixed_labels(name):
    _, mixed = augmented(name, noise(30), seeded())
    labels, index = torch.randint(0, 4, (30,), generator=seeded(2)), torch.tensor([3, 7, 29, 0])
    outputs = torch.randn((4, 4), generator=seeded(3))
    soft = (
        mixed.weight[:, None] * F.one_hot(labels, 4)
        + (1 - mixed.weight[:, None]) * F.one_hot(labels[mixed.partner], 4)
    )[index]
    loss = mean_loss(None, outputs, labels[index], *mixed.targets(labels, index))
    assert float(loss) == pytest.approx(float(F.cross_entropy(outputs, soft)), rel=1e-6)


@pytest.mark.parametrize("name", MIXING)
def test_the_seed_decides_and_the_input_stays(name):
    images = noise(20)
    copy = images.clone()
    first, second, other = (augmented(name, images, seeded(seed))[0] for seed in (5, 5, 6))
    assert (
        torch.equal(first, second) and not torch.equal(first, other) and torch.equal(images, copy)
    )


def test_augmentations_that_mix_nothing_are_as_they_are_and_unknown_ones_are_refused():
    out, mixed = augmented("noise10", noise(8), seeded(4))
    assert mixed is None and torch.equal(out, augment("noise10", noise(8), seeded(4)))
    with pytest.raises(ValueError, match="unknown augmentation 'cutmixup'"):
        augmented("cutmixup", noise(2), seeded())


@pytest.mark.parametrize("name", MIXING)
def test_one_image_is_mixed_with_itself(name):
    images = noise(1)
    out, mixed = augmented(name, images, seeded())
    assert torch.equal(out, images) and mixed.partner.tolist() == [0]
