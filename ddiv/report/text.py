"""How the page writes verdicts, numbers and lists."""

from __future__ import annotations

import re
from typing import Any

VERDICTS = {  # word: (css class, glyph), in the order in which they are counted
    "supported": ("sup", "✓"),
    "contradicted": ("con", "✗"),
    "inconclusive": ("inc", "?"),
    "not applicable": ("na", "–"),
    "not run": ("run", "○"),
}


def key(verdict: Any) -> str:
    return VERDICTS.get(verdict, ("unk", ""))[0]


def glyph(verdict: Any) -> str:
    return VERDICTS.get(verdict, ("unk", "·"))[1]


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def dash(value: Any) -> Any:
    """The value, or "—" for None, an empty string and what a template does not find."""
    return "—" if value is None or str(value) == "" else value


def number(value: Any, sign: bool = False, digits: int | None = None) -> str:
    """Three significant digits, or `digits` decimals, with a real minus; "—" for what is not a
    number.
    """
    if not is_number(value):
        return str(dash(value))
    if digits is not None:
        text = f"{value:.{digits}f}"
    elif value == 0 or 1e-4 <= abs(value) < 1e5:
        decimals = (
            0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
        )
        text = str(value) if isinstance(value, int) else f"{value:.{decimals}f}"
        if 0 < abs(value) < 0.01:
            text = f"{value:.5f}".rstrip("0")
    else:
        text = f"{value:.1e}"
    if re.fullmatch(r"-[0.]+", text):
        text = text[1:]
    return ("+" if sign and value > 0 and text.strip("0.") else "") + text.replace("-", "−")


def plain(value: Any) -> str:
    """A setting as it was given: six significant digits, no padding."""
    return f"{value:g}" if isinstance(value, float) else number(value)


def interval(evidence: Any, digits: int | None = None) -> str:
    """ "[−0.033, ∞)": an end that is None is one that the seeds are too few for; "—" where there is
    no interval.
    """
    ends = evidence.get("interval") if isinstance(evidence, dict) else None
    if not isinstance(ends, list) or len(ends) != 2:
        return "—"
    low, high = ends
    if not is_number(low) and not is_number(high):
        return "no bounds yet"
    return (
        (f"[{number(low, True, digits)}" if is_number(low) else "(−∞")
        + ", "
        + (f"{number(high, True, digits)}]" if is_number(high) else "∞)")
    )


def duration(seconds: Any) -> str:
    if not is_number(seconds):
        return "—"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def percent(value: Any) -> str:
    return f"{100 * value:.4g} %" if is_number(value) else "—"


def share(value: Any) -> str:
    """What is left of a whole, in whole per cent; beyond tenfold only that it is."""
    if not is_number(value):
        return "—"
    if abs(value) > 10:
        return "> 1000 %" if value > 0 else "< −1000 %"
    return f"{round(100 * value)} %".replace("-", "−")


def count(n: int, one: str, many: str | None = None) -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def in_a_row(parts: list[str]) -> str:
    """ "a, b and c"."""
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)
