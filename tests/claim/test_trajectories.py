"""The experiments behind claims/test_trajectories.py: shapes against scipy and planted truths,
augmentation of growing strength, networks side by side.
"""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes
from scipy.stats import special_ortho_group

from ddiv.study import Digits
from ddiv.trial.at_hand import Draws
from fixtures import shapes, side_by_side
from fixtures import trajectories as moved

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
X, Y, Z = (shapes.shape(RNG.normal(size=(40, 6))) for _ in range(3))


def replicate(train=60):
    return Draws(3, Digits(train, side=8), CPU)


def turned(X):
    return X @ special_ortho_group.rvs(X.shape[1], random_state=1)


# --- shapes ---------------------------------------------------------------------------------------


def test_shapes_know_no_shift_scale_rotation_or_reflection():
    mirrored = turned(3 * X * [1, 1, -1, 1, 1, 1]) + 5
    assert shapes.distance(X, shapes.shape(mirrored)) == pytest.approx(0, abs=1e-6)


def test_distances_are_scipys():
    """Its disparity is the square of the sine."""
    expected = np.arcsin(np.sqrt(procrustes(X, Y)[2]))
    assert shapes.distance(X, Y) == pytest.approx(expected)
    D = shapes.distances([X, Y, Z])
    assert np.allclose(D, D.T) and D[0, 1] == pytest.approx(expected) and not D.diagonal().any()


def test_a_direction_leads_to_where_it_was_found():
    ahead, by = shapes.direction(X, turned(Y)), shapes.distance(X, Y)
    reached = np.cos(by) * X + np.sin(by) * ahead
    assert shapes.distance(reached, Y) == pytest.approx(0, abs=1e-6)
    assert (ahead * X).sum() == pytest.approx(0, abs=1e-9)


def test_a_direction_is_carried_over_by_the_rotation_of_its_place():
    ahead = shapes.direction(X, Y)
    there = shapes.direction(turned(X), Y)
    assert shapes.angle(shapes.carried(turned(X), X, there), ahead) < 1e-3
    assert shapes.angle(there, ahead) > 30


def test_a_shortest_path_is_straight_in_its_own_order_only():
    ahead = shapes.direction(X, Y)
    D = shapes.distances([np.cos(by) * X + np.sin(by) * ahead for by in np.linspace(0, 1, 6)])
    assert shapes.straightness(D, range(6)) == pytest.approx(1)
    every = shapes.straightness_permuted(D, range(6))
    assert len(every) == 120 and np.count_nonzero(every > 0.999) == 1
    assert moved._above_median(D, range(6)) > 0.3


def test_without_any_order_the_median_is_no_bar():
    """The true order is one of all orders: it is above their median half of the time."""
    ups = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        D = shapes.distances([shapes.shape(rng.normal(size=(20, 3))) for _ in range(6)])
        ups += moved._above_median(D, range(6)) > 0
    assert 8 <= ups <= 32


def test_a_plane_shows_places_as_they_lie():
    points = np.array([[1.0, 1], [1, 3], [0, 2], [4, 4]])
    D = np.linalg.norm(points[:, None] - points[None], axis=2)
    found = shapes.plane(D, origin=0, ahead=1, above=3)
    assert np.allclose(np.linalg.norm(found[:, None] - found[None], axis=2), D)
    assert np.allclose(found[:2], [[0, 0], [2, 0]]) and found[3, 1] > 0


def test_what_is_given_explains_nothing_twice():
    z = RNG.normal(size=300)
    x, y = z + 0.1 * RNG.normal(size=300), z + 0.1 * RNG.normal(size=300)
    assert shapes.partial_correlation(x, y, [RNG.normal(size=300)]) > 0.9
    assert abs(shapes.partial_correlation(x, y, [z])) < 0.2
    assert shapes.partial_correlation(x, -x, [z]) < -0.9
    assert shapes.partial_correlation(z, y, [z]) == 0.0


# --- augmentation ---------------------------------------------------------------------------------


def test_strengths_share_what_is_drawn_and_do_what_they_say():
    images = torch.rand((5, 8, 8), generator=torch.Generator().manual_seed(0)) + 0.1
    by = {kind: moved.drawn(kind, 5, 8, torch.Generator().manual_seed(1)) for kind in moved.KINDS}
    cut = [moved.augmented("cutout", s, images, by["cutout"]) for s in moved.STRENGTHS]
    assert [(one == 0).sum(dim=(1, 2)).unique().tolist() for one in cut] == [
        [s * s] for s in moved.STRENGTHS
    ]
    small = 0.5 + torch.zeros(5, 8, 8)
    weak, strong = (moved.augmented("noise", s, small, by["noise"]) - 0.5 for s in (1, 2))
    inside = strong.abs() < 0.5
    assert torch.allclose(2 * weak[inside], strong[inside], atol=1e-6)
    quarter = moved.augmented("rotation", 1, images, torch.full((5,), 7.5))
    assert torch.allclose(quarter, images.rot90(-1, (1, 2)), atol=1e-5) or torch.allclose(
        quarter, images.rot90(1, (1, 2)), atol=1e-5
    )


# --- networks side by side ------------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch):
    kinds = {name: (kind, side_by_side.Recipe(2, 30, 5e-3)) for name, (kind, _) in KINDS.items()}
    monkeypatch.setattr(side_by_side, "KINDS", kinds)


KINDS = side_by_side.KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_networks_side_by_side_do_what_each_does_alone(short, kind):
    draws, rng = replicate(), torch.Generator().manual_seed(0)
    X, y = torch.rand((2, 60, 64), generator=rng), torch.randint(10, (2, 60), generator=rng)

    def outputs(places, inits):
        networks = side_by_side.trained(kind, inits, lambda _: (X[places], y[places]), draws)
        return side_by_side.seen_by(networks, len(inits), X[0])[1]

    both = outputs([0, 1], ["a", "b"])
    assert torch.allclose(both[0], outputs([0], ["a"])[0], atol=1e-3)
    assert torch.allclose(both[1], outputs([1], ["b"])[0], atol=1e-3)
    assert (both[0] - both[1]).abs().max() > 0.1
    same = outputs([0, 0], ["a", "a"])
    assert torch.equal(same[0], same[1])


def test_trajectories_are_the_draws_own_and_begin_at_the_baseline(short):
    found = moved.trajectories.function(replicate())
    assert found == moved.trajectories.function(replicate())
    assert found.keys() == moved.MEANINGS.keys() and np.isfinite(list(found.values())).all()
    here = [found[name] for name in ("x_plain_0", "y_plain_0", "y_noise_5")]
    assert here == pytest.approx([0, 0, 0], abs=1e-9) and found["x_noise_5"] > 0
    for kind in moved.KINDS:
        away = [found[f"away_{kind}_{strength}"] for strength in moved.STRENGTHS]
        assert all(weak < strong for weak, strong in pairwise(away[::2]))
