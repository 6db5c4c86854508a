"""Augmentations against torchvision itself: same kernels and distributions, a draw per image."""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare, ks_2samp
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from ddiv.treatment import images as A
from ddiv.treatment import names
from ddiv.treatment.images import AUGMENTATIONS, augment

torch.set_num_threads(1)
AUTOMATIC = ("auto", "rand", "augmix", "trivial")
NAMES = list(AUGMENTATIONS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n, side=32, seed=1):
    """Uniform noise of a different level and contrast in each image: batch-wide statistics would
    show.
    """
    generator = seeded(seed)
    noise = torch.rand((n, 3, side, side), generator=generator)
    low, span = torch.rand((2, n, 3, 1, 1), generator=generator)
    return (255 * (low * (1 - span) + span * noise)).to(torch.uint8)


def smooth_picture(side=32):
    ramp = torch.linspace(0, 255, side)
    across, down = ramp.expand(side, side), ramp[:, None].expand(side, side)
    return torch.stack([across, down, (across + down) / 2]).to(torch.uint8)


def distinct(images):
    return len(torch.unique(images.flatten(1), dim=0))


def per_image(name, images, op, magnitude):
    transform = A.torchvision_transform(name)
    return torch.stack(
        [
            transform._apply_image_or_video_transform(
                image, op, magnitude, interpolation=transform.interpolation, fill=transform._fill
            )
            for image in images
        ]
    )


def test_every_name_has_an_implementation_in_the_order_of_the_names():
    assert (*NAMES, *names.MIXING) == (
        *names.AUGMENTATIONS,
        *names.FURTHER[:1],
        *names.CODED,
        *names.GRADED,
        *names.MIXING,
    )
    assert {*NAMES, *names.MIXING} == {*names.KNOWN} and len(names.KNOWN) == len({*names.KNOWN})
    assert {*names.EXTREME, *names.EXTREME_CODED, *names.AS_CODED} <= set(NAMES)
    assert names.DESCRIBED["auto"] == "auto" and names.DESCRIBED["noise5"] == "noise50"
    assert {name for gradient in names.GRADIENTS for name in gradient} <= set(NAMES)


@pytest.mark.parametrize("gradient", names.GRADIENTS, ids=lambda gradient: gradient[-1])
def test_a_gradient_changes_images_more_from_name_to_name(gradient):
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (400, 3, 32, 32), dtype=torch.uint8, generator=rng)
    smooth = torch.nn.functional.avg_pool2d(images.float(), 9, 1, 4).to(torch.uint8)
    changes = [
        (augment(name, smooth, torch.Generator().manual_seed(1)).float() - smooth).abs().mean()
        for name in gradient
    ]
    assert changes == sorted(changes) and changes[-1] > 1.5 * changes[0]
    assert tuple(names.DESCRIBED.values()) == names.AUGMENTATIONS


@pytest.mark.parametrize("name", NAMES)
def test_identical_images_become_varied(name):
    images = smooth_picture().repeat(120, 1, 1, 1)
    out = augment(name, images, seeded())
    # the automatic ones can draw the same moves twice, or moves that change nothing; noise never
    # repeats. Of 32 x 32 places for cutout's square 120 draws leave 113.3 distinct on average, with
    # a deviation of 2.4
    kind = "rand" if name in names.GRADIENTS[1] else name
    least = {"auto": 30, "rand": 70, "trivial": 60, "augmix": 110, "cutout": 100}.get(kind, 120)
    assert distinct(out) >= least
    assert torch.equal(images, smooth_picture().repeat(120, 1, 1, 1)), "the input was changed"


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(name):
    images = pictures(20)
    torch.manual_seed(0)
    first = augment(name, images, seeded(3))
    torch.manual_seed(1)  # must not matter
    assert torch.equal(first, augment(name, images, seeded(3)))
    assert not torch.equal(first, augment(name, images, seeded(4)))


