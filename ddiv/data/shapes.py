"""Outer shapes and inner motifs of the embedded image world, as signed distances.

Every function takes object coordinates ``u`` (right) and ``v`` (up), float32 arrays of one shape in
which an object of radius 1 fills about [-1, 1], and returns an array of that shape.  A shape is
negative inside and about the distance to its edge outside; a motif is positive where the second
colour goes.  Both have a slope of about 1 at their zero line, so that edges and pen lines drawn
from them have the same width everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

Field = Callable[[np.ndarray, np.ndarray], np.ndarray]
_SQRT3_2 = np.float32(np.sqrt(3) / 2)


def _disc(u, v, cx, cy, r):
    return np.hypot(u - np.float32(cx), v - np.float32(cy)) - np.float32(r)


def _box(u, v, cx, cy, w, h):
    return np.maximum(
        np.abs(u - np.float32(cx)) - np.float32(w), np.abs(v - np.float32(cy)) - np.float32(h)
    )


def _folded(u, v, k):
    """Polar coordinates folded k times: (radius, angle in [0, pi/k] from the nearest arm, one arm
    up).
    """
    radius = np.hypot(u, v)
    sector = np.float32(2 * np.pi / k)
    turn = np.arctan2(u, v) / sector
    return radius, np.abs(turn - np.round(turn)) * sector


def circle(u, v):
    return _disc(u, v, 0, 0, 0.88)


def square(u, v):
    return _box(u, v, 0, 0, 0.78, 0.78)


def triangle(u, v):
    return np.maximum(
        -v - np.float32(0.62), _SQRT3_2 * np.abs(u) + np.float32(0.5) * v - np.float32(0.5)
    )


def hexagon(u, v):
    a = np.abs(u)
    return np.maximum(np.abs(v), _SQRT3_2 * a + np.float32(0.5) * np.abs(v)) - np.float32(0.8)


def star(u, v):
    radius, angle = _folded(u, v, 5)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    # Edge from the tip (1.1, 0) to the notch at 36 degrees, radius .52.
    tip, nx, ny = 1.1, 0.52 * np.cos(np.pi / 5), 0.52 * np.sin(np.pi / 5)
    length = np.hypot(nx - tip, ny)
    return ((x - np.float32(tip)) * np.float32(ny) - y * np.float32(nx - tip)) / np.float32(length)


def heart(u, v):
    a, lift = np.abs(u), v + np.float32(0.18)
    diamond = (a + np.abs(lift) - np.float32(0.82)) * np.float32(0.7071)
    return np.minimum(diamond, _disc(a, lift, 0.41, 0.41, 0.58))


def cross(u, v):
    return np.minimum(_box(u, v, 0, 0, 0.36, 0.92), _box(u, v, 0, 0, 0.92, 0.36))


def moon(u, v):
    return np.maximum(_disc(u, v, -0.05, 0, 0.92), -_disc(u, v, 0.62, 0.12, 0.66))


def flower(u, v):
    radius, angle = _folded(u, v, 6)
    petal = _disc(radius * np.cos(angle), radius * np.sin(angle), 0.62, 0, 0.33)
    return np.minimum(petal, radius - np.float32(0.58))


def house(u, v):
    roof = np.maximum(np.float32(0.7) * (np.abs(u) + v - np.float32(0.98)), -v)
    return np.minimum(_box(u, v, 0, -0.3, 0.68, 0.55), roof)


def fish(u, v):
    body = np.float32(0.62) * (
        np.hypot((u - np.float32(0.2)) / np.float32(0.78), v / np.float32(0.6)) - 1
    )
    a = np.abs(v)
    tail = np.maximum(
        np.maximum(u + np.float32(0.38), -u - np.float32(0.98)),
        np.float32(0.7) * (a + u + np.float32(0.28)),
    )
    return np.minimum(body, tail)


def arrow(u, v):
    """Points right: a head with its tip at u = 1 and a shaft to the left."""
    head = np.maximum(-u - np.float32(0.05), np.float32(0.7) * (u + np.abs(v) - np.float32(0.98)))
    return np.minimum(head, _box(u, v, -0.45, 0, 0.5, 0.38))


def stripes(u, v):
    return np.sin(9 * v) / 9


def bars(u, v):
    return np.sin(9 * u) / 9


def checks(u, v):
    return np.sin(np.float32(6.5) * u) * np.sin(np.float32(6.5) * v) / 5


def dots(u, v):
    return (np.cos(np.float32(8.5) * u) + np.cos(np.float32(8.5) * v) - np.float32(0.55)) / 10


def rings(u, v):
    return np.sin(9 * np.hypot(u, v) + np.float32(1.2)) / 9


def spot(u, v):
    return np.float32(0.36) - np.hypot(u, v)


def half(u, v):
    return -v - np.float32(0.05)


def wedges(u, v):
    return np.sin(3 * np.arctan2(u, v)) * np.hypot(u, v) / 3


def chevrons(u, v):
    return np.sin(7 * (v - np.abs(u))) / 10


def diagonals(u, v):
    return np.sin(np.float32(6.4) * (u + v)) / 9


SHAPES: MappingProxyType[str, Field] = MappingProxyType(
    {
        f.__name__: f
        for f in (
            circle,
            square,
            triangle,
            hexagon,
            star,
            heart,
            cross,
            moon,
            flower,
            house,
            fish,
            arrow,
        )
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
