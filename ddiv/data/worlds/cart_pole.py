"""What a controller of a cart with a pole does, as examples for a policy network to clone.

The cart and its pole are those of Barto, Sutton and Anderson (1983) without friction, with the
equations of Florian (2007), in steps of 20 ms. The controller pushes with a force that is linear in
the state: a linear-quadratic regulator, made for the cart as designed. Gusts keep the cart moving.
Sensors read position, speed, angle and angular speed with an error of .5 % of their range.

An example is an image of `history` x 4 pixels, the last reading in the last row, each reading from
the least to the most that its sensor shows; its three channels are equal. Its class is the level of
the force at that moment: one of 64, which are equally likely in the cart as designed. Elsewhere the
cart is another and the controller the same, so states are new and what is right in them is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ddiv.data.dataset import Dataset
from ddiv.study import CartPole

Floats = NDArray[np.float64]

VERSION = 1  # raise it when examples change, so that old results go stale

LEVELS = 64

# Of the state (position in m, speed, angle in rad, angular speed), in N: by
# scipy.linalg.solve_discrete_are for the cart as designed, with weights 1, .1, 10, .1 of the state
# and .05 of the force.
GAINS = (-3.97, -5.45, -45.5, -11.3)

# The most that each sensor shows, and the standard deviation of its error as a share of its range.
RANGES = (2.4, 3.0, 0.4, 3.0)
ERROR = 0.005

STEP, GRAVITY, CART = 0.02, 9.8, 1.0  # s, m / s^2, kg

# How many carts are pushed at once, and how many examples each gives.
CARTS, WINDOWS = 512, 12

# A domain whose rarest level is not seen in so many runs of all carts has none of it.
MOST_RUNS = 50


class Cart(NamedTuple):
    """A pole's mass (kg) and half its length (m), and the track's viscous friction (N s / m)."""

    mass: float = 0.1
    half: float = 0.5
    friction: float = 0.0


DOMAINS = {
    "as designed": Cart(),
    "long pole": Cart(half=0.8),
    "heavy pole": Cart(mass=1.0),
    "rough track": Cart(friction=3.0),
}


def load_cart_pole(spec: CartPole) -> Dataset:
    """Training examples of the cart as designed, and tests of every domain, each level as often.

    Raises ValueError where the spec asks for another version than this code makes.
    """
    if spec.version != VERSION:
        raise ValueError(
            f"this ddiv makes version {VERSION} of the cart and its pole, the spec asks for "
            f"{spec.version}: install the ddiv that made it, or take the profile's present studies"
        )
    first, *_ = DOMAINS
    _, forces = next(_runs(DOMAINS[first], spec.history, 3 * spec.seed))
    edges = np.quantile(forces, np.arange(1, LEVELS) / LEVELS)
    inputs, labels = _balanced(first, edges, spec.train_per_class, spec.history, 3 * spec.seed + 1)
    tests = {
        domain: _balanced(domain, edges, spec.test_per_class, spec.history, 3 * spec.seed + 2)
        for domain in DOMAINS
    }
    return Dataset(inputs, labels, tests, tuple(f"level {i + 1}" for i in range(LEVELS)))


def _balanced(
    domain: str, edges: Floats, per_level: int, history: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """As many examples of each level: images uint8 (n, 3, history, 4), levels int64 (n,) rising."""
    found: list[list[np.ndarray]] = [[] for _ in range(LEVELS)]
    for _, (readings, forces) in zip(range(MOST_RUNS), _runs(DOMAINS[domain], history, seed)):
        for reading, level in zip(readings, np.searchsorted(edges, forces)):
            found[level].append(reading)
        if min(map(len, found)) >= per_level:
            break
    else:
        raise ValueError(
            f"the cart {domain!r} shows a level of force fewer than {per_level} times in "
            f"{MOST_RUNS} runs: ask for fewer examples a class"
        )
    images = np.stack([reading for of_level in found for reading in of_level[:per_level]])
    return np.repeat(images[:, None], 3, axis=1), np.repeat(np.arange(LEVELS), per_level)


def _runs(cart: Cart, history: int, seed: int) -> Iterator[tuple[np.ndarray, Floats]]:
    """Runs of all carts without end: readings uint8 (n, history, 4) and the last forces (n,)."""
    # Not a Generator's normal(): NumPy does not promise its numbers.
    raw = np.random.PCG64(seed)
    while True:
        yield _run(cart, history, raw)


def _normals(raw: np.random.PCG64, *shape: int) -> Floats:
    uniform = (raw.random_raw(int(np.prod(shape))) >> np.uint64(11)) * 2.0**-53 + 2.0**-54
    normals: Floats = ndtri(uniform).reshape(shape)
    return normals


def _run(cart: Cart, history: int, raw: np.random.PCG64) -> tuple[np.ndarray, Floats]:
    state = _normals(raw, 4, CARTS) * np.array([[0.5], [0.3], [0.05], [0.3]])
    readings, forces = [], []
    for _ in range(WINDOWS):
        gusts = _normals(raw, history, CARTS) * 4 + _normals(raw, CARTS) * 2
        errors = _normals(raw, history, 4, CARTS) * ERROR
        window = []
        for gust, error in zip(gusts, errors):
            window.append(_read(state, error))
            force = -(np.array(GAINS) @ state)
            state = _moved(cart, state, force + gust)
        readings.append(np.stack(window, axis=1))
        forces.append(force)
    return np.concatenate(readings), np.concatenate(forces)


def _read(state: Floats, error: Floats) -> np.ndarray:
    """What sensors show, uint8 (carts, 4), of a state (4, carts)."""
    share = (state.T / RANGES + 1) / 2 + error.T
    shown: np.ndarray = np.clip(np.round(255 * share), 0, 255).astype(np.uint8)
    return shown


def _moved(cart: Cart, state: Floats, force: Floats) -> Floats:
    """The state (4, carts) one step later (semi-implicit Euler), under a force (carts,)."""
    position, speed, angle, turning = state
    total, sine, cosine = CART + cart.mass, np.sin(angle), np.cos(angle)
    pushed = force - cart.friction * speed + cart.mass * cart.half * turning**2 * sine
    spin = (GRAVITY * sine - cosine * pushed / total) / (
        cart.half * (4 / 3 - cart.mass * cosine**2 / total)
    )
    speed = speed + STEP * (pushed - cart.mass * cart.half * spin * cosine) / total
    turning = turning + STEP * spin
    moved: Floats = np.stack([position + STEP * speed, speed, angle + STEP * turning, turning])
    return moved