@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_the_global_generator(name):
    for shape in [(16, 16), (32, 32), (20, 40), (2, 3)]:
        images = torch.randint(0, 256, (9, 3, *shape), dtype=torch.uint8, generator=seeded())
        before = torch.get_rng_state()
        out = augment(name, images, seeded())
        assert torch.equal(before, torch.get_rng_state())
        assert out.shape == images.shape and out.dtype == torch.uint8
        assert augment(name, images[:0], seeded()).shape == (0, 3, *shape)


@pytest.mark.parametrize("name", ["auto", "trivial"])
def test_chunks_do_not_repeat_draws(name, monkeypatch):
    monkeypatch.setattr(A, "_CHUNK", 40 * 3 * 32 * 32)
    images = pictures(40)
    out = augment(name, images.repeat(2, 1, 1, 1), seeded())
    assert torch.equal(out[:40], augment(name, images, seeded()))
    assert not torch.equal(out[40:], out[:40])


@pytest.mark.parametrize("side", [16, 32])
@pytest.mark.parametrize("name,bins", [("auto", 10), ("rand", 31), ("augmix", 10), ("trivial", 31)])
def test_every_move_on_a_batch_equals_image_by_image(name, bins, side):
    """Bit for bit, for each operation and sign: the smallest, a middle, the largest magnitude."""
    flat = torch.full((1, 3, side, side), 90, dtype=torch.uint8)
    images = torch.cat([pictures(6, side), smooth_picture(side)[None], flat])
    moves, table = A._table(name, bins, side, side)
    assert table.shape == (len(A.torchvision_transform(name)._AUGMENTATION_SPACE), bins, 2)
    for number in table[:, [0, bins // 3, bins - 1]].unique().tolist():
        out = A.apply_moves(name, images, moves, torch.full((8,), number))
        assert torch.equal(out, per_image(name, images, *moves[number])), moves[number]


def test_mixed_groups_go_back_to_their_own_images():
    images = pictures(60)
    moves, chosen = A.draw("trivial", 60, 32, 32, seeded(5))
    assert len(chosen.unique()) > 20
    out = A.apply_moves("trivial", images, moves, chosen[:, 0])
    for before, after, number in zip(images, out, chosen[:, 0].tolist()):
        assert torch.equal(after, per_image("trivial", before[None], *moves[number])[0])


def test_table_magnitudes_are_torchvisions():
    moves, table = A._table("trivial", 31, 32, 32)
    ops = list(A.torchvision_transform("trivial")._AUGMENTATION_SPACE)
    rotations = [moves[number] for number in table[ops.index("Rotate"), 10].tolist()]
    assert rotations == [("Rotate", pytest.approx(45)), ("Rotate", pytest.approx(-45))]
    assert moves[0] == ("Identity", 0.0)
    assert [len(set(row.tolist())) for row in table[ops.index("Solarize")]] == [1] * 31  # unsigned


# --- the draws ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rand", "trivial", "augmix"])
def test_operations_and_signs_are_uniform(name):
    moves, chosen = A.draw(name, 20_000, 64, 64, seeded(2))
    if name == "augmix":
        chosen = chosen[:, :, :1]  # the only step that every chain has
    ops = list(A.torchvision_transform(name)._AUGMENTATION_SPACE)
    drawn = Counter(moves[number] for number in chosen.flatten().tolist())
    by_op = Counter()
    for (op, _), count in drawn.items():
        by_op[op] += count
    assert chisquare([by_op[op] for op in ops]).pvalue > 1e-4
    negative, positive = (sum(c for (_, m), c in drawn.items() if sign * m > 0) for sign in (-1, 1))
    unsigned = sum(c for (op, m), c in drawn.items() if m > 0 and op in ("Posterize", "Solarize"))
    assert chisquare([negative, positive - unsigned]).pvalue > 1e-4
    if name == "trivial":
        angles = Counter(abs(m) for (op, m), c in drawn.items() for _ in range(c) if op == "Rotate")
        assert len(angles) == 31 and chisquare(list(angles.values())).pvalue > 1e-4
    if name == "rand":
        # bin 9 of 31 over 0..30
        assert {round(abs(m), 4) for op, m in drawn if op == "Rotate"} == {9.0}


def test_augmix_severity_depth_and_independent_chains():
    moves, chosen = A.draw("augmix", 12_000, 64, 64, seeded(2))
    assert chosen.shape == (12_000, 3, 3)
    angles = Counter(
        round(abs(moves[k][1]), 3) for k in chosen.flatten().tolist() if moves[k][0] == "Rotate"
    )
    assert set(angles) == {0.0, 3.333, 6.667} and chisquare(list(angles.values())).pvalue > 1e-4
    depth = (chosen > 0).sum(-1)  # AugMix has no Identity of its own: number 0 is an unused step
    assert chisquare(depth.flatten().bincount(minlength=4)[1:]).pvalue > 1e-4
    codes = (depth - 1) @ torch.tensor([9, 3, 1])
    assert chisquare(codes.bincount(minlength=27)).pvalue > 1e-4


def test_augmix_weights_are_dirichlet():
    weights = A.draw_mixture(20_000, 3, seeded(2))
    assert weights.shape == (20_000, 4) and torch.allclose(
        weights.sum(1), torch.ones(20_000), atol=1e-5
    )
    uniform = torch.rand(20_000, generator=seeded(9))
    assert ks_2samp(weights[:, 0], uniform).pvalue > 1e-4  # Dirichlet(1, 1)
    # Dirichlet(1, 1, 1): first coordinate is Beta(1, 2)
    share = weights[:, 1] / (1 - weights[:, 0])
    assert ks_2samp(share, 1 - uniform.sqrt()).pvalue > 1e-4


def test_autoaugment_follows_the_policy_table():
    transform = A.torchvision_transform("auto")
    n = 40_000
    moves, chosen = A.draw("auto", n, 32, 32, seeded(2))
    expected = Counter()
    for first, second in transform._policies:
        for p, a in ((first[1], first[0]), (1 - first[1], "Identity")):
            for q, b in ((second[1], second[0]), (1 - second[1], "Identity")):
                expected[a, b] += p * q * n / len(transform._policies)
    seen = Counter((moves[a][0], moves[b][0]) for a, b in chosen.tolist())
    pairs = [pair for pair, count in expected.items() if count > 1]
    assert set(seen) <= set(pairs)
    assert (
        chisquare([seen[pair] for pair in pairs], [expected[pair] for pair in pairs]).pvalue > 1e-4
    )
    angles = Counter(round(moves[a][1], 3) for a, _ in chosen.tolist() if moves[a][0] == "Rotate")
    assert set(angles) == {10.0, -10.0, 26.667, -26.667, 30.0, -30.0}


@pytest.mark.parametrize("name", AUTOMATIC)
def test_same_distribution_as_torchvision_image_by_image(name):
    """End to end: how far a picture moves, ours in one batch against torchvision's own class called
    per image.
    """
    image = smooth_picture()
    torch.manual_seed(0)
    theirs = torch.stack([A.torchvision_transform(name)(image) for _ in range(500)])
    ours = augment(name, image.repeat(2_000, 1, 1, 1), seeded())
    for channel in range(3):
        moved = [
            (out[:, channel].float() - image[channel]).abs().mean((1, 2)) for out in (theirs, ours)
        ]
        assert ks_2samp(*moved).pvalue > 1e-4


def test_augmix_equals_torchvisions_formula_image_by_image():
    images = pictures(12)
    moves, chosen = A.draw("augmix", 12, 32, 32, seeded(6))
    weights = A.draw_mixture(12, 3, seeded(7))
    out = A.mix_chains(images, moves, chosen, weights)
    for i in range(12):
        mix = weights[i, 0] * images[i]
        for chain in range(3):
            picture = images[i][None]
            for number in chosen[i, chain].tolist():
                picture = per_image("augmix", picture, *moves[number])
            mix = mix + weights[i, 1 + chain] * picture[0]
        # truncation turns a last-bit difference of the float sum into one level, so a rare one is
        # allowed
        difference = (out[i].int() - mix.to(torch.uint8).int()).abs()
        assert difference.max() <= 1 and difference.float().mean() < 0.001


# --- noise, flips, elastic ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name,deviation", [("noise10", 0.1), ("noise30", 0.3), ("noise50", 0.5), ("noise5", 0.05)]
)
def test_noise_has_its_deviation_and_is_clipped(name, deviation):
    grey = torch.full((60, 3, 32, 32), 128, dtype=torch.uint8)
    out = augment(name, grey, seeded()).float()
    if name == "noise10":  # five deviations from either end: clipping cannot matter
        assert out.std().item() == pytest.approx(25.5, rel=0.01)
        assert out.mean().item() == pytest.approx(128, abs=0.3)
        assert (out[0] - out[1]).std().item() == pytest.approx(25.5 * 2**0.5, rel=0.05)
    normal = torch.distributions.Normal(128, 255 * deviation)
    for end, share in (
        (0, normal.cdf(torch.tensor(0.5))),
        (255, 1 - normal.cdf(torch.tensor(254.5))),
    ):
        assert (out == end).float().mean().item() == pytest.approx(share.item(), abs=0.004)


def test_flips_are_halves_and_independent():
    flips = A.draw_flips(20_000, seeded(2)).long()
    assert chisquare((flips @ torch.tensor([2, 1])).bincount(minlength=4)).pvalue > 1e-4


def test_flips_are_applied_as_drawn():
    images = pictures(30)
    out = A._flips(images, seeded(2))
    for before, after, (horizontal, vertical) in zip(
        images, out, A.draw_flips(30, seeded(2)).tolist()
    ):
        before = F.horizontal_flip(before) if horizontal else before
        assert torch.equal(after, F.vertical_flip(before) if vertical else before)


def test_variants_compose_in_the_papers_order():
    images = pictures(10)
    for name, last in (("auto-v1", None), ("auto-v2", A._flips), ("auto-v3", A._elastic)):
        generator = seeded(8)
        expected = augment("noise50", augment("auto", images, generator), generator)
        expected = last(expected, generator) if last else expected
        assert torch.equal(augment(name, images, seeded(8)), expected)


@pytest.mark.parametrize("name,deviation", [("noise1", 0.01), ("noise3", 0.03), ("noise5", 0.05)])
def test_noise_as_coded_is_a_tenth_as_strong(name, deviation):
    grey = torch.full((60, 3, 32, 32), 128, dtype=torch.uint8)
    out = augment(name, grey, seeded()).float()
    rounding = 1 / 12
    assert out.var().item() == pytest.approx((255 * deviation) ** 2 + rounding, rel=0.02)
    assert out.mean().item() == pytest.approx(128, abs=0.1)


def test_variants_as_coded_compose_in_the_codes_order_with_noise_last():
    images = pictures(60)
    for name, vertical in (("auto-v1-coded", None), ("auto-v2-coded", 0.3), ("auto-v3-coded", 0.0)):
        generator = seeded(8)
        expected = augment("auto", images, generator)
        if vertical is not None:
            flips = torch.rand((60, 2), generator=generator) < torch.tensor([0.5, vertical])
            expected = A.flipped(expected, flips)
        if name == "auto-v3-coded":
            field = A.draw_displacement(60, 32, 32, generator, 40.0, 6.0)
            expected = torch.stack(
                [
                    F.elastic(one.float(), by[None], v2.InterpolationMode.BICUBIC, fill=[0.0])
                    for one, by in zip(expected, field)
                ]
            )
            expected = expected.round().clamp(0, 255).to(torch.uint8)
        expected = augment("noise5", expected, generator)
        assert torch.equal(augment(name, images, seeded(8)), expected), name


def test_flips_as_coded_have_their_chances():
    images = pictures(2).repeat_interleave(4000, dim=0)
    out = A._flips_by_chance(0.5, 0.3, images, seeded(3))
    mirrored = [images, images.flip(-1), images.flip(-2), images.flip(-1, -2)]
    shares = [(out == each).flatten(1).all(1).float().mean().item() for each in mirrored]
    assert shares == pytest.approx([0.35, 0.35, 0.15, 0.15], abs=0.02)


def test_a_displacement_as_coded_is_torchvisions():
    noise = torch.rand((4, 2, 64, 64), generator=seeded(4)) * 2 - 1
    expected = F.gaussian_blur(noise, [49, 49], [6.0, 6.0]).permute(0, 2, 3, 1) * 40 / 64
    found = A.draw_displacement(4, 64, 64, seeded(4), 40.0, 6.0)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("height,width", [(32, 32), (16, 16), (24, 48)])
def test_elastic_equals_torchvisions_for_each_displacement(height, width):
    images = torch.randint(0, 256, (8, 3, height, width), dtype=torch.uint8, generator=seeded())
    displacement = A.draw_displacement(8, height, width, seeded(4)) * 3
    out = A.warp(images, displacement)
    assert not torch.equal(out, images)
    for i in range(8):
        expected = F.elastic(images[i], displacement[i : i + 1], fill=[0.0])
        assert torch.equal(A.warp(images[i : i + 1], displacement[i : i + 1])[0], expected)
        assert torch.equal(out[i], expected)


@pytest.mark.parametrize(
    "height,width,sigma,alpha",
    [(32, 32, 5.0, 50.0), (48, 64, 5.0, 50.0), (16, 16, 2.5, 25.0), (24, 40, 3.75, 37.5)],
)
def test_displacement_is_torchvisions_blur_of_uniform_noise(height, width, sigma, alpha):
    noise = torch.rand((4, 2, height, width), generator=seeded(4)) * 2 - 1
    kernel = int(8 * sigma + 1) + (int(8 * sigma + 1) % 2 == 0)
    blurred = F.gaussian_blur(noise, [kernel, kernel], [sigma, sigma])
    expected = torch.stack([blurred[:, 0] * alpha / width, blurred[:, 1] * alpha / height], dim=-1)
    torch.testing.assert_close(
        A.draw_displacement(4, height, width, seeded(4)), expected, rtol=0, atol=2e-6
    )


# --- inputs and torchvision's privates ---------------------------------------------------------


def test_bad_input():
    good = pictures(2)
    with pytest.raises(ValueError, match="auto-v3"):
        augment("posterise", good, seeded())
    with pytest.raises(ValueError, match="float32"):
        augment("auto", good.float(), seeded())
    for bad in (good[0], good[:, :1], good.permute(0, 2, 3, 1), good[:, :, :1]):
        with pytest.raises(ValueError, match="n, 3, h, w"):
            augment("auto", bad, seeded())


@pytest.mark.parametrize("name", NAMES)
def test_greyscale_as_three_channels(name):
    # a view with stride 0, as a loader may hand over
    grey = pictures(30)[:, :1].expand(-1, 3, -1, -1)
    out = augment(name, grey, seeded())
    assert torch.equal(out, augment(name, grey.contiguous(), seeded()))
    if name in AUTOMATIC:  # these treat channels alike; the noise is drawn per channel
        assert torch.equal(out[:, 0], out[:, 1]) and torch.equal(out[:, 0], out[:, 2])


def test_torchvisions_privates_are_there_and_their_loss_is_named(monkeypatch):
    for name in AUTOMATIC:
        A.torchvision_transform(name)
    assert A.torchvision_transform("augmix").alpha == 1  # draw_mixture relies on it
    monkeypatch.setitem(vars(A), "_AUTOMATIC", {"gone": (object, ("_policies",))})
    with pytest.raises(RuntimeError, match=r"torchvision \d.*_policies"):
        A.torchvision_transform("gone")


@pytest.mark.cuda
def test_cuda_images_with_a_cpu_generator_match_the_cpu():
    images = pictures(40)
    for name in NAMES:
        out = augment(name, images.cuda(), seeded())
        assert out.is_cuda and out.dtype == torch.uint8, name
        # rounding of the last bit
        assert (out.cpu() != augment(name, images, seeded())).float().mean() < 0.02, name
        on_device = torch.Generator("cuda").manual_seed(0)
        assert augment(name, images.cuda(), on_device).is_cuda, name
