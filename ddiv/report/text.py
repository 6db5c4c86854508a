"""How the page writes verdicts, numbers and lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeGuard

# word: (CSS class, glyph), in the order in which verdicts are counted; the last three are none
VERDICTS = {
    "supported": ("sup", "✓"),
    "contradicted": ("con", "✗"),
    "inconclusive": ("inc", "?"),
    "error": ("err", "!"),
    "not applicable": ("na", "–"),
    "not run": ("run", "○"),
}

# What a specific verdict is, and is not.
SPECIFIC = (
    "beyond this family of slower, faster, shorter and longer training of the baseline "
    "(rates × 1/4 to × 2, lengths × .4 to × 1.5). It is not a proof of regularisation: the loss "
    "that arms are compared at is itself changed by treatment."
)

# The same of the word that stands beside a verdict.
NEGLIGIBLE = (
    "The median effect is under half of the spread of an arm that does nothing, whatever its sign."
)

# What a verdict rests on whose networks did not learn.
HARDLY = "on arms that hardly fit their training set: their effects may be those of not learning"

# How often a family's pooled controls show a bias, over families with as many studies the least
# (benchmarks/controls_power.py, embedded profile).
POWER = (
    "Where a bias gives each control the claimed sign with probability .9, the pooled controls of "
    "a family show it in at least 62 % of runs from an empty store if they are asked on three "
    "studies, 48 % on two and 28 % on one; on a store of twelve seeds in 87 %, 62 % and 28 %. At "
    ".7 three studies show it in 2 % and 4 %"
)


def key(verdict: Any) -> str:
    """The CSS class of a verdict."""
    return VERDICTS.get(verdict, ("unk", ""))[0]


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def dash(value: Any) -> Any:
    """The value, or "—" for None, an empty string and what a template does not find."""
    return "—" if value is None or str(value) == "" else value


def number(value: Any, sign: bool = False, digits: int | None = None) -> str:
    """Three significant digits, or `digits` decimals, with a real minus.

    What is not a number is written as it is, or as "—" where it is missing.
    """
    if not is_number(value):
        return str(dash(value))
    size = abs(value)
    if digits is not None:
        text = f"{value:.{digits}f}"
    elif 0 < size < 1e-4 or size >= 1e5:
        text = f"{value:.1e}"
    elif isinstance(value, int):
        text = str(value)
    elif 0 < size < 0.01:
        text = f"{value:.5f}".rstrip("0")
    else:
        decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
        text = f"{value:.{decimals}f}"
    if re.fullmatch(r"-[0.]+", text):
        text = text[1:]
    return ("+" if sign and value > 0 and text.strip("0.") else "") + text.replace("-", "−")


def plain(value: Any) -> str:
    """A setting as it was given: six significant digits, no padding."""
    return f"{value:g}" if isinstance(value, float) else number(value)


def interval(ends: Sequence[float | None] | None, digits: int | None = None) -> str:
    """An interval such as "[−0.033, ∞)"; "—" where there is none.

    An end that is None is one that the seeds are too few for.
    """
    if not ends or len(ends) != 2:
        return "—"
    low, high = ends
    if low is None and high is None:
        return "no bounds yet"
    lower = "(−∞" if low is None else f"[{number(low, True, digits)}"
    upper = "∞)" if high is None else f"{number(high, True, digits)}]"
    return f"{lower}, {upper}"


def duration(seconds: Any) -> str:
    """Seconds, minutes or hours; "—" for what is not a number."""
    if not is_number(seconds):
        return "—"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def percent(value: Any) -> str:
    """A share in per cent; "—" for what is not a number."""
    return f"{100 * value:.4g} %" if is_number(value) else "—"


def share(value: Any) -> str:
    """A share of a whole in whole per cent; beyond tenfold only that it is larger."""
    if not is_number(value):
        return "—"
    if abs(value) > 10:
        return "> 1000 %" if value > 0 else "< −1000 %"
    return f"{round(100 * value)} %".replace("-", "−")


def count(n: int, one: str, many: str | None = None) -> str:
    """A number with its noun, such as "1 seed"; `many` is the plural, where it is irregular."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def in_a_row(parts: list[str]) -> str:
    """The parts in words: "a, b and c"."""
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)
