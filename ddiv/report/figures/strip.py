"""The picture in a finding's row: effects of the seeds as dots, their interval as a line, zero in
the middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from ddiv.report.schema import Evidence
from ddiv.report.text import is_number, key

WIDTH, MIDDLE, REACH = 120, 60, 55

# Height and CSS class of the effects as claimed, and of the specific ones.
LANES = ((6, ""), (13, " specific"))


def values(evidence: Evidence) -> list[float]:
    """All that a strip has to have room for: effects, their median and the finite ends of the
    interval.
    """
    shown = [evidence.effect, *(evidence.interval or ()), *evidence.effects]
    return [value for value in shown if is_number(value)]


def digits(most: float) -> int | None:
    """Decimals that give numbers up to `most` three significant digits.

    They are the same in all rows of a claim and unit.
    """
    return min(6, max(0, 2 - math.floor(math.log10(most)))) if most else None


def strip(evidence: Evidence | None, specific: Evidence | None, most: float) -> Markup:
    """The strip on a scale from -`most` to `most`, specific effects below.

    An open interval ends at the edge.
    """
    lanes = [
        _lane(lane, most, *place)
        for lane, place in zip((evidence, specific), LANES)
        if lane and most and values(lane)
    ]
    if not lanes:
        return Markup("")
    return Markup(
        f'<svg class="strip" viewBox="0 0 {WIDTH} 19" aria-hidden="true">'
        f'<path class="zero" d="M{MIDDLE} 0v19"/>{"".join(lanes)}</svg>'
    )


def dots(effects: Sequence[float | None], verdict: str) -> Markup:
    """Effects alone, on a scale of their own."""
    known = tuple(effect for effect in effects if is_number(effect))
    most = max(map(abs, known), default=0.0)
    return strip(Evidence(verdict=verdict, effects=known), None, most)


def _lane(evidence: Evidence, most: float, y: int, css: str) -> str:
    def at(value: float) -> str:
        return f"{MIDDLE + REACH * value / most:.0f}"

    low, high = evidence.interval or (None, None)
    line = ""
    if low is not None or high is not None:
        start = "0" if low is None else at(low)
        end = str(WIDTH) if high is None else at(high)
        line = f'<path d="M{start} {y}H{end}"/>'
    dots = "".join(f"M{at(effect)} {y}h0" for effect in evidence.effects if effect is not None)
    middle = ""
    if evidence.effect is not None:
        middle = f'<path class="middle" d="M{at(evidence.effect)} {y - 3.5}v7"/>'
    return (
        f'<g class="{key(evidence.verdict)}{css}">{line}<path class="dots" d="{dots}"/>{middle}</g>'
    )
