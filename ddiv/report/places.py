"""Places on the page: anchors of what can be linked to, numbers of what is listed once."""

from __future__ import annotations

import re
from collections.abc import Iterable


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as "3 7-9 2", where each run of consecutive ones is a range."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return " ".join(f"{low}-{high}" if high > low else str(low) for low, high in runs)


def anchor(kind: str, text: str, taken: set[str]) -> str:
    """An id for a place of the page that no other place has; it joins `taken`.

    Letters and digits of all scripts stay: they are the same in an address and in the page.
    """
    words = re.sub(r"[\W_]+", "-", text.lower()).strip("-")
    base = name = f"{kind}-{words or 'x'}"
    again = 1
    while name in taken:
        again += 1
        name = f"{base}-{again}"
    taken.add(name)
    return name
