"""Draws the documentation's pictures: docs/images/capital.svg and docs/images/specific.svg.

    python benchmarks/pictures.py

The first is computed by `ddiv.evidence`; the second is a sketch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ddiv.evidence import log_capital

IMAGES = Path(__file__).parent.parent / "docs" / "images"
WIDTH, HEIGHT = 620, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 600, 20, 250
BLUE, BROWN, GREY, INK = "#0b5394", "#b45309", "#8a8a8a", "#222222"

Point = tuple[float, float]

# The signs of a claim's effects, seed by seed, and what the line is called.
SEQUENCES = (
    ("all agree", (1,) * 14, BLUE, (6.5, 4.9)),
    ("one against", (1, 1, -1) + (1,) * 11, BROWN, (10.6, 1.5)),
    ("mixed", (1, -1, 1, 1, -1, 1, -1, -1, 1, -1, 1, 1, -1, 1), GREY, (12.2, -1.3)),
)
ALPHA = 0.05


def main() -> None:
    for name, text in pictures().items():
        (IMAGES / name).write_text(text, "utf-8")


def pictures() -> dict[str, str]:
    """The text of each picture, by the name of its file."""
    return {"capital.svg": capital(), "specific.svg": specific()}


def capital() -> str:
    """The capital of the bet for a claim, which has half of all, after each seed; a log scale."""
    low, high, seeds = -3.0, 6.0, 14
    marks = [0.25, 1, 5, 1 / ALPHA, 100]

    def at(seed: float, log: float) -> Point:
        x = LEFT + (RIGHT - LEFT) * seed / seeds
        return x, BOTTOM - (BOTTOM - TOP) * (log - low) / (high - low)

    parts = [_axes("seeds", "capital")]
    for mark in marks:
        _, y = at(0, math.log(mark))
        parts += [_text(LEFT - 8, y + 4, f"{mark:g}", GREY, "end")]
    parts += [_text(at(n, 0)[0], BOTTOM + 16, str(n), GREY, "middle") for n in range(2, 15, 2)]
    bar = math.log(1 / ALPHA)
    parts += [_line([at(0, bar), at(seeds, bar)], INK, dashed=True)]
    parts += [_text(LEFT + 6, at(0, bar)[1] - 6, "supported: 1/α = 20", INK)]
    for name, signs, colour, place in SEQUENCES:
        logs = math.log(1 / 2) + np.array([0.0, *log_capital(np.array(signs, float))])
        shown = [at(seed, log) for seed, log in enumerate(logs) if log <= high]
        parts += [_line(shown, colour), *(_dot(point, colour) for point in shown)]
        parts += [_text(*at(*place), name, colour)]
    return _svg(parts)


def specific() -> str:
    """A sketch of the two curves of an optimiser, and of an arm beyond both."""

    def at(loss: float, outcome: float) -> Point:
        return LEFT + (RIGHT - LEFT) * loss, BOTTOM - (BOTTOM - TOP) * outcome

    losses = [n / 20 for n in range(1, 20)]
    rates = [at(loss, 0.22 + 0.42 * loss) for loss in losses]
    lengths = [at(loss, 0.14 + 0.3 * loss * loss) for loss in losses]
    arm, curve = at(0.55, 0.86), at(0.55, 0.22 + 0.42 * 0.55)
    margin = at(0.55, 0.22 + 0.42 * 0.55 + 0.1)
    parts = [_axes("clean training loss (log)", "outcome")]
    parts += [_line(rates, BLUE), _text(*at(0.7, 0.62), "other learning rates", BLUE)]
    parts += [_line(lengths, BROWN), _text(*at(0.76, 0.2), "other lengths", BROWN)]
    parts += [_line([curve, margin], GREY, thick=7), _line([margin, arm], INK)]
    parts += [_dot(arm, INK, 5), _text(arm[0] + 10, arm[1] + 4, "the arm", INK)]
    parts += [_text(margin[0] + 10, (margin[1] + arm[1]) / 2 + 4, "specific effect", INK)]
    parts += [_text(margin[0] - 10, (margin[1] + curve[1]) / 2 + 4, "margin", GREY, "end")]
    baseline = at(0.3, 0.22 + 0.42 * 0.3)
    parts += [
        _dot(baseline, BLUE, 5),
        _text(baseline[0], baseline[1] - 12, "baseline", BLUE, "end"),
    ]
    return _svg(parts)


def _svg(parts: Iterable[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">'
    )
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff"/>'
    return "\n".join([head, ground, *parts, "</svg>", ""])


def _axes(across: str, up: str) -> str:
    lines = _line([(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], GREY, thick=1)
    named = _text((LEFT + RIGHT) / 2, HEIGHT - 12, across, INK, "middle")
    turned = f'<g transform="rotate(-90 16 {(TOP + BOTTOM) / 2})">'
    return lines + named + turned + _text(16, (TOP + BOTTOM) / 2, up, INK, "middle") + "</g>"


def _line(points: Sequence[Point], colour: str, thick: float = 2, dashed: bool = False) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{thick}"{dashes}/>'
    )


def _dot(point: Point, colour: str, radius: float = 3) -> str:
    return f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="{radius}" fill="{colour}"/>'


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


if __name__ == "__main__":
    main()
