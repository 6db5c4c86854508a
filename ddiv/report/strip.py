"""The picture in a finding's row: effects of the seeds as dots, their interval as a line, zero in
the middle.
"""

from __future__ import annotations

import math

from markupsafe import Markup

from ddiv.report.text import is_number, key

MIDDLE, REACH = 60, 55  # of a strip 120 wide


def values(evidence: dict) -> list[float]:
    """All that a strip has to have room for: effects, their median and the finite ends of the
    interval.
    """
    found = [
        evidence.get("effect"),
        *(evidence.get("interval") or []),
        *(evidence.get("effects") or []),
    ]
    return [value for value in found if is_number(value)]


def digits(most: float) -> int | None:
    """Decimals that give numbers up to `most` three significant digits: the same in all rows of a
    claim and unit.
    """
    return min(6, max(0, 2 - math.floor(math.log10(most)))) if most else None


def strip(evidence: dict, matched: dict, most: float) -> Markup:
    """The strip on a scale from -`most` to `most`, fit-matched effects below; an open interval ends
    at the edge.
    """
    lanes = []
    for lane, (e, y) in enumerate(((evidence, 6), (matched, 13))):
        if not e or not most or not values(e):
            continue

        def at(value: float, most=most) -> str:
            return f"{MIDDLE + REACH * value / most:.1f}"

        low, high = (*(e.get("interval") or ()), None, None)[:2]
        bounded = is_number(low) or is_number(high)
        ends = at(low) if is_number(low) else "0", at(high) if is_number(high) else str(2 * MIDDLE)
        line = f'<path d="M{ends[0]} {y}H{ends[1]}"/>' if bounded else ""
        dots = "".join(f"M{at(v)} {y}h0" for v in e.get("effects") or [] if is_number(v))
        middle = (
            f'<path class="middle" d="M{at(e["effect"])} {y - 3.5}v7"/>'
            if is_number(e.get("effect"))
            else ""
        )
        lanes.append(
            f'<g class="{key(e.get("verdict"))}{" fit" if lane else ""}">{line}'
            f'<path class="dots" d="{dots}"/>{middle}</g>'
        )
    if not lanes:
        return Markup("")
    return Markup(
        '<svg class="strip" viewBox="0 0 120 19" aria-hidden="true"><path class="zero" d="M60 0v19"/>'
        + "".join(lanes)
        + "</svg>"
    )
