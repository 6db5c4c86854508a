"""Outer shapes and inner motifs of the embedded image world, as signed distances.

Every function takes object coordinates `u` (right) and `v` (up), float32 arrays of one shape in
which an object of radius 1 fills about [-1, 1], and returns an array of that shape. A shape is
negative inside and about the distance to its edge outside; a motif is positive where the second
colour goes. Both have a slope of about 1 at their zero line, so that edges and pen lines drawn
from them have the same width everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

Field = Callable[[Array, Array], Array]

_SQRT3_2 = np.float32(np.sqrt(3) / 2)


def _union(first: Array, second: Array) -> Array:
    """The shape of all points in either of two shapes."""
    field: Array = np.minimum(first, second)
    return field


def _overlap(first: Array, second: Array) -> Array:
    """The shape of all points in both of two shapes."""
    field: Array = np.maximum(first, second)
    return field


def _length(u: Array, v: Array) -> Array:
    """The distance of points from the origin."""
    field: Array = np.hypot(u, v)
    return field


def _sin(phase: Array) -> Array:
    field: Array = np.sin(phase)
    return field


def _disc(u: Array, v: Array, cx: float, cy: float, r: float) -> Array:
    """A disc of radius r around (cx, cy)."""
    return _length(u - np.float32(cx), v - np.float32(cy)) - np.float32(r)


def _box(u: Array, v: Array, cx: float, cy: float, w: float, h: float) -> Array:
    """A box around (cx, cy), 2 w wide and 2 h high."""
    across = np.abs(u - np.float32(cx)) - np.float32(w)
    along = np.abs(v - np.float32(cy)) - np.float32(h)
    return _overlap(across, along)


def _folded(u: Array, v: Array, k: int) -> tuple[Array, Array]:
    """Polar coordinates folded k times: radius, and angle in [0, pi/k] from the nearest arm.

    One of the k arms points up.
    """
    radius = _length(u, v)
    sector = np.float32(2 * np.pi / k)
    turn = np.arctan2(u, v) / sector
    return radius, np.abs(turn - np.round(turn)) * sector


def circle(u: Array, v: Array) -> Array:
    """A disc."""
    return _disc(u, v, 0, 0, 0.88)


def square(u: Array, v: Array) -> Array:
    """A square with its sides upright."""
    return _box(u, v, 0, 0, 0.78, 0.78)


def triangle(u: Array, v: Array) -> Array:
    """A triangle on its base."""
    sides = _SQRT3_2 * np.abs(u) + np.float32(0.5) * v - np.float32(0.5)
    return _overlap(-v - np.float32(0.62), sides)


def hexagon(u: Array, v: Array) -> Array:
    """A regular hexagon with its top and bottom level."""
    a = np.abs(u)
    return _overlap(np.abs(v), _SQRT3_2 * a + np.float32(0.5) * np.abs(v)) - np.float32(0.8)


def star(u: Array, v: Array) -> Array:
    """A star with five points, one of them up."""
    radius, angle = _folded(u, v, 5)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    # Edge from the tip (1.1, 0) to the notch at 36 degrees, radius .52.
    tip, nx, ny = 1.1, 0.52 * np.cos(np.pi / 5), 0.52 * np.sin(np.pi / 5)
    length = np.hypot(nx - tip, ny)
    return ((x - np.float32(tip)) * np.float32(ny) - y * np.float32(nx - tip)) / np.float32(length)


def heart(u: Array, v: Array) -> Array:
    """A square on its corner and a disc on each of its upper sides."""
    a, lift = np.abs(u), v + np.float32(0.18)
    diamond = (a + np.abs(lift) - np.float32(0.82)) * np.float32(0.7071)
    return _union(diamond, _disc(a, lift, 0.41, 0.41, 0.58))


def cross(u: Array, v: Array) -> Array:
    """An upright cross with arms of equal length."""
    return _union(_box(u, v, 0, 0, 0.36, 0.92), _box(u, v, 0, 0, 0.92, 0.36))


def moon(u: Array, v: Array) -> Array:
    """A crescent, open to the right."""
    return _overlap(_disc(u, v, -0.05, 0, 0.92), -_disc(u, v, 0.62, 0.12, 0.66))


def flower(u: Array, v: Array) -> Array:
    """Six petals around a disc."""
    radius, angle = _folded(u, v, 6)
    petal = _disc(radius * np.cos(angle), radius * np.sin(angle), 0.62, 0, 0.33)
    return _union(petal, radius - np.float32(0.58))


def house(u: Array, v: Array) -> Array:
    """A box under a gable roof."""
    roof = _overlap(np.float32(0.7) * (np.abs(u) + v - np.float32(0.98)), -v)
    return _union(_box(u, v, 0, -0.3, 0.68, 0.55), roof)


def fish(u: Array, v: Array) -> Array:
    """An ellipse with a triangular tail on the left."""
    radius = _length((u - np.float32(0.2)) / np.float32(0.78), v / np.float32(0.6))
    body = np.float32(0.62) * (radius - 1)
    ends = _overlap(u + np.float32(0.38), -u - np.float32(0.98))
    tail = _overlap(ends, np.float32(0.7) * (np.abs(v) + u + np.float32(0.28)))
    return _union(body, tail)


def arrow(u: Array, v: Array) -> Array:
    """An arrow to the right: a head with its tip at u = 1 and a shaft to the left."""
    head = _overlap(-u - np.float32(0.05), np.float32(0.7) * (u + np.abs(v) - np.float32(0.98)))
    return _union(head, _box(u, v, -0.45, 0, 0.5, 0.38))


def stripes(u: Array, v: Array) -> Array:
    """Horizontal stripes."""
    return _sin(9 * v) / 9


def bars(u: Array, v: Array) -> Array:
    """Vertical bars."""
    return _sin(9 * u) / 9


def checks(u: Array, v: Array) -> Array:
    """A chequerboard."""
    return _sin(np.float32(6.5) * u) * _sin(np.float32(6.5) * v) / 5


def dots(u: Array, v: Array) -> Array:
    """A square grid of dots."""
    columns, rows = np.cos(np.float32(8.5) * u), np.cos(np.float32(8.5) * v)
    field: Array = (columns + rows - np.float32(0.55)) / 10
    return field


def rings(u: Array, v: Array) -> Array:
    """Concentric rings."""
    return _sin(9 * _length(u, v) + np.float32(1.2)) / 9


def spot(u: Array, v: Array) -> Array:
    """A disc in the middle."""
    return np.float32(0.36) - _length(u, v)


def half(u: Array, v: Array) -> Array:
    """The lower half."""
    return -v - np.float32(0.05)


def wedges(u: Array, v: Array) -> Array:
    """Three wedges that meet in the middle."""
    return _sin(3 * np.arctan2(u, v)) * _length(u, v) / 3


def chevrons(u: Array, v: Array) -> Array:
    """Nested chevrons, pointing down."""
    return _sin(7 * (v - np.abs(u))) / 10


def diagonals(u: Array, v: Array) -> Array:
    """Diagonal stripes, falling to the right."""
    return _sin(np.float32(6.4) * (u + v)) / 9


SHAPES: MappingProxyType[str, Field] = MappingProxyType(
    {
        "circle": circle,
        "square": square,
        "triangle": triangle,
        "hexagon": hexagon,
        "star": star,
        "heart": heart,
        "cross": cross,
        "moon": moon,
        "flower": flower,
        "house": house,
        "fish": fish,
        "arrow": arrow,
    }
)

MOTIFS: MappingProxyType[str, Field] = MappingProxyType(
    {
        "stripes": stripes,
        "bars": bars,
        "checks": checks,
        "dots": dots,
        "rings": rings,
        "a spot": spot,
        "a filled half": half,
        "wedges": wedges,
        "chevrons": chevrons,
        "diagonals": diagonals,
    }
)
